//! `trialseal key`: making and showing actors' keys.

use crate::keys::write_secret;
use anyhow::{Context, Result};
use seal::key::SecretKey;
use std::{fs, path::Path};
use zeroize::Zeroizing;

/// Makes a new key file and gives the public key.
pub fn generate(file: &Path) -> Result<SecretKey> {
    let key = client::new_key()?;
    write_secret(file, key.to_secret_text().as_bytes())?;
    Ok(key)
}

/// Reads a key file.
pub fn read(file: &Path) -> Result<SecretKey> {
    let text = Zeroizing::new(fs::read_to_string(file).with_context(|| format!("{}", file.display()))?);
    SecretKey::from_secret_text(&text).with_context(|| format!("{}", file.display()))
}
