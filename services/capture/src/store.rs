//! The capture journal and what is sealed in it.
//!
//! In the clear are only opaque references (HMAC under the master key), numbers and times.

use crate::{
    Config,
    content::{self, Content},
    domain::{Recorded, Refusal},
};
use journal::{Journal, Reader, Stored};
use seal::{
    Hash,
    command::{DefineForms, FormInstance, Submission},
    datapoint::{self, Datapoint},
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service, StreamId, Uuid},
    sha256,
};
use server::Problem;
use tonic::Code;
use vault::{Vault, VaultError};

/// The journal as this service keeps it.
pub(crate) type Capture = Journal<Refusal>;

/// The most submissions of one form instance that are read.
const MAX_CORRECTIONS: u32 = 10_000;

/// How the journal is opened.
pub(crate) fn journal(config: &Config) -> journal::Config {
    journal::Config {
        file: config.file.clone(),
        receipt_key: config.receipt_key.clone(),
        anchored_within_ms: config.anchored_within_ms,
        state_map: false,
    }
}

/// The keys of a submission's facts.
pub(crate) struct Keys {
    /// The form instance: which entries made it.
    pub(crate) instance: Hash,
    /// The participant: which entries are theirs.
    pub(crate) participant: Hash,
}

/// Reads, opens and checks what was captured. Cheap to clone.
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
        Keys { instance, participant: self.participant_key(study, participant) }
    }

    /// The opaque name of a participant.
    pub(crate) fn participant_key(&self, study: Uuid, participant: &Name) -> Hash {
        Hash(self.vault.master().reference("participant", &[&study.0, participant.as_str().as_bytes()]))
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
    ) -> Result<Vec<u8>, Problem> {
        let plain = content::encode(envelope, datapoints);
        self.vault.seal(&participant.0, &envelope_hash.0, &plain).await.map_err(|error| vault_problem(&error))
    }

    /// Opens what an entry stored: a sealed submission, or an envelope in the clear.
    pub(crate) async fn open(&self, stored: &Stored) -> Option<Content> {
        if !Vault::is_sealed(&stored.stored) {
            return Some(Content { envelope: stored.stored.clone(), datapoints: Vec::new() });
        }
        let entry = Entry::parse(&stored.entry).ok()?;
        let plain = self.vault.open_sealed(&entry.envelope.0, &stored.stored).await.ok()?;
        content::decode(&plain)
    }

    /// Reads the definitions recorded in an entry.
    pub(crate) async fn forms(&self, stream: StreamId, key: &Hash) -> Result<Option<DefineForms>, Problem> {
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
    ) -> Result<(Recorded, Content, Stored), Problem> {
        let stored = self.reader.entry(stream, number).await?;
        let content = self.open(&stored).await.ok_or_else(damaged)?;
        let recorded = checked(&stored, &content).ok_or_else(damaged)?;
        if recorded.entry.number != number || recorded.entry.stream != stream {
            return Err(damaged());
        }
        Ok((recorded, content, stored))
    }

    /// All submissions of a form instance, oldest first.
    pub(crate) async fn submissions(&self, study: Uuid, instance: &FormInstance) -> Result<Vec<Recorded>, Problem> {
        let stream = Service::Capture.stream(study);
        let key = self.keys(study, instance).instance;
        let entries = self.reader.history(stream, &key, None, MAX_CORRECTIONS).await?;
        let mut submissions = Vec::with_capacity(entries.len());
        for (number, _) in entries {
            let recorded = self.submission(stream, number).await?.0;
            if recorded.header.instance != *instance {
                return Err(damaged());
            }
            submissions.push(recorded);
        }
        Ok(submissions)
    }
}

fn checked(stored: &Stored, content: &Content) -> Option<Recorded> {
    let entry = Entry::parse(&stored.entry).ok()?;
    let header: Submission = Envelope::parse(&content.envelope).ok()?.payload().ok()?;
    let same = sha256(&[&content.envelope]) == entry.envelope && datapoint::root(&content.datapoints) == header.root.0;
    if !same {
        return None;
    }
    let datapoints = content.datapoints.iter().map(|bytes| Datapoint::parse(bytes).ok()).collect::<Option<_>>()?;
    Some(Recorded { entry, header, datapoints })
}

fn damaged() -> Problem {
    let what = "what is stored does not match what was signed: an audit names the entries";
    Problem::new(Code::DataLoss, "DATA_DAMAGED", what)
}

fn vault_problem(error: &VaultError) -> Problem {
    tracing::error!(%error, "the vault failed");
    Problem::unavailable(
        "STORAGE_UNAVAILABLE",
        "the participants' keys cannot be read; nothing was recorded, try again",
    )
}
