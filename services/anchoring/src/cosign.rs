//! Asking witnesses for cosignatures (C2SP tlog-witness), so that one that misbehaves costs nothing as long as the quorum
//! is there.
//!
//! Each answer is judged alone: it counts by what it holds of that witness's own keys, and nothing else of it gets any
//! further. Nobody is waited for once the quorum is there and a short grace is over; who is late, away or wrong is asked
//! again later, ever less often, until it answers well. No witness is shown anything new before it was met in this term.

mod ask;
mod claim;
mod pace;

pub(crate) use ask::{CosignError, Growth, Introduction};
pub(crate) use claim::Truth;

use crate::config;
use ask::{Ask, Cosigned};
use channel::http::Http;
use pace::Pace;
use std::{sync::Arc, time::Duration};
use telemetry::meters;
use tlog::{
    key::VerifierKey,
    note::{Note, NoteSignature},
    policy::Policy,
};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout_at},
};

/// How long others are waited for once the quorum has cosigned.
const GRACE: Duration = Duration::from_millis(200);
/// How long others are waited for at the beginning of a term once the quorum was met: any may know of a longer chain.
const FIRST_GRACE: Duration = Duration::from_secs(1);

/// What witnesses answered about one checkpoint.
#[derive(Default)]
pub(crate) struct Answers {
    /// The size of the checkpoint; none while they are met.
    size: Option<u64>,
    /// Verified cosignatures, one for each key.
    lines: Vec<(VerifierKey, NoteSignature)>,
    /// Why others did not cosign.
    pub(crate) refusals: Vec<CosignError>,
}

/// Whether the quorum can cosign a checkpoint now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Enough witnesses may be asked.
    Now,
    /// Enough answered well when they were last asked, and may be asked again soon.
    Soon,
    /// Too many were not met, or failed and are asked again later.
    Not,
}

/// An address of the policy.
struct Witness {
    url: String,
    /// The keys that the policy has for this address.
    keys: Vec<VerifierKey>,
    /// How many blocks it cosigned last, once it was met in this term.
    last: Option<u64>,
    /// What it is being asked: which checkpoint, by its size; none while it is met.
    busy: Option<(Id, Option<u64>)>,
    pace: Pace,
}

/// What a task that asked a witness brings back.
enum Answered {
    Met(Result<u64, CosignError>),
    Cosigned(u64, Result<Cosigned, CosignError>),
}

/// The witnesses of a chain and how each behaves, for one term.
pub(crate) struct Witnesses {
    all: Vec<Witness>,
    policy: Policy,
    asked: JoinSet<Answered>,
    http: Http,
    truth: Truth,
    /// How long each may take to answer.
    patience: Duration,
    /// Whether they were all asked once who they are.
    introduced: bool,
}

impl Witnesses {
    /// The witnesses of a policy, to be asked at this pace.
    pub(crate) fn new(policy: &Policy, http: Http, truth: Truth, pace: &config::Pace) -> Self {
        let mut all: Vec<Witness> = Vec::new();
        for line in policy.witnesses() {
            let Some(url) = line.url.as_ref().map(|url| url.trim_end_matches('/')) else { continue };
            match all.iter_mut().find(|known| known.url == url) {
                Some(known) => known.keys.push(line.key.clone()),
                None => all.push(Witness {
                    url: url.to_owned(),
                    keys: vec![line.key.clone()],
                    last: None,
                    busy: None,
                    pace: Pace::new(pace.gap()),
                }),
            }
        }
        let patience = pace.witness_patience;
        Self { all, policy: policy.clone(), asked: JoinSet::new(), http, truth, patience, introduced: false }
    }

    /// Shows those not met yet a checkpoint that was published before, and learns what each cosigned last. Gives what is
    /// wrong with those that answered, of earlier questions too.
    pub(crate) async fn meet(&mut self, introduction: &Introduction) -> Vec<CosignError> {
        let mut answers = Answers::default();
        while let Some(joined) = self.asked.try_join_next_with_id() {
            self.take(joined, &mut answers);
        }
        let (now, introduction) = (Instant::now(), Arc::new(introduction.clone()));
        for witness in self.all.iter_mut().filter(|witness| witness.last.is_none() && witness.is_free(now)) {
            let ask = Ask::new(&witness.url, &witness.keys, &self.http, &self.truth, self.patience);
            let introduction = introduction.clone();
            let task = self.asked.spawn(async move { Answered::Met(ask.meet(&introduction).await) });
            witness.busy = Some((task.id(), None));
        }
        let grace = if self.introduced { Duration::ZERO } else { FIRST_GRACE };
        self.introduced = true;
        self.gather(&mut answers, grace).await;
        answers.refusals
    }

    /// Whether enough witnesses may be asked about the checkpoint of `size` blocks.
    pub(crate) fn reach(&self, size: u64) -> Reach {
        let now = Instant::now();
        let met = || self.all.iter().filter(|witness| witness.last.is_some());
        let ready = met().filter(|witness| witness.is_free(now) || witness.is_asked(Some(size)));
        let well = met().filter(|witness| witness.is_free(now) || witness.pace.is_well());
        match (self.policy.satisfied_by(&keys(ready)), self.policy.satisfied_by(&keys(well))) {
            (true, _) => Reach::Now,
            (false, true) => Reach::Soon,
            (false, false) => Reach::Not,
        }
    }

    /// Asks for cosignatures of a checkpoint, signed by the chain alone, of what has grown.
    pub(crate) async fn cosign(&mut self, own: &Note, growth: Growth) -> Answers {
        let (now, own, growth) = (Instant::now(), Arc::new(own.clone()), Arc::new(growth));
        let size = growth.size;
        let mut answers = Answers { size: Some(size), ..Answers::default() };
        for witness in self.all.iter_mut().filter(|witness| witness.is_free(now)) {
            let Some(last) = witness.last else { continue };
            let ask = Ask::new(&witness.url, &witness.keys, &self.http, &self.truth, self.patience);
            let (own, growth) = (own.clone(), growth.clone());
            let task = self.asked.spawn(async move { Answered::Cosigned(size, ask.cosign(&own, &growth, last).await) });
            witness.busy = Some((task.id(), Some(size)));
            witness.pace.asked(now);
        }
        self.gather(&mut answers, GRACE).await;
        answers
    }

    /// Takes answers until nobody is left to answer, or who is left cannot make the quorum, or it is there and the grace
    /// is over.
    async fn gather(&mut self, answers: &mut Answers, grace: Duration) {
        let mut until = None;
        loop {
            let (have, hoped) = self.standing(answers);
            let enough = self.policy.satisfied_by(&have);
            if hoped.is_empty() || !enough && !self.policy.satisfied_by(&[have, hoped].concat()) {
                return;
            }
            let next = self.asked.join_next_with_id();
            let joined = if enough {
                let until = *until.get_or_insert_with(|| Instant::now() + grace);
                timeout_at(until, next).await.ok().flatten()
            } else {
                next.await
            };
            let Some(joined) = joined else { return };
            self.take(joined, answers);
        }
    }

    /// The keys that count towards the quorum, and those of witnesses that may still answer.
    fn standing(&self, answers: &Answers) -> (Vec<VerifierKey>, Vec<VerifierKey>) {
        let hoped = keys(self.all.iter().filter(|witness| witness.is_asked(answers.size)));
        let have = match answers.size {
            Some(_) => answers.lines.iter().map(|(key, _)| key.clone()).collect(),
            None => keys(self.all.iter().filter(|witness| witness.last.is_some())),
        };
        (have, hoped)
    }

    /// Takes one answer, whenever it was asked for; only what is about the same checkpoint counts for this one.
    fn take(&mut self, joined: Result<(Id, Answered), JoinError>, answers: &mut Answers) {
        let (task, answered) =
            joined.unwrap_or_else(|error| (error.id(), Answered::Met(Err(CosignError::Unreachable))));
        let is_its = |witness: &&mut Witness| witness.busy.is_some_and(|(busy, _)| busy == task);
        let Some(witness) = self.all.iter_mut().find(is_its) else { return };
        witness.busy = None;
        match answered {
            Answered::Met(Ok(last)) => {
                witness.last = Some(last);
                witness.pace.well();
            }
            Answered::Cosigned(size, Ok(cosigned)) => {
                witness.cosigned(size, &cosigned);
                if answers.size == Some(size) {
                    answers.add(cosigned.lines);
                }
            }
            Answered::Met(Err(error)) => {
                witness.failed(error, error.is_away());
                answers.refusals.push(error);
            }
            Answered::Cosigned(size, Err(error)) => {
                // Some cosign no empty chain: that is no reason to ask them late about its first block.
                witness.failed(error, size == 0 || error.is_away());
                answers.refusals.push(error);
            }
        }
    }
}

impl Drop for Witnesses {
    /// Nobody waits for witnesses any more: who makes blocks now asks them anew.
    fn drop(&mut self) {
        self.all.iter().for_each(|witness| meters().witness.end(&witness.url));
    }
}

impl Witness {
    fn is_free(&self, now: Instant) -> bool {
        self.busy.is_none() && self.pace.is_due(now)
    }

    fn is_asked(&self, size: Option<u64>) -> bool {
        self.busy.is_some_and(|(_, asked)| asked == size)
    }

    fn cosigned(&mut self, size: u64, cosigned: &Cosigned) {
        self.last = Some(size);
        self.pace.well();
        meters().cosignatures.of("cosigned");
        meters().witness.end(&self.url);
        if cosigned.others > 0 {
            meters().cosignatures.of("junk");
            tracing::warn!(url = self.url, lines = cosigned.others, "a witness's answer holds lines that do not count");
        }
    }

    fn failed(&mut self, error: CosignError, is_away: bool) {
        self.pace.failed(is_away, Instant::now());
        meters().cosignatures.of(error.outcome());
        meters().witness.begin(&self.url);
        tracing::warn!(url = self.url, %error, "a witness did not cosign");
    }
}

impl Answers {
    fn add(&mut self, lines: Vec<(VerifierKey, NoteSignature)>) {
        for (key, line) in lines {
            if !self.lines.iter().any(|(known, _)| *known == key) {
                self.lines.push((key, line));
            }
        }
    }

    /// The cosignatures, in the order of the policy.
    pub(crate) fn cosignatures(mut self, policy: &Policy) -> Vec<NoteSignature> {
        self.lines.sort_by_key(|(key, _)| policy.witnesses().iter().position(|witness| witness.key == *key));
        self.lines.into_iter().map(|(_, line)| line).collect()
    }
}

fn keys<'w>(witnesses: impl Iterator<Item = &'w Witness>) -> Vec<VerifierKey> {
    witnesses.flat_map(|witness| witness.keys.iter().cloned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
