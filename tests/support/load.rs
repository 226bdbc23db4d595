//! A steady load of captures, corrections, withdrawals and consents anew that race each other, and a log of every answer.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

mod sender;

use super::told::{Asked, Told};
use client::{Client, ClientError};
use proto::{anchoring::GetCheckpointRequest, enrollment::GetStudyRequest};
use seal::receipt::Receipt;
use sender::Sender;
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use synthetic::{Participant, Study, text_item};
use tokio::time::{interval, sleep, timeout};
use tonic::{Code, Response, Status};
use vocabulary::command::FormDef;

/// How much load, for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub studies: usize,
    /// Of each study.
    pub participants: usize,
    /// Who sends at the same time.
    pub clients: usize,
    /// How many commands each begins in a second, at most.
    pub rate: f64,
    pub lasting: Duration,
}

/// How long one attempt may take: a process that stands still must not hold a client for longer.
const ATTEMPT: Duration = Duration::from_secs(6);
/// How long a command is tried again before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);
const COLLECT: Duration = Duration::from_millis(400);

/// What became of the load.
#[derive(Clone, Default)]
pub struct Figures {
    pub acknowledged: u64,
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Final refusals by their reason.
    pub refused: BTreeMap<String, u64>,
    /// Attempts that were not answered.
    pub again: u64,
    /// Why there were.
    pub failures: BTreeMap<String, u64>,
    pub given_up: u64,
    pub checkpoints: u64,
    /// Reads of studies that were answered.
    pub reads: u64,
    /// The longest time in which nothing was acknowledged.
    pub silence: Duration,
    latencies: Vec<Duration>,
}

impl Figures {
    /// The time within which a share of the acknowledged commands was answered.
    pub fn within(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let place = (sorted.len().saturating_sub(1)) as f64 * share;
        sorted.get(place as usize).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, by_kind, refused, again, failures, given_up, checkpoints, reads, silence, .. } = self;
        writeln!(f, "acknowledged {acknowledged} {by_kind:?}, given up {given_up}")?;
        writeln!(f, "checkpoints seen {checkpoints}, studies read {reads}")?;
        writeln!(f, "refused {refused:?}; tried again {again} {failures:?}")?;
        let (half, most) = (self.within(0.5), self.within(0.99));
        write!(f, "answered within {half:?} (half), {most:?} (99 %); silent for {silence:?} at the longest")
    }
}

/// A study under load.
struct Trial {
    study: Study,
    participants: Vec<Participant>,
}

/// Everything the clients share.
pub struct Load {
    plan: Plan,
    trials: Vec<Trial>,
    told: Told,
    figures: Mutex<(Figures, Instant)>,
    over: AtomicBool,
}

impl Load {
    /// Sets the studies up, on a deployment that works.
    pub async fn set_up(client: &Client, plan: Plan, folder: &Path) -> Arc<Self> {
        println!("seed of the load: {}", plan.seed);
        let told = Told::open(folder);
        let mut trials = Vec::new();
        for number in 0..plan.studies {
            trials.push(trial(client, number, plan.participants).await);
            told.study(&trials[number].study).await;
        }
        Arc::new(Self {
            plan,
            trials,
            told,
            figures: Mutex::new((Figures::default(), Instant::now())),
            over: AtomicBool::new(false),
        })
    }

    /// The studies.
    pub fn studies(&self) -> impl Iterator<Item = &Study> {
        self.trials.iter().map(|trial| &trial.study)
    }

    /// How many commands were acknowledged so far.
    pub fn acknowledged_so_far(&self) -> u64 {
        self.figures.lock().unwrap().0.acknowledged
    }

    /// Ends the load before its time.
    pub fn stop(&self) {
        self.over.store(true, Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Sends until the plan's time is over or it is stopped, and every command begun is answered or given up.
    pub async fn run(self: &Arc<Self>, client: &Client) -> Figures {
        self.figures.lock().unwrap().1 = Instant::now();
        let until = Instant::now() + self.plan.lasting;
        let others =
            [tokio::spawn(self.clone().collect(client.clone())), tokio::spawn(self.clone().read(client.clone()))];
        let sending: Vec<_> = (0..self.plan.clients)
            .map(|which| tokio::spawn(Sender::new(self.clone(), client.clone(), which).run(until)))
            .collect();
        for task in sending {
            task.await.unwrap();
        }
        others.iter().for_each(|task| task.abort());
        self.figures.lock().unwrap().0.clone()
    }

    /// Keeps every checkpoint that anchoring shows.
    async fn collect(self: Arc<Self>, client: Client) {
        let (mut every, mut last) = (interval(COLLECT), String::new());
        loop {
            every.tick().await;
            let ask = GetCheckpointRequest { at_most: 0 };
            let Some(answer) = self.answered(client.anchoring.clone().get_checkpoint(ask)).await else { continue };
            let note = answer.checkpoint;
            if note != last {
                self.told.checkpoint("anchoring", &note).await;
                self.figures.lock().unwrap().0.checkpoints += 1;
                last = note;
            }
        }
    }

    /// Reads a study from enrollment, again and again.
    async fn read(self: Arc<Self>, client: Client) {
        let mut every = interval(COLLECT);
        for Trial { study, .. } in self.trials.iter().cycle() {
            every.tick().await;
            let ask = study
                .reads(&study.coordinator)
                .request(GetStudyRequest { study: study.id.to_string(), ..Default::default() });
            if self.answered(client.enrollment().get_study(ask)).await.is_some() {
                self.figures.lock().unwrap().0.reads += 1;
            }
        }
    }

    /// The answer to one attempt; one without an answer is counted like that of a command.
    async fn answered<T>(&self, call: impl Future<Output = Result<Response<T>, Status>>) -> Option<T> {
        match timeout(ATTEMPT, call).await.map_or_else(|_| Err(stood_still()), |answer| answer.map_err(Into::into)) {
            Ok(answer) => Some(answer.into_inner()),
            Err(error) => {
                self.again(&error);
                None
            }
        }
    }

    /// Sends a command until it is answered, and keeps what was answered.
    async fn drive<F>(&self, asked: &Asked, send: impl Fn() -> F) -> Option<Receipt>
    where
        F: Future<Output = Result<Receipt, ClientError>>,
    {
        let begun = Instant::now();
        let mut wait = Duration::from_millis(50);
        while begun.elapsed() < PATIENCE {
            self.told.attempt(asked).await;
            match timeout(ATTEMPT, send()).await.unwrap_or_else(|_| Err(stood_still())) {
                Ok(receipt) => {
                    self.told.acknowledged(asked, &receipt).await;
                    self.acknowledged(asked.kind, begun.elapsed());
                    return Some(receipt);
                }
                Err(error) if passing(&error) => self.again(&error),
                Err(error) => {
                    let reason = reason(&error);
                    self.told.refused(asked, &reason).await;
                    *self.figures.lock().unwrap().0.refused.entry(reason).or_default() += 1;
                    return None;
                }
            }
            sleep(wait).await; // what a client does between attempts; nothing is waited for
            wait = (wait * 2).min(Duration::from_secs(2));
        }
        self.figures.lock().unwrap().0.given_up += 1;
        None
    }

    fn acknowledged(&self, kind: &'static str, latency: Duration) {
        let (figures, last) = &mut *self.figures.lock().unwrap();
        figures.acknowledged += 1;
        *figures.by_kind.entry(kind).or_default() += 1;
        figures.latencies.push(latency);
        figures.silence = figures.silence.max(last.elapsed());
        *last = Instant::now();
    }

    fn again(&self, error: &ClientError) {
        let figures = &mut self.figures.lock().unwrap().0;
        figures.again += 1;
        *figures.failures.entry(reason(error)).or_default() += 1;
    }
}

/// A study with one site, one form and participants who consented.
async fn trial(client: &Client, number: usize, participants: usize) -> Trial {
    let study = Study::create(client, &format!("LOAD-{number:02}")).await.unwrap();
    let site = study.open_site(client, "701", "Synthetic site").await.unwrap();
    let items = vec![text_item("SYSBP").unwrap(), text_item("DIABP").unwrap()];
    study.define(client, "1", vec![FormDef { provision: None, form: "VS".parse().unwrap(), items }]).await.unwrap();
    let mut enrolled = Vec::new();
    for _ in 0..participants {
        let participant = study.enrol(client, &site).await.unwrap();
        study.consent(client, &participant).await.unwrap();
        enrolled.push(participant);
    }
    Trial { study, participants: enrolled }
}

/// Whether trying again may help.
fn passing(error: &ClientError) -> bool {
    let ClientError::Refused(status) = error else { return false };
    let passing = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled, Code::ResourceExhausted, Code::Unknown];
    passing.contains(&status.code())
}

fn stood_still() -> ClientError {
    Status::deadline_exceeded("no answer").into()
}

fn reason(error: &ClientError) -> String {
    let code = |error: &ClientError| match error {
        ClientError::Refused(status) => format!("{:?}", status.code()),
        other => other.to_string(),
    };
    error.reason().unwrap_or_else(|| code(error))
}
