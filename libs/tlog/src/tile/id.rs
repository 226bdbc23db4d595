//! Names of tiles and entry bundles: their paths below the prefix of a log.

use super::WIDTH_U16;
use crate::text;

/// Longer than every path there is: level, seven groups of digits and a width.
const MAX_PATH_BYTES: usize = 64;
/// The highest level a path can name.
const MAX_LEVEL: u64 = 63;

/// A tile of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The level: 0 holds leaf hashes, each next one the roots of full tiles below. At most 63.
    pub level: u8,
    /// Which tile of the level, from 0.
    pub index: u64,
    /// How many hashes it holds: 1 to 256, less than 256 for a partial tile.
    pub width: u16,
}

/// A bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntriesId {
    /// Which bundle, from 0: the entries from `index * 256`.
    pub index: u64,
    /// How many entries it holds: 1 to 256, less than 256 for a partial bundle.
    pub width: u16,
}

impl TileId {
    /// The path below the log's prefix, such as `tile/0/x001/x234/067.p/8`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, place(self.index, self.width))
    }

    /// Reads what [`TileId::path`] writes; `None` for any other text.
    pub fn parse(path: &str) -> Option<TileId> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = text::decode_decimal(level).filter(|level| *level <= MAX_LEVEL)?;
        let (index, width) = parse_place(place)?;
        Some(TileId { level: level.try_into().ok()?, index, width })
    }
}

impl EntriesId {
    /// The path below the log's prefix, such as `tile/entries/x001/x234/067.p/8`.
    pub fn path(&self) -> String {
        format!("tile/entries/{}", place(self.index, self.width))
    }

    /// Reads what [`EntriesId::path`] writes; `None` for any other text.
    pub fn parse(path: &str) -> Option<EntriesId> {
        let (index, width) = parse_place(path.strip_prefix("tile/entries/")?)?;
        Some(EntriesId { index, width })
    }
}

/// The index in groups of three digits, all but the last prefixed `x`, and the width if partial.
fn place(index: u64, width: u16) -> String {
    let mut place = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        place = format!("x{:03}/{place}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH_U16 {
        place.push_str(&format!(".p/{width}"));
    }
    place
}

fn parse_place(text: &str) -> Option<(u64, u16)> {
    if text.len() > MAX_PATH_BYTES {
        return None;
    }
    let (groups, width) = match text.split_once(".p/") {
        None => (text, WIDTH_U16),
        Some((groups, width)) => (groups, parse_partial_width(width)?),
    };
    let mut index = 0_u64;
    for group in groups.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let number = digits.parse::<u64>().ok().filter(|number| *number < 1000)?;
        index = index.checked_mul(1000)?.checked_add(number)?;
    }
    // One spelling per index: this refuses misplaced `x`, signs, and groups too many or too short.
    (place(index, width) == text).then_some((index, width))
}

fn parse_partial_width(text: &str) -> Option<u16> {
    let width = u16::try_from(text::decode_decimal(text)?).ok()?;
    (1..WIDTH_U16).contains(&width).then_some(width)
}
