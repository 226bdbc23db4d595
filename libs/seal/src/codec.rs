//! The binary notation shared by all sealed records: a line that names format, version and hash, then fields in a fixed
//! order. Integers are big-endian; variable fields carry their length in front. There is exactly one encoding of a value.

use tlog::Hash;

/// Why bytes are not the record they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The first line is not the expected one.
    #[error("does not begin with the line {0:?}")]
    Magic(&'static str),
    /// The bytes end inside a field.
    #[error("ends inside the field {0}")]
    Truncated(&'static str),
    /// Bytes follow the last field.
    #[error("{0} bytes follow the last field")]
    Trailing(usize),
    /// A field holds a value the format does not allow.
    #[error("the field {0} holds a value that is not allowed")]
    Invalid(&'static str),
}

/// Reads fields one after the other; never panics.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads what follows the magic line.
    pub fn new(bytes: &'a [u8], magic: &'static str) -> Result<Self, CodecError> {
        bytes.strip_prefix(magic.as_bytes()).map(Reader).ok_or(CodecError::Magic(magic))
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(CodecError::Truncated(field))?;
        self.0 = tail;
        Ok(head)
    }

    /// As many bytes as the array has.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodecError> {
        self.bytes(N, field)?.try_into().map_err(|_| CodecError::Truncated(field))
    }

    /// A SHA-256 hash, 32 bytes.
    pub fn hash(&mut self, field: &'static str) -> Result<Hash, CodecError> {
        self.array(field).map(Hash)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, CodecError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, CodecError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, CodecError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// UTF-8 text behind a length of four bytes.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, CodecError> {
        let length = usize::try_from(self.u32(field)?).map_err(|_| CodecError::Invalid(field))?;
        std::str::from_utf8(self.bytes(length, field)?).map_err(|_| CodecError::Invalid(field))
    }

    /// Checks that nothing follows.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.0.len())) }
    }
}

/// Writes fields one after the other.
pub struct Writer(Vec<u8>);

impl Writer {
    /// Begins with the magic line.
    pub fn new(magic: &str) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(magic.as_bytes());
        Self(bytes)
    }

    /// Bytes as they are.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    /// Four bytes.
    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Text longer than `u32::MAX` cannot be written; every text of ours is bounded far below when it is parsed.
    pub fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.u32(length).bytes(text.as_bytes())
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}
