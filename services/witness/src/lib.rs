//! A witness: one organisation's memory of a chain. It cosigns a checkpoint only if it extends the last one it cosigned
//! (C2SP tlog-witness). The rules themselves are [`tlog::witness::decide`].

mod api;
mod config;
mod store;

pub use config::Config;
pub use store::PART;

use access::Member;
use server::Parts;

/// Opens the witness: what its port serves.
pub fn open(config: Config) -> Parts {
    let store = store::Store::new(config.database.clone());
    Parts::of(Member::Witness).http(api::router(store, config))
}
