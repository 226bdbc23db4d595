//! The gate: on what state of enrollment and consent a submission is decided.
//!
//! Answers are kept for a second at most, and dropped as soon as the bus tells that either journal has moved, or may have.
//! While the bus is unavailable none are kept. So a decision rests on a state that was left behind at most a second ago: the
//! second counts where news got lost without anybody's knowledge, such as when a process died between its commit and the
//! news of it. Without an answer nothing is captured.
//!
//! A question is asked once, however many wait for its answer: else an answer that ends under load is asked for anew by
//! every form that comes in until it is there, and the load keeps itself up.

mod joint;
mod watch;

use crate::{
    Config,
    domain::{self, Refusal, Refused},
};
use clock::now_ms;
use facts::{Consents, Decided, FactSource, RemoteFacts};
use joint::Joint;
use problem::Problem;
use seal::{
    dsse::Envelope,
    entry::Head,
    id::{Name, Service, Uuid},
};
use std::{sync::Arc, time::Duration};
use telemetry::meters;
use tracing::{Instrument, info_span};
use vocabulary::{
    command::{Provision, Submission},
    consent::InForce,
    fact::Facts,
    subject::Subject,
};
use watch::{Since, Watch};

/// How long an answer is kept, from when it was asked for.
const KEPT: Duration = Duration::from_secs(1);
/// The most answers kept.
const MOST: u64 = 100_000;

/// The state a submission is decided on.
pub(crate) struct Basis {
    pub(crate) enrollment: Facts,
    pub(crate) consent: Result<InForce, Refusal>,
    pub(crate) heads: Vec<Head>,
    pub(crate) asked_ms: u64,
    since: Since,
}

/// What is asked: all that the answer depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    study: Uuid,
    needs: Vec<Subject>,
    participant: Name,
    provision: Provision,
}

/// Asks enrollment and consent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    enrollment: RemoteFacts,
    consents: Consents,
    answers: Joint<Question, Arc<Basis>, Problem>,
    watch: Watch,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            enrollment: config.enrollment.clone(),
            consents: Consents::new(config.consent_channel.clone(), config.services.clone()),
            answers: Joint::new(MOST, KEPT),
            watch: Watch::over(&config.journal.bus, &[Service::Enrollment, Service::Consent]),
        }
    }

    /// The state to decide `submission` on.
    pub(crate) async fn basis(&self, submission: &Submission, envelope: &Envelope) -> Result<Arc<Basis>, Problem> {
        let question = Question {
            study: submission.study,
            needs: domain::needs(submission, envelope),
            participant: submission.instance.participant.clone(),
            provision: submission.rests_on(),
        };
        let ask = || self.clone().ask(question.clone()).instrument(info_span!("capture.decide"));
        let (answer, is_new) = self.answers.get(&question, ask, |basis| self.is_current(basis)).await;
        meters().decisions.of(if is_new { "miss" } else { "hit" });
        answer
    }

    async fn ask(self, question: Question) -> Result<Arc<Basis>, Problem> {
        let Question { study, needs, participant, provision } = question;
        let (asked_ms, since) = (now_ms(), self.watch.now());
        let enrollment = self.enrollment.facts(study, &needs);
        let consent = self.consents.decide(study, &participant, &provision);
        let ((enrollment_head, facts), Decided { head, outcome, .. }) = tokio::try_join!(enrollment, consent)?;
        let heads = [enrollment_head, head].into_iter().flatten().collect();
        let consent = outcome.map_err(Refusal::NotInForce);
        Ok(Arc::new(Basis { enrollment: facts, consent, heads, asked_ms, since }))
    }

    /// The present head of the consent journal, if everything the participant consented to is withdrawn.
    pub(crate) async fn without_consent(&self, study: Uuid, participant: &Name) -> Result<Option<Head>, Problem> {
        let decided = self.consents.decide(study, participant, &Provision::data_collection()).await?;
        if decided.outcome.is_ok() || decided.standing > 0 {
            return Err(Refused::from(Refusal::ConsentInForce).into());
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
