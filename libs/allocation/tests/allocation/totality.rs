//! Nothing panics, whatever scheme or secret parses.

use allocation::{List, assign, check, replay};
use proptest::prelude::*;
use seal::{Hash, id::Name};
use serde_json::{Value, json};
use vocabulary::allocation::{Disclosure, Scheme, Secret, commitment};

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0_u32..=8, 1 => 90_u32..=1_100, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-z]{2}", 1 => "[a|]{1,3}", 1 => "\\PC{1,4}"]
}

fn method() -> impl Strategy<Value = Value> {
    let minimisation = (prop::collection::vec(number(), 0..=4), number(), prop::bool::ANY);
    prop_oneof![
        number().prop_map(|slots| json!({ "simple": { "slots": slots } })),
        number().prop_map(|slots| json!({ "permuted_blocks": { "slots": slots } })),
        minimisation.prop_map(|(weights, permille, range)| {
            let measure = if range { "range" } else { "variance" };
            json!({ "minimisation": { "weights": weights, "probability_permille": permille, "measure": measure } })
        }),
    ]
}

fn scheme() -> impl Strategy<Value = Value> {
    let arm = (text(), number()).prop_map(|(arm, weight)| json!({ "arm": arm, "weight": weight }));
    let factor = (text(), prop::collection::vec(text(), 0..=4))
        .prop_map(|(factor, levels)| json!({ "factor": factor, "levels": levels }));
    let (arms, factors) = (prop::collection::vec(arm, 0..=5), prop::collection::vec(factor, 0..=4));
    (arms, factors, method())
        .prop_map(|(arms, factors, method)| json!({ "arms": arms, "factors": factors, "method": method }))
}

fn secret() -> impl Strategy<Value = Value> {
    (any::<[u8; 32]>(), prop::collection::vec(number(), 0..=3))
        .prop_map(|(seed, sizes)| json!({ "seed": hex::encode(seed), "block_sizes": sizes }))
}

/// Answers all questions there are; the result is whether the scheme and secret can be used.
fn ask_everything(scheme: &Scheme, secret: &Secret, levels: &[Name]) -> bool {
    let committed = commitment(scheme, secret);
    let usable = scheme.check().is_ok() && secret.check(scheme).is_ok();
    let known: Vec<Name> = scheme.factors.iter().filter_map(|factor| factor.levels.first().cloned()).collect();
    for levels in [levels, &known] {
        let _ = (scheme.stratum(levels), assign(scheme, secret, &[], levels));
        let _ = replay(scheme, secret, &vec![levels.to_vec(); 5]);
        let arms = scheme.arms.iter().map(|arm| (levels.to_vec(), arm.arm.clone()));
        let _ = assign(scheme, secret, &arms.collect::<Vec<_>>(), levels);
    }
    let _ = [0, 1, u32::MAX].map(|index| scheme.stratum_at(index));
    let list = List::generate(scheme, secret).ok();
    let root = list.as_ref().map(List::root);
    if let Some((list, stratum)) = list.as_ref().zip(scheme.stratum_at(0)) {
        assert!(list.disclose(&stratum.name, 0).is_some());
    }
    assert_eq!(check(scheme, secret, &committed, root.as_ref()).is_ok(), usable);
    assert!(usable || list.is_none());
    usable
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_parses_is_answered(
        scheme in scheme(), secret in secret(), levels in prop::collection::vec(text(), 0..=4),
    ) {
        let levels: Vec<Name> = levels.iter().filter_map(|level| level.parse().ok()).collect();
        if let (Ok(scheme), Ok(secret)) = (serde_json::from_value(scheme), serde_json::from_value(secret)) {
            ask_everything(&scheme, &secret, &levels);
        }
    }

    #[test]
    fn any_disclosure_is_answered(slot in any::<Vec<u8>>(), place in any::<u64>(), size in any::<u64>(), steps in 0_usize..80) {
        let path = vec![seal::text::Hex(Hash::ZERO); steps];
        let disclosure = Disclosure { slot: seal::text::Base64(slot), place, path };
        prop_assert!(disclosure.verify(&Hash::ZERO, size).is_err());
    }
}

/// The largest numbers a scheme may hold; what is just above is refused.
#[test]
fn the_bounds_themselves_are_usable() {
    let arms: Vec<Value> = (0..16).map(|arm| json!({ "arm": arm.to_string(), "weight": 100 })).collect();
    let factor = |n: u32, levels: u32| {
        let levels: Vec<String> = (0..levels).map(|level| level.to_string()).collect();
        json!({ "factor": n.to_string(), "levels": levels })
    };
    let seed = "ff".repeat(32);
    let usable = |factors: Vec<Value>, method: Value, sizes: &[u32]| {
        let scheme: Scheme =
            serde_json::from_value(json!({ "arms": arms, "factors": factors, "method": method })).unwrap();
        let secret: Secret = serde_json::from_value(json!({ "seed": seed, "block_sizes": sizes })).unwrap();
        ask_everything(&scheme, &secret, &[])
    };
    let blocks = |slots: u32| json!({ "permuted_blocks": { "slots": slots } });
    assert!(usable(vec![factor(0, 32), factor(1, 32)], blocks(97), &[9_600]));
    assert!(!usable(vec![factor(0, 32), factor(1, 32)], blocks(98), &[9_600]));
    assert!(!usable(vec![factor(0, 32), factor(1, 32), factor(2, 2)], blocks(1), &[1_600]));
    assert!(!usable(vec![], blocks(10), &[11_200]), "a block above the bound");
    assert!(!usable(vec![], blocks(10), &[1_601]), "no multiple");
    assert!(usable(vec![], json!({ "simple": { "slots": 100_000 } }), &[]));
    assert!(!usable(vec![], json!({ "simple": { "slots": 100_001 } }), &[]));
    let minimisation = |weights: Vec<u32>| json!({ "minimisation": { "weights": weights, "probability_permille": 1_000, "measure": "variance" } });
    let factors: Vec<Value> = (0..8).map(|n| factor(n, 32)).collect();
    assert!(usable(factors.clone(), minimisation(vec![100; 8]), &[]));
    assert!(!usable(factors, minimisation(vec![101; 8]), &[]));
}
