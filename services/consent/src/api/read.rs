//! Reads: documents, how a consent stands, what was signed, who looked, copies.

use super::{
    Inner,
    decide::{name, provisions},
    not_found,
    refusals::not_in_force,
};
use crate::copy;
use caller::Caller;
use clock::now_ms;
use journal::{ReadError, Stored};
use journal_service::not_read;
use messages::head_message;
use problem::{Problem, study};
use proto::consent::{self as pb, ErrorReason};
use record::Page;
use seal::{
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service, Uuid},
};
use std::collections::{BTreeSet, HashMap};
use vocabulary::{
    command::GiveConsent,
    consent,
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

impl Inner {
    pub(super) async fn list_documents(
        &self,
        from: &Caller,
        request: pb::ListDocumentsRequest,
    ) -> Result<pb::ListDocumentsResponse, Problem> {
        let study = study(&request.study)?;
        access::actor(from, study, &self.enrollment, now_ms()).await?;
        let (mut documents, next_page_token) =
            self.list(study, &List::Documents, request.page_size, &request.page_token).await?;
        for document in &mut documents {
            // The envelope holds the right answers to the questions: it is for the journal's readers.
            (document.envelope, document.payload) = (Vec::new(), without_answers(&document.payload));
        }
        Ok(pb::ListDocumentsResponse { documents, next_page_token })
    }

    pub(super) async fn get_document(
        &self,
        from: &Caller,
        request: pb::GetDocumentRequest,
    ) -> Result<pb::GetDocumentResponse, Problem> {
        let study = study(&request.study)?;
        access::actor(from, study, &self.enrollment, now_ms()).await?;
        let subject = subject::document(
            &name("document", &request.document)?,
            &name("version", &request.version)?,
            &name("language", &request.language)?,
        );
        let (_, facts) = self.own_facts_of(study, &subject).await?;
        let Some(fact @ Fact::Document(fact::Document { content, .. })) = facts else { return Err(not_found()) };
        let file = self.files.get(&content.0).await;
        let file = file.map_err(|error| {
            tracing::error!(%error, "a document's file cannot be read");
            Problem::unavailable("STORAGE_UNAVAILABLE", "the document cannot be read now: try again")
        })?;
        let json = String::from_utf8(fact.to_bytes()).unwrap_or_default();
        Ok(pb::GetDocumentResponse { document: without_answers(&json), file: file.unwrap_or_default() })
    }

    pub(super) async fn get_consent(
        &self,
        from: &Caller,
        request: pb::GetConsentRequest,
    ) -> Result<pb::GetConsentResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        self.may_see(from, study, &participant).await?;
        let (head, facts) = self.consent_facts(study, &participant).await?;
        let now = now_ms();
        let state = |provision| {
            let given = consent::given(&facts, &participant, &provision)?;
            let decided = consent::in_force(&facts, &participant, &provision, now);
            let in_force = decided.ok().unwrap_or_default();
            Some(pb::ProvisionState {
                provision: provision.to_string(),
                in_force: decided.is_ok(),
                reason: decided.err().map_or(ErrorReason::Unspecified, not_in_force).into(),
                given: given.given,
                document: given.document.to_string(),
                version: given.version.to_string(),
                language: given.language.to_string(),
                until_ms: given.until.map_or(0, |until| until.time),
                reconsent_by_ms: in_force.reconsent_by.unwrap_or(0),
                withdrawn: given.withdrawn.map_or(0, |entry| entry.saturating_add(1)),
            })
        };
        let provisions = provisions(&facts, &participant).into_iter().filter_map(state).collect();
        Ok(pb::GetConsentResponse { provisions, head: head.map(head_message) })
    }

    pub(super) async fn list_consents(
        &self,
        from: &Caller,
        request: pb::ListConsentsRequest,
    ) -> Result<pb::ListConsentsResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        self.may_see(from, study, &participant).await?;
        let list = List::Consents(participant);
        let (commands, next_page_token) = self.list(study, &list, request.page_size, &request.page_token).await?;
        Ok(pb::ListConsentsResponse { commands, next_page_token })
    }

    pub(super) async fn list_accesses(
        &self,
        from: &Caller,
        request: pb::ListAccessesRequest,
    ) -> Result<pb::ListAccessesResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        self.may_see(from, study, &participant).await?;
        let list = List::Accesses(participant);
        let (accesses, next_page_token) = self.list(study, &list, request.page_size, &request.page_token).await?;
        Ok(pb::ListAccessesResponse { accesses, next_page_token })
    }

    pub(super) async fn get_consent_copy(
        &self,
        from: &Caller,
        request: pb::GetConsentCopyRequest,
    ) -> Result<pb::GetConsentCopyResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        self.may_see(from, study, &participant).await?;
        let consent = self.consent_of(study, request.entry, Some(&participant)).await?;
        Ok(pb::GetConsentCopyResponse { copy: copy::formatted(&consent, request.format(), now_ms()) })
    }

    pub(super) async fn read_consent(
        &self,
        from: &Caller,
        request: pb::ReadConsentRequest,
    ) -> Result<pb::ReadConsentResponse, Problem> {
        let study = study(&request.study)?;
        access::actor(from, study, &self.enrollment, now_ms()).await?;
        let now = now_ms();
        let read = copy::read_fhir(&request.resource, now)?;
        Ok(pb::ReadConsentResponse {
            content: read.content.0.to_vec(),
            provisions: read.provisions.iter().map(ToString::to_string).collect(),
            unmapped: read.unmapped,
            status: read.status,
            stated: read.stated.into_iter().map(copy::stated).collect(),
            decided_at_ms: now,
        })
    }

    /// The consent recorded in an entry, as it stands now.
    pub(super) async fn consent(&self, study: Uuid, number: u64) -> Result<exchange::Consent, Problem> {
        self.consent_of(study, number, None).await
    }

    /// The consent recorded in an entry, if it is the participant's: of another's no more is said than of one there is not.
    async fn consent_of(&self, study: Uuid, number: u64, of: Option<&Name>) -> Result<exchange::Consent, Problem> {
        let stream = Service::Consent.stream(study);
        let stored = self.journal.reader().entry(stream, number).await.map_err(|error| match error {
            ReadError::NotFound => not_found(),
            other => not_read(other),
        })?;
        let (entry, envelope) = opened(&stored).ok_or_else(not_found)?;
        let given: GiveConsent = envelope.payload().map_err(|_| not_found())?;
        if of.is_some_and(|participant| *participant != given.participant) {
            return Err(not_found());
        }
        let document = subject::document(&given.document, &given.version, &given.language);
        let (_, document) = self.own_facts_of(study, &document).await?;
        let (_, facts) = self.consent_facts(study, &given.participant).await?;
        let protocol = self.protocol(study).await?;
        let mut recorded = HashMap::new();
        for number in withdrawals(&facts, &given.participant) {
            let (entry, _) =
                opened(&self.journal.reader().entry(stream, number).await.map_err(not_read)?).ok_or_else(not_found)?;
            recorded.insert(number, entry.time);
        }
        copy::consent(&given, &entry, document.as_ref(), &facts, &protocol, now_ms(), &recorded).ok_or_else(not_found)
    }

    async fn protocol(&self, study: Uuid) -> Result<Name, Problem> {
        use facts::FactSource;
        let (_, facts) = self.enrollment.facts(study, &[subject::study()]).await?;
        match facts.find(&subject::study()) {
            Some(Fact::Study { name, .. }) => Ok(name.clone()),
            _ => Err(not_found()),
        }
    }

    async fn own_facts_of(
        &self,
        study: Uuid,
        subject: &Subject,
    ) -> Result<(Option<seal::entry::Head>, Option<Fact>), Problem> {
        let (head, found) = self
            .journal
            .reader()
            .facts(Service::Consent.stream(study), &[subject.map_key(study)])
            .await
            .map_err(not_read)?;
        Ok((head, found.first().and_then(|(_, bytes)| Fact::parse(bytes))))
    }

    /// A page of the commands on a list, and where to go on.
    async fn list(
        &self,
        study: Uuid,
        list: &List,
        size: u32,
        token: &str,
    ) -> Result<(Vec<pb::RecordedCommand>, String), Problem> {
        let mut page = Page::parse(size, token)?;
        let (stream, key) = (Service::Consent.stream(study), subject::list(list).map_key(study));
        let found = self.journal.reader().history(stream, &key, page.after, page.size).await.map_err(not_read)?;
        let mut commands = Vec::new();
        for (number, _) in &found {
            let stored = self.journal.reader().entry(stream, *number).await.map_err(not_read)?;
            let command = message(stored).ok_or_else(not_found)?;
            if !page.takes(*number, &command) {
                break;
            }
            commands.push(command);
        }
        Ok((commands, page.next(found.len())))
    }
}

/// The entries that withdrew what a participant gave.
fn withdrawals(facts: &Facts, participant: &Name) -> BTreeSet<u64> {
    match facts.find(&subject::consent(participant)) {
        Some(Fact::Consent(fact::Consent { provisions, .. })) => {
            provisions.values().filter_map(|given| given.withdrawn).collect()
        }
        _ => BTreeSet::new(),
    }
}

fn opened(stored: &Stored) -> Option<(Entry, Envelope)> {
    Some((Entry::parse(&stored.entry).ok()?, Envelope::parse(&stored.stored).ok()?))
}

fn message(stored: Stored) -> Option<pb::RecordedCommand> {
    #[derive(serde::Deserialize)]
    struct Signed {
        by: String,
    }
    let (entry, envelope) = opened(&stored)?;
    let signed: Signed = envelope.common().ok()?;
    Some(pb::RecordedCommand {
        number: entry.number,
        recorded_ms: entry.time,
        kind: entry.kind,
        by: signed.by,
        payload: String::from_utf8_lossy(envelope.payload_bytes()).into_owned(),
        entry: stored.entry,
        envelope: stored.stored,
    })
}

/// A document's JSON without the right answers to its comprehension questions.
fn without_answers(json: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(json) else { return String::new() };
    let quiz = ["/terms/quiz/questions", "/document/terms/quiz/questions"];
    for place in quiz {
        let questions = value.pointer_mut(place).and_then(serde_json::Value::as_array_mut);
        for question in questions.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
            question.remove("right");
        }
    }
    value.to_string()
}
