//! Minimisation prefers what Pocock and Simon say, and repeats itself.

use crate::schemes::{participants, scheme, secret, with_minimisation};
use allocation::{AssignError, List, ListError, assign, replay};
use proptest::prelude::*;
use seal::id::Name;
use vocabulary::allocation::{LevelError, Measure, Method, Scheme};

fn certain(arms: &[u32], levels: &[usize], weights: &[u32], measure: Measure) -> Scheme {
    let method = Method::Minimisation { weights: weights.to_vec(), probability_permille: 1_000, measure };
    scheme(arms, levels, method)
}

/// Earlier participants: how many have which levels and arm, all by number.
fn earlier(scheme: &Scheme, groups: &[(usize, &[usize], usize)]) -> Vec<(Vec<Name>, Name)> {
    let of = |(count, levels, arm): &(usize, &[usize], usize)| {
        vec![(named(scheme, levels), scheme.arms[*arm].arm.clone()); *count]
    };
    groups.iter().flat_map(of).collect()
}

fn named(scheme: &Scheme, levels: &[usize]) -> Vec<Name> {
    scheme.factors.iter().zip(levels).map(|(factor, level)| factor.levels[*level].clone()).collect()
}

/// The arm that every run agrees on.
fn preferred(scheme: &Scheme, earlier: &[(Vec<Name>, Name)], levels: &[usize]) -> String {
    let levels = named(scheme, levels);
    let mut arms = (0..50).map(|run| assign(scheme, &secret(run, &[]), earlier, &levels).unwrap());
    let first = arms.next().unwrap();
    arms.enumerate().for_each(|(run, arm)| assert_eq!(arm, first, "run {}", run + 1));
    first.to_string()
}

#[test]
fn the_arm_with_fewer_of_the_participants_level_is_preferred() {
    let scheme = certain(&[1, 1], &[2], &[1], Measure::Range);
    let history = earlier(&scheme, &[(2, &[0], 0), (9, &[1], 1)]);
    assert_eq!(preferred(&scheme, &history, &[0]), "B");
    assert_eq!(preferred(&scheme, &history, &[1]), "A");
}

#[test]
fn the_weightier_factor_decides() {
    // The first factor's level speaks for A (B has 1 more), the second's for B (A has 1 more).
    let groups: [(usize, &[usize], usize); 2] = [(1, &[0, 1], 1), (1, &[1, 0], 0)];
    for (weights, arm) in [([3, 1], "A"), ([1, 3], "B")] {
        let scheme = certain(&[1, 1], &[2, 2], &weights, Measure::Range);
        assert_eq!(preferred(&scheme, &earlier(&scheme, &groups), &[0, 0]), arm);
    }
}

#[test]
fn counts_are_compared_in_the_ratio_of_the_arms() {
    let scheme = certain(&[1, 3], &[2], &[1], Measure::Range);
    // 2 of A weigh as much as 6 of B: with 4 of B the next is B's, with 7 of B it is A's.
    assert_eq!(preferred(&scheme, &earlier(&scheme, &[(2, &[0], 0), (4, &[0], 1)]), &[0]), "B");
    assert_eq!(preferred(&scheme, &earlier(&scheme, &[(2, &[0], 0), (8, &[0], 1)]), &[0]), "A");
}

#[test]
fn range_and_variance_can_prefer_different_arms() {
    // By arm: 0, 1, 1 at the first factor's level, and 2, 0, 3 at the second's.
    let groups: [(usize, &[usize], usize); 4] = [(1, &[0, 1], 1), (1, &[0, 1], 2), (2, &[1, 0], 0), (3, &[1, 0], 2)];
    for (measure, arm) in [(Measure::Range, "A"), (Measure::Variance, "B")] {
        let scheme = certain(&[1, 1, 1], &[2, 2], &[1, 1], measure);
        assert_eq!(preferred(&scheme, &earlier(&scheme, &groups), &[0, 0]), arm);
    }
}

#[test]
fn an_override_counts_as_it_was_given() {
    let scheme = certain(&[1, 1], &[2], &[1], Measure::Variance);
    let levels = vec![named(&scheme, &[0]); 2];
    let secret = secret(4, &[]);
    let [first, second] = replay(&scheme, &secret, &levels).unwrap().try_into().unwrap();
    assert_ne!(first, second);
    let overridden = assign(&scheme, &secret, &[(levels[0].clone(), second)], &levels[1]).unwrap();
    assert_eq!(overridden, first);
}

#[test]
fn refusals_name_the_participant() {
    let scheme = certain(&[1, 1], &[2], &[1], Measure::Range);
    let (good, bad, secret) = (named(&scheme, &[0]), participants(&scheme, 0, 0).concat(), secret(0, &[]));
    let history = |arm: &str| vec![(good.clone(), "A".parse().unwrap()), (good.clone(), arm.parse().unwrap())];
    assert_eq!(assign(&scheme, &secret, &history("Z"), &good), Err(AssignError::Arm(1)));
    let source = LevelError::Count(1);
    assert_eq!(assign(&scheme, &secret, &history("B"), &bad), Err(AssignError::Levels { participant: 2, source }));
    let source = LevelError::Unknown(0);
    let unknown = vec![good.clone(), vec!["0.2".parse().unwrap()]];
    assert_eq!(replay(&scheme, &secret, &unknown), Err(AssignError::Levels { participant: 1, source }));
    let list = Scheme { method: Method::Simple { slots: 1 }, ..scheme.clone() };
    assert_eq!(assign(&list, &secret, &[], &good), Err(AssignError::Method));
    assert_eq!(List::generate(&scheme, &secret).unwrap_err(), ListError::Minimisation);
}

proptest! {
    #[test]
    fn replay_repeats_every_allocation((scheme, secret) in with_minimisation(), run in any::<u64>()) {
        let levels = participants(&scheme, run, 30);
        let mut history: Vec<(Vec<Name>, Name)> = Vec::new();
        for levels in &levels {
            let arm = assign(&scheme, &secret, &history, levels).unwrap();
            history.push((levels.clone(), arm));
        }
        let given: Vec<Name> = history.into_iter().map(|(_, arm)| arm).collect();
        prop_assert_eq!(replay(&scheme, &secret, &levels).unwrap(), given);
    }
}
