//! A witness: one organisation's memory of a chain. It cosigns a checkpoint only if it extends the last one it cosigned
//! (C2SP tlog-witness). The rules themselves are [`tlog::witness::decide`].

mod api;
mod config;
pub mod evidence;
mod fork;
mod store;

pub use config::Config;
pub use store::PART;

use caller::Member;
use server::Parts;
use telemetry::{Causes, meters};

/// Opens the witness: what its port serves.
pub fn open(config: Config) -> Parts {
    let store = store::Store::new(config.database.clone());
    tokio::spawn(measure(config.database.clone()));
    Parts::of(Member::Witness).http(api::router(store, config))
}

/// What was kept before this process began counts as well: a fork does not go away by a restart.
async fn measure(database: database::Database) {
    match evidence::kept(&database).await {
        Ok(kept) => meters().evidence.change(i64::try_from(kept.proven()).unwrap_or(i64::MAX)),
        Err(error) => tracing::error!(error = %Causes(&error), "cannot tell whether forks were recorded"),
    }
}
