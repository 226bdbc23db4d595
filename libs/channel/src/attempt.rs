//! The attempts of one call: where each goes, how long it may take, and whether there is another.

use crate::{
    again::{Blame, Verdict, ended, verdict},
    body::Replay,
    deadline,
    peer::{Peer, Running},
    settings::part_of,
    shared::Shared,
    trace,
};
use std::{
    error::Error,
    future::Future,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{
    Code, Status, TimeoutExpired,
    body::Body,
    codegen::http::{HeaderName, Request, Response, StatusCode},
    transport,
};
use tower::{Service, ServiceExt};

/// Metadata of a refusal made here: the address, and what was found there.
pub const FOUND: &str = "trialseal-found";

type Answer = Result<Response<Body>, Status>;
type Sent = Result<Response<Body>, transport::Error>;

/// One call and what was tried for it.
pub(crate) struct Attempts {
    shared: Arc<Shared>,
    head: Request<()>,
    body: Replay,
    deadline: Option<Instant>,
    until: Instant,
    tried: Vec<Arc<Peer>>,
    most: u32,
    retries: u32,
    /// What was found where the call was sent last, for people.
    found: Option<String>,
}

/// How an attempt ended without the answer.
enum Miss {
    /// Nothing was sent.
    Unsent,
    /// It took too long, and is paid for if there was somewhere else to go.
    Late,
    /// It may have been executed, or was refused. What the caller is told if there is no other attempt, and how long to wait
    /// before there is.
    Sent(Answer, Duration),
}

impl Attempts {
    pub(crate) fn new(shared: Arc<Shared>, head: Request<()>, body: Replay, deadline: Option<Instant>) -> Self {
        let until = deadline.unwrap_or_else(|| Instant::now() + shared.settings.patience);
        let most = if body.is_whole() { shared.settings.attempts } else { 1 };
        Self { shared, head, body, deadline, until, tried: Vec::new(), most, retries: 0, found: None }
    }

    /// The answer, and how often the call was sent again for it.
    pub(crate) async fn run(mut self, asked_once: bool) -> (Answer, u32) {
        if asked_once {
            self.most = 1;
        }
        loop {
            let miss = match self.attempt().await {
                Ok(answer) => return (Ok(answer), self.retries),
                Err(miss) => miss,
            };
            let is_next = match &miss {
                Miss::Unsent if self.shared.balance.has_other(&self.tried) => true,
                Miss::Unsent | Miss::Late => self.wait(Duration::ZERO, true).await,
                Miss::Sent(_, delay) => self.wait(*delay, false).await,
            };
            if !is_next {
                return (self.told(miss), self.retries);
            }
        }
    }

    /// Sends the call to an address it was not sent to before, or if there is none, to any.
    async fn attempt(&mut self) -> Result<Response<Body>, Miss> {
        if Instant::now() >= self.until {
            return Err(Miss::Late);
        }
        let balance = self.shared.balance.clone();
        let picked = match timeout_at(self.until, balance.pick(&self.tried)).await {
            Ok(None) if !self.tried.is_empty() => {
                self.tried.clear();
                balance.pick(&[]).await
            }
            picked => picked.unwrap_or_default(),
        };
        let running = picked.ok_or(Miss::Unsent)?;
        self.tried.push(running.peer.clone());
        let connected = match timeout_at(self.until, running.connection()).await {
            Ok(connected) => connected.map_err(|why| root_cause(&*why)),
            Err(_) => Err("no connection in time".to_owned()),
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(why) => {
                self.found = Some(running.found(why));
                balance.doubt();
                return Err(Miss::Unsent);
            }
        };
        let request = self.request().ok_or(Miss::Unsent)?;
        let sent = async move { connection.ready().await?.call(request).await };
        self.judge(running, sent).await
    }

    /// The request of the next attempt, with the time that remains.
    fn request(&mut self) -> Option<Request<Body>> {
        let body = self.body.next()?;
        let mut request = self.head.clone().map(|()| body);
        if let Some(deadline) = self.deadline {
            deadline::set_timeout(request.headers_mut(), deadline.saturating_duration_since(Instant::now()));
        }
        Some(request)
    }

    /// Waits for the head of the answer.
    async fn judge(&mut self, running: Running, sent: impl Future<Output = Sent>) -> Result<Response<Body>, Miss> {
        let Some(sent) = self.in_time(&running, sent).await else {
            return Err(Miss::Late);
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if is_late(&error) => return Err(Miss::Late),
            Err(error) => {
                running.broke(&error);
                self.shared.balance.doubt();
                self.found = Some(running.found(root_cause(&error)));
                return Err(Miss::Sent(Err(self.away()), Duration::ZERO));
            }
        };
        match ended(&answer).as_ref().map(verdict) {
            Some(Verdict::Again(delay, blame)) => {
                if blame == Blame::Address {
                    running.failed(&"it cannot serve now");
                }
                Err(Miss::Sent(Ok(answer), delay))
            }
            _ => {
                running.answered();
                self.of_the_service(&running, answer).map_err(|told| Miss::Sent(Err(told), Duration::MAX)) // never again
            }
        }
    }

    /// The answer, if it is one of the service that was called. Another service at the address knows no such method; what is no
    /// gRPC server answers by HTTP alone.
    fn of_the_service(&self, running: &Running, mut answer: Response<Body>) -> Answer {
        let service = self.head.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        let status = Status::from_header_map(answer.headers());
        if status.is_none() && answer.status() != StatusCode::OK {
            let found = running.found(format_args!("answers HTTP {}, and is no {service}", answer.status().as_u16()));
            return Err(with_found(Status::unknown("something else answers"), &found));
        }
        if status.is_some_and(|status| status.code() == Code::Unimplemented && status.details().is_empty()) {
            let found = running.found(format_args!("does not serve {service}"));
            answer.headers_mut().extend(found.parse().map(|found| (HeaderName::from_static(FOUND), found)));
        }
        Ok(answer)
    }

    /// What was sent, unless the deadline passes, or it takes longer than an attempt should while there is somewhere else
    /// to go.
    async fn in_time(&mut self, running: &Running, sent: impl Future<Output = Sent>) -> Option<Sent> {
        let mut sent = pin!(sent);
        let attempt = Instant::now() + self.shared.settings.attempt;
        if attempt < self.until {
            if let Ok(sent) = timeout_at(attempt, &mut sent).await {
                return Some(sent);
            }
            running.failed(&"no answer in time");
            let has_other = self.retries + 1 < self.most && self.shared.balance.has_other(&self.tried);
            if has_other && self.shared.budget.withdraw() {
                return None;
            }
        }
        timeout_at(self.until, sent).await.ok()
    }

    /// Waits until the call may be sent again, if it may. An attempt that sent nothing costs nothing.
    async fn wait(&mut self, told: Duration, is_paid: bool) -> bool {
        let delay =
            told.saturating_add(part_of(self.shared.settings.backoff.saturating_mul(1 << self.retries.min(10))));
        let in_time = Instant::now().checked_add(delay).is_some_and(|then| then < self.until);
        if self.retries + 1 >= self.most || !in_time || !(is_paid || self.shared.budget.withdraw()) {
            return false;
        }
        self.retries += 1;
        self.shared.retries.fetch_add(1, Relaxed);
        trace::retried();
        sleep(delay).await;
        true
    }

    fn away(&self) -> Status {
        self.with_what_was_found(Status::unavailable("the service cannot be reached"))
    }

    fn with_what_was_found(&self, status: Status) -> Status {
        match &self.found {
            Some(found) => with_found(status, found),
            None => status,
        }
    }

    /// What the caller is told.
    fn told(&self, miss: Miss) -> Answer {
        match miss {
            Miss::Unsent if Instant::now() < self.until => Err(self.away()),
            Miss::Unsent | Miss::Late => Err(self.with_what_was_found(late())),
            Miss::Sent(told, _) => told,
        }
    }
}

/// Whether it ended because the time it was given did: the transport counts that too, and may be the first.
fn is_late(error: &transport::Error) -> bool {
    std::iter::successors(error.source(), |&cause| cause.source()).any(<dyn Error>::is::<TimeoutExpired>)
}

/// The last of its causes: what the operating system, or the other side, said.
fn root_cause(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |&cause| cause.source()).last().unwrap_or(error).to_string()
}

fn with_found(mut status: Status, found: &str) -> Status {
    if let Ok(found) = found.parse() {
        status.metadata_mut().insert(FOUND, found);
    }
    status
}

fn late() -> Status {
    Status::deadline_exceeded("the service did not answer in time")
}
