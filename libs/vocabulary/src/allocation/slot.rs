//! One slot of a list, and the proof that it was in the list from the beginning.

use super::{MAX_FACTORS, SEPARATOR, Scheme};
use seal::{
    codec::{CodecError, Reader, Writer},
    id::Name,
    text::{Base64, Hex},
};
use serde::{Deserialize, Serialize};
use tlog::{Hash, merkle};

const MAGIC: &str = "trialseal/slot@v1 sha256\n";

/// One place of a stratum's list: a leaf of the list's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The name of the stratum; empty where nothing stratifies.
    pub stratum: String,
    /// 0, 1, 2 … within the stratum: the participant who takes it is the stratum's first, second, third …
    pub index: u32,
    /// The arm.
    pub arm: Name,
    /// 16 bytes derived from the seed: without them the leaf hash tells nothing about the arm.
    pub salt: [u8; 16],
}

impl Slot {
    /// The bytes that are hashed and disclosed: magic line, salt, stratum behind a length of four bytes, index as `u32`,
    /// arm behind a length of four bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new(MAGIC).bytes(&self.salt).text(&self.stratum).u32(self.index).text(self.arm.as_str()).finish()
    }

    /// Parses [`Self::to_bytes`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes, MAGIC)?;
        let slot = Self {
            salt: reader.array("salt")?,
            stratum: stratum(reader.text("stratum")?)?,
            index: reader.u32("index")?,
            arm: reader.text("arm")?.parse().map_err(|_| CodecError::Invalid("arm"))?,
        };
        reader.finish()?;
        Ok(slot)
    }
}

fn stratum(text: &str) -> Result<String, CodecError> {
    let mut levels = text.split(SEPARATOR);
    let good = levels.by_ref().take(MAX_FACTORS).all(|level| level.parse::<Name>().is_ok()) && levels.next().is_none();
    if text.is_empty() || good { Ok(text.to_owned()) } else { Err(CodecError::Invalid("stratum")) }
}

/// Why a disclosure does not prove its slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// The bytes are not a slot.
    #[error("the bytes are not a slot")]
    Slot(#[source] CodecError),
    /// The path does not lead from the slot to the root.
    #[error("the path does not lead from the slot to the root")]
    Path(#[source] merkle::ProofError),
    /// The scheme has no such stratum, or no such arm.
    #[error("the scheme has no such stratum or arm")]
    Unknown,
    /// The slot lies at another place than the scheme gives it.
    #[error("the slot is not at the place that its stratum and index give")]
    Place,
}

/// A slot and the proof that it is in the list, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// [`Slot::to_bytes`].
    pub slot: Base64,
    /// Its place in the tree: index of the stratum times slots of a stratum, plus index of the slot.
    pub place: u64,
    /// The inclusion path, leaf side first (RFC 6962 section 2.1.1).
    pub path: Vec<Hex>,
}

impl Disclosure {
    /// The slot, if it is the leaf at [`Self::place`] of the tree with this root and size, both taken from where they
    /// were committed to.
    ///
    /// Says nothing about whether the slot belongs at that place: [`Self::verify_for`] does.
    pub fn verify(&self, root: &Hash, size: u64) -> Result<Slot, DisclosureError> {
        let slot = Slot::parse(&self.slot.0).map_err(DisclosureError::Slot)?;
        let path: Vec<Hash> = self.path.iter().map(|hash| hash.0).collect();
        merkle::verify_inclusion(&merkle::leaf_hash(&self.slot.0), self.place, size, &path, root)
            .map_err(DisclosureError::Path)?;
        Ok(slot)
    }

    /// As [`Self::verify`], for the committed scheme: also that the slot is at its own place, so that a list with two
    /// different slots of one stratum and index cannot show now one and now the other.
    pub fn verify_for(&self, scheme: &Scheme, root: &Hash) -> Result<Slot, DisclosureError> {
        let slot = self.verify(root, scheme.slots())?;
        let stratum = scheme.stratum_named(&slot.stratum).ok_or(DisclosureError::Unknown)?;
        if !scheme.arms.iter().any(|arm| arm.arm == slot.arm) {
            return Err(DisclosureError::Unknown);
        }
        let per_stratum = scheme.slots_per_stratum();
        let place = u64::from(stratum.index) * u64::from(per_stratum) + u64::from(slot.index);
        if slot.index < per_stratum && place == self.place { Ok(slot) } else { Err(DisclosureError::Place) }
    }
}
