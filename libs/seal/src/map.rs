//! The state map: a compact sparse Merkle tree over 256-bit keys, with proofs of presence and of absence.
//!
//! A subtree without leaves has the hash zero; a subtree with exactly one leaf *is* that leaf, whatever its depth;
//! any other is `SHA-256(0x01 ‖ left ‖ right)`. A leaf is `SHA-256(0x00 ‖ key ‖ value hash)`. The path of a key is its
//! bits, most significant first. So one set of leaves has one root, and a key has one place.

use tlog::{Hash, sha256};

/// The root of the empty map.
pub const EMPTY: Hash = Hash::ZERO;

/// The hash of a leaf.
pub fn leaf(key: &Hash, value: &Hash) -> Hash {
    sha256(&[&[0], key.as_bytes(), value.as_bytes()])
}

/// The hash of an inner node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Whether the path of `key` turns right at `depth` (0 at the root).
pub fn turns_right(key: &Hash, depth: usize) -> bool {
    key.0.get(depth / 8).is_some_and(|byte| byte & (0x80 >> (depth % 8)) != 0)
}

/// Where the way of a key ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// Nothing is there.
    Empty,
    /// A leaf: of the key itself, or of another that stands in its place.
    Leaf {
        /// The leaf's key.
        key: Hash,
        /// The leaf's value hash.
        value: Hash,
    },
}

/// The way from the root to where a key is or would be. It proves presence or absence, and is all that is needed to
/// compute the root after a change of that key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The hashes beside the way, from the root downwards; at most 256.
    pub siblings: Vec<Hash>,
    /// Where it ends.
    pub terminal: Terminal,
}

/// A node made by a change, to be kept under its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// An inner node and its children.
    Inner(Hash, Hash),
    /// A leaf: key and value hash.
    Leaf(Hash, Hash),
}

/// What a path proves of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// The key has this value hash.
    Present(Hash),
    /// The key is not in the map.
    Absent,
}

impl Path {
    /// What this path proves of `key` in the map with `root`; nothing if it does not lead there.
    pub fn proves(&self, key: &Hash, root: &Hash) -> Option<Proven> {
        if self.siblings.len() > 256 {
            return None;
        }
        let (end, proven) = match self.terminal {
            Terminal::Empty => (EMPTY, Proven::Absent),
            Terminal::Leaf { key: found, value } if found == *key => (leaf(&found, &value), Proven::Present(value)),
            Terminal::Leaf { key: found, value } if self.shares_way(key, &found) => {
                (leaf(&found, &value), Proven::Absent)
            }
            Terminal::Leaf { .. } => return None,
        };
        (self.fold(key, end, |_, _, _| ()) == *root).then_some(proven)
    }

    /// The root after `key` is set to `value`, and the nodes that are new. Only for a path that [`Self::proves`] its key.
    pub fn set(&self, key: &Hash, value: &Hash) -> (Hash, Vec<(Hash, Node)>) {
        let mut made = vec![(leaf(key, value), Node::Leaf(*key, *value))];
        let mut current = leaf(key, value);
        if let Terminal::Leaf { key: other, value: other_value } = self.terminal
            && other != *key
        {
            current = split(key, current, &other, leaf(&other, &other_value), self.siblings.len(), &mut made);
        }
        let root = self.fold(key, current, |hash, left, right| made.push((hash, Node::Inner(left, right))));
        (root, made)
    }

    fn shares_way(&self, key: &Hash, other: &Hash) -> bool {
        (0..self.siblings.len()).all(|depth| turns_right(key, depth) == turns_right(other, depth))
    }

    fn fold(&self, key: &Hash, end: Hash, mut visit: impl FnMut(Hash, Hash, Hash)) -> Hash {
        self.siblings.iter().enumerate().rev().fold(end, |below, (depth, sibling)| {
            let (left, right) = if turns_right(key, depth) { (*sibling, below) } else { (below, *sibling) };
            let hash = node(&left, &right);
            visit(hash, left, right);
            hash
        })
    }
}

/// The subtree below `depth` that holds two leaves with different keys.
fn split(key: &Hash, leaf: Hash, other: &Hash, other_leaf: Hash, depth: usize, made: &mut Vec<(Hash, Node)>) -> Hash {
    let fork = (depth..256).find(|d| turns_right(key, *d) != turns_right(other, *d)).unwrap_or(255);
    let mut children = if turns_right(key, fork) { (other_leaf, leaf) } else { (leaf, other_leaf) };
    let mut hash = node(&children.0, &children.1);
    made.push((hash, Node::Inner(children.0, children.1)));
    for above in (depth..fork).rev() {
        children = if turns_right(key, above) { (EMPTY, hash) } else { (hash, EMPTY) };
        hash = node(&children.0, &children.1);
        made.push((hash, Node::Inner(children.0, children.1)));
    }
    hash
}

/// The root over a whole set of leaves, computed from scratch: the definition, for auditors and tests.
pub fn root(leaves: &std::collections::BTreeMap<Hash, Hash>) -> Hash {
    let sorted: Vec<(&Hash, &Hash)> = leaves.iter().collect();
    subtree(&sorted, 0)
}

fn subtree(leaves: &[(&Hash, &Hash)], depth: usize) -> Hash {
    match leaves {
        [] => EMPTY,
        [(key, value)] => leaf(key, value),
        _ => {
            let (left, right) = leaves.split_at(leaves.partition_point(|(key, _)| !turns_right(key, depth)));
            node(&subtree(left, depth + 1), &subtree(right, depth + 1))
        }
    }
}

/// A map held in memory, with all its past states: what an auditor replays a journal into.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    nodes: std::collections::HashMap<Hash, Node>,
    root: Hash,
}

impl Memory {
    /// The root of the present state.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The way of `key` in the present state.
    pub fn path(&self, key: &Hash) -> Path {
        let (mut siblings, mut at) = (Vec::new(), self.root);
        loop {
            match self.nodes.get(&at) {
                None => return Path { siblings, terminal: Terminal::Empty },
                Some(Node::Leaf(key, value)) => {
                    return Path { siblings, terminal: Terminal::Leaf { key: *key, value: *value } };
                }
                Some(Node::Inner(left, right)) => {
                    let right_turn = turns_right(key, siblings.len());
                    siblings.push(if right_turn { *left } else { *right });
                    at = if right_turn { *right } else { *left };
                }
            }
        }
    }

    /// Sets `key` to a value hash.
    pub fn set(&mut self, key: &Hash, value: &Hash) {
        let (root, made) = self.path(key).set(key, value);
        self.nodes.extend(made);
        self.root = root;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Keys that share long prefixes as well as random ones.
    fn keys() -> impl Strategy<Value = Vec<(Hash, Hash)>> {
        let key = (any::<[u8; 2]>(), 0usize..32, any::<bool>()).prop_map(|(tail, place, long)| {
            let mut bytes = [0u8; 32];
            if long {
                bytes[place] = tail[0] & 0x81;
            } else {
                bytes[..2].copy_from_slice(&tail);
            }
            Hash(bytes)
        });
        prop::collection::vec((key, any::<[u8; 32]>().prop_map(Hash)), 1..60)
    }

    proptest! {
        #[test]
        fn incremental_roots_equal_the_definition_and_every_key_is_provable(sets in keys(), absent in any::<[u8; 32]>()) {
            let (mut map, mut leaves) = (Memory::default(), BTreeMap::new());
            for (key, value) in &sets {
                prop_assert!(map.path(key).proves(key, &map.root()).is_some());
                map.set(key, value);
                leaves.insert(*key, *value);
                prop_assert_eq!(map.root(), root(&leaves));
            }
            for (key, value) in &leaves {
                prop_assert_eq!(map.path(key).proves(key, &map.root()), Some(Proven::Present(*value)));
            }
            let absent = Hash(absent);
            prop_assume!(!leaves.contains_key(&absent));
            prop_assert_eq!(map.path(&absent).proves(&absent, &map.root()), Some(Proven::Absent));
        }

        #[test]
        fn a_changed_path_proves_nothing(sets in keys(), pick in any::<prop::sample::Index>(), byte in 0usize..32) {
            let mut map = Memory::default();
            for (key, value) in &sets {
                map.set(key, value);
            }
            let (key, _) = sets[pick.index(sets.len())];
            let mut path = map.path(&key);
            prop_assume!(!path.siblings.is_empty());
            let place = pick.index(path.siblings.len());
            path.siblings[place].0[byte] ^= 1;
            prop_assert_eq!(path.proves(&key, &map.root()), None);
            path.siblings.pop();
            prop_assert_eq!(path.proves(&key, &map.root()), None);
        }
    }

    #[test]
    fn a_leaf_elsewhere_does_not_prove_absence() {
        let (key, other) = (Hash([0x00; 32]), Hash([0xff; 32]));
        let leaves = BTreeMap::from([(key, Hash([1; 32])), (other, Hash([2; 32]))]);
        let forged = Path {
            siblings: vec![leaf(&key, &Hash([1; 32]))],
            terminal: Terminal::Leaf { key: other, value: Hash([2; 32]) },
        };
        assert_eq!(forged.proves(&other, &root(&leaves)), Some(Proven::Present(Hash([2; 32]))));
        assert_eq!(forged.proves(&key, &root(&leaves)), None);
    }
}
