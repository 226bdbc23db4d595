//! Durable append-only journals with group commit.
//!
//! A journal is a stream of entries numbered 0, 1, 2 … without gaps, each naming the hash of the one before. A writer
//! task takes what concurrent callers propose, decides it in order, and commits it as one transaction with one fsync; only
//! then do the callers get their receipts. Facts (the state a service decides on, and its own index) change in the same
//! transaction.
//!
//! On PostgreSQL several processes, each with several writers, append to the same streams: a transaction locks the rows
//! of its streams, reads where they stand, and only then decides.
//!
//! What this crate is *not*: it knows no rule of any service, and no transport. Rules arrive as a closure in a [`Proposal`].

mod error;
mod group;
mod heads;
mod map;
mod outcome;
mod quota;
mod read;
pub mod schema;
mod store;
mod trace;
mod writer;

pub use error::{AppendError, ReadError};
pub use heads::Heads;
pub use outcome::Appended;
pub use quota::Quota;
pub use read::{FactAt, FactProof, Reader, Stored};
pub use writer::Journal;

use bus::Bus;
use database::Database;
use seal::{
    Hash,
    entry::Head,
    id::{Service, StreamId, Uuid},
};
use std::collections::HashMap;

/// How a journal database is opened.
pub struct Config {
    /// Where it is kept, opened with tables that begin with those of [`schema`].
    pub database: Database,
    /// Signs the receipts.
    pub receipt_key: std::sync::Arc<tlog::key::SignerKey>,
    /// Within how many milliseconds of its commit an entry will be on the chain.
    pub anchored_within_ms: u64,
    /// Whether entries carry the root of a state map over the facts.
    pub state_map: bool,
    /// Where it is told that a journal moved.
    pub bus: Bus,
    /// Whose journals these are, as the bus knows them.
    pub service: Service,
    /// How much each of them may hold.
    pub quota: Quota,
    /// The kinds of commands that may use an eighth more than the quota: those that end a right or protect somebody, such
    /// as a withdrawal, and so must not wait until an operator raises it.
    pub in_reserve: &'static [&'static str],
}

/// The facts a rule asked for; what is not there is absent.
#[derive(Debug, Default)]
pub struct Found(pub HashMap<Hash, Vec<u8>>);

/// The entry about to be written.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    /// Its number.
    pub number: u64,
    /// The time it will carry, Unix milliseconds.
    pub time: u64,
}

/// What a rule decided.
#[derive(Debug, Default)]
pub struct Decision {
    /// Facts to set: key in the state map, bytes.
    pub facts: Vec<(Hash, Vec<u8>)>,
    /// Earlier entries of the same journal of which something else is stored from now on, such as without a value that
    /// was taken out. The entries themselves stay as they are.
    pub replaced: Vec<(u64, Vec<u8>)>,
}

/// The rule of a proposal: from the facts found and the entry to come, a decision or a refusal. Pure.
pub type Rule<E> = Box<dyn FnOnce(&Found, Next) -> Result<Decision, E> + Send>;

/// A command to be recorded.
pub struct Proposal<E> {
    /// The journal.
    pub stream: StreamId,
    /// The client's request: proposing the same envelope again gives the first receipt.
    pub request: Uuid,
    /// The command's kind.
    pub kind: &'static str,
    /// SHA-256 of the signed envelope.
    pub envelope: Hash,
    /// What is stored of it: the envelope itself, or its encryption.
    pub stored: Vec<u8>,
    /// The heads of other journals the decision rests on.
    pub basis: Vec<Head>,
    /// The keys of the facts the rule needs.
    pub reads: Vec<Hash>,
    /// The rule.
    pub rule: Rule<E>,
}
