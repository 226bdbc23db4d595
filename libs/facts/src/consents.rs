//! What the consent service decides.

use crate::{FactError, facts::head};
use caller::ServiceToken;
use channel::Channel;
use proto::consent::{DecideRequest, ErrorReason, consent_service_client::ConsentServiceClient};
use seal::{
    entry::Head,
    id::{Name, Service, Uuid},
};
use tonic::Request;
use vocabulary::{
    command::Provision,
    consent::{InForce, NotInForce},
};

/// Asks the consent service, as a service of the deployment. Cheap to clone.
#[derive(Clone)]
pub struct Consents {
    client: ConsentServiceClient<Channel>,
    services: ServiceToken,
}

/// An answer, and the state it holds for.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The head of the consent journal it was decided at; nothing while the journal is empty.
    pub head: Option<Head>,
    /// Whether the provision is in force.
    pub outcome: Result<InForce, NotInForce>,
    /// How many provisions of the participant were given and not withdrawn, lapsed ones included.
    pub standing: u32,
}

impl Consents {
    /// The consent service behind `channel`.
    pub fn new(channel: Channel, services: ServiceToken) -> Self {
        Self { client: ConsentServiceClient::new(channel), services }
    }

    /// Whether `provision` of `participant` is in force now. No answer is an error: nobody goes on without one.
    pub async fn decide(&self, study: Uuid, participant: &Name, provision: &Provision) -> Result<Decided, FactError> {
        let request = DecideRequest {
            study: study.to_string(),
            participant: participant.to_string(),
            provision: provision.to_string(),
            read: None,
            first: false,
        };
        let answer = self.client.clone().decide(self.services.attach(Request::new(request))).await;
        let answer = answer.map_err(|_| FactError::Unavailable(Service::Consent))?.into_inner();
        let head = answer.head.as_ref().map(|found| head(found, Service::Consent)).transpose()?;
        let some = |time: u64| Some(time).filter(|time| *time > 0);
        let outcome = match answer.reason() {
            ErrorReason::Unspecified if answer.permitted && head.is_some() => {
                Ok(InForce { until: some(answer.valid_until_ms), reconsent_by: some(answer.reconsent_by_ms) })
            }
            ErrorReason::ConsentWithdrawn => Err(NotInForce::Withdrawn),
            ErrorReason::ConsentPeriodEnded => Err(NotInForce::PeriodEnded),
            ErrorReason::ConsentMajorityReached => Err(NotInForce::MajorityReached),
            ErrorReason::ConsentDeferralEnded => Err(NotInForce::DeferralEnded),
            ErrorReason::ReconsentRequired => Err(NotInForce::ReconsentRequired),
            _ => Err(NotInForce::Missing),
        };
        Ok(Decided { head, outcome, standing: answer.standing })
    }

    /// When the participant's first consent was signed, Unix milliseconds; nothing if there is none.
    pub async fn first_signed(&self, study: Uuid, participant: &Name) -> Result<Option<u64>, FactError> {
        let request = DecideRequest {
            study: study.to_string(),
            participant: participant.to_string(),
            provision: Provision::data_collection().to_string(),
            read: None,
            first: true,
        };
        let answer = self.client.clone().decide(self.services.attach(Request::new(request))).await;
        let answer = answer.map_err(|_| FactError::Unavailable(Service::Consent))?.into_inner();
        Ok(Some(answer.first_signed_ms).filter(|time| *time > 0))
    }
}
