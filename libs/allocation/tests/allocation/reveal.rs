//! The commitment binds everything, and the reveal is checked against it.

use crate::schemes::{name, scheme, secret, with_list};
use allocation::{CheckError, List, check};
use proptest::prelude::*;
use seal::Hash;
use std::collections::BTreeSet;
use vocabulary::allocation::{Measure, Method, Scheme, SchemeError, Secret, SecretError, commitment};

fn stratified() -> (Scheme, Secret) {
    (scheme(&[1, 1], &[2, 3], Method::PermutedBlocks { slots: 6 }), secret(5, &[2, 4]))
}

#[test]
fn any_change_of_scheme_or_secret_changes_the_commitment() {
    let (scheme, secret) = stratified();
    let changed_scheme = |change: &dyn Fn(&mut Scheme)| {
        let mut scheme = scheme.clone();
        change(&mut scheme);
        commitment(&scheme, &secret)
    };
    let changed_secret = |change: &dyn Fn(&mut Secret)| {
        let mut secret = secret.clone();
        change(&mut secret);
        commitment(&scheme, &secret)
    };
    let minimised = |weights: [u32; 2], probability_permille, measure| {
        let method = Method::Minimisation { weights: weights.to_vec(), probability_permille, measure };
        changed_scheme(&|scheme| scheme.method = method.clone())
    };
    let mut commitments = vec![
        commitment(&scheme, &secret),
        changed_scheme(&|scheme| scheme.arms[0].weight = 2),
        changed_scheme(&|scheme| scheme.arms[1].weight = 2),
        changed_scheme(&|scheme| scheme.arms[0].arm = name("C")),
        changed_scheme(&|scheme| scheme.arms.swap(0, 1)),
        changed_scheme(&|scheme| scheme.factors[0].factor = name("x")),
        changed_scheme(&|scheme| scheme.factors[1].levels[2] = name("x")),
        changed_scheme(&|scheme| scheme.factors[1].levels.swap(0, 2)),
        changed_scheme(&|scheme| scheme.factors.swap(0, 1)),
        changed_scheme(&|scheme| scheme.method = Method::PermutedBlocks { slots: 7 }),
        changed_scheme(&|scheme| scheme.method = Method::Simple { slots: 6 }),
        minimised([1, 1], 800, Measure::Range),
        minimised([1, 1], 800, Measure::Variance),
        minimised([1, 1], 801, Measure::Range),
        minimised([2, 1], 800, Measure::Range),
        changed_secret(&|secret| secret.block_sizes[0] = 4),
        changed_secret(&|secret| secret.block_sizes.swap(0, 1)),
        changed_secret(&|secret| secret.block_sizes.truncate(1)),
        changed_secret(&|secret| secret.block_sizes.push(4)),
    ];
    commitments.extend((0..256).map(|bit| changed_secret(&|secret| secret.seed[bit / 8] ^= 1 << (bit % 8))));
    assert_eq!(commitments.iter().collect::<BTreeSet<_>>().len(), commitments.len());
}

#[test]
fn the_reveal_must_be_what_was_committed_to() {
    let (scheme, secret) = stratified();
    let (committed, root) = (commitment(&scheme, &secret), List::generate(&scheme, &secret).unwrap().root());
    assert_eq!(check(&scheme, &secret, &committed, Some(&root)), Ok(()));
    let mut other = secret.clone();
    other.seed[31] ^= 1;
    assert_eq!(check(&scheme, &other, &committed, Some(&root)), Err(CheckError::Commitment));
    assert_eq!(check(&scheme, &secret, &Hash::ZERO, Some(&root)), Err(CheckError::Commitment));
    assert_eq!(check(&scheme, &secret, &committed, Some(&Hash::ZERO)), Err(CheckError::Root));
    assert_eq!(check(&scheme, &secret, &committed, None), Err(CheckError::RootMissing));
    other.block_sizes = vec![3];
    assert_eq!(check(&scheme, &other, &committed, None), Err(CheckError::Secret(SecretError::BlockSize)));
    let no_arms = Scheme { arms: Vec::new(), ..scheme };
    assert_eq!(check(&no_arms, &secret, &committed, None), Err(CheckError::Scheme(SchemeError::Arms)));
}

#[test]
fn minimisation_has_a_commitment_and_no_root() {
    let method = Method::Minimisation { weights: vec![1], probability_permille: 900, measure: Measure::Variance };
    let (scheme, secret) = (scheme(&[1, 1], &[2], method), secret(5, &[]));
    let committed = commitment(&scheme, &secret);
    assert_eq!(check(&scheme, &secret, &committed, None), Ok(()));
    assert_eq!(check(&scheme, &secret, &committed, Some(&Hash::ZERO)), Err(CheckError::RootWithoutList));
    assert_eq!(check(&scheme, &secret, &Hash::ZERO, None), Err(CheckError::Commitment));
}

proptest! {
    #[test]
    fn a_secret_read_from_json_gives_the_same_list((scheme, secret) in with_list()) {
        let json = (serde_json::to_string(&scheme).unwrap(), serde_json::to_string(&secret).unwrap());
        let (scheme_read, secret_read): (Scheme, Secret) =
            (serde_json::from_str(&json.0).unwrap(), serde_json::from_str(&json.1).unwrap());
        let root = List::generate(&scheme, &secret).unwrap().root();
        prop_assert_eq!(check(&scheme_read, &secret_read, &commitment(&scheme, &secret), Some(&root)), Ok(()));
    }

    #[test]
    fn another_seed_gives_another_list((scheme, secret) in with_list(), bit in 0_usize..256) {
        let mut other = secret.clone();
        other.seed[bit / 8] ^= 1 << (bit % 8);
        let root = |secret| List::generate(&scheme, secret).unwrap().root();
        prop_assert_ne!(root(&secret), root(&other));
        prop_assert_ne!(commitment(&scheme, &secret), commitment(&scheme, &other));
    }
}
