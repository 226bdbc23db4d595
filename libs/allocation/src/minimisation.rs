//! Minimisation after Pocock and Simon (Biometrics 1975; 31: 103-115), in integers.

use crate::keystream::Keystream;
use seal::id::Name;
use vocabulary::allocation::{LevelError, MAX_SLOTS, Measure, Method, Scheme, SchemeError, Secret, SecretError};

/// Why a participant cannot be allocated. Participants are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    /// The scheme cannot be used.
    #[error("the scheme cannot be used")]
    Scheme(#[from] SchemeError),
    /// The secret does not go with the scheme.
    #[error("the secret does not go with the scheme")]
    Secret(#[from] SecretError),
    /// The scheme's method makes a list instead.
    #[error("the method is not minimisation")]
    Method,
    /// A participant's levels are not the scheme's.
    #[error("the levels of participant {participant} are not the scheme's")]
    Levels {
        /// Whose.
        participant: usize,
        /// What is wrong with them.
        source: LevelError,
    },
    /// An earlier participant was given an arm the scheme does not have.
    #[error("participant {0} has an arm the scheme does not have")]
    Arm(usize),
    /// More than [`MAX_SLOTS`] participants.
    #[error("a study has at most {MAX_SLOTS} participants")]
    Participants,
}

/// The arm of the next participant, who has these levels, after `earlier` participants with the arms they were really
/// given: levels and arm of each, in order.
pub fn assign(
    scheme: &Scheme,
    secret: &Secret,
    earlier: &[(Vec<Name>, Name)],
    levels: &[Name],
) -> Result<Name, AssignError> {
    let mut trial = Trial::new(scheme, secret)?;
    for (levels, arm) in earlier {
        let places = trial.places(levels)?;
        let arm = scheme.arms.iter().position(|known| known.arm == *arm).ok_or(AssignError::Arm(trial.participants))?;
        trial.record(&places, arm);
    }
    let places = trial.places(levels)?;
    let arm = trial.choose(&places);
    trial.name(arm)
}

/// The arms of all participants in order, when each was given the arm that [`assign`] says.
pub fn replay(scheme: &Scheme, secret: &Secret, levels: &[Vec<Name>]) -> Result<Vec<Name>, AssignError> {
    let mut trial = Trial::new(scheme, secret)?;
    let step = |levels: &Vec<Name>| {
        let places = trial.places(levels)?;
        let arm = trial.choose(&places);
        trial.record(&places, arm);
        trial.name(arm)
    };
    levels.iter().map(step).collect()
}

/// Who is in which arm so far, counted by level.
struct Trial<'a> {
    scheme: &'a Scheme,
    secret: &'a Secret,
    factor_weights: &'a [u32],
    permille: u32,
    measure: Measure,
    /// What makes counts comparable: least common multiple of the arms' weights, divided by the arm's.
    scales: Vec<u128>,
    /// By factor, level and arm.
    counts: Vec<Vec<Vec<u32>>>,
    participants: usize,
}

impl<'a> Trial<'a> {
    fn new(scheme: &'a Scheme, secret: &'a Secret) -> Result<Self, AssignError> {
        scheme.check()?;
        secret.check(scheme)?;
        let Method::Minimisation { weights, probability_permille, measure } = &scheme.method else {
            return Err(AssignError::Method);
        };
        let multiple = scheme.common_multiple().ok_or(SchemeError::CommonMultiple)?;
        let scale = |arm: &vocabulary::allocation::Arm| u128::from(multiple.checked_div(arm.weight).unwrap_or(0));
        let none = vec![0; scheme.arms.len()];
        Ok(Self {
            scheme,
            secret,
            factor_weights: weights,
            permille: *probability_permille,
            measure: *measure,
            scales: scheme.arms.iter().map(scale).collect(),
            counts: scheme.factors.iter().map(|factor| vec![none.clone(); factor.levels.len()]).collect(),
            participants: 0,
        })
    }

    fn places(&self, levels: &[Name]) -> Result<Vec<usize>, AssignError> {
        if u64::try_from(self.participants).map_or(true, |count| count >= MAX_SLOTS) {
            return Err(AssignError::Participants);
        }
        let participant = self.participants;
        self.scheme.level_indices(levels).map_err(|source| AssignError::Levels { participant, source })
    }

    fn record(&mut self, places: &[usize], arm: usize) {
        for (levels, place) in self.counts.iter_mut().zip(places) {
            if let Some(count) = levels.get_mut(*place).and_then(|arms| arms.get_mut(arm)) {
                *count += 1;
            }
        }
        self.participants += 1;
    }

    fn name(&self, arm: usize) -> Result<Name, AssignError> {
        self.scheme.arms.get(arm).map(|arm| arm.arm.clone()).ok_or(AssignError::Arm(self.participants))
    }

    /// One of the arms that leave the least imbalance is preferred; the coin then decides between it and the others.
    fn choose(&self, places: &[usize]) -> usize {
        let imbalances: Vec<u128> = (0..self.scheme.arms.len()).map(|arm| self.imbalance(places, arm)).collect();
        let least = imbalances.iter().min().copied().unwrap_or(0);
        let arms = self.scheme.arms.iter().zip(&imbalances);
        let tied: Vec<u32> = arms.map(|(arm, total)| if *total == least { arm.weight } else { 0 }).collect();
        let mut keystream = Keystream::new(&self.secret.seed, &format!("step {}", self.participants));
        let preferred = keystream.pick(&tied);
        keystream.pick(&self.coin(preferred))
    }

    /// The imbalance of all the participant's levels if this arm took them.
    fn imbalance(&self, places: &[usize], candidate: usize) -> u128 {
        let levels = self.counts.iter().zip(places).filter_map(|(levels, place)| levels.get(*place));
        let weighted = levels.zip(self.factor_weights);
        weighted.map(|(counts, weight)| u128::from(*weight) * self.distance(counts, candidate)).sum()
    }

    fn distance(&self, counts: &[u32], candidate: usize) -> u128 {
        let arms = counts.iter().zip(&self.scales).enumerate();
        let scaled = arms.map(|(arm, (count, scale))| (u128::from(*count) + u128::from(arm == candidate)) * scale);
        let scaled: Vec<u128> = scaled.collect();
        match self.measure {
            Measure::Range => scaled.iter().max().unwrap_or(&0) - scaled.iter().min().unwrap_or(&0),
            Measure::Variance => variance(&scaled),
        }
    }

    /// The masses of the arms when one is preferred. The mass of each other arm is its weight times what the probability
    /// leaves of 1000; so if each arm is preferred as often as its share, each is also taken as often.
    fn coin(&self, preferred: usize) -> Vec<u32> {
        let left = 1_000_u32.saturating_sub(self.permille);
        let weights = || self.scheme.arms.iter().map(|arm| arm.weight);
        let all = 1_000 * (self.scheme.total_weight() - weights().min().unwrap_or(0));
        let mut masses: Vec<u32> = weights().map(|weight| left * weight).collect();
        let others: u32 = masses.iter().enumerate().filter(|(arm, _)| *arm != preferred).map(|(_, mass)| mass).sum();
        if let Some(mass) = masses.get_mut(preferred) {
            *mass = all.saturating_sub(others);
        }
        masses
    }
}

/// The variance times the square of the count of numbers, which is the same for all candidates.
fn variance(numbers: &[u128]) -> u128 {
    let count = u128::try_from(numbers.len()).unwrap_or(0);
    let sum: u128 = numbers.iter().sum();
    count * numbers.iter().map(|number| number * number).sum::<u128>() - sum * sum
}
