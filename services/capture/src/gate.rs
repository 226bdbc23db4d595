//! The gate: on what state of enrollment and consent a submission is decided.
//!
//! Answers are kept for a second at most, and dropped as soon as the bus tells that either journal has moved, or may have.
//! While the bus is away none are kept. So a decision rests on a state that was left behind at most a second ago: the
//! second counts where news got lost without anybody's knowledge, such as when a process died between its commit and the
//! news of it. Without an answer nothing is captured.

mod watch;

use crate::{
    Config,
    domain::{self, Refusal},
};
use access::{Consents, Decided, FactSource, RemoteFacts};
use moka::sync::Cache;
use seal::{
    command::{Provision, Submission},
    consent::InForce,
    dsse::Envelope,
    entry::Head,
    fact::Facts,
    id::{Name, Service, Uuid},
    key::KeyId,
};
use server::{Problem, now_ms};
use std::{sync::Arc, time::Duration};
use telemetry::meters;
use tracing::{Instrument, info_span};
use watch::{Since, Watch};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(1);

/// The state a submission is decided on.
pub(crate) struct Basis {
    pub(crate) enrollment: Facts,
    pub(crate) consent: Result<InForce, Refusal>,
    pub(crate) heads: Vec<Head>,
    pub(crate) asked_ms: u64,
    since: Since,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    study: Uuid,
    by: Name,
    keys: Vec<KeyId>,
    site: Name,
    participant: Name,
    provision: Provision,
}

/// Asks enrollment and consent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    enrollment: RemoteFacts,
    consents: Consents,
    answers: Cache<Question, Arc<Basis>>,
    watch: Watch,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            enrollment: config.enrollment.clone(),
            consents: Consents::new(config.consent_channel.clone(), config.services.clone()),
            answers: Cache::builder().max_capacity(100_000).time_to_live(KEPT).build(),
            watch: Watch::over(&config.bus, &[Service::Enrollment, Service::Consent]),
        }
    }

    /// The state to decide `submission` on.
    pub(crate) async fn basis(&self, submission: &Submission, envelope: &Envelope) -> Result<Arc<Basis>, Problem> {
        let question = Question {
            study: submission.study,
            by: submission.by.clone(),
            keys: envelope.key_ids().collect(),
            site: submission.site.clone(),
            participant: submission.instance.participant.clone(),
            provision: submission.rests_on(),
        };
        if let Some(basis) = self.answers.get(&question).filter(|basis| self.is_current(basis)) {
            meters().decisions.of("hit");
            return Ok(basis);
        }
        meters().decisions.of("miss");
        let basis = Arc::new(self.ask(submission, envelope).instrument(info_span!("capture.decide")).await?);
        self.answers.insert(question, basis.clone());
        Ok(basis)
    }

    async fn ask(&self, submission: &Submission, envelope: &Envelope) -> Result<Basis, Problem> {
        let (asked_ms, since) = (now_ms(), self.watch.now());
        let needs = domain::needs(submission, envelope);
        let enrollment = self.enrollment.facts(submission.study, &needs);
        let provision = submission.rests_on();
        let consent = self.consents.decide(submission.study, &submission.instance.participant, &provision);
        let ((enrollment_head, facts), Decided { head, outcome, .. }) = tokio::try_join!(enrollment, consent)?;
        let heads = [enrollment_head, head].into_iter().flatten().collect();
        Ok(Basis { enrollment: facts, consent: outcome.map_err(Refusal::NotInForce), heads, asked_ms, since })
    }

    /// The present head of the consent journal, if everything the participant consented to is withdrawn.
    pub(crate) async fn without_consent(&self, study: Uuid, participant: &Name) -> Result<Option<Head>, Problem> {
        let decided = self.consents.decide(study, participant, &Provision::data_collection()).await?;
        if decided.outcome.is_ok() || decided.standing > 0 {
            return Err(Refusal::ConsentInForce.into());
        }
        Ok(decided.head)
    }

    fn is_current(&self, basis: &Basis) -> bool {
        let ended = |consent: &InForce| consent.until.is_some_and(|until| now_ms() >= until);
        if basis.consent.as_ref().is_ok_and(ended) {
            return false;
        }
        self.watch.is_current(basis.since, &basis.heads)
    }
}
