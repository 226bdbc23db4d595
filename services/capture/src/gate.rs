//! The gate: on what state of enrollment and consent a submission is decided.
//!
//! Answers are kept for a second at most, and dropped as soon as either journal is known to have moved. Without an
//! answer nothing is captured.

use crate::{
    Config,
    domain::{self, Refusal},
};
use access::{Consents, Decided, FactSource, RemoteFacts, ServiceToken};
use channel::Channel;
use journal::api::parse_head;
use moka::sync::Cache;
use proto::journal::{FollowHeadsRequest, journal_service_client::JournalServiceClient};
use seal::{
    command::{Provision, Submission},
    consent::InForce,
    dsse::Envelope,
    entry::Head,
    fact::Facts,
    id::{Name, StreamId, Uuid},
    key::KeyId,
};
use server::{Problem, now_ms};
use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::Duration,
};
use tonic::Request;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(1);
const RECONNECT: Duration = Duration::from_millis(200);

/// The state a submission is decided on.
pub(crate) struct Basis {
    pub(crate) enrollment: Facts,
    pub(crate) consent: Result<InForce, Refusal>,
    pub(crate) heads: Vec<Head>,
    pub(crate) asked_ms: u64,
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

type Moved = Arc<RwLock<HashMap<StreamId, u64>>>;

/// Asks enrollment and consent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    enrollment: RemoteFacts,
    consents: Consents,
    answers: Cache<Question, Arc<Basis>>,
    moved: Moved,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        let moved = Moved::default();
        for channel in [&config.enrollment_channel, &config.consent_channel] {
            tokio::spawn(follow(channel.clone(), config.services.clone(), moved.clone()));
        }
        Self {
            enrollment: config.enrollment.clone(),
            consents: Consents::new(config.consent_channel.clone(), config.services.clone()),
            answers: Cache::builder().max_capacity(100_000).time_to_live(KEPT).build(),
            moved,
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
            return Ok(basis);
        }
        let basis = Arc::new(self.ask(submission, envelope).await?);
        self.answers.insert(question, basis.clone());
        Ok(basis)
    }

    async fn ask(&self, submission: &Submission, envelope: &Envelope) -> Result<Basis, Problem> {
        let asked_ms = now_ms();
        let needs = domain::needs(submission, envelope);
        let enrollment = self.enrollment.facts(submission.study, &needs);
        let provision = submission.rests_on();
        let consent = self.consents.decide(submission.study, &submission.instance.participant, &provision);
        let ((enrollment_head, facts), Decided { head, outcome, .. }) = tokio::try_join!(enrollment, consent)?;
        let heads = [enrollment_head, head].into_iter().flatten().collect();
        Ok(Basis { enrollment: facts, consent: outcome.map_err(Refusal::NotInForce), heads, asked_ms })
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
        let Ok(moved) = self.moved.read() else { return false };
        let ended = |consent: &InForce| consent.until.is_some_and(|until| now_ms() >= until);
        if basis.consent.as_ref().is_ok_and(ended) {
            return false;
        }
        let behind = |head: &Head| moved.get(&head.stream).is_some_and(|latest| *latest > head.number);
        !basis.heads.iter().any(behind)
    }
}

/// Keeps track of where a service's journals are, for as long as anybody needs to know.
async fn follow(channel: Channel, services: ServiceToken, moved: Moved) {
    let mut client = JournalServiceClient::new(channel);
    while Arc::strong_count(&moved) > 1 {
        if let Ok(heads) = client.follow_heads(services.attach(Request::new(FollowHeadsRequest {}))).await {
            let mut heads = heads.into_inner();
            while let Ok(Some(message)) = heads.message().await {
                let head = message.head.as_ref().and_then(parse_head);
                if let (Some(head), Ok(mut moved)) = (head, moved.write()) {
                    moved.insert(head.stream, head.number);
                }
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}
