//! The gate: on what state of enrollment and consent a submission is decided.
//!
//! Answers are kept for a second at most, and dropped as soon as either journal is known to have moved. Without an
//! answer nothing is captured.

use crate::{
    Config,
    domain::{self, Refusal},
};
use access::{FactError, FactSource, RemoteFacts, ServiceToken};
use journal::api::parse_head;
use moka::sync::Cache;
use proto::{
    consent::{DecideRequest, DecideResponse, ErrorReason, consent_service_client::ConsentServiceClient},
    journal::{FollowHeadsRequest, journal_service_client::JournalServiceClient},
};
use seal::{
    command::{Provision, Submission},
    consent::{InForce, NotInForce},
    dsse::Envelope,
    entry::Head,
    fact::Facts,
    id::{Name, Service, StreamId, Uuid},
    key::KeyId,
};
use server::{Problem, now_ms};
use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::Duration,
};
use tonic::{Request, transport::Channel};

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

/// The consent journal's head, and what was decided at it.
type Decided = (Option<Head>, Result<InForce, Refusal>);

type Moved = Arc<RwLock<HashMap<StreamId, u64>>>;

/// Asks enrollment and consent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    enrollment: RemoteFacts,
    consent: ConsentServiceClient<Channel>,
    services: ServiceToken,
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
            consent: ConsentServiceClient::new(config.consent_channel.clone()),
            services: config.services.clone(),
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
        let consent = self.decide(submission.study, &submission.instance.participant, &provision);
        let ((enrollment_head, facts), (consent_head, decided)) =
            tokio::try_join!(async { enrollment.await.map_err(Problem::from) }, consent)?;
        let heads = [enrollment_head, consent_head].into_iter().flatten().collect();
        Ok(Basis { enrollment: facts, consent: decided, heads, asked_ms })
    }

    async fn decide(&self, study: Uuid, participant: &Name, provision: &Provision) -> Result<Decided, Problem> {
        let answer = self.consent(study, participant, provision).await?;
        let some = |time: u64| Some(time).filter(|time| *time > 0);
        let decided = match answer.reason() {
            ErrorReason::Unspecified if answer.permitted && answer.head.is_some() => {
                Ok(InForce { until: some(answer.valid_until_ms), reconsent_by: some(answer.reconsent_by_ms) })
            }
            reason => Err(Refusal::NotInForce(not_in_force(reason))),
        };
        Ok((answer.head.as_ref().and_then(parse_head), decided))
    }

    /// The present head of the consent journal, if the participant consents to nothing any more.
    pub(crate) async fn without_consent(&self, study: Uuid, participant: &Name) -> Result<Option<Head>, Problem> {
        let answer = self.consent(study, participant, &Provision::data_collection()).await?;
        if answer.permitted || answer.in_force > 0 {
            return Err(Refusal::ConsentInForce.into());
        }
        Ok(answer.head.as_ref().and_then(parse_head))
    }

    async fn consent(&self, study: Uuid, participant: &Name, provision: &Provision) -> Result<DecideResponse, Problem> {
        let request = DecideRequest {
            study: study.to_string(),
            participant: participant.to_string(),
            provision: provision.to_string(),
            read: None,
        };
        let answer = self.consent.clone().decide(self.services.attach(Request::new(request))).await;
        Ok(answer.map_err(|_| FactError::Unavailable(Service::Consent))?.into_inner())
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

fn not_in_force(reason: ErrorReason) -> NotInForce {
    match reason {
        ErrorReason::ConsentWithdrawn => NotInForce::Withdrawn,
        ErrorReason::ConsentPeriodEnded => NotInForce::PeriodEnded,
        ErrorReason::ConsentMajorityReached => NotInForce::MajorityReached,
        ErrorReason::ConsentDeferralEnded => NotInForce::DeferralEnded,
        ErrorReason::ReconsentRequired => NotInForce::ReconsentRequired,
        _ => NotInForce::Missing,
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
