//! Journal entries: numbered without gaps, each naming the hash of the one before.

use crate::{
    codec::{CodecError, Reader, Writer},
    id::StreamId,
};
use tlog::{Hash, merkle};

const MAGIC: &str = "trialseal/entry@v1 sha256\n";
const MAX_KIND_BYTES: usize = 64;
const MAX_BASIS: u8 = 4;

/// The longest entry, in bytes: the longest kind, a state root and four heads.
pub const MAX_ENTRY_BYTES: usize = 157 + MAX_KIND_BYTES + 32 + 72 * MAX_BASIS as usize;

/// A place in a journal: everything up to and including one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// The journal.
    pub stream: StreamId,
    /// The number of its last entry.
    pub number: u64,
    /// The hash of that entry.
    pub hash: Hash,
}

/// One recorded command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The journal it belongs to.
    pub stream: StreamId,
    /// 0, 1, 2 … without gaps.
    pub number: u64,
    /// The hash of the entry before; zero for number 0.
    pub previous: Hash,
    /// When it was recorded, Unix milliseconds; never less than the entry before.
    pub time: u64,
    /// 16 random bytes.
    pub nonce: [u8; 16],
    /// The command's kind, as in its payload type.
    pub kind: String,
    /// SHA-256 of the signed envelope's bytes.
    pub envelope: Hash,
    /// The root of the state map after this entry, where the stream keeps one.
    pub state_root: Option<Hash>,
    /// The heads of other journals at which the decision to accept was made.
    pub basis: Vec<Head>,
}

impl Entry {
    /// The bytes that are hashed and kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind_length = u8::try_from(self.kind.len()).unwrap_or(u8::MAX);
        let mut writer = Writer::new(MAGIC)
            .bytes(self.stream.0.as_bytes())
            .u64(self.number)
            .bytes(self.previous.as_bytes())
            .u64(self.time)
            .bytes(&self.nonce)
            .u8(kind_length)
            .bytes(self.kind.as_bytes())
            .bytes(self.envelope.as_bytes());
        writer = match &self.state_root {
            None => writer.u8(0),
            Some(root) => writer.u8(1).bytes(root.as_bytes()),
        };
        writer = writer.u8(u8::try_from(self.basis.len()).unwrap_or(u8::MAX));
        for head in &self.basis {
            writer = writer.bytes(head.stream.0.as_bytes()).u64(head.number).bytes(head.hash.as_bytes());
        }
        writer.finish()
    }

    /// Parses [`Self::to_bytes`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let entry = Self {
            stream: StreamId(reader.hash("stream")?),
            number: reader.u64("number")?,
            previous: reader.hash("previous")?,
            time: reader.u64("time")?,
            nonce: reader.array("nonce")?,
            kind: kind(&mut reader)?,
            envelope: reader.hash("envelope")?,
            state_root: state_root(&mut reader)?,
            basis: basis(&mut reader)?,
        };
        reader.finish()?;
        Ok(entry)
    }

    /// This entry as a head.
    pub fn head(&self) -> Head {
        Head { stream: self.stream, number: self.number, hash: hash(&self.to_bytes()) }
    }

    /// The head of `stream` this entry rests on.
    pub fn basis_in(&self, stream: StreamId) -> Option<&Head> {
        self.basis.iter().find(|head| head.stream == stream)
    }
}

/// The hash of an entry or block, from its bytes: the RFC 6962 leaf hash, so that it is at once its Merkle leaf.
pub fn hash(bytes: &[u8]) -> Hash {
    merkle::leaf_hash(bytes)
}

fn kind(reader: &mut Reader<'_>) -> Result<String, CodecError> {
    let length = usize::from(reader.u8("kind")?);
    let text = std::str::from_utf8(reader.bytes(length, "kind")?).map_err(|_| CodecError::Invalid("kind"))?;
    let good = (1..=MAX_KIND_BYTES).contains(&length) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if good { Ok(text.to_owned()) } else { Err(CodecError::Invalid("kind")) }
}

fn state_root(reader: &mut Reader<'_>) -> Result<Option<Hash>, CodecError> {
    match reader.u8("state_root")? {
        0 => Ok(None),
        1 => reader.hash("state_root").map(Some),
        _ => Err(CodecError::Invalid("state_root")),
    }
}

fn basis(reader: &mut Reader<'_>) -> Result<Vec<Head>, CodecError> {
    let count = reader.u8("basis")?;
    if count > MAX_BASIS {
        return Err(CodecError::Invalid("basis"));
    }
    let mut heads: Vec<Head> = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let head =
            Head { stream: StreamId(reader.hash("basis")?), number: reader.u64("basis")?, hash: reader.hash("basis")? };
        if heads.iter().any(|known| known.stream == head.stream) {
            return Err(CodecError::Invalid("basis"));
        }
        heads.push(head);
    }
    Ok(heads)
}
