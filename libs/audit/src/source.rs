//! Where an audit reads from: the files of an export, running services, or whatever else implements [`Source`].

use seal::id::{Service, Uuid};
use std::error::Error;

/// Which entries of a journal are read, and how much of each.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The study.
    pub study: Uuid,
    /// Whose journal of it.
    pub service: Service,
    /// The number of the first entry.
    pub from: u64,
    /// The most entries; 0: all.
    pub limit: u64,
    /// Whether envelopes and values are read too.
    pub full: bool,
}

/// An entry of a journal and what is stored with it, as a service or an export gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredEntry {
    /// The entry (`trialseal/entry@v1`).
    pub entry: Vec<u8>,
    /// The signed envelope that it records; empty if it was not asked for or cannot be opened any more.
    pub envelope: Vec<u8>,
    /// The values of a form, or the answers of a screening; of a value that was taken out, its leaf hash.
    pub datapoints: Vec<Vec<u8>>,
    /// Whether what is stored cannot be opened, because its participant was erased.
    pub unreadable: bool,
    /// The places of the values that were taken out.
    pub redacted: Vec<u32>,
    /// Of what cannot be opened, the facts that it set: map key and fact.
    pub set: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Where an audit reads from. Nothing that it gives is believed.
pub trait Source {
    /// Why something cannot be read.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// All published checkpoints, the latest first.
    fn checkpoints(&self) -> impl Future<Output = Result<Vec<String>, Self::Error>>;

    /// A file of the chain, of at most `limit` bytes.
    fn file(&self, name: &str, limit: usize) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;

    /// Gives `each` the entries in their order. There are none of a journal that does not exist.
    fn entries(&self, wanted: Wanted, each: impl FnMut(StoredEntry)) -> impl Future<Output = Result<(), Self::Error>>;
}
