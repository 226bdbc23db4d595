//! Taking values out: one by one, or with their participant.

use super::{
    Inner,
    read::name,
    refusals::{refused, vault_failed},
};
use crate::{
    domain::{
        Refusal, Refused, admit_erasure, admit_redaction, check_new_erasure, check_new_redaction, erasure_needs,
        redaction_needs,
    },
    erasure::{Erasure, Recording},
    store::{StoreError, damaged, leaf, newest},
};
use admission::{Received, receive};
use caller::Caller;
use clock::now_ms;
use content::Kept;
use facts::FactSource;
use journal::{Decision, Found, Next, ReadError};
use journal_service::not_read;
use messages::receipt_message;
use problem::{Problem, study};
use proto::{capture as pb, types::Receipt};
use record::{Before, Signed, is_too_old, not_recorded};
use seal::{
    Hash,
    datapoint::Datapoint,
    dsse::Envelope,
    entry::Head,
    id::{Name, Service},
};
use tonic::Code;
use vocabulary::{
    command::{EraseParticipant, Payload, RedactValue, Task},
    fact::Facts,
    subject,
};

/// An upper limit on the redactions of one submission: more than it has values.
const MAX_MARKS: u32 = 10_000;
/// The most entries of one answer: their numbers take at most ten bytes each.
const ENTRIES: u32 = 100_000;

/// The facts and heads that a redaction or erasure was decided on.
struct RemovalBasis {
    enrollment: Facts,
    heads: Vec<Head>,
    asked_ms: u64,
}

impl RemovalBasis {
    fn fresh(&self, next: Next) -> Result<(), Refused> {
        if is_too_old(self.asked_ms, next) { Err(Refused::DecisionTooOld) } else { Ok(()) }
    }
}

impl Inner {
    pub(super) async fn redact_value(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<RedactValue>(envelope).await?;
        let (study, asked_ms) = (received.command.study, now_ms());
        let needs = redaction_needs(&received.command, &received.envelope);
        let (head, enrollment) = self.enrollment.facts(study, &needs).await?;
        let heads = vec![head.ok_or_else(|| refused(Refusal::StudyUnknown))?];
        let basis = RemovalBasis { enrollment, heads, asked_ms };
        let before = Before::find(self.store.reader(), &Signed::of(&received, Service::Capture)).await?;
        if before == Before::Itself {
            return self.first_receipt(&received).await;
        }
        admit_redaction(&received.command, &received.envelope, &basis.enrollment, asked_ms).map_err(refused)?;
        check_new_redaction(&received.command, &basis.enrollment).map_err(refused)?;
        let (stored, seen) = self.without_value(&received.command).await?;
        before.must_be_new()?;
        let key = self.store.redacted_key(study, received.command.entry);
        let (number, index) = (received.command.entry, received.command.index);
        let erased = self.store.erased_key(&self.store.participant_key(study, &received.command.participant));
        self.record(received, basis, vec![key, erased], move |command, envelope, facts, found, next| {
            admit_redaction(command, envelope, facts, next.time)?;
            if found.0.contains_key(&erased) {
                return Err(Refusal::Erased.into());
            }
            if found.0.get(&key) != seen.as_ref() {
                return Err(Refused::RedactionRaced);
            }
            let mark = [next.number.to_be_bytes().as_slice(), &index.to_be_bytes()].concat();
            Ok(Decision { facts: vec![(key, mark)], replaced: vec![(number, stored)] })
        })
        .await
    }

    /// What will be stored of the submission without the value, and the mark of the redaction before this one.
    async fn without_value(&self, redact: &RedactValue) -> Result<(Vec<u8>, Option<Vec<u8>>), Problem> {
        let stream = Service::Capture.stream(redact.study);
        let key = self.store.redacted_key(redact.study, redact.entry);
        let marks = self.store.reader().history(stream, &key, None, MAX_MARKS).await.map_err(not_read)?;
        let (recorded, mut content, _) =
            self.store.submission(stream, redact.entry).await.map_err(|error| match error {
                StoreError::Read(ReadError::NotFound) => refused(Refusal::ValueNotThere), // as of an entry of somebody else
                error => Problem::from(error),
            })?;
        if recorded.header.instance.participant != redact.participant {
            return Err(refused(Refusal::ValueNotThere));
        }
        let place = usize::try_from(redact.index).ok().and_then(|index| content.datapoints.get_mut(index));
        let Some(kept) = place else { return Err(refused(Refusal::ValueNotThere)) };
        let datapoint = kept
            .whole()
            .map(Datapoint::parse)
            .ok_or_else(|| refused(Refusal::ValueNotThere))?
            .map_err(|_| damaged())?;
        if datapoint.item != redact.item.as_str() || datapoint.repeat != redact.repeat {
            return Err(refused(Refusal::ValueNotThere));
        }
        *kept = Kept::Leaf(leaf(kept).0);
        let participant = self.store.participant_key(redact.study, &redact.participant);
        let sealed = self.store.seal_content(&participant, &recorded.entry.envelope, &content).await?;
        Ok((sealed, marks.into_iter().next_back().map(|(_, mark)| mark)))
    }

    pub(super) async fn erase_participant(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<EraseParticipant>(envelope).await?;
        let (study, asked_ms) = (received.command.study, now_ms());
        let participant = received.command.participant.clone();
        let needs = erasure_needs(&received.command, &received.envelope);
        let (head, enrollment) = self.enrollment.facts(study, &needs).await?;
        let head = head.ok_or_else(|| refused(Refusal::StudyUnknown))?;
        let (reference, request) = (self.store.participant_key(study, &participant), received.command.request);
        let before = Before::find(self.store.reader(), &Signed::of(&received, Service::Capture)).await?;
        if before == Before::Itself {
            let receipt = self.first_receipt(&received).await?;
            self.store.vault().destroy(&reference.0).await.map_err(|error| vault_failed(&error))?;
            return Ok(receipt);
        }
        admit_erasure(&received.command, &received.envelope, &enrollment, asked_ms).map_err(refused)?;
        check_new_erasure(&received.command, &enrollment).map_err(refused)?;
        let consent = self.gate.without_consent(study, &participant).await?;
        let basis = RemovalBasis { enrollment, heads: [Some(head), consent].into_iter().flatten().collect(), asked_ms };
        if !self.store.are_entries_of(study, &participant, &received.command.entries).await? {
            return Err(refused(Refusal::ErasureIncomplete));
        }
        before.must_be_new()?;
        let latest = received.command.entries.last().copied();
        let erased = self.store.erased_key(&reference);
        let stream = received.stream(Service::Capture);
        let erasure = Erasure::begin(self.store.vault(), reference, stream, request).await;
        let erasure = erasure.map_err(|error| vault_failed(&error))?;
        let rule = move |command: &EraseParticipant, envelope: &_, facts: &_, found: &Found, next: Next| {
            admit_erasure(command, envelope, facts, next.time)?;
            if found.0.contains_key(&erased) {
                return Err(Refusal::Erased.into());
            }
            // Anything captured since the entries were listed would be left out of the signed list.
            if found.0.get(&reference).and_then(|mark| newest(mark)).is_some_and(|newest| Some(newest) != latest) {
                return Err(Refusal::ErasureIncomplete.into());
            }
            Ok(Decision { facts: vec![(erased, Vec::new())], ..Decision::default() })
        };
        let recorded = self.record(received, basis, vec![erased, reference], rule).await;
        let recording = match &recorded {
            Ok(_) => Recording::Recorded,
            Err(problem) if problem.code == Code::Unavailable => Recording::Unknown,
            Err(_) => Recording::Refused,
        };
        erasure.end(recording).await.map_err(|error| vault_failed(&error))?;
        recorded
    }

    async fn record<P: Payload + Send + Sync + 'static>(
        &self,
        received: Received<P>,
        basis: RemovalBasis,
        reads: Vec<Hash>,
        rule: impl FnOnce(&P, &Envelope, &Facts, &Found, Next) -> Result<Decision, Refused> + Send + 'static,
    ) -> Result<Receipt, Problem> {
        let signed = Signed::of(&received, Service::Capture);
        let Received { bytes, envelope, command, .. } = received;
        let proposal = signed.propose_opaque(bytes, basis.heads.clone(), reads, move |found, next| {
            basis.fresh(next)?;
            rule(&command, &envelope, &basis.enrollment, found, next)
        });
        Ok(receipt_message(self.journal.append(proposal).await.map_err(not_recorded)?))
    }

    /// The receipt of a command that was recorded before: what it took out is not there to be checked again.
    async fn first_receipt<P: Payload>(&self, received: &Received<P>) -> Result<Receipt, Problem> {
        let stream = received.stream(Service::Capture);
        let found = self.store.reader().recorded(stream, &[received.command.request().0]).await.map_err(not_read)?;
        let (_, number) = found.into_iter().next().ok_or_else(damaged)?;
        Ok(receipt_message(self.store.reader().receipt(stream, number).await.map_err(not_read)?))
    }

    pub(super) async fn list_entries(
        &self,
        from: &Caller,
        request: pb::ListEntriesRequest,
    ) -> Result<pb::ListEntriesResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        let caller = access::actor(from, study, &self.enrollment, now_ms()).await?;
        let subject = [subject::participant(&participant)];
        let (_, facts) = self.enrollment.facts(study, &subject).await?;
        let everywhere = Name::all_sites();
        let site = facts.site_of(&participant).unwrap_or(&everywhere);
        let tasks = [Task::Erase, Task::Audit];
        let held = access::holds_any(&caller, study, &tasks, site, &self.enrollment, now_ms()).await;
        held.map_err(access::Denied::of_participant)?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(
                token
                    .parse()
                    .map_err(|_| Problem::field("MALFORMED", "page_token", "not a page token of this call"))?,
            ),
        };
        let entries = self.store.entries_of(study, &participant, after, ENTRIES).await?;
        let last = entries.last().filter(|_| entries.len() == ENTRIES as usize);
        let next_page_token = last.map_or_else(String::new, ToString::to_string);
        Ok(pb::ListEntriesResponse { entries, next_page_token })
    }
}
