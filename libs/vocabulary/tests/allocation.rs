//! Schemes are bounded, strata have one name and one index, and what is read is what was written.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use seal::id::Name;
use serde_json::json;
use std::collections::BTreeSet;
use vocabulary::allocation::{
    Arm, Disclosure, Factor, LevelError, Measure, Method, SEPARATOR, Scheme, SchemeError, Secret, SecretError, Slot,
    Stratum, commitment,
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| name(text)).collect()
}

fn scheme() -> Scheme {
    Scheme {
        arms: vec![Arm { arm: name("A"), weight: 2 }, Arm { arm: name("B"), weight: 1 }],
        factors: vec![
            Factor { factor: name("sex"), levels: names(&["female", "male"]) },
            Factor { factor: name("age"), levels: names(&["< 18", "18-64", "65 +"]) },
        ],
        method: Method::PermutedBlocks { slots: 10 },
    }
}

fn minimisation(weights: &[u32], probability_permille: u32) -> Method {
    Method::Minimisation { weights: weights.to_vec(), probability_permille, measure: Measure::Range }
}

fn refusal(change: impl Fn(&mut Scheme)) -> Option<SchemeError> {
    let mut scheme = scheme();
    change(&mut scheme);
    scheme.check().err()
}

#[test]
fn every_bound_is_kept() {
    use SchemeError::*;
    let many = |count: usize| (0..count).map(|n| name(&n.to_string())).collect::<Vec<_>>();
    let arms = |count| many(count).into_iter().map(|arm| Arm { arm, weight: 1 }).collect::<Vec<_>>();
    let factors = |count, levels| {
        many(count).into_iter().map(|factor| Factor { factor, levels: many(levels) }).collect::<Vec<_>>()
    };
    assert_eq!(refusal(|_| {}), None);
    assert_eq!(refusal(|scheme| scheme.arms = arms(1)), Some(Arms));
    assert_eq!(refusal(|scheme| scheme.arms = arms(16)), None);
    assert_eq!(refusal(|scheme| scheme.arms = arms(17)), Some(Arms));
    assert_eq!(refusal(|scheme| scheme.arms[1].arm = name("A")), Some(ArmTwice));
    assert_eq!(refusal(|scheme| scheme.arms[1].weight = 0), Some(Weight));
    assert_eq!(refusal(|scheme| scheme.arms[1].weight = 100), None);
    assert_eq!(refusal(|scheme| scheme.arms[1].weight = 101), Some(Weight));
    assert_eq!(refusal(|scheme| scheme.factors = factors(8, 2)), None);
    assert_eq!(refusal(|scheme| scheme.factors = factors(9, 2)), Some(Factors));
    assert_eq!(refusal(|scheme| scheme.factors[1].factor = name("sex")), Some(FactorTwice));
    assert_eq!(refusal(|scheme| scheme.factors = factors(1, 1)), Some(Levels));
    assert_eq!(refusal(|scheme| scheme.factors = factors(1, 32)), None);
    assert_eq!(refusal(|scheme| scheme.factors = factors(1, 33)), Some(Levels));
    assert_eq!(refusal(|scheme| scheme.factors[0].levels[1] = name("female")), Some(LevelTwice));
    assert_eq!(refusal(|scheme| scheme.factors[0].levels[1] = name("fe|male")), Some(Separator));
    assert_eq!(refusal(|scheme| scheme.factors = factors(2, 32)), None);
    assert_eq!(refusal(|scheme| scheme.factors = factors(7, 3)), Some(Strata));
    assert_eq!(refusal(|scheme| scheme.method = Method::Simple { slots: 0 }), Some(Slots));
    assert_eq!(refusal(|scheme| scheme.method = Method::Simple { slots: 100_000 }), None);
    assert_eq!(refusal(|scheme| scheme.method = Method::Simple { slots: 100_001 }), Some(Slots));
    assert_eq!(refusal(|scheme| scheme.method = Method::PermutedBlocks { slots: 16_666 }), None);
    assert_eq!(refusal(|scheme| scheme.method = Method::PermutedBlocks { slots: 16_667 }), Some(Slots));
}

#[test]
fn the_bounds_of_minimisation_are_kept() {
    use SchemeError::*;
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1, 100], 1_000)), None);
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1], 800)), Some(FactorWeights));
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1, 1, 1], 800)), Some(FactorWeights));
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1, 101], 800)), Some(Weight));
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1, 1], 1_001)), Some(Probability));
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1, 1], 334)), None, "at least a third");
    assert_eq!(refusal(|scheme| scheme.method = minimisation(&[1, 1], 333)), Some(Probability));
    let unequal = |weights: [u32; 4]| {
        refusal(|scheme| {
            let arms = weights.iter().zip(["A", "B", "C", "D"]);
            scheme.arms = arms.map(|(weight, arm)| Arm { arm: name(arm), weight: *weight }).collect();
            scheme.method = minimisation(&[1, 1], 900);
        })
    };
    assert_eq!(unequal([100, 99, 97, 1]), None, "960,300");
    assert_eq!(unequal([100, 99, 97, 2]), None, "still 960,300");
    assert_eq!(unequal([100, 99, 97, 89]), Some(CommonMultiple));
    let no_factors = Scheme { factors: Vec::new(), method: minimisation(&[], 800), ..scheme() };
    assert_eq!(no_factors.check(), Err(FactorWeights));
}

#[test]
fn block_sizes_go_with_the_scheme() {
    let check = |scheme: &Scheme, sizes: &[u32]| Secret { seed: [1; 32], block_sizes: sizes.to_vec() }.check(scheme);
    let (blocks, simple) = (scheme(), Scheme { method: Method::Simple { slots: 5 }, ..scheme() });
    assert_eq!(check(&blocks, &[3, 6, 9_999]), Ok(()));
    assert_eq!(check(&blocks, &[3; 16]), Ok(()));
    for sizes in [&[][..], &[3; 17]] {
        assert_eq!(check(&blocks, sizes), Err(SecretError::BlockSizes));
    }
    for size in [0, 4, 10_002, u32::MAX] {
        assert_eq!(check(&blocks, &[3, size]), Err(SecretError::BlockSize), "{size}");
    }
    assert_eq!((check(&simple, &[]), check(&simple, &[3])), (Ok(()), Err(SecretError::BlockSizes)));
}

#[test]
fn strata_are_numbered_with_the_first_factor_first() {
    let scheme = scheme();
    let stratum = scheme.stratum(&names(&["male", "18-64"])).unwrap();
    assert_eq!(stratum, Stratum { index: 4, name: "male|18-64".to_owned() });
    assert_eq!((scheme.strata(), scheme.slots_per_stratum(), scheme.slots()), (6, 10, 60));
    let all: Vec<Stratum> = (0..6).map(|index| scheme.stratum_at(index).unwrap()).collect();
    assert_eq!(all.iter().map(|stratum| &stratum.name).collect::<BTreeSet<_>>().len(), 6);
    for stratum in &all {
        let levels: Vec<Name> = stratum.name.split(SEPARATOR).map(name).collect();
        assert_eq!(scheme.stratum(&levels).as_ref(), Ok(stratum));
        assert_eq!(scheme.stratum_named(&stratum.name).as_ref(), Some(stratum));
    }
    assert_eq!(scheme.stratum_at(6), None);
    assert_eq!(["", "male", "male|18-64|", "18-64|male"].map(|name| scheme.stratum_named(name)), [const { None }; 4]);
}

#[test]
fn unknown_levels_are_refused_by_every_method_and_not_quoted() {
    for method in [Method::PermutedBlocks { slots: 1 }, Method::Simple { slots: 1 }, minimisation(&[1, 1], 800)] {
        let scheme = Scheme { method, ..scheme() };
        let refused = |levels: &[&str]| scheme.stratum(&names(levels)).unwrap_err();
        assert_eq!(refused(&["male"]), LevelError::Count(2));
        assert_eq!(refused(&["male", "18-64", "x"]), LevelError::Count(2));
        assert_eq!(refused(&["male", "secret"]), LevelError::Unknown(1));
        assert_eq!(refused(&["18-64", "male"]), LevelError::Unknown(0));
        assert!(!refused(&["male", "secret"]).to_string().contains("secret"));
    }
}

#[test]
fn simple_randomisation_has_one_stratum_and_minimisation_none() {
    let levels = names(&["male", "18-64"]);
    let simple = Scheme { method: Method::Simple { slots: 7 }, ..scheme() };
    let only = Stratum { index: 0, name: String::new() };
    assert_eq!((simple.stratum(&levels), simple.stratum_named("")), (Ok(only.clone()), Some(only.clone())));
    assert_eq!((simple.strata(), simple.slots(), simple.stratum_named("male|18-64")), (1, 7, None));
    let unstratified = Scheme { factors: Vec::new(), ..scheme() };
    assert_eq!((unstratified.stratum(&[]), unstratified.stratum_named("")), (Ok(only.clone()), Some(only)));
    let minimised = Scheme { method: minimisation(&[1, 1], 800), ..scheme() };
    assert_eq!(minimised.stratum(&levels), Err(LevelError::NoStrata));
    assert_eq!((minimised.strata(), minimised.slots(), minimised.stratum_at(0)), (0, 0, None));
}

#[test]
fn json_is_read_strictly() {
    let scheme = json!({
        "arms": [{ "arm": "A", "weight": 1 }, { "arm": "B", "weight": 1 }],
        "factors": [{ "factor": "sex", "levels": ["f", "m"] }],
        "method": { "minimisation": { "weights": [1], "probability_permille": 800, "measure": "variance" } },
    });
    let read: Scheme = serde_json::from_value(scheme.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), scheme);
    for pointer in ["", "/arms/0", "/factors/0", "/method", "/method/minimisation"] {
        let mut stray = scheme.clone();
        stray.pointer_mut(pointer).unwrap()["stray"] = json!(1);
        assert!(serde_json::from_value::<Scheme>(stray).is_err(), "{pointer}");
    }
    let (seed, hash) = ("0a".repeat(32), "00".repeat(32));
    assert!(serde_json::from_value::<Secret>(json!({ "seed": seed, "block_sizes": [4] })).is_ok());
    for wrong in [seed.to_uppercase(), seed[1..].to_owned(), format!("{seed}00"), format!("+{}", &seed[1..])] {
        assert!(serde_json::from_value::<Secret>(json!({ "seed": wrong, "block_sizes": [] })).is_err(), "{wrong}");
    }
    assert!(serde_json::from_value::<Secret>(json!({ "seed": seed, "block_sizes": [], "stray": 1 })).is_err());
    assert!(serde_json::from_value::<Disclosure>(json!({ "slot": "", "place": 0, "path": [hash] })).is_ok());
    assert!(serde_json::from_value::<Disclosure>(json!({ "slot": "", "place": 0, "path": [], "stray": 1 })).is_err());
}

#[test]
fn a_secret_is_not_printed() {
    let secret = Secret { seed: [0xab; 32], block_sizes: vec![4, 6] };
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}

/// The bytes of `docs/RANDOMISATION.md`, written out.
#[test]
fn the_commitment_is_the_hash_of_these_bytes() {
    let scheme = Scheme { factors: vec![scheme().factors.remove(0)], method: minimisation(&[7], 800), ..scheme() };
    let bytes = [
        b"trialseal/allocation-scheme@v1 sha256\n".as_slice(),
        b"\0\0\0\x02\0\0\0\x01A\0\0\0\x02\0\0\0\x01B\0\0\0\x01",
        b"\0\0\0\x01\0\0\0\x03sex\0\0\0\x02\0\0\0\x06female\0\0\0\x04male",
        b"\x02\0\0\0\x01\0\0\0\x07\0\0\x03\x20\0",
    ]
    .concat();
    assert_eq!(scheme.to_bytes(), bytes);
    let secret = Secret { seed: [5; 32], block_sizes: vec![6, 3] };
    let parts = [
        b"trialseal/allocation-commitment@v1 sha256\n".as_slice(),
        &u32::try_from(bytes.len()).unwrap().to_be_bytes(),
        &bytes,
        &[5; 32],
        b"\0\0\0\x02\0\0\0\x06\0\0\0\x03",
    ];
    assert_eq!(commitment(&scheme, &secret), seal::sha256(&parts));
}

#[test]
fn slots_with_a_false_stratum_or_arm_are_refused() {
    let slot = |stratum: &str| Slot { stratum: stratum.to_owned(), index: 1, arm: name("A"), salt: [3; 16] };
    let eight = ["x"; 8].join("|");
    for good in ["", "male", "male|18-64", &eight] {
        assert_eq!(Slot::parse(&slot(good).to_bytes()), Ok(slot(good)));
    }
    for bad in ["|", "male|", " male", "ma\nle", &format!("{eight}|x"), &"x".repeat(129)] {
        assert!(Slot::parse(&slot(bad).to_bytes()).is_err(), "{bad:?}");
    }
    let bytes = slot("").to_bytes();
    assert!(Slot::parse(&[&bytes[..], b"\0"].concat()).is_err());
    assert!(Slot::parse(&[&bytes[..bytes.len() - 1], b"\n"].concat()).is_err(), "the arm is no name");
}

proptest! {
    #[test]
    fn slots_are_read_back_and_nothing_else_is(
        salt in any::<[u8; 16]>(), index in any::<u32>(), arm in "[a-z]{1,9}",
        stratum in prop::collection::vec("[a-z]{1,9}", 0..=8), cut in any::<prop::sample::Index>(), noise in any::<u8>(),
    ) {
        let slot = Slot { stratum: stratum.join("|"), index, arm: name(&arm), salt };
        let mut bytes = slot.to_bytes();
        prop_assert_eq!(Slot::parse(&bytes), Ok(slot.clone()));
        let at = cut.index(bytes.len());
        prop_assert!(Slot::parse(&bytes[..at]).is_err());
        bytes[at] = noise;
        if let Ok(other) = Slot::parse(&bytes) {
            prop_assert_eq!(other.to_bytes(), bytes);
        }
    }

    #[test]
    fn any_bytes_and_texts_are_answered(bytes in any::<Vec<u8>>(), text in "\\PC*") {
        let _ = Slot::parse(&[b"trialseal/slot@v1 sha256\n".as_slice(), &bytes].concat());
        let _ = (Slot::parse(&bytes), serde_json::from_str::<Scheme>(&text), serde_json::from_str::<Secret>(&text));
        let scheme = scheme();
        prop_assert!(scheme.stratum_named(&text).is_none_or(|stratum| stratum.name == text));
    }
}
