//! The access log: a read from outside the participant's site is recorded, signed by the reader, before it is answered.
//!
//! A signed command opens one read: the consent service says whether it had been recorded before, and then nothing is
//! shown.

use caller::Caller;
use channel::Channel;
use proto::consent::{AccessDataRequest, consent_service_client::ConsentServiceClient};
use seal::{
    MAX_ACCESS_AGE_MS, MAX_ACCESS_AHEAD_MS,
    dsse::Envelope,
    id::{Name, Uuid},
};
use token::ACCESS_HEADER;
use tonic::Status;
use vocabulary::command::{AccessData, ItemRead, Provision};

/// Why a read is not answered.
#[derive(Debug, thiserror::Error)]
pub enum AccessDenied {
    /// No signed request to read came with the call.
    #[error(
        "readers from outside the participant's site must sign what they read: send a signed access-data command in {ACCESS_HEADER}"
    )]
    Unsigned,
    /// It is not one, or not of this reader, study, participant or item.
    #[error(
        "{ACCESS_HEADER}: not an access-data command of this reader, study and participant, or limited to another item"
    )]
    Mismatch,
    /// It was signed too long ago.
    #[error("the request to read was signed more than five minutes ago: sign a new one")]
    Stale,
    /// It was signed too far ahead of the service's clock.
    #[error("the request to read was signed more than thirty seconds ahead: correct the clock and sign again")]
    Ahead,
    /// It opened a read before.
    #[error("the request to read has already been used, and is valid for one read: sign a new one")]
    Used,
    /// The consent service refuses it, or does not answer.
    #[error("the request to read was refused")]
    Refused(#[source] Box<Status>),
}

/// What is about to be read, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The study.
    pub study: Uuid,
    /// Who reads.
    pub reader: &'a Name,
    /// Whom it is about; `*`: everybody.
    pub participant: &'a Name,
    /// The one item, if no more than that is read.
    pub item: Option<&'a ItemRead>,
}

/// Records reads with the consent service. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog(ConsentServiceClient<Channel>);

impl AccessLog {
    /// The log behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self(ConsentServiceClient::new(channel))
    }

    /// Records a read. Gives what may be shown: the provisions under which it was captured, nothing for everything.
    pub async fn record(
        &self,
        from: &Caller,
        reading: Reading<'_>,
        now_ms: u64,
    ) -> Result<Option<Vec<Provision>>, AccessDenied> {
        let Reading { study, reader, participant, item } = reading;
        let access = signed_read(from, study, reader, item, now_ms)?.ok_or(AccessDenied::Unsigned)?;
        if access.participant.as_str() != Name::ALL_SITES && access.participant != *participant {
            return Err(AccessDenied::Mismatch);
        }
        let request = AccessDataRequest { envelope: from.access().unwrap_or_default().to_vec() };
        let answer = self.0.clone().access_data(request).await;
        let answer = answer.map_err(|status| AccessDenied::Refused(Box::new(status)))?;
        if answer.into_inner().recorded_before {
            return Err(AccessDenied::Used);
        }
        Ok(Some(access.categories).filter(|categories| !categories.is_empty()))
    }
}

/// The signed request to read that came with a call, if one did, checked as far as that is possible before anything is
/// looked up: it is of this reader and study, signed recently, and if it opens one item, then `item`.
pub fn signed_read(
    from: &Caller,
    study: Uuid,
    reader: &Name,
    item: Option<&ItemRead>,
    now_ms: u64,
) -> Result<Option<AccessData>, AccessDenied> {
    let Some(envelope) = from.access() else { return Ok(None) };
    let access: AccessData =
        Envelope::parse_strict(envelope).and_then(|e| e.payload_strict()).map_err(|_| AccessDenied::Mismatch)?;
    if access.study != study || access.by != *reader || (access.only.is_some() && access.only.as_ref() != item) {
        return Err(AccessDenied::Mismatch);
    }
    if now_ms > access.time.saturating_add(MAX_ACCESS_AGE_MS) {
        return Err(AccessDenied::Stale);
    }
    if access.time > now_ms.saturating_add(MAX_ACCESS_AHEAD_MS) {
        return Err(AccessDenied::Ahead);
    }
    Ok(Some(access))
}
