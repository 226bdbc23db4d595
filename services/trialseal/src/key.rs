//! `trialseal key`: making and showing actors' keys.

use crate::keys::write_secret;
use anyhow::{Context, Result};
use seal::key::SecretKey;
use std::path::Path;
use zeroize::Zeroizing;

/// Makes a new key file and gives the public key.
pub fn generate(file: &Path) -> Result<SecretKey> {
    let key = client::new_key()?;
    write_secret(file, key.to_secret_text().as_bytes())?;
    Ok(key)
}

/// Reads a key file.
pub fn read(file: &Path) -> Result<SecretKey> {
    let shown = || format!("{}", file.display());
    let text = Zeroizing::new(String::from_utf8(owner::read_secret(file).with_context(shown)?).with_context(shown)?);
    SecretKey::from_secret_text(&text).with_context(shown)
}
