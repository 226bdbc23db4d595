//! Anchoring: batches entries into blocks, puts the blocks on the chain, has it cosigned, and proves what is on it.

mod api;
mod chain;
mod config;
mod cosign;
pub mod domain;
mod prove;
mod sequencer;
mod store;
mod tiles;

pub use config::{Config, Journals};
pub use store::OpenError;

use access::Member;
use server::Parts;
use std::sync::Arc;

/// Opens the service and starts its sequencer: what its port serves.
pub async fn open(config: Config) -> Result<Parts, OpenError> {
    let store = store::Store::open(&config.file).await?;
    let tiles = tiles::TileDir::open(&config.chain).await.map_err(OpenError::Tiles)?;
    let chain = chain::Chain::open(store.clone(), tiles.clone(), &config).await?;
    let prover = prove::Prover::new(store.clone(), tiles.clone(), config.journals.clone());
    sequencer::start(chain, store.clone(), config.journals, config.interval);
    let api = api::service(store, tiles.clone(), Arc::new(prover));
    Ok(Parts::of(Member::Anchoring).grpc(api).http(tiles::router(tiles)))
}
