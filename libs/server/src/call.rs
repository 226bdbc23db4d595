//! The call being handled, for those who handle it.

use caller::Kind;
use problem::Problem;
use rate_limits::RateLimits;
use seal::{Hash, sha256};
use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tonic::Code;
use tracing::{Instrument, Span};

/// How long a message of a stream waits its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who may call how often.
pub trait Allowance: Send + Sync + 'static {
    /// Takes one call of what the caller `key` (a digest, opaque) is allowed, or says how long to wait for the next.
    fn take(&self, key: [u8; 32]) -> Pin<Box<dyn Future<Output = Result<(), Duration>> + Send + '_>>;

    /// Takes so many more calls, also if the caller may not make as many: they wait the longer for the next.
    fn owe(&self, key: [u8; 32], calls: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Allowance for RateLimits {
    fn take(&self, key: [u8; 32]) -> Pin<Box<dyn Future<Output = Result<(), Duration>> + Send + '_>> {
        Box::pin(self.take(Hash(key)))
    }

    fn owe(&self, key: [u8; 32], calls: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.owe(Hash(key), calls))
    }
}

/// Whose allowance a call is taken from.
pub(crate) enum Who<'a> {
    /// Who has proven it.
    Proven(&'a [u8]),
    /// A claim that is not verified yet.
    Claimed(&'a [u8]),
    /// Whoever calls from that address.
    Nobody,
}

/// What is known of a call.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) address: Option<IpAddr>,
    pub(crate) allowance: Option<Arc<dyn Allowance>>,
    /// From whose allowance the call was taken, once it was; services of the deployment have none.
    pub(crate) payer: Arc<OnceLock<[u8; 32]>>,
    /// What the caller is, once that is known.
    pub(crate) kind: Arc<OnceLock<Kind>>,
    /// Whether it waits its turn rather than being refused: a message of a stream holds up its own stream alone.
    pub(crate) patient: bool,
    /// Until when the caller has use for the rest of a streamed answer.
    pub(crate) deadline: Option<Instant>,
}

tokio::task_local! {
    static CALL: Call;
}

impl Call {
    /// The call this runs as part of.
    pub(crate) fn current() -> Self {
        CALL.try_with(Clone::clone).unwrap_or_default()
    }

    /// Runs `future` as part of this call.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        CALL.scope(self, future).await
    }

    /// Runs `work` as part of this call.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        CALL.sync_scope(self.clone(), work)
    }

    /// Takes one call of what the caller is allowed. What a caller says about themselves and has not proven counts only
    /// together with where they call from: nobody uses up what somebody else is allowed.
    pub(crate) async fn charge(&self, who: Who<'_>) -> Result<(), Problem> {
        let Some(allowance) = &self.allowance else { return Ok(()) };
        let from = self.address.map_or_else(String::new, |address| address.to_canonical().to_string());
        let (kind, from, who) = match who {
            Who::Proven(who) => (b"\x01", String::new(), who),
            Who::Claimed(who) => (b"\x02", from, who),
            Who::Nobody => (b"\x03", from, &b""[..]),
        };
        let key = sha256(&[b"trialseal/caller@v1\0", kind, from.as_bytes(), b"\0", who]);
        let _as_whom_it_came_in = self.payer.set(key.0);
        let mut patience = if self.patient { PATIENCE } else { Duration::ZERO };
        let wait = loop {
            let Err(wait) = allowance.take(key.0).await else { return Ok(()) };
            match patience.checked_sub(wait) {
                Some(rest) if !patience.is_zero() => patience = rest,
                _ => break wait,
            }
            sleep(wait).await;
        };
        telemetry::meters().limited.add(1);
        let what = "this caller makes too many calls: wait as long as RetryInfo says";
        Err(Problem::new(Code::ResourceExhausted, "RATE_LIMITED", what).retry_after(wait))
    }
}

/// Where the call being handled comes from, if it came over a connection.
pub fn caller_address() -> Option<IpAddr> {
    Call::current().address
}

/// Takes so many more calls of what the caller is allowed: for work that costs as much as they would. It is not refused,
/// since it is done already; the caller waits the longer for their next call.
pub async fn charge_more(calls: u32) {
    let call = Call::current();
    if let (Some(allowance), Some(payer)) = (&call.allowance, call.payer.get()) {
        allowance.owe(*payer, calls).await;
    }
}

/// Takes one call of what the caller is allowed who claims to be `who`, and has not proven it.
pub async fn charge_claimed(who: &[u8]) -> Result<(), Problem> {
    Call::current().charge(Who::Claimed(who)).await
}

/// Makes a task that is spawned while a call is handled part of that call: its trace, its deadline, its allowance.
pub fn carry<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
    let call = Call { patient: true, ..Call::current() };
    let remaining = channel::remaining().and_then(|remaining| Instant::now().checked_add(remaining));
    let deadline = call.deadline.into_iter().chain(remaining).min();
    let carried = async move {
        match deadline {
            Some(deadline) => channel::with_deadline(deadline, future).await,
            None => future.await,
        }
    };
    call.scope(carried).instrument(Span::current())
}
