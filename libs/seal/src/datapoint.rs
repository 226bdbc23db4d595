//! One value of one item: the leaf of a submission's tree.

use crate::codec::{CodecError, Reader, Writer};
use tlog::{Hash, merkle};

const MAGIC: &str = "trialseal/datapoint@v1 sha256\n";

/// The largest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 10;
/// The most datapoints of one submission.
pub const MAX_DATAPOINTS: usize = 4_096;

/// One item's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datapoint {
    /// 16 random bytes, never used twice: without them the leaf hash tells nothing about the value.
    pub nonce: [u8; 16],
    /// The item.
    pub item: String,
    /// The repeat key of the item group; empty where the group does not repeat.
    pub repeat: String,
    /// The value as captured; empty when a correction takes a value away.
    pub value: String,
    /// The unit; empty where there is none.
    pub unit: String,
}

impl Datapoint {
    /// The bytes that are hashed and kept: magic line, nonce, then item, repeat, value and unit, each behind a length
    /// of four bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new(MAGIC)
            .bytes(&self.nonce)
            .text(&self.item)
            .text(&self.repeat)
            .text(&self.value)
            .text(&self.unit)
            .finish()
    }

    /// Parses [`Self::to_bytes`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let datapoint = Self {
            nonce: reader.array("nonce")?,
            item: short(reader.text("item")?, "item")?,
            repeat: short(reader.text("repeat")?, "repeat")?,
            value: reader.text("value")?.to_owned(),
            unit: short(reader.text("unit")?, "unit")?,
        };
        reader.finish()?;
        if datapoint.value.len() > MAX_VALUE_BYTES {
            return Err(CodecError::Invalid("value"));
        }
        Ok(datapoint)
    }
}

fn short(text: &str, field: &'static str) -> Result<String, CodecError> {
    if text.len() <= 128 { Ok(text.to_owned()) } else { Err(CodecError::Invalid(field)) }
}

/// The root over datapoints given as bytes, in their order.
pub fn root<B: AsRef<[u8]>>(datapoints: &[B]) -> Hash {
    let leaves: Vec<Hash> = datapoints.iter().map(|bytes| merkle::leaf_hash(bytes.as_ref())).collect();
    merkle::root(&leaves)
}
