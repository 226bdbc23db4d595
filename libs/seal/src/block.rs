//! Blocks: a run of one stream's entries under one Merkle root. A block's bytes are an entry of the chain.

use crate::{
    codec::{CodecError, Reader, Writer},
    id::StreamId,
};
use tlog::Hash;

const MAGIC: &str = "trialseal/block@v1 sha256\n";

/// The most entries of one block.
pub const MAX_ENTRIES: u32 = 65_536;

/// A batch of entries committed to the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The stream, opaque to outsiders.
    pub stream: StreamId,
    /// 0, 1, 2 … within the stream, without gaps.
    pub number: u64,
    /// The number of the first entry; the block before ends just under it.
    pub first: u64,
    /// How many entries, 1 to [`MAX_ENTRIES`].
    pub count: u32,
    /// RFC 6962 root over the entries' bytes.
    pub root: Hash,
    /// When the block was made, Unix milliseconds.
    pub time: u64,
    /// The hash of the stream's block before; zero for number 0.
    pub previous: Hash,
}

impl Block {
    /// The bytes that are hashed and put on the chain.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new(MAGIC)
            .bytes(self.stream.0.as_bytes())
            .u64(self.number)
            .u64(self.first)
            .u32(self.count)
            .bytes(self.root.as_bytes())
            .u64(self.time)
            .bytes(self.previous.as_bytes())
            .finish()
    }

    /// Parses [`Self::to_bytes`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let block = Self {
            stream: StreamId(reader.hash("stream")?),
            number: reader.u64("number")?,
            first: reader.u64("first")?,
            count: reader.u32("count")?,
            root: reader.hash("root")?,
            time: reader.u64("time")?,
            previous: reader.hash("previous")?,
        };
        reader.finish()?;
        if !(1..=MAX_ENTRIES).contains(&block.count) || block.first.checked_add(u64::from(block.count)).is_none() {
            return Err(CodecError::Invalid("count"));
        }
        Ok(block)
    }

    /// The place of entry `number` in this block, if it covers it.
    pub fn index_of(&self, number: u64) -> Option<u64> {
        number.checked_sub(self.first).filter(|index| *index < u64::from(self.count))
    }
}
