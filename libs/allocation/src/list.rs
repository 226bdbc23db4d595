//! Lists made beforehand: simple randomisation and permuted blocks.

use crate::keystream::Keystream;
use seal::{
    Hash,
    text::{Base64, Hex},
};
use std::fmt;
use tlog::merkle::{Tree, leaf_hash};
use vocabulary::allocation::{Disclosure, Method, Scheme, SchemeError, Secret, SecretError, Slot, Stratum};
use zeroize::Zeroizing;

/// Why no list can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The scheme cannot be used.
    #[error("the scheme cannot be used")]
    Scheme(#[from] SchemeError),
    /// The secret does not go with the scheme.
    #[error("the secret does not go with the scheme")]
    Secret(#[from] SecretError),
    /// Minimisation makes no list.
    #[error("minimisation makes no list")]
    Minimisation,
}

/// All strata's slots and the tree over them. As secret as the seed: only what [`Self::disclose`] returns is meant to
/// leave, one slot at a time.
pub struct List {
    scheme: Scheme,
    arms: Zeroizing<Vec<u8>>,
    salts: Zeroizing<Vec<[u8; 16]>>,
    tree: Tree,
}

impl List {
    /// The one list of this scheme and secret.
    pub fn generate(scheme: &Scheme, secret: &Secret) -> Result<Self, ListError> {
        scheme.check()?;
        secret.check(scheme)?;
        let arms = Zeroizing::new(match scheme.method {
            Method::Simple { slots } => simple(scheme, secret, slots),
            Method::PermutedBlocks { slots } => strata(scheme).flat_map(|n| blocks(scheme, secret, n, slots)).collect(),
            Method::Minimisation { .. } => return Err(ListError::Minimisation),
        });
        let mut keystream = Keystream::new(&secret.seed, "salts");
        let salts = Zeroizing::new(arms.iter().map(|_| keystream.bytes()).collect());
        let mut list = Self { scheme: scheme.clone(), arms, salts, tree: Tree::new(&[]) };
        list.tree = Tree::new(&list.leaves());
        Ok(list)
    }

    /// The RFC 6962 root over all slots: strata by index, slots by index within each.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// How many slots all strata have together: the size of the tree.
    pub fn len(&self) -> u64 {
        self.scheme.slots()
    }

    /// Never: a scheme has at least one slot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot with this index in the stratum of this name; none past the end of the list and for an unknown stratum.
    pub fn slot(&self, stratum: &str, index: u32) -> Option<Slot> {
        self.slot_in(&self.scheme.stratum_named(stratum)?, index)
    }

    /// That slot with its inclusion path.
    pub fn disclose(&self, stratum: &str, index: u32) -> Option<Disclosure> {
        let stratum = self.scheme.stratum_named(stratum)?;
        let slot = self.slot_in(&stratum, index)?;
        let place = self.place(&stratum, index)?;
        let path = self.tree.path(place).into_iter().map(Hex).collect();
        Some(Disclosure { slot: Base64(slot.to_bytes()), place: u64::try_from(place).ok()?, path })
    }

    fn leaves(&self) -> Vec<Hash> {
        let slots = |stratum: Stratum| (0..self.scheme.slots_per_stratum()).map(move |index| (stratum.clone(), index));
        strata(&self.scheme)
            .filter_map(|index| self.scheme.stratum_at(index))
            .flat_map(slots)
            .filter_map(|(stratum, index)| self.slot_in(&stratum, index))
            .map(|slot| leaf_hash(&slot.to_bytes()))
            .collect()
    }

    fn slot_in(&self, stratum: &Stratum, index: u32) -> Option<Slot> {
        let place = self.place(stratum, index)?;
        let arm = self.scheme.arms.get(usize::from(*self.arms.get(place)?))?.arm.clone();
        Some(Slot { stratum: stratum.name.clone(), index, arm, salt: *self.salts.get(place)? })
    }

    fn place(&self, stratum: &Stratum, index: u32) -> Option<usize> {
        let slots = self.scheme.slots_per_stratum();
        let place = u64::from(stratum.index) * u64::from(slots) + u64::from(index);
        (index < slots).then_some(place).and_then(|place| usize::try_from(place).ok())
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("root", &self.root()).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The indices of a checked scheme's strata.
fn strata(scheme: &Scheme) -> std::ops::Range<u32> {
    0..u32::try_from(scheme.strata()).unwrap_or(0)
}

fn simple(scheme: &Scheme, secret: &Secret, slots: u32) -> Vec<u8> {
    let weights: Vec<u32> = scheme.arms.iter().map(|arm| arm.weight).collect();
    let mut keystream = Keystream::new(&secret.seed, "arms 0");
    (0..slots).map(|_| u8::try_from(keystream.pick(&weights)).unwrap_or(u8::MAX)).collect()
}

fn blocks(scheme: &Scheme, secret: &Secret, stratum: u32, slots: u32) -> Vec<u8> {
    let slots = usize::try_from(slots).unwrap_or(0);
    let mut keystream = Keystream::new(&secret.seed, &format!("arms {stratum}"));
    let mut arms = Vec::with_capacity(slots);
    while arms.len() < slots {
        let choice = keystream.below(u32::try_from(secret.block_sizes.len()).unwrap_or(0));
        let size = usize::try_from(choice).ok().and_then(|choice| secret.block_sizes.get(choice)).copied();
        let mut block = Zeroizing::new(block(scheme, size.unwrap_or(1)));
        keystream.shuffle(&mut block);
        arms.extend(block.iter().take(slots - arms.len()));
    }
    arms
}

/// The arms in order, each as often as its share of the block.
fn block(scheme: &Scheme, size: u32) -> Vec<u8> {
    let repeats = size.checked_div(scheme.total_weight()).unwrap_or(0);
    let arms = scheme.arms.iter().zip(0_u8..);
    arms.flat_map(|(arm, index)| (0..arm.weight.saturating_mul(repeats)).map(move |_| index)).collect()
}
