//! Durable append-only journals with group commit.
//!
//! A journal is a stream of entries numbered 0, 1, 2 … without gaps, each naming the hash of the one before. One writer
//! task per database takes what concurrent callers propose, decides it in order, and commits it as one transaction with
//! one fsync; only then do the callers get their receipts. Facts (the state a service decides on) and the service's own
//! rows change in the same transaction.
//!
//! What this crate is *not*: it knows no rule of any service. Rules arrive as a closure in a [`Proposal`].

pub mod api;
mod error;
mod group;
mod map;
mod read;
mod store;
mod writer;

pub use error::{AppendError, OpenError, ReadError};
pub use read::{FactAt, FactProof, Reader, Stored};
pub use sqlx;
pub use writer::Journal;

use seal::{Hash, entry::Head, id::StreamId, id::Uuid};
use sqlx::SqliteConnection;
use std::{collections::HashMap, future::Future, path::PathBuf};

/// How a journal database is opened.
pub struct Config {
    /// The SQLite file; made if it does not exist.
    pub file: PathBuf,
    /// Signs the receipts.
    pub receipt_key: std::sync::Arc<tlog::key::SignerKey>,
    /// Within how many milliseconds of its commit an entry will be on the chain.
    pub anchored_within_ms: u64,
    /// Whether entries carry the root of a state map over the facts.
    pub state_map: bool,
}

/// The rows a service keeps beside the journal, written in the same transaction as the entries they belong to.
pub trait Rows: Send + Sized + 'static {
    /// SQL that makes the service's tables; run at every start, so `IF NOT EXISTS`.
    const SCHEMA: &'static str;

    /// Writes the rows of one commit group.
    fn write(rows: Vec<Row<Self>>, to: &mut SqliteConnection) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A row and the entry it belongs to.
pub struct Row<R> {
    /// The journal.
    pub stream: StreamId,
    /// The entry's number.
    pub number: u64,
    /// What the service keeps.
    pub row: R,
}

impl Rows for () {
    const SCHEMA: &'static str = "";

    async fn write(_: Vec<Row<()>>, _: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
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
#[derive(Debug)]
pub struct Decision<R> {
    /// Facts to set: key in the state map, bytes.
    pub facts: Vec<(Hash, Vec<u8>)>,
    /// The service's own row, if it keeps one.
    pub row: Option<R>,
}

/// The rule of a proposal: from the facts found and the entry to come, a decision or a refusal. Pure.
pub type Rule<R, E> = Box<dyn FnOnce(&Found, Next) -> Result<Decision<R>, E> + Send>;

/// A command to be recorded.
pub struct Proposal<R, E> {
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
    pub rule: Rule<R, E>,
}
