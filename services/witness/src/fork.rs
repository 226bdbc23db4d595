//! What proves that a log forked, and what proves nothing.
//!
//! Only the log's own signature is evidence, and nobody who posts something can make it: two checkpoints signed by the log
//! of one size and with different roots; or a larger one whose consistency proof leads to its root from another beginning
//! than what was cosigned. A proof that leads nowhere says something about whoever posted it. A proof from a size that is
//! a power of two does not hold the root it begins with: then another root that the log signed for that size must do.
//!
//! No clock, no I/O.

use tlog::{Hash, checkpoint::Checkpoint, merkle, sha256};

/// Whether two checkpoints of one log, both signed by it, contradict each other; `proof` is what came with the larger
/// one, `others` are other roots that the log signed for the size of `held`.
pub(crate) fn is_fork(held: (u64, Hash), offered: (u64, Hash), proof: &[Hash], others: &[Hash]) -> bool {
    let ((held_size, held_root), (size, root)) = (held, offered);
    if held_size >= size {
        return held_size == size && held_root != root;
    }
    let shown = merkle::root_before(held_size, size, &root, proof);
    let grew_from = |other: &Hash| merkle::verify_consistency(held_size, size, other, &root, proof).is_ok();
    shown.is_some_and(|shown| shown != held_root) || others.iter().any(|other| *other != held_root && grew_from(other))
}

/// Names a pair of checkpoints, in whatever order.
pub(crate) fn pair(one: &Checkpoint, other: &Checkpoint) -> Hash {
    let bytes = |of: &Checkpoint| [of.size.to_be_bytes().as_slice(), &of.root.0].concat();
    let mut both = [bytes(one), bytes(other)];
    both.sort();
    sha256(&[&both[0], &both[1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use tlog::tile::{consistency_proof, grow};

    fn leaves(count: u8, seed: u8) -> Vec<Hash> {
        (0..count).map(|leaf| merkle::leaf_hash(&[leaf, if leaf < 3 { 0 } else { seed }])).collect()
    }

    fn proof(leaves: &[Hash], old: usize) -> Vec<Hash> {
        let tiles: HashMap<_, _> = grow(&HashMap::new(), 0, leaves).unwrap_or_default().into_iter().collect();
        consistency_proof(&tiles, old as u64, leaves.len() as u64).unwrap_or_default()
    }

    #[test]
    fn a_fork_is_what_the_log_signed_and_never_a_wrong_proof() {
        for size in 4..20_u8 {
            for old in 1..size {
                let (all, old) = (leaves(size, 1), usize::from(old));
                let held = (old as u64, merkle::root(&all[..old]));
                let good = (u64::from(size), merkle::root(&all));
                let right = proof(&all, old);
                assert_eq!(merkle::verify_consistency(held.0, good.0, &held.1, &good.1, &right), Ok(()));
                let mut wrong = vec![right.clone(), Vec::new(), vec![Hash([9; 32]); right.len()], vec![held.1; 63]];
                for place in 0..right.len() {
                    let mut changed = right.clone();
                    changed[place].0[7] ^= 1;
                    wrong.push(changed);
                }
                let others = [Hash([8; 32])];
                assert!(wrong.iter().all(|proof| !is_fork(held, good, proof, &others)), "{old} of {size}");

                // The same beginning of three leaves, and other ones after it.
                let (other, forked) = (leaves(size, 2), leaves(size, 2));
                let (root, offered) = (merkle::root(&other[..old]), (u64::from(size), merkle::root(&forked)));
                let differs = old > 3;
                let shown = is_fork(held, offered, &proof(&forked, old), &[]);
                assert_eq!(shown, differs && !old.is_power_of_two(), "{old} of {size}");
                assert_eq!(is_fork(held, offered, &proof(&forked, old), &[root]), differs, "{old} of {size}");
                assert!(is_fork(good, offered, &[], &[]) && !is_fork(good, good, &[], &[]));
            }
        }
    }
}
