//! From a participant's levels to the stratum whose list serves them.

use super::{Method, Scheme};
use seal::id::Name;

/// What separates the levels in the name of a stratum; no level's name holds it.
pub const SEPARATOR: char = '|';

/// Why levels lead to no stratum. Factors are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Not exactly one level for each factor.
    #[error("{0} levels are needed, one for each factor")]
    Count(usize),
    /// The scheme's factor at this place has no such level.
    #[error("the factor at place {0} has no such level")]
    Unknown(usize),
    /// Minimisation has no strata.
    #[error("the method has no strata")]
    NoStrata,
}

/// A stratum: all participants with the same level of every factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stratum {
    /// 0, 1, 2 …: the levels' places read as digits, the first factor the most significant.
    pub index: u32,
    /// The levels' names in the order of the factors with [`SEPARATOR`] between them; empty where nothing stratifies.
    pub name: String,
}

/// All of these take a scheme that passed [`Scheme::check`]; for any other they answer, but mean nothing.
impl Scheme {
    /// How many strata have a list: 1 for simple randomisation, 0 for minimisation.
    pub fn strata(&self) -> u64 {
        match self.method {
            Method::Simple { .. } => 1,
            Method::PermutedBlocks { .. } => self.factors.iter().fold(1, |product: u64, factor| {
                product.saturating_mul(u64::try_from(factor.levels.len()).unwrap_or(u64::MAX))
            }),
            Method::Minimisation { .. } => 0,
        }
    }

    /// How many slots each stratum's list has.
    pub fn slots_per_stratum(&self) -> u32 {
        match self.method {
            Method::Simple { slots } | Method::PermutedBlocks { slots } => slots,
            Method::Minimisation { .. } => 0,
        }
    }

    /// How many slots all lists have together: the size of the tree that disclosures lead to.
    pub fn slots(&self) -> u64 {
        self.strata().saturating_mul(u64::from(self.slots_per_stratum()))
    }

    /// The place of each of a participant's levels within its factor. `levels` has one level for each factor, in the
    /// scheme's order.
    pub fn level_indices(&self, levels: &[Name]) -> Result<Vec<usize>, LevelError> {
        if levels.len() != self.factors.len() {
            return Err(LevelError::Count(self.factors.len()));
        }
        let pairs = self.factors.iter().zip(levels).enumerate();
        let find = |(place, (factor, level)): (usize, (&super::Factor, &Name))| {
            factor.levels.iter().position(|known| known == level).ok_or(LevelError::Unknown(place))
        };
        pairs.map(find).collect()
    }

    /// The stratum of a participant. Unknown levels are refused even where they do not stratify.
    pub fn stratum(&self, levels: &[Name]) -> Result<Stratum, LevelError> {
        let indices = self.level_indices(levels)?;
        match self.method {
            Method::Simple { .. } => Ok(Stratum { index: 0, name: String::new() }),
            Method::PermutedBlocks { .. } => Ok(Stratum { index: self.number(&indices), name: name(levels) }),
            Method::Minimisation { .. } => Err(LevelError::NoStrata),
        }
    }

    /// The stratum of this name.
    pub fn stratum_named(&self, name: &str) -> Option<Stratum> {
        if name.is_empty() {
            return self.stratum_at(0).filter(|stratum| stratum.name.is_empty());
        }
        let levels: Vec<Name> = name.split(SEPARATOR).map(|level| level.parse().ok()).collect::<Option<_>>()?;
        self.stratum(&levels).ok().filter(|stratum| stratum.name == name)
    }

    /// The stratum of this index.
    pub fn stratum_at(&self, index: u32) -> Option<Stratum> {
        if u64::from(index) >= self.strata() {
            return None;
        }
        if matches!(self.method, Method::Simple { .. }) {
            return Some(Stratum { index, name: String::new() });
        }
        let mut rest = usize::try_from(index).ok()?;
        let mut levels = Vec::with_capacity(self.factors.len());
        for factor in self.factors.iter().rev() {
            levels.push(factor.levels.get(rest.checked_rem(factor.levels.len())?)?.clone());
            rest /= factor.levels.len();
        }
        levels.reverse();
        Some(Stratum { index, name: name(&levels) })
    }

    fn number(&self, indices: &[usize]) -> u32 {
        let digits = self.factors.iter().zip(indices);
        let number = digits
            .fold(0_usize, |number, (factor, index)| number.saturating_mul(factor.levels.len()).saturating_add(*index));
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

fn name(levels: &[Name]) -> String {
    let names: Vec<&str> = levels.iter().map(Name::as_str).collect();
    names.join(&SEPARATOR.to_string())
}
