//! Health (grpc.health.v1): whether a port is ready, and why not.
//!
//! `live` is served as long as the process runs. The gRPC services, and the port as a whole (``), are served while no
//! check fails; each check has a name of its own there. A check may pass with reservations: something is amiss that does
//! not keep the port from serving.

use std::{future::Future, pin::Pin, time::Duration};
use telemetry::meters;
use tokio::time::timeout;
use tonic_health::{ServingStatus, server::HealthReporter};

/// Under this name the health service tells that the process runs.
pub const LIVE: &str = "live";
/// A check that takes longer than this fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// All is well.
    Ready,
    /// Something is amiss, and the port serves all the same: such as too few witnesses for a checkpoint.
    Degraded,
    /// The port cannot serve: such as a database that does not answer.
    NotReady,
}

type Checking = Pin<Box<dyn Future<Output = Checked> + Send>>;

pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) check: Box<dyn Fn() -> Checking + Send + Sync>,
}

/// The health of a port.
pub(crate) struct Health {
    pub(crate) reporter: HealthReporter,
    pub(crate) names: Vec<&'static str>,
    pub(crate) checks: Vec<Check>,
}

impl Health {
    /// Makes the checks once and tells what they found.
    pub(crate) async fn check(&self) {
        let mut ready = true;
        for Check { name, check } in &self.checks {
            let found = timeout(PATIENCE, check()).await.unwrap_or(Checked::NotReady);
            ready &= found != Checked::NotReady;
            self.tell(name, found == Checked::Ready).await;
            meters().ready.set(name, u64::from(found != Checked::NotReady));
            meters().degraded.set(name, u64::from(found == Checked::Degraded));
        }
        self.tell_all(ready).await;
    }

    /// Makes the checks again and again.
    pub(crate) async fn keep_checking(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            self.check().await;
        }
    }

    /// Tells that the port stops.
    pub(crate) async fn stop(&self) {
        self.tell_all(false).await;
    }

    async fn tell_all(&self, ready: bool) {
        for name in self.names.iter().chain([&""]) {
            self.tell(name, ready).await;
        }
        self.tell(LIVE, true).await;
    }

    async fn tell(&self, name: &str, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(name, status).await;
    }
}
