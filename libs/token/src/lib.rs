//! What callers carry in a request's headers: actors' own tokens, and where signed reads travel.
//!
//! A token is a JWT (RFC 7519) that an actor signs with EdDSA (RFC 8037) by a key registered in a study: to read there for five
//! minutes at most. No clock, no I/O.

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

/// The metadata a reader from outside sends with a call: the envelope of a command `access-data`.
pub const ACCESS_HEADER: &str = "trialseal-access-bin";

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of an actor.
    #[error("not an EdDSA JWT with the claims sub, aud, study, iat, exp")]
    Malformed,
    /// It is for another audience or study.
    #[error("for another audience or study")]
    Audience,
    /// It is not valid now, or longer than allowed.
    #[error("expired, not yet valid, or valid for longer than five minutes")]
    Time,
    /// The key is not the one it names, or the signature is wrong.
    #[error("not signed by the key it names")]
    Key,
}

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
pub struct Token {
    /// Who it speaks for.
    pub actor: Name,
    /// The key it names.
    pub key: KeyId,
    study: Uuid,
    expires: u64,
    message: String,
    signature: Vec<u8>,
}

impl Token {
    /// Reads a token and checks its claims, all but the study.
    pub fn parse(text: &str, now_ms: u64) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        let claims: Claims = decode(claims)?;
        if header.alg != "EdDSA" || header.typ != "JWT" {
            return Err(TokenError::Malformed);
        }
        if claims.aud != AUDIENCE {
            return Err(TokenError::Audience);
        }
        let now = now_ms / 1_000;
        let short = claims.exp.checked_sub(claims.iat).is_some_and(|life| life <= MAX_TOKEN_SECONDS);
        if !short || claims.iat > now.saturating_add(LEEWAY_SECONDS) || claims.exp <= now {
            return Err(TokenError::Time);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        let Claims { sub: actor, study, exp: expires, .. } = claims;
        Ok(Self { actor, key: header.kid, study, expires, message: message.to_owned(), signature })
    }

    /// Checks that it is for `study`, and has not expired since it was read.
    pub fn holds(&self, study: Uuid, now_ms: u64) -> Result<(), TokenError> {
        match self {
            _ if self.study != study => Err(TokenError::Audience),
            _ if self.expires <= now_ms / 1_000 => Err(TokenError::Time),
            _ => Ok(()),
        }
    }

    /// Verifies the signature.
    pub fn verify(&self, key: &PublicKey) -> Result<(), TokenError> {
        let good = key.id() == self.key && key.verifies(self.message.as_bytes(), &self.signature);
        if good { Ok(()) } else { Err(TokenError::Key) }
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

fn decode<'de, T: for<'a> Deserialize<'a>>(text: &'de str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn study() -> Uuid {
        Uuid::from_random([1; 16])
    }

    fn parsed(token: &str, study: Uuid, now: u64) -> Result<Token, TokenError> {
        let token = Token::parse(token, now)?;
        token.holds(study, now).map(|()| token)
    }

    #[test]
    fn a_token_holds_for_its_actor_study_and_five_minutes() {
        let key = SecretKey::from_seed(&[3; 32]);
        let token = issue(&"dr-lee".parse().unwrap(), study(), &key, NOW);
        assert_eq!(parsed(&token, study(), NOW).unwrap().verify(&key.public()), Ok(()));
        let other = SecretKey::from_seed(&[4; 32]).public();
        assert_eq!(parsed(&token, study(), NOW).unwrap().verify(&other), Err(TokenError::Key));
        assert_eq!(parsed(&token, Uuid::from_random([2; 16]), NOW).err(), Some(TokenError::Audience));
        assert_eq!(parsed(&token, study(), NOW + 300_000).err(), Some(TokenError::Time));
        assert_eq!(parsed(&token, study(), NOW - 31_000).err(), Some(TokenError::Time));
    }

    #[test]
    fn no_other_algorithm_is_accepted_and_a_changed_token_fails() {
        let key = SecretKey::from_seed(&[3; 32]);
        let token = issue(&"dr-lee".parse().unwrap(), study(), &key, NOW);
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","typ":"JWT","kid":"{}"}}"#, key.public().id()));
        let rest = token.split_once('.').unwrap().1;
        assert_eq!(parsed(&format!("{header}.{rest}"), study(), NOW).err(), Some(TokenError::Malformed));
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let accepted = parsed(&changed, study(), NOW).and_then(|token| token.verify(&key.public()));
            assert!(accepted.is_err(), "byte {place}");
        }
    }
}
