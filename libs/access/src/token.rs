//! Actors' own tokens.

use crate::CredentialsError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use seal::{
    id::{Name, Uuid},
    key::{KeyId, PublicKey, SecretKey},
};
use serde::{Deserialize, Serialize};

/// The longest life of a token, in seconds.
pub const MAX_TOKEN_SECONDS: u64 = 300;
/// How far a caller's clock may run ahead, in seconds.
const LEEWAY_SECONDS: u64 = 30;
const MAX_TOKEN_BYTES: usize = 4_096;
const AUDIENCE: &str = "trialseal";

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: KeyId,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Name,
    aud: String,
    study: Uuid,
    iat: u64,
    exp: u64,
}

/// A token whose claims hold, and whose signature is still to be verified.
pub(crate) struct Token {
    /// Who it speaks for.
    pub(crate) actor: Name,
    /// The key it names.
    pub(crate) key: KeyId,
    study: Uuid,
    expires: u64,
    message: String,
    signature: Vec<u8>,
}

impl Token {
    /// Reads a token and checks its claims, all but the study.
    pub(crate) fn parse(text: &str, now_ms: u64) -> Result<Self, CredentialsError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(CredentialsError::Malformed);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(CredentialsError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(CredentialsError::Malformed)?;
        let header: Header = decode(header)?;
        let claims: Claims = decode(claims)?;
        if header.alg != "EdDSA" || header.typ != "JWT" {
            return Err(CredentialsError::Malformed);
        }
        if claims.aud != AUDIENCE {
            return Err(CredentialsError::Audience);
        }
        let now = now_ms / 1_000;
        let short = claims.exp.checked_sub(claims.iat).is_some_and(|life| life <= MAX_TOKEN_SECONDS);
        if !short || claims.iat > now.saturating_add(LEEWAY_SECONDS) || claims.exp <= now {
            return Err(CredentialsError::Time);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| CredentialsError::Malformed)?;
        let Claims { sub: actor, study, exp: expires, .. } = claims;
        Ok(Self { actor, key: header.kid, study, expires, message: message.to_owned(), signature })
    }

    /// Checks that it is for `study`, and has not expired since it was read.
    pub(crate) fn holds(&self, study: Uuid, now_ms: u64) -> Result<(), CredentialsError> {
        match self {
            _ if self.study != study => Err(CredentialsError::Audience),
            _ if self.expires <= now_ms / 1_000 => Err(CredentialsError::Time),
            _ => Ok(()),
        }
    }

    /// Verifies the signature.
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), CredentialsError> {
        let good = key.id() == self.key && key.verifies(self.message.as_bytes(), &self.signature);
        if good { Ok(()) } else { Err(CredentialsError::Key) }
    }
}

/// A token by which `actor` reads in `study` for five minutes from `now_ms` on.
pub fn issue(actor: &Name, study: Uuid, key: &SecretKey, now_ms: u64) -> String {
    let now = now_ms / 1_000;
    let header = Header { alg: "EdDSA".to_owned(), typ: "JWT".to_owned(), kid: key.public().id() };
    let claims = Claims { sub: actor.clone(), aud: AUDIENCE.to_owned(), study, iat: now, exp: now + MAX_TOKEN_SECONDS };
    let message = format!("{}.{}", encode(&header), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn encode<T: Serialize>(value: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decode<'de, T: for<'a> Deserialize<'a>>(text: &'de str) -> Result<T, CredentialsError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CredentialsError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| CredentialsError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn study() -> Uuid {
        Uuid::from_random([1; 16])
    }

    fn parsed(token: &str, study: Uuid, now: u64) -> Result<Token, CredentialsError> {
        let token = Token::parse(token, now)?;
        token.holds(study, now).map(|()| token)
    }

    #[test]
    fn a_token_holds_for_its_actor_study_and_five_minutes() {
        let key = SecretKey::from_seed(&[3; 32]);
        let token = issue(&"dr-lee".parse().unwrap(), study(), &key, NOW);
        assert_eq!(parsed(&token, study(), NOW).unwrap().verify(&key.public()), Ok(()));
        let other = SecretKey::from_seed(&[4; 32]).public();
        assert_eq!(parsed(&token, study(), NOW).unwrap().verify(&other), Err(CredentialsError::Key));
        assert_eq!(parsed(&token, Uuid::from_random([2; 16]), NOW).err(), Some(CredentialsError::Audience));
        assert_eq!(parsed(&token, study(), NOW + 300_000).err(), Some(CredentialsError::Time));
        assert_eq!(parsed(&token, study(), NOW - 31_000).err(), Some(CredentialsError::Time));
    }

    #[test]
    fn no_other_algorithm_is_accepted_and_a_changed_token_fails() {
        let key = SecretKey::from_seed(&[3; 32]);
        let token = issue(&"dr-lee".parse().unwrap(), study(), &key, NOW);
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","typ":"JWT","kid":"{}"}}"#, key.public().id()));
        let rest = token.split_once('.').unwrap().1;
        assert_eq!(parsed(&format!("{header}.{rest}"), study(), NOW).err(), Some(CredentialsError::Malformed));
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let accepted = parsed(&changed, study(), NOW).and_then(|token| token.verify(&key.public()));
            assert!(accepted.is_err(), "byte {place}");
        }
    }
}
