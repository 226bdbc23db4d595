//! Pearson's chi-square test of counts against a ratio, in integers.

/// How often each of some outcomes came up.
#[derive(Clone, Debug)]
pub(crate) struct Frequencies(Vec<u64>);

impl Frequencies {
    pub(crate) fn new(outcomes: usize) -> Self {
        Self(vec![0; outcomes])
    }

    pub(crate) fn count(&mut self, outcome: usize) {
        self.0[outcome] += 1;
    }

    /// Chi-square against this ratio, in thousandths: Σ (observed − expected)² / expected.
    pub(crate) fn chi_square(&self, ratio: &[u32]) -> u128 {
        assert_eq!(self.0.len(), ratio.len());
        let (count, total) = (u128::from(self.0.iter().sum::<u64>()), u128::from(ratio.iter().sum::<u32>()));
        let terms = self.0.iter().zip(ratio).map(|(observed, share)| {
            let share = u128::from(*share);
            (u128::from(*observed) * total).abs_diff(count * share).pow(2) * 1_000 / (share * count * total)
        });
        terms.sum()
    }

    /// Fails if chance alone would give counts so far from the ratio in fewer than one of 10^6 cases.
    #[track_caller]
    pub(crate) fn assert_ratio(&self, ratio: &[u32], what: &str) {
        let (found, limit) = (self.chi_square(ratio), critical(ratio.len() - 1));
        assert!(found < limit, "{what}: chi-square {found} of at most {limit} thousandths, counts {:?}", self.0);
    }
}

/// The value, in thousandths, that chi-square with these degrees of freedom exceeds with probability 10^-6.
fn critical(degrees: usize) -> u128 {
    match degrees {
        1 => 23_928,
        2 => 27_631,
        3 => 30_665,
        _ => panic!("{degrees} degrees of freedom"),
    }
}

#[test]
fn the_test_tells_a_loaded_coin_from_a_fair_one() {
    assert_eq!(Frequencies(vec![44, 56]).chi_square(&[1, 1]), 1_440);
    assert_eq!(Frequencies(vec![30, 70]).chi_square(&[1, 3]), 1_333);
    assert!(Frequencies(vec![5_300, 4_700]).chi_square(&[1, 1]) > critical(1));
}
