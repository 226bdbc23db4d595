//! Merkle tree hashes, paths and proofs (RFC 6962 §2.1; verification by RFC 9162 §2.1.3.2 and
//! §2.1.4.2).
//!
//! Trees are built by `rs_merkle`; proofs are verified here and never by `rs_merkle`, whose
//! verifier accepts leftover hashes, indices out of range and forged duplicate leaves.

use rs_merkle::{Hasher, MerkleTree};

use crate::hash::{Hash, sha256};

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not below the tree size, or the first size is above the second.
    #[error("the index or size is outside the tree")]
    OutOfRange,
    /// The proof has more or fewer hashes than the sizes call for.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes do not lead to the expected root.
    #[error("the proof leads to another root")]
    Root,
}

/// The hash of a leaf: `SHA-256(0x00 ‖ bytes)` (RFC 6962 §2.1).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    sha256(&[&[0x00], bytes])
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 §2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[0x01], &left.0, &right.0])
}

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// Teaches `rs_merkle` the hashes of RFC 6962.
#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(bytes: &[u8]) -> [u8; 32] {
        leaf_hash(bytes).0
    }

    // A lone node moves up unhashed, which equals splitting at the largest power of two.
    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| node_hash(&Hash(*left), &Hash(*right)).0)
    }
}

/// A whole tree in memory, for taking many paths from one batch of leaves.
#[derive(Clone)]
pub struct Tree(MerkleTree<Rfc6962>);

impl Tree {
    /// Builds the tree over these leaf hashes, in this order.
    pub fn new(leaf_hashes: &[Hash]) -> Tree {
        let leaves: Vec<[u8; 32]> = leaf_hashes.iter().map(|hash| hash.0).collect();
        Tree(MerkleTree::from_leaves(&leaves))
    }

    /// The root; [`empty_root`] without leaves.
    pub fn root(&self) -> Hash {
        self.0.root().map_or_else(empty_root, Hash)
    }

    /// The inclusion path of the leaf at `index`, from its sibling up (RFC 6962 §2.1.1).
    ///
    /// Empty if there is no such leaf, and for the only leaf of a tree of one.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        if index >= self.len() {
            return Vec::new();
        }
        let path = self.0.proof(&[index]);
        path.proof_hashes().iter().copied().map(Hash).collect()
    }

    /// How many leaves the tree has.
    pub fn len(&self) -> usize {
        self.0.leaves_len()
    }

    /// True without leaves.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The root over all leaf hashes, computed level by level.
///
/// Shares no code with [`Tree`], so a verifier that holds every leaf checks one by the other.
pub fn root(leaf_hashes: &[Hash]) -> Hash {
    match leaf_hashes {
        [] => return empty_root(),
        [only] => return *only,
        _ => {}
    }
    let mut level: Vec<Hash> = leaf_hashes.chunks(2).map(parent).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level.first().copied().unwrap_or_else(empty_root)
}

fn parent(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node_hash(left, right),
        [lone] => *lone,
        _ => Hash::ZERO, // `chunks(2)` gives one or two hashes
    }
}

/// Verifies that the leaf hash `leaf` is at `index` in the tree of `size` leaves with this `root`
/// (RFC 9162 §2.1.3.2). Take `size` and `root` from a verified checkpoint.
///
/// # Errors
///
/// [`ProofError`] unless the path has exactly the hashes the index and size call for, and leads to
/// the root.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    let last = size.checked_sub(1).filter(|last| index <= *last);
    let mut climb = Climb { node: index, last: last.ok_or(ProofError::OutOfRange)? };
    let mut hash = *leaf;
    for sibling in path {
        hash = match climb.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish()?;
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that the tree of `size1` leaves with `root1` is a prefix of the tree of `size2` leaves
/// with `root2` (RFC 9162 §2.1.4.2).
///
/// Equal sizes need equal roots and an empty proof. Size 0 needs the empty root and an empty proof.
///
/// # Errors
///
/// [`ProofError`] if the sizes are out of order, or the proof is not exactly the one they call for.
pub fn verify_consistency(
    size1: u64,
    size2: u64,
    root1: &Hash,
    root2: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if size1 > size2 {
        return Err(ProofError::OutOfRange);
    }
    let Some(last1) = size1.checked_sub(1).filter(|_| size1 < size2) else {
        return without_proof(size1, size2, root1, root2, proof);
    };
    let (first, rest) = if size1.is_power_of_two() {
        // The first tree is one complete subtree: its root is the start and is not sent.
        (root1, if proof.is_empty() { return Err(ProofError::Length) } else { proof })
    } else {
        proof.split_first().ok_or(ProofError::Length)?
    };
    if climbed((last1, size2 - 1), first, rest)? == (*root1, *root2) { Ok(()) } else { Err(ProofError::Root) }
}

/// The root that the first `size1` leaves have in the tree of `size2` leaves with `root2`, as a consistency proof of that
/// tree shows it. Nobody who does not hold that tree can make such a proof.
///
/// `None` if the proof does not lead to `root2`, or if `size1` is 0 or a power of two: then the proof does not hold it.
pub fn root_before(size1: u64, size2: u64, root2: &Hash, proof: &[Hash]) -> Option<Hash> {
    let last1 = size1.checked_sub(1).filter(|_| size1 < size2 && !size1.is_power_of_two())?;
    let (first, rest) = proof.split_first()?;
    let (hash1, hash2) = climbed((last1, size2 - 1), first, rest).ok()?;
    (hash2 == *root2).then_some(hash1)
}

/// The roots of both trees that a consistency proof leads to, from the last nodes of both.
fn climbed((last1, last2): (u64, u64), first: &Hash, rest: &[Hash]) -> Result<(Hash, Hash), ProofError> {
    let mut climb = Climb { node: last1, last: last2 };
    climb.skip(last1.trailing_ones());
    let (mut hash1, mut hash2) = (*first, *first);
    for sibling in rest {
        match climb.step()? {
            Side::Left => {
                hash1 = node_hash(sibling, &hash1);
                hash2 = node_hash(sibling, &hash2);
            }
            Side::Right => hash2 = node_hash(&hash2, sibling),
        }
    }
    climb.finish()?;
    Ok((hash1, hash2))
}

/// The two cases that have nothing to prove: an empty first tree, and equal sizes.
fn without_proof(size1: u64, size2: u64, root1: &Hash, root2: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if !proof.is_empty() {
        return Err(ProofError::Length);
    }
    let empty1 = size1 != 0 || *root1 == empty_root();
    let equal = size1 != size2 || root1 == root2;
    if empty1 && equal { Ok(()) } else { Err(ProofError::Root) }
}

/// On which side of the node its sibling is.
enum Side {
    Left,
    Right,
}

/// The way from a node to the root, beside the way of the tree's last node ("fn" and "sn" of
/// RFC 9162): where they meet the node has no right sibling.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        if self.node & 1 == 0 && self.node != self.last {
            self.skip(1);
            return Ok(Side::Right);
        }
        if self.node & 1 == 0 {
            // A lone node moves up unhashed until it is a right child.
            self.skip(self.node.trailing_zeros());
        }
        self.skip(1);
        Ok(Side::Left)
    }

    fn skip(&mut self, levels: u32) {
        self.node = self.node.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }

    fn finish(&self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length) }
    }
}
