//! What is sealed of a command that carries values: its envelope and its datapoints, exactly as received.
//!
//! What this crate is *not*: it encrypts nothing and stores nothing.

/// The first line of the plain bytes; then each part behind a length of four bytes, the envelope first.
const MAGIC: &[u8] = b"trialseal/form-content@v1\n";
/// The first line where a datapoint was taken out; each datapoint then has a byte in front of its length: 0 for its
/// bytes, 1 for its leaf hash, which is all that is left of it.
const MAGIC_REDACTED: &[u8] = b"trialseal/form-content@v2\n";

/// A datapoint, or what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Its bytes.
    Whole(Vec<u8>),
    /// Its leaf hash: it was taken out.
    Leaf([u8; 32]),
}

impl Kept {
    /// The bytes, if they are there.
    pub fn whole(&self) -> Option<&[u8]> {
        match self {
            Kept::Whole(bytes) => Some(bytes),
            Kept::Leaf(_) => None,
        }
    }
}

/// An envelope and its datapoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The envelope's bytes.
    pub envelope: Vec<u8>,
    /// The datapoints, in their order.
    pub datapoints: Vec<Kept>,
}

impl Content {
    /// The plain bytes. Without a datapoint taken out they are those of the first version.
    pub fn encode(&self) -> Vec<u8> {
        let redacted = self.datapoints.iter().any(|kept| kept.whole().is_none());
        let mut bytes = if redacted { MAGIC_REDACTED } else { MAGIC }.to_vec();
        part(&mut bytes, &self.envelope);
        for kept in &self.datapoints {
            let (tag, content) = match kept {
                Kept::Whole(content) => (0, content.as_slice()),
                Kept::Leaf(hash) => (1, hash.as_slice()),
            };
            if redacted {
                bytes.push(tag);
            }
            part(&mut bytes, content);
        }
        bytes
    }

    /// Parses [`Self::encode`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (redacted, rest) = match bytes.strip_prefix(MAGIC) {
            Some(rest) => (false, rest),
            None => (true, bytes.strip_prefix(MAGIC_REDACTED)?),
        };
        let (envelope, mut rest) = take(rest)?;
        let mut datapoints = Vec::new();
        while !rest.is_empty() {
            let (tag, tail) = if redacted { rest.split_first()? } else { (&0, rest) };
            let (content, tail) = take(tail)?;
            datapoints.push(match tag {
                0 => Kept::Whole(content.to_vec()),
                1 => Kept::Leaf(content.try_into().ok()?),
                _ => return None,
            });
            rest = tail;
        }
        Some(Self { envelope: envelope.to_vec(), datapoints })
    }
}

fn part(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(content);
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, tail) = bytes.split_first_chunk::<4>()?;
    tail.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn content(second: Kept) -> Content {
        Content { envelope: b"envelope".to_vec(), datapoints: vec![Kept::Whole(b"first".to_vec()), second] }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for second in [Kept::Whole(Vec::new()), Kept::Leaf([7; 32])] {
            let content = content(second);
            assert_eq!(Content::decode(&content.encode()), Some(content));
        }
    }

    #[test]
    fn whole_content_has_the_bytes_of_the_first_version() {
        let bytes = content(Kept::Whole(b"second".to_vec())).encode();
        assert_eq!(bytes, b"trialseal/form-content@v1\n\0\0\0\x08envelope\0\0\0\x05first\0\0\0\x06second");
    }

    #[test]
    fn nothing_else_is_decoded() {
        let bytes = content(Kept::Leaf([7; 32])).encode();
        for end in 0..bytes.len() {
            let cut = Content::decode(&bytes[..end]);
            assert!(cut.is_none_or(|cut| cut.datapoints.len() < 2), "cut at {end}");
        }
        let place = bytes.len() - 37;
        assert_eq!(bytes[place], 1);
        let mut unknown = bytes;
        unknown[place] = 2;
        assert_eq!(Content::decode(&unknown), None);
    }
}
