//! Receipts: the recording service's signed word that an entry is durable and will be on the chain by a stated time.
//!
//! One signature covers a whole commit group: it is a signed note over the RFC 6962 root of the group's entries, and a
//! receipt carries its entry's path to that root. A receipt whose entry is not on the chain by then is evidence.

use crate::entry::{Entry, MAX_ENTRY_BYTES};
use tlog::{
    Hash,
    key::{SignerKey, VerifierKey},
    merkle,
    note::Note,
};

const MAGIC: &str = "trialseal/receipt@v1 sha256";

/// The most entries of one commit group.
pub const MAX_GROUP: u64 = 4_096;

/// A receipt as handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The entry's place in the commit group.
    pub index: u64,
    /// The hashes from the entry to the group's root, leaf side first.
    pub path: Vec<Hash>,
    /// The signed note over the group.
    pub note: String,
}

/// What a receipt promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The entry.
    pub entry: Entry,
    /// By when it will be on the chain, Unix milliseconds.
    pub anchored_by: u64,
    /// Who promised.
    pub signed_by: String,
}

/// Why a receipt is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The note is not by a known key, or not a group's note.
    #[error("the note is not signed by a known recording service")]
    Note,
    /// The entry cannot be read.
    #[error("the entry cannot be read")]
    Entry,
    /// The path does not lead from the entry to the signed root.
    #[error("the entry is not in the signed group")]
    Path,
}

/// The note over a commit group, signed.
pub fn sign_group(entries: &merkle::Tree, anchored_by: u64, key: &SignerKey) -> Option<String> {
    let text = format!("{MAGIC}\n{}\n{}\n{anchored_by}\n", entries.len(), entries.root().to_base64());
    let signature = tlog::note::sign(&text, key).ok()?;
    Some(Note { text, signatures: vec![signature] }.to_string())
}

impl Receipt {
    /// Checks the receipt against the recording services' keys.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Promise, ReceiptError> {
        let note = Note::parse(self.note.as_bytes()).map_err(|_| ReceiptError::Note)?;
        let signer = note.verify(keys).ok().and_then(|signers| signers.into_iter().next()).ok_or(ReceiptError::Note)?;
        let (size, root, anchored_by) = group(&note.text).ok_or(ReceiptError::Note)?;
        if self.entry.len() > MAX_ENTRY_BYTES {
            return Err(ReceiptError::Entry);
        }
        let leaf = merkle::leaf_hash(&self.entry);
        merkle::verify_inclusion(&leaf, self.index, size, &self.path, &root).map_err(|_| ReceiptError::Path)?;
        let entry = Entry::parse(&self.entry).map_err(|_| ReceiptError::Entry)?;
        Ok(Promise { entry, anchored_by, signed_by: signer.key.name().to_owned() })
    }
}

fn group(text: &str) -> Option<(u64, Hash, u64)> {
    let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    let [MAGIC, size, root, anchored_by] = lines.as_slice() else { return None };
    Some((decimal(size)?, Hash::from_base64(root)?, decimal(anchored_by)?))
}

fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
