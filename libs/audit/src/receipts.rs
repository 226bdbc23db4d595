//! Receipts against the journals and the chain: what was promised and is not there any more.

use super::{Audit, AuditError, Report, Source, Wanted, chain::Blocks};
use seal::{
    entry,
    id::Service,
    receipt::{Promise, Receipt},
    text::{Base64, Hex},
};
use serde::{Deserialize, Serialize};

/// The largest file of receipts, in bytes.
pub const MAX_RECEIPTS_BYTES: u64 = 1 << 30;

/// A receipt as a line of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: Base64,
    index: u64,
    path: Vec<Hex>,
    note: String,
}

/// A line of a file of receipts is not one.
#[derive(Debug, thiserror::Error)]
#[error("line {number} is not a receipt")]
pub struct NotAReceipt {
    /// The number of the line, from 1.
    pub number: u64,
    /// Why not.
    source: serde_json::Error,
}

/// Reads a file of receipts: each line a JSON object with `entry` (base64), `index`, `path` (hex) and `note`, the fields of
/// PROOF.md section 16.
pub fn read(text: &str) -> Result<Vec<Receipt>, NotAReceipt> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
    lines.map(|(number, line)| parse(line).map_err(|source| NotAReceipt { number, source })).collect()
}

fn parse(line: &str) -> serde_json::Result<Receipt> {
    let Line { entry, index, path, note } = serde_json::from_str(line)?;
    Ok(Receipt { entry: entry.0, index, path: path.into_iter().map(|hash| hash.0).collect(), note })
}

/// A receipt as a line of a file of receipts.
pub fn line(receipt: &Receipt) -> serde_json::Result<String> {
    let Receipt { entry, index, path, note } = receipt.clone();
    let path = path.into_iter().map(Hex).collect();
    Ok(serde_json::to_string(&Line { entry: Base64(entry), index, path, note })? + "\n")
}

/// Checks that what each receipt promised is kept.
pub(super) async fn check<S: Source>(
    source: &S,
    audit: &Audit<'_>,
    blocks: &Blocks,
    report: &mut Report,
) -> Result<(), AuditError> {
    for receipt in audit.receipts {
        report.receipts += 1;
        let promise = match receipt.verify(&audit.policy.receipts) {
            Ok(promise) => promise,
            Err(error) => {
                report.find(None, None, None, format!("a receipt does not verify: {error}"));
                continue;
            }
        };
        let number = promise.entry.number;
        let whose = audit.studies.iter().flat_map(|study| Service::ALL.map(|service| (*study, service)));
        let whose = whose.into_iter().find(|(study, service)| service.stream(*study) == promise.entry.stream);
        let mut find = |what: &str| report.find(whose.map(|it| it.0), whose.map(|it| it.1), Some(number), what);
        if is_late(&promise, blocks, audit.now_ms) {
            find("was promised to be on the chain by now, by a receipt, and is not");
        }
        let Some((study, service)) = whose else {
            find("a receipt is for a journal that was not audited");
            continue;
        };
        let (mut found, wanted) = (None, Wanted { study, service, from: number, limit: 1, full: false });
        source.entries(wanted, |stored| found = Some(stored.entry)).await.map_err(AuditError::of::<S>)?;
        match found {
            None => find("was recorded, as a receipt shows, and is not in the journal: the journal was rolled back"),
            Some(bytes) if entry::hash(&bytes) != entry::hash(&receipt.entry) => {
                find("is another than a receipt was handed out for: the journal was rolled back and went on");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_late(promise: &Promise, blocks: &Blocks, now_ms: u64) -> bool {
    let anchored = blocks.get(&promise.entry.stream).and_then(|blocks| blocks.last());
    let anchored = anchored.map_or(0, |block| block.first + u64::from(block.count));
    promise.entry.number >= anchored && now_ms > promise.anchored_by
}
