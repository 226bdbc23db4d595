//! What is sealed of a submission: the envelope and the datapoints, exactly as received.

/// The first line of the plain bytes; then each part behind a length of four bytes, the envelope first.
const MAGIC: &[u8] = b"trialseal/form-content@v1\n";

/// An opened submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) envelope: Vec<u8>,
    pub(crate) datapoints: Vec<Vec<u8>>,
}

pub(crate) fn encode(envelope: &[u8], datapoints: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for part in std::iter::once(envelope).chain(datapoints.iter().map(Vec::as_slice)) {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Option<Content> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (part, tail) = tail.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        parts.push(part.to_vec());
        rest = tail;
    }
    if parts.is_empty() {
        return None;
    }
    let envelope = parts.remove(0);
    Some(Content { envelope, datapoints: parts })
}
