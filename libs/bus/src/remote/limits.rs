//! Rate limits in Redis, by its clock.

use super::Remote;
use seal::Hash;
use std::time::Duration;
use tokio::time::timeout;

/// In one step: the time, what was used up, and whether there is room.
const SCRIPT: &str = include_str!("limits/gcra.lua");
/// A call waits no longer than this for Redis.
const PATIENCE: Duration = Duration::from_millis(100);

impl Remote {
    /// Takes what costs so much of the `full` that a caller may have at once, if there is room or if it is taken `anyway`;
    /// or says how long to wait. Nothing if Redis does not answer.
    pub(crate) async fn take(
        &self,
        purpose: &str,
        caller: Hash,
        cost: Duration,
        full: Duration,
        anyway: bool,
    ) -> Option<Result<(), Duration>> {
        let mut script = redis::cmd("EVAL");
        script.arg(SCRIPT).arg(1).arg(format!("trialseal:rate:{purpose}:{}", caller.to_hex()));
        script.arg(cost.as_micros() as u64).arg(full.as_micros() as u64).arg(u8::from(anyway));
        match timeout(PATIENCE, self.line.shared.ask::<u64>(&self.line, &script)).await {
            Ok(Ok(0)) => Some(Ok(())),
            Ok(Ok(micros)) => Some(Err(Duration::from_micros(micros))),
            Ok(Err(_)) => None,
            Err(_) => {
                self.line.shared.give_up();
                None
            }
        }
    }
}
