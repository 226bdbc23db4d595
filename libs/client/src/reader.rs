//! Who reads, and what for.

use crate::{new_uuid, now_ms};
use seal::{
    dsse,
    id::{Name, Uuid},
    key::SecretKey,
};
use tonic::{Request, metadata::MetadataValue};
use vocabulary::command::{AccessData, ItemRead, Provision};

/// An actor who reads: every call carries a fresh token signed with their key.
pub struct Reader {
    /// The study.
    pub study: Uuid,
    /// Who.
    pub actor: Name,
    /// Their key.
    pub key: SecretKey,
    /// For who is not of the participant's site: what they read and what for. Every call then carries a command
    /// `access-data` of its own, and each is recorded.
    pub access: Option<Access>,
}

/// What a reader from outside reads, and what for.
#[derive(Debug, Clone)]
pub struct Access {
    /// The participant; `*` for everybody's, with the task audit.
    pub participant: Name,
    /// The participant's site; `*` with participant `*`.
    pub site: Name,
    /// The provisions under which it was captured; empty: everything, with a task.
    pub categories: Vec<Provision>,
    /// What for.
    pub purpose: Name,
    /// The participant's grant; absent: a task.
    pub grant: Option<Name>,
    /// The one item that is read; absent: all that is within the categories. It opens the item's proof and nothing else.
    pub only: Option<ItemRead>,
}

impl Access {
    /// Everybody's data, for who holds the task audit.
    pub fn everybody(purpose: Name) -> Self {
        let everywhere = Name::all_sites();
        let (participant, site) = (everywhere.clone(), everywhere);
        Self { participant, site, categories: Vec::new(), purpose, grant: None, only: None }
    }
}

impl Reader {
    /// A call with this reader's token, and what they read, signed. A call that is signed so is sent once: the signature
    /// opens one read, and a call that was answered unheard would be refused the second time.
    pub fn request<T>(&self, message: T) -> Request<T> {
        self.request_for(message, self.access.as_ref())
    }

    /// A call for one item's proof. No item is named otherwise than by a [`Name`]: for another text nothing is signed, and
    /// the call is refused.
    pub(crate) fn item_request<T>(&self, message: T, entry: u64, item: &str, repeat: &str) -> Request<T> {
        let only = item.parse().ok().map(|item| ItemRead { entry, item, repeat: repeat.to_owned() });
        let access = self.access.clone().zip(only).map(|(access, only)| Access { only: Some(only), ..access });
        self.request_for(message, access.as_ref())
    }

    /// A call that reads no values: it names no access, and none is recorded.
    pub(crate) fn bare_request<T>(&self, message: T) -> Request<T> {
        self.request_for(message, None)
    }

    fn request_for<T>(&self, message: T, access: Option<&Access>) -> Request<T> {
        let mut request = Request::new(message);
        let token = token::issue(&self.actor, self.study, &self.key, now_ms());
        if let Ok(value) = MetadataValue::try_from(format!("Bearer {token}")) {
            request.metadata_mut().insert("authorization", value);
        }
        if let Some(envelope) = access.and_then(|access| self.sign(access)) {
            request.metadata_mut().insert_bin(token::ACCESS_HEADER, MetadataValue::from_bytes(&envelope));
            request = asked_once(request);
        }
        request
    }

    /// The signed request to read. Without randomness there is none, and the call is refused.
    fn sign(&self, access: &Access) -> Option<Vec<u8>> {
        let Access { participant, site, categories, purpose, grant, only } = access.clone();
        let (by, time) = (self.actor.clone(), now_ms());
        let request = new_uuid().ok()?;
        let command =
            AccessData { study: self.study, request, by, time, participant, site, categories, purpose, grant, only };
        Some(dsse::sign(&command, &[&self.key]))
    }
}

/// The call is not sent again by itself: who asks for a proof asks until it is on the chain, at their own pace, and a signed
/// read is for one call.
pub(crate) fn asked_once<T>(mut request: Request<T>) -> Request<T> {
    request.extensions_mut().insert(channel::Once);
    request
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_carries_a_signed_read_is_sent_once() {
        let (study, actor, key) = (Uuid([1; 16]), Name::root(), SecretKey::from_seed(&[1; 32]));
        let reader = |access| Reader { study, actor: actor.clone(), key: key.clone(), access };
        let once = |request: Request<()>| request.extensions().get::<channel::Once>().is_some();
        let signed = reader(Some(Access::everybody("audit".parse().unwrap())));
        assert!(once(signed.request(())) && once(signed.item_request((), 1, "SYSBP", "")));
        assert!(!once(reader(None).request(())));
    }
}
