//! The capture journal and what is sealed in it.
//!
//! In the clear are only opaque references (HMAC under the master key), numbers and times.

mod walk;

#[cfg(test)]
pub(crate) use walk::PLACES;
pub(crate) use walk::{Folded, Open};

use crate::domain::{Recorded, Refused, alike};
use content::{Content, Kept};
use journal::{Journal, ReadError, Reader, Stored};
use seal::{
    Hash,
    datapoint::Datapoint,
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service, StreamId, Uuid},
    sha256,
};
use tlog::merkle;
use vault::{Vault, VaultError};
use vocabulary::command::{DefineForms, EraseParticipant, FormInstance, Payload, RedactValue, Submission};
use walk::Places;

/// The journal as this service keeps it.
pub(crate) type Capture = Journal<Refused>;

/// Numbers of entries read at once, and the most redactions of one submission.
const NUMBERS: u32 = 10_000;

/// What takes something out is recorded beyond the quota as well.
pub(crate) const IN_RESERVE: &[&str] = &[RedactValue::KIND, EraseParticipant::KIND];

/// The keys of a submission's facts.
pub(crate) struct Keys {
    /// The form instance: which entries made it.
    pub(crate) instance: Hash,
    /// The participant: which entries are theirs.
    pub(crate) participant: Hash,
    /// Set when the participant is erased.
    pub(crate) erased: Hash,
    /// What the names of study events that look like this one have in common: which of them was captured first.
    pub(crate) alike: Hash,
    /// The event's name, as it is spelt.
    pub(crate) spelt: Hash,
}

/// Reads, opens and checks what was captured. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    reader: Reader,
    vault: Vault,
    places: Places,
}

impl Store {
    pub(crate) fn new(reader: Reader, vault: Vault) -> Self {
        Self { reader, vault, places: Places::new() }
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The opaque names of a form instance and its participant.
    pub(crate) fn keys(&self, study: Uuid, instance: &FormInstance) -> Keys {
        let FormInstance { participant, event, event_repeat, form, form_repeat } = instance;
        let (event_repeat, form_repeat) = (event_repeat.to_be_bytes(), form_repeat.to_be_bytes());
        let parts: [&[u8]; 6] = [
            &study.0,
            participant.as_str().as_bytes(),
            event.as_str().as_bytes(),
            &event_repeat,
            form.as_str().as_bytes(),
            &form_repeat,
        ];
        let instance = Hash(self.vault.master().reference("form instance", &parts));
        let participant = self.participant_key(study, participant);
        let of_event = |kind, text: &str| Hash(self.vault.master().reference(kind, &[&study.0, text.as_bytes()]));
        let (alike, spelt) = (of_event("event alike", &alike(event.as_str())), of_event("event", event.as_str()));
        Keys { instance, participant, erased: self.erased_key(&participant), alike, spelt }
    }

    /// The opaque name of a participant.
    pub(crate) fn participant_key(&self, study: Uuid, participant: &Name) -> Hash {
        Hash(self.vault.master().reference("participant", &[&study.0, participant.as_str().as_bytes()]))
    }

    /// The opaque name of the erasure of whom `participant` names opaquely.
    pub(crate) fn erased_key(&self, participant: &Hash) -> Hash {
        Hash(self.vault.master().reference("erased", &[&participant.0]))
    }

    /// The opaque name of the redactions of an entry.
    pub(crate) fn redacted_key(&self, study: Uuid, entry: u64) -> Hash {
        Hash(self.vault.master().reference("redacted", &[&study.0, &entry.to_be_bytes()]))
    }

    /// The opaque name of a version of the form definitions.
    pub(crate) fn forms_key(&self, study: Uuid, version: &Name) -> Hash {
        Hash(self.vault.master().reference("forms", &[&study.0, version.as_str().as_bytes()]))
    }

    /// Seals a submission under its participant's key.
    pub(crate) async fn seal(
        &self,
        participant: &Hash,
        envelope_hash: &Hash,
        envelope: &[u8],
        datapoints: &[Vec<u8>],
    ) -> Result<Vec<u8>, StoreError> {
        let datapoints = datapoints.iter().cloned().map(Kept::Whole).collect();
        self.seal_content(participant, envelope_hash, &Content { envelope: envelope.to_vec(), datapoints }).await
    }

    /// Seals what is left of a submission.
    pub(crate) async fn seal_content(
        &self,
        participant: &Hash,
        envelope_hash: &Hash,
        content: &Content,
    ) -> Result<Vec<u8>, StoreError> {
        Ok(self.vault.seal(&participant.0, &envelope_hash.0, &content.encode()).await?)
    }

    /// Opens what an entry stored: a sealed submission, or an envelope in the clear.
    pub(crate) async fn open_entry(&self, stored: &Stored) -> Option<Content> {
        let _place = self.places.take().await.ok()?;
        self.opened(stored).await
    }

    /// The same, by who has a place.
    async fn opened(&self, stored: &Stored) -> Option<Content> {
        if !Vault::is_sealed(&stored.stored) {
            return Some(Content { envelope: stored.stored.clone(), datapoints: Vec::new() });
        }
        let entry = Entry::parse(&stored.entry).ok()?;
        let plain = self.vault.open_sealed(&entry.envelope.0, &stored.stored).await.ok()?;
        Content::decode(&plain)
    }

    /// Reads the definitions recorded in an entry.
    pub(crate) async fn forms(&self, stream: StreamId, key: &Hash) -> Result<Option<DefineForms>, StoreError> {
        let Some((number, _)) = self.reader.history(stream, key, None, 1).await?.into_iter().next() else {
            return Ok(None);
        };
        let stored = self.reader.entry(stream, number).await?;
        let forms = Envelope::parse(&stored.stored).and_then(|envelope| envelope.payload());
        forms.map(Some).map_err(|_| damaged())
    }

    /// One submission, opened and checked against what its signer signed.
    pub(crate) async fn submission(
        &self,
        stream: StreamId,
        number: u64,
    ) -> Result<(Recorded, Content, Stored), StoreError> {
        let _place = self.places.take().await?;
        self.read_submission(stream, number).await
    }

    /// The same, by who has a place.
    async fn read_submission(&self, stream: StreamId, number: u64) -> Result<(Recorded, Content, Stored), StoreError> {
        let stored = self.reader.entry(stream, number).await?;
        if Entry::parse(&stored.entry).map_err(|_| damaged())?.kind != Submission::KIND {
            return Err(ReadError::NotFound.into()); // of another kind, and not damaged
        }
        if self.erased_in(stream, &stored).await?.is_some() {
            return Err(StoreError::Erased); // recorded, even if the key is not destroyed yet
        }
        let content = self.opened(&stored).await.ok_or_else(damaged)?;
        let recorded = checked(&stored, &content).ok_or_else(damaged)?;
        if recorded.entry.number != number || recorded.entry.stream != stream {
            return Err(damaged());
        }
        Ok((recorded, content, stored))
    }

    /// The entry that erased the participant whose submission an entry stored, if one did.
    pub(crate) async fn erased_in(&self, stream: StreamId, stored: &Stored) -> Result<Option<u64>, StoreError> {
        let Some(participant) = Vault::reference(&stored.stored).map(Hash) else { return Ok(None) };
        let found = self.reader.history(stream, &self.erased_key(&participant), None, 1).await?;
        Ok(found.first().map(|(number, _)| *number))
    }

    /// The erasure recorded in an entry.
    pub(crate) async fn erasure(&self, stream: StreamId, number: u64) -> Result<EraseParticipant, StoreError> {
        let stored = self.reader.entry(stream, number).await?;
        Envelope::parse(&stored.stored).and_then(|envelope| envelope.payload()).map_err(|_| damaged())
    }

    /// The entries that took values out of a submission, oldest first.
    pub(crate) async fn redactions(&self, study: Uuid, entry: u64) -> Result<Vec<(u64, RedactValue)>, StoreError> {
        let stream = Service::Capture.stream(study);
        let found = self.reader.history(stream, &self.redacted_key(study, entry), None, NUMBERS).await?;
        let mut redactions = Vec::with_capacity(found.len());
        for (number, _) in found {
            let stored = self.reader.entry(stream, number).await?;
            let command = Envelope::parse(&stored.stored).and_then(|envelope| envelope.payload());
            redactions.push((number, command.map_err(|_| damaged())?));
        }
        Ok(redactions)
    }

    /// Up to `limit` entries of a participant's submissions after entry `after`, ascending.
    pub(crate) async fn entries_of(
        &self,
        study: Uuid,
        participant: &Name,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<u64>, StoreError> {
        let (stream, key) = (Service::Capture.stream(study), self.participant_key(study, participant));
        let found = self.reader.history(stream, &key, after, limit).await?;
        Ok(found.into_iter().map(|(number, _)| number).collect())
    }

    /// Whether `entries` are exactly those of a participant's submissions, ascending.
    pub(crate) async fn are_entries_of(
        &self,
        study: Uuid,
        participant: &Name,
        entries: &[u64],
    ) -> Result<bool, StoreError> {
        let (mut rest, mut after) = (entries, None);
        loop {
            let page = self.entries_of(study, participant, after, NUMBERS).await?;
            let Some(left) = rest.strip_prefix(page.as_slice()) else { return Ok(false) };
            if page.len() < NUMBERS as usize {
                return Ok(left.is_empty());
            }
            (rest, after) = (left, page.last().copied());
        }
    }

    /// The places for submissions that are open.
    #[cfg(test)]
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The participants' keys.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }
}

fn checked(stored: &Stored, content: &Content) -> Option<Recorded> {
    let entry = Entry::parse(&stored.entry).ok()?;
    let header: Submission = Envelope::parse(&content.envelope).ok()?.payload().ok()?;
    let leaves: Vec<Hash> = content.datapoints.iter().map(leaf).collect();
    if sha256(&[&content.envelope]) != entry.envelope || merkle::root(&leaves) != header.root.0 {
        return None;
    }
    let whole = content.datapoints.iter().filter_map(Kept::whole);
    let datapoints = whole.map(|bytes| Datapoint::parse(bytes).ok()).collect::<Option<_>>()?;
    let places = content.datapoints.iter().zip(0_u32..);
    let redacted = places.filter(|(kept, _)| kept.whole().is_none()).map(|(_, place)| place).collect();
    Some(Recorded { entry, header, datapoints, redacted })
}

/// The mark of a submission under its participant's key: whether it is the first of its form instance, and its number.
pub(crate) fn mark(first: bool, number: u64) -> Vec<u8> {
    [&[u8::from(first)], number.to_be_bytes().as_slice()].concat()
}

/// Whether a mark is of the first submission of a form instance.
pub(crate) fn is_first(mark: &[u8]) -> bool {
    mark.first() == Some(&1)
}

/// The number in a mark; marks of the first version hold none.
pub(crate) fn newest(mark: &[u8]) -> Option<u64> {
    mark.get(1..)?.try_into().ok().map(u64::from_be_bytes)
}

/// The leaf hash of a datapoint, whether or not it is there.
pub(crate) fn leaf(kept: &Kept) -> Hash {
    match kept {
        Kept::Whole(bytes) => merkle::leaf_hash(bytes),
        Kept::Leaf(hash) => Hash(*hash),
    }
}

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault refuses or fails.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is stored does not match what was signed.
    #[error("what is stored does not match what was signed: an audit names the entries")]
    Damaged,
    /// The participant was erased.
    #[error("the participant was erased")]
    Erased,
    /// The process stops.
    #[error("the service is stopping: try again")]
    Stopping,
}

pub(crate) fn damaged() -> StoreError {
    StoreError::Damaged
}
