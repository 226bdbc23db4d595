//! The sequencer: whichever process has the lease makes blocks of what is new in the journals, and has the chain grow.

mod term;

use crate::{
    Config,
    chain::Chain,
    follow::follow,
    lease::{self, Token},
    mirror,
    state::State,
    store::{Store, WriteError},
    tiles::Tiles,
};
use telemetry::{Causes, meters};
use term::Term;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Starts sequencing, which ends with the runtime.
pub(crate) fn start(store: Store, tiles: Tiles, state: State, config: Config) {
    let (publishing, published) = watch::channel(None);
    tokio::spawn(mirror::run(store.clone(), tiles.clone(), published));
    tokio::spawn(sequence(store, tiles, state, config, publishing));
}

/// Waits for the lease, makes blocks as long as it lasts, and waits again.
async fn sequence(store: Store, tiles: Tiles, state: State, config: Config, publishing: watch::Sender<Option<u64>>) {
    let mut at_once = store.is_embedded();
    loop {
        let token = standing_by(&store, &config.instance, at_once).await;
        at_once = false;
        tracing::info!(instance = config.instance, "this process makes blocks now");
        // The lease is kept while the chain is taken up, which may take long where the object store does not answer.
        let opened = tokio::select! {
            opened = Chain::open(store.clone(), token, tiles.clone(), &config) => opened,
            () = overtaken(&store, token) => Err(WriteError::Overtaken.into()),
        };
        match opened {
            Ok(chain) => {
                let term = Term::new(chain, store.clone(), token, &config.journals, &state, &publishing);
                let _until_overtaken = follow(&config, &term.known); // news are for whoever makes blocks
                meters().lease.set(1);
                meters().freshness.end(""); // known from the first checkpoint of this term on
                tokio::select! {
                    () = term.run(config.pace.interval) => {}
                    () = overtaken(&store, token) => {}
                }
                meters().lease.set(0);
                meters().lag.set(0); // what waits is the other process's to tell
                meters().checkpoint.end("");
                meters().freshness.end("");
                tracing::warn!(instance = config.instance, "another process makes blocks now, or soon");
            }
            Err(error) => tracing::warn!(error = %Causes(&error), "the chain cannot be taken up"),
        }
        publishing.send_replace(None);
        state.tell(false, 0);
        sleep(lease::BEAT).await;
    }
}

/// Completes with the lease.
async fn standing_by(store: &Store, instance: &str, at_once: bool) -> Token {
    loop {
        match store.acquire(instance, at_once).await {
            Ok(Some(token)) => return token,
            Ok(None) => {}
            Err(error) => tracing::warn!(error = %Causes(&error), "the lease cannot be asked for"),
        }
        sleep(lease::BEAT).await;
    }
}

/// Keeps the lease; completes when it is lost, or may be because nothing was heard of it for as long as it lasts.
async fn overtaken(store: &Store, token: Token) {
    let mut last = Instant::now();
    while last.elapsed() < lease::LASTS {
        let asked = Instant::now();
        match store.renew(token).await {
            Ok(()) => last = asked,
            Err(WriteError::Overtaken) => return,
            Err(error) => tracing::warn!(error = %Causes(&error), "the lease cannot be renewed"),
        }
        sleep(lease::BEAT).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
