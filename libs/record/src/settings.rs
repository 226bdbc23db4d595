//! How a service's journal is opened.

use bus::Bus;
use database::Database;
use journal::{Config, Journal, Quota};
use seal::id::Service;
use std::sync::Arc;
use tlog::key::SignerKey;

/// What an operator decides about the journals of a service.
#[derive(Clone)]
pub struct Settings {
    /// The journals' database, opened with the service's tables.
    pub database: Database,
    /// Signs receipts.
    pub receipt_key: Arc<SignerKey>,
    /// Within how many milliseconds entries will be on the chain.
    pub anchored_within_ms: u64,
    /// Where it is published that a journal moved.
    pub bus: Bus,
    /// How much a study may hold here.
    pub quota: Quota,
}

impl Settings {
    /// Opens the journals of `service`; with `state_map`, their entries carry the root of a map of the facts. Commands of the
    /// kinds `in_reserve` are recorded beyond the quota as well.
    pub fn open<E: Send + 'static>(
        self,
        service: Service,
        state_map: bool,
        in_reserve: &'static [&'static str],
    ) -> Journal<E> {
        let Self { database, receipt_key, anchored_within_ms, bus, quota } = self;
        Journal::open(Config { database, receipt_key, anchored_within_ms, state_map, bus, service, quota, in_reserve })
    }
}
