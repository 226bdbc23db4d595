//! The enrollment journal, and what is sealed in it.

use crate::domain::Refused;
use content::{Content, Kept};
use journal::{Journal, ReadError, Reader, Stored};
use seal::{
    Hash,
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service, Uuid},
    sha256,
};
use vault::{Vault, VaultError};
use vocabulary::{
    command::{
        CloseSite, EndDelegation, EndRepresentation, PauseSite, Payload, RevealAllocation, RevokeKey, RotateKey,
        SetStudyState, Unblind, WithdrawParticipant,
    },
    fact::Fact,
    subject::{self, List, Subject},
};

/// The journal as this service keeps it.
pub(crate) type Enrollment = Journal<Refused>;

/// Entries read at once.
const PAGE: u32 = 500;

/// What ends a right, protects a participant or winds a study up is recorded beyond the quota as well.
pub(crate) const IN_RESERVE: &[&str] = &[
    WithdrawParticipant::KIND,
    RevokeKey::KIND,
    RotateKey::KIND,
    EndDelegation::KIND,
    EndRepresentation::KIND,
    SetStudyState::KIND,
    PauseSite::KIND,
    CloseSite::KIND,
    Unblind::KIND,
    RevealAllocation::KIND,
];

/// Reads and opens what was recorded. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    reader: Reader,
    vault: Vault,
}

impl Store {
    pub(crate) fn new(reader: Reader, vault: Vault) -> Self {
        Self { reader, vault }
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Seals an envelope and its answers under their participant's key, the one that the capture service uses too.
    pub(crate) async fn seal(
        &self,
        study: Uuid,
        participant: &Name,
        envelope: Vec<u8>,
        answers: Vec<Vec<u8>>,
    ) -> Result<Vec<u8>, StoreError> {
        let key = self.vault.master().reference("participant", &[&study.0, participant.as_str().as_bytes()]);
        let hash = sha256(&[&envelope]);
        let plain = Content { envelope, datapoints: answers.into_iter().map(Kept::Whole).collect() }.encode();
        Ok(self.vault.seal(&key, &hash.0, &plain).await?)
    }

    /// The envelope and the answers behind an entry; nothing if they were erased.
    pub(crate) async fn open_entry(&self, stored: &Stored) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
        if !Vault::is_sealed(&stored.stored) {
            return Some((stored.stored.clone(), Vec::new()));
        }
        let entry = Entry::parse(&stored.entry).ok()?;
        let plain = self.vault.open_sealed(&entry.envelope.0, &stored.stored).await.ok()?;
        let Content { envelope, datapoints } = Content::decode(&plain)?;
        let answers = datapoints.iter().map(|kept| kept.whole().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
        Some((envelope, answers))
    }

    /// An entry, and the envelope behind it unless it was erased.
    pub(crate) async fn read(&self, study: Uuid, number: u64) -> Result<OpenedEntry, StoreError> {
        let stored = self.reader.entry(Service::Enrollment.stream(study), number).await?;
        let entry = Entry::parse(&stored.entry).map_err(|_| damaged())?;
        let envelope = match self.open_entry(&stored).await {
            None => None,
            Some((bytes, _)) if sha256(&[&bytes]) == entry.envelope => {
                Some(Envelope::parse(&bytes).map_err(|_| damaged())?)
            }
            Some(_) => return Err(damaged()),
        };
        Ok(OpenedEntry { entry, envelope })
    }

    /// The numbers of a list's entries after `after`, oldest first.
    pub(crate) async fn list(
        &self,
        study: Uuid,
        list: List,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<u64>, StoreError> {
        let found = self.history(study, &subject::list(&list).map_key(study), after, limit).await?;
        Ok(found.into_iter().map(|(number, _)| number).collect())
    }

    /// Every entry of a list, oldest first.
    pub(crate) async fn whole_list(&self, study: Uuid, list: List) -> Result<Vec<u64>, StoreError> {
        let mut numbers = Vec::new();
        loop {
            let page = self.list(study, list.clone(), numbers.last().copied(), PAGE).await?;
            numbers.extend(&page);
            if page.len() < PAGE as usize {
                return Ok(numbers);
            }
        }
    }

    /// What a fact was set to, and by which entries, oldest first.
    pub(crate) async fn versions(&self, study: Uuid, subject: &Subject) -> Result<Vec<(u64, Fact)>, StoreError> {
        let found = self.history(study, &subject.map_key(study), None, PAGE).await?;
        found.into_iter().map(|(number, bytes)| Ok((number, Fact::parse(&bytes).ok_or_else(damaged)?))).collect()
    }

    async fn history(
        &self,
        study: Uuid,
        key: &Hash,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        Ok(self.reader.history(Service::Enrollment.stream(study), key, after, limit).await?)
    }
}

/// An entry, and the envelope behind it.
pub(crate) struct OpenedEntry {
    pub(crate) entry: Entry,
    /// Absent if it was erased.
    pub(crate) envelope: Option<Envelope>,
}

impl OpenedEntry {
    /// The command, if the entry is of this kind.
    pub(crate) fn command<P: Payload>(&self) -> Option<P> {
        self.envelope.as_ref().filter(|_| self.entry.kind == P::KIND)?.payload().ok()
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
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system")]
    NoRandomness,
}

pub(crate) fn damaged() -> StoreError {
    StoreError::Damaged
}
