//! How participants are allocated to arms: the public part.

use super::SEPARATOR;
use seal::{codec::Writer, id::Name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const MAGIC: &str = "trialseal/allocation-scheme@v1 sha256\n";

/// The most arms of a study.
pub const MAX_ARMS: usize = 16;
/// The largest weight of an arm, and of a factor in minimisation.
pub const MAX_WEIGHT: u32 = 100;
/// The most stratification factors.
pub const MAX_FACTORS: usize = 8;
/// The most levels of a factor.
pub const MAX_LEVELS: usize = 32;
/// The most strata with a list of their own.
pub const MAX_STRATA: u64 = 1_024;
/// The most slots of all strata together, and the most participants of a minimised study.
pub const MAX_SLOTS: u64 = 100_000;
/// The largest block, in slots.
pub const MAX_BLOCK: u32 = 10_000;
/// The most block sizes to draw from.
pub const MAX_BLOCK_SIZES: usize = 16;
/// The largest least common multiple of the arms' weights in minimisation: imbalances stay within 128 bits.
pub const MAX_COMMON_MULTIPLE: u32 = 1_000_000;

/// Why a scheme cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// Fewer than 2 or more than [`MAX_ARMS`] arms.
    #[error("a scheme has 2 to {MAX_ARMS} arms")]
    Arms,
    /// Two arms of one name.
    #[error("two arms have the same name")]
    ArmTwice,
    /// The weight of an arm or a factor is 0 or above [`MAX_WEIGHT`].
    #[error("a weight is 1 to {MAX_WEIGHT}")]
    Weight,
    /// More than [`MAX_FACTORS`] factors.
    #[error("a scheme has at most {MAX_FACTORS} factors")]
    Factors,
    /// Two factors of one name.
    #[error("two factors have the same name")]
    FactorTwice,
    /// Fewer than 2 or more than [`MAX_LEVELS`] levels.
    #[error("a factor has 2 to {MAX_LEVELS} levels")]
    Levels,
    /// Two levels of one factor have one name.
    #[error("two levels of a factor have the same name")]
    LevelTwice,
    /// A level's name holds the character that separates levels in the name of a stratum.
    #[error("the name of a level holds the character {SEPARATOR:?}")]
    Separator,
    /// More than [`MAX_STRATA`] strata.
    #[error("the factors give more than {MAX_STRATA} strata")]
    Strata,
    /// No slots, or more than [`MAX_SLOTS`] in all.
    #[error("a scheme has 1 to {MAX_SLOTS} slots in all")]
    Slots,
    /// Minimisation without a factor, or not exactly one weight for each factor.
    #[error("minimisation takes at least one factor, and one weight for each factor")]
    FactorWeights,
    /// The probability is above 1000, or below the smallest arm's share: the preferred arm would be the disfavoured one.
    #[error("the probability is above 1000 or below the smallest arm's share")]
    Probability,
    /// The arms' weights have a least common multiple above [`MAX_COMMON_MULTIPLE`].
    #[error("the arms' weights have a least common multiple above {MAX_COMMON_MULTIPLE}")]
    CommonMultiple,
}

/// An arm of the study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// What it is called. In a blinded study a code that says nothing of the treatment.
    pub arm: Name,
    /// Its part of the allocation ratio: weights 2 and 1 give the ratio 2:1.
    pub weight: u32,
}

/// A stratification factor, such as site, sex or disease stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// What it is called.
    pub factor: Name,
    /// Its levels, such as `female` and `male`.
    pub levels: Vec<Name>,
}

/// How arms are drawn (ICH E9 section 2.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Every slot drawn on its own, in the ratio of the weights. One list; factors are kept but do not stratify.
    Simple {
        /// The length of the list.
        slots: u32,
    },
    /// Blocks that hold the arms in exactly the ratio of the weights, one list for each stratum. The sizes of the blocks
    /// are in the secret.
    PermutedBlocks {
        /// The length of each stratum's list; its last block may be cut short.
        slots: u32,
    },
    /// Each participant to the arm that leaves the factors' levels most alike between the arms, with a biased coin
    /// (Pocock and Simon, Biometrics 1975; 31: 103-115). No list.
    Minimisation {
        /// How much each factor counts, in the order of the factors.
        weights: Vec<u32>,
        /// How likely the preferred arm is taken, in thousandths. With unequal arms: when it is an arm of the smallest
        /// weight; larger arms are taken a little more often (Han et al., Statistics in Medicine 2009; 28: 3329-3346).
        probability_permille: u32,
        /// How unlike the arms are at one level.
        measure: Measure,
    },
}

/// How far apart the arms' counts at one level are, each count divided by its arm's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The largest less the smallest.
    Range,
    /// The variance.
    Variance,
}

/// How participants are allocated to arms. [`Self::check`] says whether it can be used; JSON alone is not checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The arms; their order matters to the generator.
    pub arms: Vec<Arm>,
    /// The stratification factors; participants' levels come in this order.
    pub factors: Vec<Factor>,
    /// How arms are drawn.
    pub method: Method,
}

impl Scheme {
    /// Whether the scheme is within all bounds and its names are unique.
    pub fn check(&self) -> Result<(), SchemeError> {
        self.check_arms()?;
        self.check_factors()?;
        match &self.method {
            Method::Simple { .. } | Method::PermutedBlocks { .. } => self.check_lists(),
            Method::Minimisation { weights, probability_permille, .. } => {
                self.check_minimisation(weights, *probability_permille)
            }
        }
    }

    /// The sum of the arms' weights: every block size is a multiple of it.
    pub fn total_weight(&self) -> u32 {
        self.arms.iter().fold(0, |sum, arm| sum.saturating_add(arm.weight))
    }

    /// The least common multiple of the arms' weights; none above [`MAX_COMMON_MULTIPLE`] or with a weight of 0.
    pub fn common_multiple(&self) -> Option<u32> {
        self.arms.iter().try_fold(1_u32, |multiple, arm| {
            let step = multiple.checked_div(gcd(multiple, arm.weight)).filter(|_| arm.weight > 0)?;
            step.checked_mul(arm.weight).filter(|multiple| *multiple <= MAX_COMMON_MULTIPLE)
        })
    }

    /// The bytes that are committed to: magic line; the number of arms, then name and weight of each; the number of
    /// factors, then of each its name, the number of levels and their names; then the method: a byte 0 and the slots, or
    /// a byte 1 and the slots, or a byte 2, the number of factor weights, the weights, the probability, and a byte 0 for
    /// range or 1 for variance. Numbers are `u32`, names behind a length of four bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let writer = self.arms.iter().fold(Writer::new(MAGIC).u32(length(&self.arms)), |writer, arm| {
            writer.text(arm.arm.as_str()).u32(arm.weight)
        });
        let writer = self.factors.iter().fold(writer.u32(length(&self.factors)), write_factor);
        match &self.method {
            Method::Simple { slots } => writer.u8(0).u32(*slots),
            Method::PermutedBlocks { slots } => writer.u8(1).u32(*slots),
            Method::Minimisation { weights, probability_permille, measure } => {
                let writer = writer.u8(2).u32(length(weights));
                let writer = weights.iter().fold(writer, |writer, weight| writer.u32(*weight));
                writer.u32(*probability_permille).u8(u8::from(*measure == Measure::Variance))
            }
        }
        .finish()
    }

    fn check_arms(&self) -> Result<(), SchemeError> {
        if !(2..=MAX_ARMS).contains(&self.arms.len()) {
            return Err(SchemeError::Arms);
        }
        if !unique(self.arms.iter().map(|arm| &arm.arm)) {
            return Err(SchemeError::ArmTwice);
        }
        self.arms.iter().try_for_each(|arm| check_weight(arm.weight))
    }

    fn check_factors(&self) -> Result<(), SchemeError> {
        if self.factors.len() > MAX_FACTORS {
            return Err(SchemeError::Factors);
        }
        if !unique(self.factors.iter().map(|factor| &factor.factor)) {
            return Err(SchemeError::FactorTwice);
        }
        self.factors.iter().try_for_each(|factor| check_levels(&factor.levels))
    }

    fn check_lists(&self) -> Result<(), SchemeError> {
        if self.strata() > MAX_STRATA {
            return Err(SchemeError::Strata);
        }
        if (1..=MAX_SLOTS).contains(&self.slots()) { Ok(()) } else { Err(SchemeError::Slots) }
    }

    fn check_minimisation(&self, weights: &[u32], permille: u32) -> Result<(), SchemeError> {
        if weights.is_empty() || weights.len() != self.factors.len() {
            return Err(SchemeError::FactorWeights);
        }
        weights.iter().try_for_each(|weight| check_weight(*weight))?;
        let smallest = self.arms.iter().map(|arm| arm.weight).min().unwrap_or(0);
        if permille > 1_000 || permille * self.total_weight() < 1_000 * smallest {
            return Err(SchemeError::Probability);
        }
        self.common_multiple().map(drop).ok_or(SchemeError::CommonMultiple)
    }
}

fn check_weight(weight: u32) -> Result<(), SchemeError> {
    if (1..=MAX_WEIGHT).contains(&weight) { Ok(()) } else { Err(SchemeError::Weight) }
}

fn check_levels(levels: &[Name]) -> Result<(), SchemeError> {
    if !(2..=MAX_LEVELS).contains(&levels.len()) {
        return Err(SchemeError::Levels);
    }
    if levels.iter().any(|level| level.as_str().contains(SEPARATOR)) {
        return Err(SchemeError::Separator);
    }
    if unique(levels.iter()) { Ok(()) } else { Err(SchemeError::LevelTwice) }
}

fn unique<'a>(mut names: impl Iterator<Item = &'a Name>) -> bool {
    let mut seen = BTreeSet::new();
    names.all(|name| seen.insert(name))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn write_factor(writer: Writer, factor: &Factor) -> Writer {
    let writer = writer.text(factor.factor.as_str()).u32(length(&factor.levels));
    factor.levels.iter().fold(writer, |writer, level| writer.text(level.as_str()))
}

/// Longer lists cannot be held in memory.
fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
