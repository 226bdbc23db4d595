//! Randomness from the operating system.

use seal::{
    id::{Name, Uuid},
    key::{PublicKey, SecretKey},
};
use vocabulary::command::RULES;
use zeroize::Zeroizing;

/// The operating system gave no randomness.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new secret key.
pub fn new_key() -> Result<SecretKey, NoRandomness> {
    Ok(SecretKey::from_seed(&Zeroizing::new(random()?)))
}

/// A new identifier of a study or request.
pub fn new_uuid() -> Result<Uuid, NoRandomness> {
    random().map(Uuid::from_random)
}

/// A new identifier of a study under the present rules, bound to its root key.
pub fn new_study(root_key: &PublicKey) -> Result<Uuid, NoRandomness> {
    Ok(Uuid::of_study(root_key, random()?, RULES))
}

/// A new participant's pseudonym: `P-` and 80 random bits in base32.
pub fn new_pseudonym() -> Result<Name, NoRandomness> {
    pseudonym("P-")
}

/// A new pseudonym of a participant's representative: `R-` and 80 random bits in base32.
pub fn new_representative() -> Result<Name, NoRandomness> {
    pseudonym("R-")
}

fn pseudonym(prefix: &str) -> Result<Name, NoRandomness> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = random::<16>()?.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    format!("{prefix}{}", letters.iter().collect::<String>()).parse().map_err(|_| NoRandomness)
}
