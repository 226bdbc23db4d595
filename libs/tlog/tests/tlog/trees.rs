//! Trees of 1 to 300 leaves, built four ways.

use std::collections::HashMap;

use proptest::prelude::*;
use tlog::{
    Hash,
    merkle::{self, ProofError, Tree},
    tile::{self, TileId},
};

use crate::leaves;

/// The definition of RFC 6962 §2.1, word for word.
fn definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => merkle::empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            merkle::node_hash(&definition(left), &definition(right))
        }
    }
}

/// Exactly the tiles that exist at this size.
fn tiles(leaves: &[Hash]) -> HashMap<TileId, Vec<Hash>> {
    tile::grow(&HashMap::new(), 0, leaves).unwrap().into_iter().collect()
}

#[test]
fn a_tree_without_leaves_hashes_nothing() {
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(merkle::empty_root().to_hex(), hex);
    let tree = Tree::new(&[]);
    assert!(tree.is_empty());
    assert_eq!(tree.root(), merkle::empty_root());
    assert_eq!(merkle::root(&[]), merkle::empty_root());
    assert_eq!(tile::root(&HashMap::new(), 0).unwrap(), merkle::empty_root());
    assert_eq!(tree.path(0), []);
}

#[test]
fn roots_paths_and_proofs_agree_for_1_to_300_leaves() {
    let all = leaves(300);
    let roots: Vec<Hash> = (0..=300).map(|size| definition(&all[..size])).collect();
    for size in 1..=300_u64 {
        let leaves = &all[..size as usize];
        let root = roots[leaves.len()];
        let (tree, tiles) = (Tree::new(leaves), tiles(leaves));
        assert_eq!(tree.len(), leaves.len());
        assert_eq!(tree.root(), root);
        assert_eq!(merkle::root(leaves), root);
        assert_eq!(tile::root(&tiles, size).unwrap(), root);
        for (index, leaf) in (0..).zip(leaves) {
            let path = tile::inclusion_path(&tiles, index, size).unwrap();
            assert_eq!(tree.path(index as usize), path);
            merkle::verify_inclusion(leaf, index, size, &path, &root).unwrap();
            let proof = tile::consistency_proof(&tiles, index, size).unwrap();
            let old = &roots[index as usize];
            merkle::verify_consistency(index, size, old, &root, &proof).unwrap();
        }
        assert_eq!(tile::consistency_proof(&tiles, size, size).unwrap(), []);
        assert_eq!(tree.path(leaves.len()), []);
    }
}

#[test]
fn sizes_decide_before_hashes_do() {
    let root = Tree::new(&leaves(4)).root();
    let path = Tree::new(&leaves(4)).path(1);
    let leaf = leaves(4)[1];
    let inclusion = |index, size| merkle::verify_inclusion(&leaf, index, size, &path, &root);
    assert_eq!(inclusion(1, 4), Ok(()));
    assert_eq!(inclusion(4, 4), Err(ProofError::OutOfRange));
    assert_eq!(inclusion(0, 0), Err(ProofError::OutOfRange));
    assert_eq!(inclusion(1, 5), Err(ProofError::Length));
    assert_eq!(inclusion(u64::MAX - 1, u64::MAX), Err(ProofError::Length));
    assert_eq!(inclusion(0, 4), Err(ProofError::Root));
    let consistency = |a, b, proof| merkle::verify_consistency(a, b, &root, &root, proof);
    assert_eq!(consistency(4, 4, &[]), Ok(()));
    assert_eq!(consistency(4, 4, &path), Err(ProofError::Length));
    assert_eq!(consistency(5, 4, &[]), Err(ProofError::OutOfRange));
    assert_eq!(consistency(4, 5, &[]), Err(ProofError::Length));
    assert_eq!(consistency(0, 4, &[]), Err(ProofError::Root));
    let empty = merkle::empty_root();
    assert_eq!(merkle::verify_consistency(0, 4, &empty, &root, &[]), Ok(()));
    assert_eq!(merkle::verify_consistency(0, 4, &empty, &root, &path), Err(ProofError::Length));
    assert_eq!(merkle::verify_consistency(0, 0, &empty, &empty, &[]), Ok(()));
    assert_eq!(merkle::verify_consistency(0, 0, &root, &root, &[]), Err(ProofError::Root));
}

proptest! {
    #[test]
    fn one_changed_bit_breaks_a_path(size in 2..200_u64, pick: u64, hash: usize, bit in 0..256_usize) {
        let (leaves, index) = (leaves(size), pick % size);
        let tree = Tree::new(&leaves);
        let mut path = tree.path(index as usize);
        let hash = hash % path.len();
        path[hash].0[bit / 8] ^= 1 << (bit % 8);
        let leaf = &leaves[index as usize];
        let verified = merkle::verify_inclusion(leaf, index, size, &path, &tree.root());
        prop_assert_eq!(verified, Err(ProofError::Root));
    }

    #[test]
    fn one_changed_bit_breaks_a_consistency_proof(
        size in 2..200_u64, old: u64, hash: usize, bit in 0..256_usize,
    ) {
        let (leaves, old) = (leaves(size), 1 + old % (size - 1));
        let mut proof = tile::consistency_proof(&tiles(&leaves), old, size).unwrap();
        let hash = hash % proof.len();
        proof[hash].0[bit / 8] ^= 1 << (bit % 8);
        let (root1, root2) = (merkle::root(&leaves[..old as usize]), merkle::root(&leaves));
        let verified = merkle::verify_consistency(old, size, &root1, &root2, &proof);
        prop_assert_eq!(verified, Err(ProofError::Root));
    }

    #[test]
    fn verifiers_are_total(
        sizes: (u64, u64), small in (0..70_u64, 0..70_u64),
        roots: ([u8; 32], [u8; 32]), proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash).collect();
        let (root1, root2) = (Hash(roots.0), Hash(roots.1));
        for (a, b) in [sizes, small, (sizes.0, u64::MAX), (u64::MAX - 1, u64::MAX)] {
            prop_assert!(merkle::verify_inclusion(&root1, a, b, &proof, &root2).is_err());
            prop_assert!(merkle::verify_consistency(a, b, &root1, &root2, &proof).is_err());
        }
    }
}
