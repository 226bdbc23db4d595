//! Entry bundles: the bytes of up to 256 entries in one file.

use super::TILE_WIDTH;

/// The longest entry in bytes: its length is written in two.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Why bytes are no entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The width asked for is not 1 to 256.
    #[error("a bundle has 1 to 256 entries")]
    Width,
    /// The bytes end before the last entry does.
    #[error("the entry bundle is cut short")]
    Truncated,
    /// There are bytes after the last entry.
    #[error("the entry bundle has bytes left over")]
    LeftOver,
}

/// Packs entries: for each its length (2 bytes, big-endian) and its bytes (tlog-tiles, "Log
/// entries"). `None` unless there are 1 to 256 entries of at most [`MAX_ENTRY_BYTES`] each.
pub fn entry_bundle(entries: &[&[u8]]) -> Option<Vec<u8>> {
    if !(1..=TILE_WIDTH).contains(&entries.len()) {
        return None;
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 2).sum());
    for entry in entries {
        bundle.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Some(bundle)
}

/// Unpacks a bundle of exactly `width` entries.
///
/// # Errors
///
/// [`BundleError`] if the bytes hold fewer or more, or the width is not 1 to 256.
pub fn parse_entry_bundle(bundle: &[u8], width: u16) -> Result<Vec<Vec<u8>>, BundleError> {
    if !(1..=TILE_WIDTH).contains(&usize::from(width)) {
        return Err(BundleError::Width);
    }
    let mut rest = bundle;
    let mut entries = Vec::with_capacity(usize::from(width));
    for _ in 0..width {
        let (length, after) = rest.split_first_chunk().ok_or(BundleError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(BundleError::Truncated)?;
        entries.push(entry.to_vec());
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::LeftOver) }
}
