//! Why proofs are never verified by `rs_merkle`: each forgery passes there and fails here.

use rs_merkle::{Hasher, MerkleProof};
use tlog::{
    Hash,
    merkle::{self, ProofError, Tree},
};

use crate::leaves;

#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(bytes: &[u8]) -> [u8; 32] {
        merkle::leaf_hash(bytes).0
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| merkle::node_hash(&Hash(*left), &Hash(*right)).0)
    }
}

fn theirs(path: &[Hash], indices: &[usize], leaves: &[Hash], size: usize, root: Hash) -> bool {
    let proof = MerkleProof::<Rfc6962>::new(path.iter().map(|hash| hash.0).collect());
    let leaves: Vec<[u8; 32]> = leaves.iter().map(|hash| hash.0).collect();
    proof.verify(root.0, indices, &leaves, size)
}

#[test]
fn a_duplicated_index_carries_a_forged_leaf() {
    let honest = leaves(2);
    let root = Tree::new(&honest).root();
    let forged = merkle::leaf_hash(b"never logged");
    let claimed = [honest[0], honest[1], forged];
    assert!(theirs(&[], &[0, 1, 1], &claimed, 2, root), "rs_merkle accepts the forgery");
    // Here a leaf is proved alone, by whatever path the forger can offer.
    let known = [honest[0], honest[1], forged, root];
    let mut paths: Vec<Vec<Hash>> = vec![vec![]];
    paths.extend(known.iter().map(|hash| vec![*hash]));
    paths.extend(known.iter().flat_map(|a| known.map(|b| vec![*a, b])));
    for path in &paths {
        for index in 0..3 {
            merkle::verify_inclusion(&forged, index, 2, path, &root).unwrap_err();
        }
    }
}

#[test]
fn an_extra_trailing_hash_is_refused() {
    let honest = leaves(7);
    let tree = Tree::new(&honest);
    let mut path = tree.path(2);
    path.push(Hash::ZERO);
    assert!(theirs(&path, &[2], &[honest[2]], 7, tree.root()), "rs_merkle ignores leftovers");
    let ours = merkle::verify_inclusion(&honest[2], 2, 7, &path, &tree.root());
    assert_eq!(ours, Err(ProofError::Length));
}

#[test]
fn an_index_out_of_range_is_refused() {
    let honest = leaves(7);
    let tree = Tree::new(&honest);
    let path = tree.path(2);
    assert!(theirs(&path, &[10], &[honest[2]], 7, tree.root()), "rs_merkle takes it for index 2");
    let ours = merkle::verify_inclusion(&honest[2], 10, 7, &path, &tree.root());
    assert_eq!(ours, Err(ProofError::OutOfRange));
}
