//! What a witness is asked, and what it must answer (C2SP tlog-witness, "add-checkpoint").

use std::fmt;

use crate::{
    checkpoint::Checkpoint,
    hash::Hash,
    key::VerifierKey,
    merkle,
    note::{MAX_NOTE_BYTES, Note},
    text,
};

/// The most hashes a consistency proof may have.
pub const MAX_PROOF_LINES: usize = 63;
/// The largest request read, in bytes: a note, and 4 kB for the lines before it.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 4096;
/// The content type of the answer to [`Refusal::Conflict`]; its body is the size and a newline.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Whether a `Content-Type` says that the body is a size: [`SIZE_CONTENT_TYPE`] in whatever case, with or without
/// parameters (RFC 9110 §8.3.1).
pub fn is_size_content_type(value: &str) -> bool {
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SIZE_CONTENT_TYPE)
}

/// The body of an `add-checkpoint` request.
///
/// Text form: `old <size>`, the proof's hashes in base64, an empty line, the signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size the client believes the witness cosigned last; 0 for none.
    pub old: u64,
    /// The consistency proof from `old` to the checkpoint (RFC 6962 §2.1.2).
    pub proof: Vec<Hash>,
    /// The signed checkpoint, as it came. [`decide`] looks into it.
    pub checkpoint: String,
}

/// Why a witness does not cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: the request is not of the form of `add-checkpoint`, or too large.
    #[error("malformed request")]
    Malformed,
    /// 400: the old size is above the checkpoint's size.
    #[error("the old size is above the checkpoint's size")]
    OldTooLarge,
    /// 403: no signature by a trusted key of the log, or one that is wrong.
    #[error("the log's signature is missing or wrong")]
    Signature,
    /// 404: the origin is not one of the logs the witness knows.
    #[error("unknown origin")]
    UnknownOrigin,
    /// 409: the old size is not the one cosigned last. See [`SIZE_CONTENT_TYPE`].
    #[error("the size cosigned last is {size}")]
    Conflict {
        /// The size cosigned last; 0 for none.
        size: u64,
    },
    /// 422: the old size is the checkpoint's size, and the root another than the one cosigned; or
    /// size 0 with another root than that of the empty tree.
    #[error("the root contradicts the size")]
    Root,
    /// 422: the consistency proof is wrong, or given without an old tree.
    #[error("the consistency proof is wrong")]
    Proof,
}

impl Refusal {
    /// The HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::Malformed | Refusal::OldTooLarge => 400,
            Refusal::Signature => 403,
            Refusal::UnknownOrigin => 404,
            Refusal::Conflict { .. } => 409,
            Refusal::Root | Refusal::Proof => 422,
        }
    }
}

impl AddCheckpoint {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<AddCheckpoint, Refusal> {
        AddCheckpoint::read(bytes).ok_or(Refusal::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<AddCheckpoint> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| text::is_plain(text))?;
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = text::decode_decimal(lines.next()?.strip_prefix("old ")?)?;
        let proof: Vec<Hash> = lines.map(Hash::from_base64).collect::<Option<_>>()?;
        let well_formed = proof.len() <= MAX_PROOF_LINES && checkpoint.len() <= MAX_NOTE_BYTES;
        well_formed.then(|| AddCheckpoint { old, proof, checkpoint: checkpoint.to_owned() })
    }
}

impl fmt::Display for AddCheckpoint {
    /// Writes the bytes the request was parsed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Decides whether to cosign, and changes nothing: gives the checkpoint to cosign.
///
/// `last` is the size and root cosigned last for this origin, `logs` the keys of the known logs; a
/// log is known by the name of its key. Before answering with the cosignature, store the size and
/// root by compare-and-set against `last`: deciding twice in parallel must not roll back.
///
/// # Errors
///
/// The [`Refusal`] to answer with.
pub fn decide(
    request: &AddCheckpoint,
    last: Option<&(u64, Hash)>,
    logs: &[VerifierKey],
) -> Result<Checkpoint, Refusal> {
    let note = Note::parse(request.checkpoint.as_bytes()).map_err(|_| Refusal::Malformed)?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|_| Refusal::Malformed)?;
    let keys = logs.iter().filter(|key| key.name() == checkpoint.origin);
    if keys.clone().next().is_none() {
        return Err(Refusal::UnknownOrigin);
    }
    note.verify_by(&keys).map_err(|_| Refusal::Signature)?;
    check_growth(request, last, &checkpoint)?;
    Ok(checkpoint)
}

fn check_growth(request: &AddCheckpoint, last: Option<&(u64, Hash)>, checkpoint: &Checkpoint) -> Result<(), Refusal> {
    if request.old > checkpoint.size {
        return Err(Refusal::OldTooLarge);
    }
    let (size, root) = last.copied().unwrap_or_else(|| (0, merkle::empty_root()));
    if request.old != size {
        return Err(Refusal::Conflict { size });
    }
    // Covers size 0 too: there `root` is the one of the empty tree.
    if checkpoint.size == size && checkpoint.root != root {
        return Err(Refusal::Root);
    }
    merkle::verify_consistency(size, checkpoint.size, &root, &checkpoint.root, &request.proof)
        .map_err(|_| Refusal::Proof)
}
