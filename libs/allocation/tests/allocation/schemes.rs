//! Schemes, secrets and participants to test with.

use proptest::prelude::*;
use seal::{id::Name, sha256};
use vocabulary::allocation::{Arm, Factor, Measure, Method, Scheme, Secret};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Arms `A`, `B`, `C` … of these weights, and factors `0`, `1` … with levels `0.0`, `0.1` …
pub(crate) fn scheme(weights: &[u32], levels: &[usize], method: Method) -> Scheme {
    let arms = weights.iter().zip('A'..).map(|(weight, arm)| Arm { arm: name(&arm.to_string()), weight: *weight });
    let factor = |(factor, count): (usize, &usize)| Factor {
        factor: name(&factor.to_string()),
        levels: (0..*count).map(|level| name(&format!("{factor}.{level}"))).collect(),
    };
    let factors = levels.iter().enumerate().map(factor).collect();
    Scheme { arms: arms.collect(), factors, method }
}

/// The secret of the run with this number: printing the number is printing the seed.
pub(crate) fn secret(run: u64, block_sizes: &[u32]) -> Secret {
    Secret { seed: sha256(&[b"run", &run.to_be_bytes()]).0, block_sizes: block_sizes.to_vec() }
}

/// The levels of the participants of a run.
pub(crate) fn participants(scheme: &Scheme, run: u64, count: u64) -> Vec<Vec<Name>> {
    (0..count)
        .map(|number| {
            let bytes = sha256(&[b"participant", &run.to_be_bytes(), &number.to_be_bytes()]).0;
            let level = |(factor, byte): (&Factor, u8)| factor.levels[usize::from(byte) % factor.levels.len()].clone();
            scheme.factors.iter().zip(bytes).map(level).collect()
        })
        .collect()
}

/// The place of an arm in its scheme.
pub(crate) fn arm(scheme: &Scheme, name: &Name) -> usize {
    scheme.arms.iter().position(|arm| arm.arm == *name).unwrap()
}

/// Small valid schemes with a list, and secrets that go with them.
pub(crate) fn with_list() -> impl Strategy<Value = (Scheme, Secret)> {
    let weights = prop::collection::vec(1_u32..=4, 2..=4);
    let levels = prop::collection::vec(2_usize..=3, 0..=3);
    let secret = (any::<[u8; 32]>(), prop::collection::vec(1_u32..=4, 1..=3));
    (weights, levels, any::<bool>(), 1_u32..=12, secret).prop_map(
        |(weights, levels, stratify, slots, (seed, sizes))| {
            let total: u32 = weights.iter().sum();
            let method = if stratify { Method::PermutedBlocks { slots } } else { Method::Simple { slots } };
            let block_sizes = sizes.iter().filter(|_| stratify).map(|size| size * total).collect();
            (scheme(&weights, &levels, method), Secret { seed, block_sizes })
        },
    )
}

/// Small valid schemes with minimisation, and secrets that go with them.
pub(crate) fn with_minimisation() -> impl Strategy<Value = (Scheme, Secret)> {
    let weights = prop::collection::vec(1_u32..=4, 2..=4);
    let factors = prop::collection::vec((2_usize..=3, 1_u32..=5), 1..=3);
    (weights, factors, 500_u32..=1_000, any::<bool>(), any::<[u8; 32]>()).prop_map(|(arms, factors, p, range, seed)| {
        let (levels, weights): (Vec<usize>, Vec<u32>) = factors.into_iter().unzip();
        let measure = if range { Measure::Range } else { Measure::Variance };
        let method = Method::Minimisation { weights, probability_permille: p, measure };
        (scheme(&arms, &levels, method), Secret { seed, block_sizes: Vec::new() })
    })
}
