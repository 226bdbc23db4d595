//! What an auditor reads out of a running deployment: an audit of it as it runs, or one study in one folder, with everything
//! that is needed to verify it without us.
//!
//! The folder is plain files that will be readable as long as text and hashes are: the journals as JSON lines, the chain as
//! the C2SP tile files, the consent documents, the policy, the byte-by-byte specification of the proofs, a verifier written
//! from it alone, and a manifest of digests. Personal values are in it as far as the exporting auditor may read them.

mod live;
mod progress;
mod writer;

pub use audit::{Export, Manifest};
pub use live::LiveAudit;
pub use progress::Bars;

use anyhow::{Context, Result, bail, ensure};
use audit::{Source, StoredEntry, Wanted, lengths};
use client::{Client, ClientError, Reader};
use live::Live;
use proto::consent::GetDocumentRequest;
use seal::{
    block::Block,
    dsse::Envelope,
    entry::Entry,
    id::{Service, StreamId, Uuid},
    policy::Policy,
};
use std::{collections::HashMap, path::Path, time::Duration};
use tlog::tile::{EntriesId, TILE_WIDTH, TileId, parse_entry_bundle, tiles_for_growth};
use tokio::time::{Instant, sleep};
use vocabulary::command::{Payload, PublishDocument};
use writer::Writer;

/// The largest file of a chain.
const MAX_FILE: usize = TILE_WIDTH * (65_535 + 2);
/// How long an export waits until everything that is recorded is on the chain.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(200);

/// What explains itself in every export.
const ENCLOSED: [(&str, &str); 4] = [
    ("README.md", include_str!("../../../docs/export/README.md")),
    ("PROOF.md", include_str!("../../../docs/PROOF.md")),
    ("verify_bundle.py", include_str!("../../../tests/judges/verify_bundle.py")),
    ("verify_export.py", include_str!("../../../docs/export/verify_export.py")),
];

/// Writes a study to a new folder. Gives the manifest.
///
/// `policy` is the policy and its text, that of its file of keys included. Every read of values is recorded first, under the auditor's name, like any other read.
pub async fn write(
    client: &Client,
    tiles: &str,
    reader: Reader,
    policy: (&Policy, &str),
    folder: &Path,
) -> Result<Manifest> {
    let study = reader.study;
    ensure!(policy.0.studies.contains_key(&study), "the policy does not name the study's root key");
    let readers = [reader];
    let live = Live { client, tiles, readers: &readers };
    let chain = anchored(&live, study, policy.0).await?;
    let mut writer = Writer::new(folder)?;
    for (name, text) in ENCLOSED {
        writer.file(name, text.as_bytes())?;
    }
    let (pure, keys) = seal::policy::part(policy.1);
    writer.file("policy.txt", pure.as_bytes())?;
    writer.file("policy-keys.txt", keys.as_bytes())?;
    let mut documents = Vec::new();
    for service in Service::ALL {
        let count = chain.entries.get(&service.stream(study)).copied().unwrap_or_default();
        journal(&live, (study, service, count), &mut writer, &mut documents).await?;
    }
    for document in documents {
        keep_document(client, &readers[0], &document, &mut writer).await?;
    }
    for (name, bytes) in &chain.files {
        writer.file(&format!("chain/{name}"), bytes)?;
    }
    writer.finish(study, chain.size, client::now_ms())
}

/// The chain at one size, and how many entries of each journal it holds.
struct Chain {
    size: u64,
    files: Vec<(String, Vec<u8>)>,
    entries: HashMap<StreamId, u64>,
}

/// The chain once it holds all that the study's journals hold now.
async fn anchored(live: &Live<'_>, study: Uuid, policy: &Policy) -> Result<Chain> {
    let lengths = lengths(live, study, |_| 0).await?;
    ensure!(lengths[0] > 0, "there is no such study");
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(chain) = chain(live, policy).await?.filter(|chain| chain.holds(study, &lengths)) {
            return Ok(chain);
        }
        if Instant::now() > until {
            bail!("not every entry is covered by a published checkpoint yet: try again later");
        }
        sleep(AGAIN).await;
    }
}

async fn chain(live: &Live<'_>, policy: &Policy) -> Result<Option<Chain>> {
    let notes = live.checkpoints().await?;
    let Some(latest) = notes.first() else { return Ok(None) };
    let size = policy.tlog.verify_checkpoint(latest.as_bytes()).context("the latest checkpoint")?.checkpoint.size;
    let mut chain =
        Chain { size, files: vec![("checkpoint".to_owned(), latest.clone().into_bytes())], entries: HashMap::new() };
    chain.files.push(("checkpoints.json".to_owned(), serde_json::to_vec_pretty(&notes)?));
    for id in tiles_for_growth(0, size) {
        if id.level == 0 {
            chain.bundle(live, id).await?;
        }
        chain.files.push((id.path(), live.file(&id.path(), MAX_FILE).await?));
    }
    Ok(Some(chain))
}

impl Chain {
    /// Whether it holds as many entries of each journal.
    fn holds(&self, study: Uuid, lengths: &[u64]) -> bool {
        let held = |service: Service| self.entries.get(&service.stream(study)).copied().unwrap_or_default();
        lengths.iter().zip(Service::ALL).all(|(length, service)| held(service) >= *length)
    }

    /// Adds the entry bundle beside a tile of leaf hashes.
    async fn bundle(&mut self, live: &Live<'_>, tile: TileId) -> Result<()> {
        let id = EntriesId { index: tile.index, width: tile.width };
        let bytes = live.file(&id.path(), MAX_FILE).await?;
        for block in parse_entry_bundle(&bytes, id.width).with_context(|| id.path())? {
            let block = Block::parse(&block).with_context(|| id.path())?;
            *self.entries.entry(block.stream).or_default() += u64::from(block.count);
        }
        self.files.push((id.path(), bytes));
        Ok(())
    }
}

async fn journal(
    live: &Live<'_>,
    (study, service, count): (Uuid, Service, u64),
    writer: &mut Writer,
    documents: &mut Vec<PublishDocument>,
) -> Result<()> {
    let mut lines = writer.lines(&format!("journals/{service}.jsonl"))?;
    if count > 0 {
        let mut outcome = Ok(());
        let wanted = Wanted { study, service, from: 0, limit: count, full: true };
        live.entries(wanted, |stored| {
            documents.extend(published(&stored));
            if outcome.is_ok() {
                outcome = lines.line(&stored);
            }
        })
        .await?;
        outcome?;
    }
    lines.finish(writer)
}

/// The document that an entry published.
fn published(stored: &StoredEntry) -> Option<PublishDocument> {
    let entry = Entry::parse(&stored.entry).ok().filter(|entry| entry.kind == PublishDocument::KIND)?;
    let envelope = Envelope::parse(&stored.envelope).ok()?;
    let document: PublishDocument = envelope.payload().ok()?;
    (entry.envelope == seal::sha256(&[&stored.envelope])).then_some(document)
}

async fn keep_document(client: &Client, reader: &Reader, command: &PublishDocument, writer: &mut Writer) -> Result<()> {
    let request = GetDocumentRequest {
        study: reader.study.to_string(),
        document: command.document.to_string(),
        version: command.version.to_string(),
        language: command.language.to_string(),
    };
    let answer = client.consent.clone().get_document(reader.request(request)).await.map_err(ClientError::from)?;
    let (file, name) = (answer.into_inner().file, format!("documents/{}", command.content.0.to_hex()));
    ensure!(seal::sha256(&[&file]) == command.content.0, "{name}: the document's file is missing or damaged");
    if writer.has(&name) { Ok(()) } else { writer.file(&name, &file) }
}
