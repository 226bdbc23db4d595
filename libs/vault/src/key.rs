//! Keys, and what is sealed under them.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Nonce, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The first line of sealed bytes; after it: the 32-byte reference of the key, a 12-byte nonce, ciphertext and tag.
const MAGIC: &[u8] = b"trialseal/sealed@v1 aes-256-gcm\n";
const NONCE: usize = 12;

/// What is sealed cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Not sealed bytes of this version.
    #[error("not sealed bytes of version 1")]
    Format,
    /// Another key, other associated data, or damage.
    #[error("the sealed bytes do not open with this key")]
    Refused,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
}

/// The key-encryption key of a deployment; also names participants and form instances opaquely.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// The data key of one participant.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl MasterKey {
    /// The key from its 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// An opaque, stable name for what `parts` name: HMAC-SHA256 (RFC 2104) under a key derived from this one. Parts are
    /// told apart by their lengths.
    pub fn reference(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let key = Zeroizing::new(mac(&self.0, &[b"trialseal/reference-key@v1 hmac-sha256\n"]));
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let mut all: Vec<&[u8]> = vec![label.as_bytes(), b"\n"];
        for (length, part) in lengths.iter().zip(parts) {
            all.extend([length.as_slice(), part]);
        }
        mac(&key, &all)
    }

    /// A new data key from 32 random bytes, and its wrapping for `reference`.
    pub(crate) fn new_data_key(&self, reference: &[u8; 32]) -> Result<(DataKey, Vec<u8>), SealedError> {
        let mut key = DataKey([0; 32]);
        getrandom::fill(&mut key.0).map_err(|_| SealedError::Randomness)?;
        let wrapped = seal(&self.0, reference, b"trialseal/data-key@v1", &key.0)?;
        Ok((key, wrapped))
    }

    pub(crate) fn unwrap_data_key(&self, reference: &[u8; 32], wrapped: &[u8]) -> Result<DataKey, SealedError> {
        let bytes = open(&self.0, reference, b"trialseal/data-key@v1", wrapped)?;
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| SealedError::Format)?;
        Ok(DataKey(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

impl DataKey {
    /// Seals `plain` under this key, named `reference`, bound to `context`.
    pub fn seal(&self, reference: &[u8; 32], context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealedError> {
        seal(&self.0, reference, context, plain)
    }

    /// Opens what [`Self::seal`] made with the same reference and context.
    pub fn open(&self, reference: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
        open(&self.0, reference, context, sealed)
    }
}

/// The reference of the key that sealed bytes were sealed under; nothing if they are not sealed bytes.
pub(crate) fn reference_of(sealed: &[u8]) -> Option<[u8; 32]> {
    sealed.strip_prefix(MAGIC)?.first_chunk::<32>().copied()
}

fn seal(key: &[u8; 32], reference: &[u8; 32], context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealedError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| SealedError::Randomness)?;
    let aad = [MAGIC, reference, context].concat();
    let payload = Payload { msg: plain, aad: &aad };
    let sealed = cipher(key).encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload).map_err(|_| SealedError::Refused)?;
    Ok([MAGIC, reference, &nonce, &sealed].concat())
}

fn open(
    key: &[u8; 32],
    reference: &[u8; 32],
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let rest = sealed.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(reference)).ok_or(SealedError::Format)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(SealedError::Format)?;
    let aad = [MAGIC, reference, context].concat();
    let payload = Payload { msg: sealed, aad: &aad };
    let plain = cipher(key).decrypt(&Nonce::<Aes256Gcm>::from(*nonce), payload);
    plain.map(Zeroizing::new).map_err(|_| SealedError::Refused)
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = Zeroizing::new([0; 64]); // HMAC pads a short key with zeros to the block size itself
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&(*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_open_only_where_they_belong() {
        let master = MasterKey::new([7; 32]);
        let (key, wrapped) = master.new_data_key(&[1; 32]).unwrap();
        let sealed = key.seal(&[1; 32], b"entry", b"value").unwrap();
        assert_eq!(reference_of(&sealed), Some([1; 32]));
        let again = master.unwrap_data_key(&[1; 32], &wrapped).unwrap();
        assert_eq!(again.open(&[1; 32], b"entry", &sealed).unwrap().as_slice(), b"value");
        assert_eq!(again.open(&[1; 32], b"other", &sealed), Err(SealedError::Refused));
        assert_eq!(again.open(&[2; 32], b"entry", &sealed), Err(SealedError::Format));
        assert!(master.unwrap_data_key(&[2; 32], &wrapped).is_err());
        assert!(MasterKey::new([8; 32]).unwrap_data_key(&[1; 32], &wrapped).is_err());
        for place in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[place] ^= 1;
            assert!(again.open(&[1; 32], b"entry", &bad).is_err(), "byte {place}");
        }
    }

    #[test]
    fn references_tell_parts_apart() {
        let master = MasterKey::new([7; 32]);
        assert_ne!(master.reference("subject", &[b"ab", b"c"]), master.reference("subject", &[b"a", b"bc"]));
        assert_ne!(master.reference("subject", &[b"a"]), master.reference("form", &[b"a"]));
    }
}
