//! No Redis: the feature `redis` is not built in.

use crate::{ConnectError, Delivery, Group, Job, Moved, News, Trust, figures::Counters};
use seal::id::Service;
use std::{convert::Infallible, time::Duration};
use tokio::sync::mpsc;

/// Whether nobody on the way to the Redis at a URL can read or change what passes: nothing does.
pub fn is_private(_: &str) -> bool {
    true
}

/// A bus on Redis, which this program has none of.
pub(crate) struct Remote(Infallible);

impl Remote {
    pub(crate) fn start(_: &str, _: &str, _: Option<&Trust>) -> Result<Self, ConnectError> {
        Err(ConnectError::NotBuiltIn)
    }

    pub(crate) fn counters(&self) -> &Counters {
        match self.0 {}
    }

    pub(crate) fn queued(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn publish(&self, _: Moved) {
        match self.0 {}
    }

    pub(crate) fn follow(&self, _: Service) -> mpsc::Receiver<News> {
        match self.0 {}
    }

    pub(crate) fn work(&self, _: Service, _: Group) -> mpsc::Receiver<Job> {
        match self.0 {}
    }

    pub(crate) async fn ack(&self, _: Service, _: Group, _: &Delivery) {
        match self.0 {}
    }

    pub(crate) async fn evaluate(&self, _: &str, _: &str, _: &[u64], _: Duration) -> Option<u64> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use crate::Bus;

    #[test]
    fn a_program_without_redis_says_which_feature_it_needs() {
        for url in ["redis://127.0.0.1", "rediss+cluster://redis.example"] {
            let error = Bus::connect(url, "one", None).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("`redis`"), "{error}");
        }
    }
}
