//! Anchoring: batches entries into blocks, puts the blocks on the chain, has it cosigned, and proves what is on it.

mod api;
mod chain;
mod collect;
mod config;
mod cosign;
pub mod domain;
mod files;
mod follow;
mod lease;
mod mirror;
mod parts;
mod prove;
mod sequencer;
mod state;
mod store;
mod tiles;
mod trace;
mod turns;

pub use config::{Config, Journals, Pace};
pub use state::{CHAIN, JOURNALS};
pub use store::PART;

use caller::Member;
use server::Parts;
use std::sync::Arc;

/// Opens the service and starts its sequencer: what its port serves.
pub fn open(config: Config) -> Parts {
    let store = store::Store::new(config.database.clone());
    let tiles = tiles::Tiles::new(config.chain.clone(), store.clone());
    let prover = prove::Prover::new(store.clone(), tiles.clone(), config.journals.clone());
    let api = api::service(store.clone(), tiles.clone(), Arc::new(prover));
    let files = files::router(store.clone(), tiles.clone());
    let state = state::State::new();
    let mut parts = Parts::of(Member::Anchoring).grpc(api).http(files);
    for (name, well) in state.watch() {
        parts = parts.health(name, well);
    }
    sequencer::start(store, tiles, state, config);
    parts
}
