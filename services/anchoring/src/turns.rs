//! How many proofs are made at once: as many as there are cores, and some that wait for their turn. Whoever comes when there
//! are enough of both is refused before anything is done.

use problem::Problem;
use std::{sync::Arc, thread::available_parallelism, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

/// How many wait for each that is made.
const WAITING: usize = 32;
const RETRY: Duration = Duration::from_secs(1);

/// Room for proofs that are made and that wait.
pub(crate) struct Turns {
    present: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// A proof that was let in, until this is dropped.
pub(crate) struct Present {
    _present: OwnedSemaphorePermit,
    working: Arc<Semaphore>,
}

/// A proof whose turn it is, until this is dropped.
pub(crate) struct Turn {
    _present: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn for_cores() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self::new(cores, cores.saturating_mul(WAITING))
    }

    fn new(at_once: usize, waiting: usize) -> Self {
        Self {
            present: Arc::new(Semaphore::new(at_once.saturating_add(waiting))),
            working: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Lets a proof in; refused if there are enough.
    pub(crate) fn enter(&self) -> Result<Present, Status> {
        let present = self.present.clone().try_acquire_owned().map_err(|_| overloaded())?;
        Ok(Present { _present: present, working: self.working.clone() })
    }
}

impl Present {
    /// Waits for its turn, as long as the call may last.
    pub(crate) async fn turn(self) -> Result<Turn, Status> {
        let Self { _present, working } = self;
        let _working = working.acquire_owned().await.map_err(|_| overloaded())?;
        Ok(Turn { _present, _working })
    }
}

fn overloaded() -> Status {
    telemetry::meters().shed.add(1);
    let what = "enough proofs are being made: nothing was done; try again as RetryInfo says";
    Problem::new(Code::ResourceExhausted, "OVERLOADED", what).retry_after(RETRY).into()
}

#[cfg(test)]
impl Turns {
    pub(crate) fn of(at_once: usize, waiting: usize) -> Self {
        Self::new(at_once, waiting)
    }
}
