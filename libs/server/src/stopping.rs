//! Stopping, as those see it who would go on for ever.

use std::{future::Future, pin::Pin};
use tokio::sync::watch;

/// Whether the port is stopping. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (stop, stopped) = watch::channel(false);
        (stop, Self(stopped))
    }

    /// Completes when it is.
    pub(crate) fn wait(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut stopped = self.0.clone();
        Box::pin(async move { drop(stopped.wait_for(|stopped| *stopped).await) })
    }
}
