//! The access log: a read from outside the participant's site is recorded, signed by the reader, before it is answered.

use crate::caller::{ACCESS_HEADER, Caller};
use channel::Channel;
use proto::consent::{AccessDataRequest, consent_service_client::ConsentServiceClient};
use seal::{
    MAX_CLOCK_AHEAD_MS,
    command::{AccessData, Provision},
    dsse::Envelope,
    id::{Name, Uuid},
};
use tonic::Status;

/// Why a read is not answered.
#[derive(Debug, thiserror::Error)]
pub enum AccessDenied {
    /// No signed request to read came with the call.
    #[error(
        "readers from outside the participant's site sign what they read: send a command access-data in {ACCESS_HEADER}"
    )]
    Unsigned,
    /// It is not one, or not of this reader, study or participant.
    #[error("{ACCESS_HEADER}: not a command access-data of this reader, study and participant")]
    Mismatch,
    /// It was signed too long ago.
    #[error("the request to read was signed more than five minutes ago: sign a new one")]
    Stale,
    /// The consent service refuses it, or does not answer.
    #[error("the request to read was refused")]
    Refused(#[source] Box<Status>),
}

/// Records reads with the consent service. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog(ConsentServiceClient<Channel>);

impl AccessLog {
    /// The log behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self(ConsentServiceClient::new(channel))
    }

    /// Records that `reader` reads of `participant` (`*`: of everybody). Gives what may be shown: the provisions under
    /// which it was captured, nothing for everything.
    pub async fn record(
        &self,
        from: &Caller,
        (study, reader, participant): (Uuid, &Name, &Name),
        now_ms: u64,
    ) -> Result<Option<Vec<Provision>>, AccessDenied> {
        let envelope = from.access().ok_or(AccessDenied::Unsigned)?;
        let access: AccessData =
            Envelope::parse(envelope).and_then(|e| e.payload()).map_err(|_| AccessDenied::Mismatch)?;
        let everybody = access.participant.as_str() == Name::ALL_SITES;
        if access.study != study || access.by != *reader || !(everybody || access.participant == *participant) {
            return Err(AccessDenied::Mismatch);
        }
        if now_ms > access.time.saturating_add(MAX_CLOCK_AHEAD_MS) {
            return Err(AccessDenied::Stale); // a request recorded before is answered again, but not for ever
        }
        let request = AccessDataRequest { envelope: envelope.to_vec() };
        self.0.clone().access_data(request).await.map_err(|status| AccessDenied::Refused(Box::new(status)))?;
        Ok(Some(access.categories).filter(|categories| !categories.is_empty()))
    }
}
