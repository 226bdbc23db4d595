//! Ratios hold over 10,000 seeded runs. A failure names the run, from which its seed follows.

use crate::{
    frequencies::Frequencies,
    schemes::{arm, participants, scheme, secret},
};
use allocation::{List, assign, replay};
use vocabulary::allocation::{Measure, Method, Scheme};

const RUNS: u64 = 10_000;

/// The arms of one run's list by stratum and slot, read as anybody reads them.
fn arms(scheme: &Scheme, run: u64, block_sizes: &[u32]) -> Vec<Vec<usize>> {
    let list = List::generate(scheme, &secret(run, block_sizes)).unwrap();
    let strata = (0..u32::try_from(scheme.strata()).unwrap()).map(|index| scheme.stratum_at(index).unwrap().name);
    let read = |stratum: String| {
        let slots = (0..scheme.slots_per_stratum()).map(|index| list.slot(&stratum, index).unwrap());
        slots.map(|slot| arm(scheme, &slot.arm)).collect()
    };
    strata.map(read).collect()
}

fn minimised(weights: &[u32], probability_permille: u32, measure: Measure) -> Scheme {
    let method = Method::Minimisation { weights: vec![1, 2], probability_permille, measure };
    scheme(weights, &[4, 2], method)
}

#[test]
fn simple_randomisation_keeps_the_ratio_at_every_slot_and_overall() {
    let ratio = [3, 2, 1];
    let scheme = scheme(&ratio, &[], Method::Simple { slots: 20 });
    let (mut overall, mut slots) = (Frequencies::new(3), vec![Frequencies::new(3); 20]);
    for run in 0..RUNS {
        for (slot, arm) in arms(&scheme, run, &[]).concat().into_iter().enumerate() {
            overall.count(arm);
            slots[slot].count(arm);
        }
    }
    overall.assert_ratio(&ratio, "all slots");
    slots.iter().enumerate().for_each(|(slot, found)| found.assert_ratio(&ratio, &format!("slot {slot}")));
}

#[test]
fn equal_blocks_never_differ_by_more_than_half_the_largest_and_keep_the_ratio_at_every_slot() {
    let scheme = scheme(&[1, 1], &[2, 2], Method::PermutedBlocks { slots: 14 });
    let (mut positions, mut widest) = (vec![Frequencies::new(2); 4 * 14], 0);
    for run in 0..RUNS {
        for (stratum, arms) in arms(&scheme, run, &[4, 6]).iter().enumerate() {
            let mut difference = 0_i32;
            for (slot, arm) in arms.iter().enumerate() {
                positions[stratum * 14 + slot].count(*arm);
                difference += if *arm == 0 { 1 } else { -1 };
                assert!(difference.abs() <= 3, "run {run}, stratum {stratum}, slot {slot}: {arms:?}");
                widest = widest.max(difference.abs());
            }
        }
    }
    assert_eq!(widest, 3, "the bound is reached: blocks of six do occur");
    let named = positions.iter().enumerate();
    named.for_each(|(place, found)| found.assert_ratio(&[1, 1], &format!("place {place}")));
}

#[test]
fn unequal_blocks_stay_as_near_the_ratio_as_a_block_allows() {
    let (ratio, total) = ([1, 2, 1], 4);
    let scheme = scheme(&ratio, &[2], Method::PermutedBlocks { slots: 15 });
    let mut positions = vec![Frequencies::new(3); 2 * 15];
    for run in 0..RUNS {
        for (stratum, arms) in arms(&scheme, run, &[4, 8]).iter().enumerate() {
            let mut counts = [0_i64; 3];
            for (slot, arm) in (0_i64..).zip(arms) {
                positions[stratum * 15 + usize::try_from(slot).unwrap()].count(*arm);
                counts[*arm] += 1;
                for (count, weight) in counts.iter().zip(ratio.map(i64::from)) {
                    // |count − n ρ| ≤ block · ρ (1 − ρ), times the total squared
                    let distance = (count * total - (slot + 1) * weight).abs() * total;
                    assert!(distance <= 8 * weight * (total - weight), "run {run}, stratum {stratum}: {arms:?}");
                }
            }
        }
    }
    let named = positions.iter().enumerate();
    named.for_each(|(place, found)| found.assert_ratio(&ratio, &format!("place {place}")));
}

#[test]
fn the_lists_of_two_strata_are_independent() {
    let scheme = scheme(&[1, 1], &[2], Method::PermutedBlocks { slots: 4 });
    let mut pairs = vec![Frequencies::new(4); 4];
    for run in 0..RUNS {
        let arms = arms(&scheme, run, &[4]);
        (0..4).for_each(|slot| pairs[slot].count(arms[0][slot] * 2 + arms[1][slot]));
    }
    pairs.iter().enumerate().for_each(|(slot, found)| found.assert_ratio(&[1; 4], &format!("slot {slot}")));
}

#[test]
fn minimisation_keeps_the_ratio_at_every_step_and_levels_far_nearer_than_simple_randomisation() {
    for measure in [Measure::Range, Measure::Variance] {
        let scheme = minimised(&[1, 1], 800, measure);
        let simple = Scheme { method: Method::Simple { slots: 40 }, ..scheme.clone() };
        let (mut steps, mut imbalance, mut by_chance) = (vec![Frequencies::new(2); 40], 0, 0);
        for run in 0..RUNS {
            let levels = participants(&scheme, run, 40);
            let given: Vec<usize> =
                replay(&scheme, &secret(run, &[]), &levels).unwrap().iter().map(|name| arm(&scheme, name)).collect();
            given.iter().zip(&mut steps).for_each(|(arm, step)| step.count(*arm));
            imbalance += marginal(&scheme, &levels, &given);
            let drawn = arms(&simple, run, &[]).concat();
            by_chance += marginal(&scheme, &levels, &drawn);
        }
        assert!(imbalance * 4 < by_chance, "{measure:?}: {imbalance} against {by_chance}");
        let named = steps.iter().enumerate();
        named.for_each(|(step, found)| found.assert_ratio(&[1, 1], &format!("{measure:?}, step {step}")));
    }
}

/// The sum over all levels of the squared difference between the two arms.
fn marginal(scheme: &Scheme, levels: &[Vec<seal::id::Name>], given: &[usize]) -> u64 {
    let all = scheme.factors.iter().enumerate().flat_map(|(n, factor)| factor.levels.iter().map(move |l| (n, l)));
    let difference = |(factor, level): (usize, &seal::id::Name)| {
        let here = levels.iter().zip(given).filter(|(levels, _)| levels[factor] == *level);
        here.map(|(_, arm)| if *arm == 0 { 1 } else { -1 }).sum::<i64>().unsigned_abs().pow(2)
    };
    all.map(difference).sum()
}

#[test]
fn unequal_minimisation_keeps_the_ratio_overall() {
    let ratio = [1, 2, 1];
    for measure in [Measure::Range, Measure::Variance] {
        let scheme = minimised(&ratio, 700, measure);
        let mut overall = Frequencies::new(3);
        for run in 0..RUNS {
            let given = replay(&scheme, &secret(run, &[]), &participants(&scheme, run, 24)).unwrap();
            given.iter().for_each(|name| overall.count(arm(&scheme, name)));
        }
        overall.assert_ratio(&ratio, &format!("{measure:?}"));
    }
}

#[test]
fn the_coin_takes_the_preferred_arm_with_the_stated_probability() {
    // Everybody before had the other arms, so the arm in question is preferred.
    for (weights, preferred, masses) in
        [([1, 1, 1], 1, [100, 800, 100]), ([1, 2, 1], 1, [200, 2_600, 200]), ([1, 2, 1], 2, [200, 400, 2_400])]
    {
        let scheme = minimised(&weights, 800, Measure::Range);
        let levels = participants(&scheme, 0, 1).remove(0);
        let others = scheme.arms.iter().enumerate().filter(|(arm, _)| *arm != preferred);
        let earlier: Vec<_> = others.flat_map(|(_, arm)| vec![(levels.clone(), arm.arm.clone()); 9]).collect();
        let mut found = Frequencies::new(3);
        for run in 0..RUNS {
            found.count(arm(&scheme, &assign(&scheme, &secret(run, &[]), &earlier, &levels).unwrap()));
        }
        found.assert_ratio(&masses, &format!("{weights:?}"));
    }
}

#[test]
fn ties_are_broken_in_the_ratio_of_the_arms() {
    // Without a history equal arms tie; with p = 1000 nothing but the tie is random.
    let scheme = minimised(&[2, 2, 2], 1_000, Measure::Variance);
    let levels = participants(&scheme, 0, 1).remove(0);
    let mut found = Frequencies::new(3);
    for run in 0..RUNS {
        found.count(arm(&scheme, &assign(&scheme, &secret(run, &[]), &[], &levels).unwrap()));
    }
    found.assert_ratio(&[1; 3], "first participant");
}
