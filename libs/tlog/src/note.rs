//! Signed notes: text with signature lines (C2SP signed-note).

use std::fmt;

use crate::{
    checkpoint::Checkpoint,
    cosignature,
    key::{Algorithm, SignerKey, VerifierKey},
    text,
};

/// The largest note read, in bytes: more than 16 ML-DSA-44 cosignatures of 3.3 kB.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;
/// The most signature lines read.
pub const MAX_SIGNATURES: usize = 64;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A text and its signatures. Believe the text only after [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text, with its last newline.
    pub text: String,
    /// The signatures, in the order of their lines.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line: `— <name> <base64(key id ‖ signature)>` and a newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key that is said to have signed.
    pub name: String,
    /// Its key id.
    pub key_id: [u8; 4],
    /// The signature; for a cosignature the time in seconds (8 bytes, big-endian) comes first.
    pub signature: Vec<u8>,
}

/// A key whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The key.
    pub key: VerifierKey,
    /// The time a cosignature states, in POSIX seconds; `None` for a log signature.
    pub time: Option<u64>,
}

/// The signature lines of a note by some keys, each judged by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The lines that verify, the first of each key, in the order of lines.
    pub valid: Vec<(NoteSignature, Verified)>,
    /// How many lines claim one of the keys and do not verify.
    pub wrong: usize,
}

/// Why a note was refused, or could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than [`MAX_NOTE_BYTES`], or more than [`MAX_SIGNATURES`] signatures.
    #[error("the note is too large")]
    TooLarge,
    /// Not UTF-8, a control character, no final newline, or text that cannot be signed.
    #[error("the note's text is not well-formed")]
    Text,
    /// No empty line, or something after it that is not a signature line.
    #[error("the note's signature lines are not well-formed")]
    SignatureLine,
    /// A signature by a known key is wrong, or is a cosignature of something else than a checkpoint.
    #[error("the signature by {name} is wrong")]
    WrongSignature {
        /// The name of the key.
        name: String,
    },
    /// No known key signed the note.
    #[error("no known key signed the note")]
    NoKnownSignature,
    /// The key's signature type does not sign this.
    #[error("the key's signature type does not fit")]
    Algorithm,
    /// The time is 0 or above 2^63 - 1.
    #[error("the time is outside the range of cosignatures")]
    Time,
    /// ML-DSA found no signature; practically impossible.
    #[error("signing failed")]
    Signing,
}

impl Note {
    /// Reads a note. Text and signatures part at the last empty line.
    ///
    /// # Errors
    ///
    /// [`NoteError::TooLarge`], [`NoteError::Text`] or [`NoteError::SignatureLine`].
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        let note = plain_text(bytes)?;
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::SignatureLine)?;
        let signatures = parse_signatures(signatures.as_bytes())?;
        Ok(Note { text: format!("{text}\n"), signatures })
    }

    /// Verifies the signatures by `keys`, and gives each signing key once, in the order of lines.
    ///
    /// Signatures by other keys are ignored. A second signature by a key is verified but not
    /// counted; the first one's time stands. ML-DSA-44 cosignatures do not cover extension lines of
    /// a checkpoint. Whether a time is plausible is for the caller to say.
    ///
    /// # Errors
    ///
    /// [`NoteError::WrongSignature`] if one by a known key fails, however many others are good;
    /// [`NoteError::NoKnownSignature`] if there is none.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<Verified>, NoteError> {
        self.verify_by(&keys.iter())
    }

    pub(crate) fn verify_by<'k>(
        &self,
        keys: &(impl Iterator<Item = &'k VerifierKey> + Clone),
    ) -> Result<Vec<Verified>, NoteError> {
        let checkpoint = Checkpoint::parse(&self.text).ok();
        let mut verified: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let known = keys.clone().filter(|key| signature.claims(key));
            let mut claimed = known.peekable();
            if claimed.peek().is_none() {
                continue;
            }
            let wrong = || NoteError::WrongSignature { name: signature.name.clone() };
            let found = claimed.find_map(|key| self.check(key, signature, checkpoint.as_ref()));
            let found = found.ok_or_else(wrong)?;
            if !verified.iter().any(|earlier| earlier.key == found.key) {
                verified.push(found);
            }
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }

    /// Judges each signature line by `keys` alone: a wrong one takes nothing from the others. Lines by other keys are
    /// ignored. For answers of others; a note that is to be believed goes through [`Note::verify`].
    pub fn judge(&self, keys: &[VerifierKey]) -> Judged {
        let checkpoint = Checkpoint::parse(&self.text).ok();
        let mut judged = Judged::default();
        for signature in &self.signatures {
            let mut claimed = keys.iter().filter(|key| signature.claims(key)).peekable();
            if claimed.peek().is_none() {
                continue;
            }
            match claimed.find_map(|key| self.check(key, signature, checkpoint.as_ref())) {
                None => judged.wrong += 1,
                Some(found) if judged.valid.iter().any(|(_, earlier)| earlier.key == found.key) => {}
                Some(found) => judged.valid.push((signature.clone(), found)),
            }
        }
        judged
    }

    fn check(&self, key: &VerifierKey, signature: &NoteSignature, checkpoint: Option<&Checkpoint>) -> Option<Verified> {
        let payload = signature.signature.as_slice();
        let time = if key.algorithm().is_cosignature() {
            Some(cosignature::verify(key, checkpoint?, &self.text, payload)?)
        } else {
            key.verify_raw(self.text.as_bytes(), payload).then_some(None)?
        };
        Some(Verified { key: key.clone(), time })
    }
}

/// Signs a text as a log does: Ed25519 (type 0x01) over the text.
///
/// # Errors
///
/// [`NoteError::Algorithm`] for a cosigning key, [`NoteError::Text`] for a text that is no note's.
pub fn sign(text: &str, key: &SignerKey) -> Result<NoteSignature, NoteError> {
    if key.key().algorithm() != Algorithm::Ed25519 {
        return Err(NoteError::Algorithm);
    }
    if !text.ends_with('\n') || !text::is_plain(text) {
        return Err(NoteError::Text);
    }
    let signature = key.sign_raw(text.as_bytes()).ok_or(NoteError::Signing)?;
    Ok(NoteSignature::by(key.key(), signature))
}

/// Reads one or more signature lines, as a note ends with and as a witness answers.
///
/// # Errors
///
/// [`NoteError::TooLarge`], [`NoteError::Text`] or [`NoteError::SignatureLine`].
pub fn parse_signatures(bytes: &[u8]) -> Result<Vec<NoteSignature>, NoteError> {
    let lines = plain_text(bytes)?;
    let lines = lines.strip_suffix('\n').ok_or(NoteError::SignatureLine)?;
    if lines.split('\n').nth(MAX_SIGNATURES).is_some() {
        return Err(NoteError::TooLarge);
    }
    let parsed = lines.split('\n').map(NoteSignature::parse_line);
    parsed.collect::<Option<_>>().ok_or(NoteError::SignatureLine)
}

/// Reads signature lines one by one: gives those that are of the form, at most [`MAX_SIGNATURES`], and how many lines
/// are something else.
pub fn parse_each_signature(bytes: &[u8]) -> (Vec<NoteSignature>, usize) {
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n');
    let (mut signatures, mut others) = (Vec::new(), 0);
    for line in lines {
        match plain_text(line).ok().and_then(NoteSignature::parse_line) {
            Some(signature) if signatures.len() < MAX_SIGNATURES => signatures.push(signature),
            _ => others += 1,
        }
    }
    (signatures, others)
}

fn plain_text(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| text::is_plain(text));
    text.ok_or(NoteError::Text)
}

impl NoteSignature {
    pub(crate) fn by(key: &VerifierKey, signature: Vec<u8>) -> NoteSignature {
        NoteSignature { name: key.name().to_owned(), key_id: key.id(), signature }
    }

    fn claims(&self, key: &VerifierKey) -> bool {
        self.key_id == key.id() && self.name == key.name()
    }

    fn parse_line(line: &str) -> Option<NoteSignature> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let decoded = text::decode_base64(encoded)?;
        let (key_id, signature) = decoded.split_first_chunk()?;
        let well_formed = text::is_key_name(name) && !signature.is_empty();
        well_formed.then(|| NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    /// Writes the signature line with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = [self.key_id.as_slice(), &self.signature].concat();
        writeln!(f, "{DASH}{} {}", self.name, text::encode_base64(&payload))
    }
}

impl fmt::Display for Note {
    /// Writes the bytes the note was parsed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}
