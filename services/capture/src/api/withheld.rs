//! Redacting single values, and erasing participants.

use super::{Inner, problem::refused, read::name};
use crate::{
    domain::{
        Refusal, Refused, admit_erasure, admit_redaction, check_new_erasure, check_new_redaction, erasure_needs,
        redaction_needs,
    },
    store::{damaged, leaf, newest, vault_problem},
};
use access::{Caller, FactSource};
use journal::{Decision, Found, Next, Proposal, api::receipt_message};
use proto::{capture as pb, types::Receipt};
use seal::{
    Hash,
    datapoint::Datapoint,
    dsse::Envelope,
    entry::{Entry, Head},
    id::{Name, Service, Uuid},
};
use server::{Problem, Received, now_ms, receive, study};
use tonic::Code;
use vault::Kept;
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
struct Basis {
    enrollment: Facts,
    heads: Vec<Head>,
    asked_ms: u64,
}

impl Basis {
    fn fresh(&self, next: Next) -> Result<(), Refused> {
        let late = next.time > self.asked_ms.saturating_add(seal::MAX_DECISION_USE_MS);
        if late { Err(Refused::DecisionTooOld) } else { Ok(()) }
    }
}

/// What was recorded before under a request.
enum Before {
    Nothing,
    This(Receipt),
    Another,
}

impl Before {
    /// Refuses a request id that was already used with another envelope. Checked last: other reasons take precedence.
    fn must_be_new(&self) -> Result<(), Problem> {
        match self {
            Self::Another => Err(journal::AppendError::<Refused>::RequestReused.into()),
            Self::Nothing | Self::This(_) => Ok(()),
        }
    }
}

impl Inner {
    pub(super) async fn redact_value(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<RedactValue>(envelope).await?;
        let (study, asked_ms) = (received.command.study, now_ms());
        let needs = redaction_needs(&received.command, &received.envelope);
        let (head, enrollment) = self.enrollment.facts(study, &needs).await?;
        let heads = vec![head.ok_or_else(|| refused(Refusal::StudyUnknown))?];
        let basis = Basis { enrollment, heads, asked_ms };
        let before = self.recorded_before(study, &received).await?;
        if let Before::This(receipt) = before {
            return Ok(receipt);
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
            Ok(Decision { facts: vec![(key, mark)], restored: vec![(number, stored)] })
        })
        .await
    }

    /// What will be stored of the submission without the value, and the mark of the redaction before this one.
    async fn without_value(&self, redact: &RedactValue) -> Result<(Vec<u8>, Option<Vec<u8>>), Problem> {
        let stream = Service::Capture.stream(redact.study);
        let key = self.store.redacted_key(redact.study, redact.entry);
        let marks = self.store.reader().history(stream, &key, None, MAX_MARKS).await?;
        let (recorded, mut content, _) =
            self.store.submission(stream, redact.entry).await.map_err(|problem| match problem.code {
                Code::NotFound => refused(Refusal::ValueNotThere), // as of an entry of somebody else
                _ => problem,
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

    /// Erases a participant.
    ///
    /// **Invariants.** A key is destroyed only if its erasure is in the journal; and if an erasure is in the journal, its key
    /// is destroyed sooner or later, whatever crashes in between. The vault and the journal are different databases, so the
    /// order matters:
    ///
    /// 1. The vault notes the intent under the request's id (`doom`). Nothing is destroyed yet.
    /// 2. The journal records the command; its rule refuses if anything was captured since the entries were listed.
    /// 3. Recorded: the key is destroyed. Refused: the note is removed (`spare`). Unknown: the note stays, and
    ///    `finish_erasures`, or the same command sent again, reads the journal and finishes.
    pub(super) async fn erase_participant(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<EraseParticipant>(envelope).await?;
        let (study, asked_ms) = (received.command.study, now_ms());
        let participant = received.command.participant.clone();
        let needs = erasure_needs(&received.command, &received.envelope);
        let (head, enrollment) = self.enrollment.facts(study, &needs).await?;
        let head = head.ok_or_else(|| refused(Refusal::StudyUnknown))?;
        let (reference, request) = (self.store.participant_key(study, &participant), received.command.request.0);
        let before = self.recorded_before(study, &received).await?;
        if let Before::This(receipt) = before {
            self.destroy(&reference).await?;
            return Ok(receipt);
        }
        admit_erasure(&received.command, &received.envelope, &enrollment, asked_ms).map_err(refused)?;
        check_new_erasure(&received.command, &enrollment).map_err(refused)?;
        let consent = self.gate.without_consent(study, &participant).await?;
        let basis = Basis { enrollment, heads: [Some(head), consent].into_iter().flatten().collect(), asked_ms };
        if !self.store.are_entries_of(study, &participant, &received.command.entries).await? {
            return Err(refused(Refusal::ErasureIncomplete));
        }
        before.must_be_new()?;
        let latest = received.command.entries.last().copied();
        let erased = self.store.erased_key(&reference);
        let vault = self.store.vault();
        let stream = received.stream(Service::Capture);
        vault.doom(&reference.0, &stream.0.0, &request).await.map_err(|error| vault_problem(&error))?;
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
        match self.record(received, basis, vec![erased, reference], rule).await {
            Ok(receipt) => {
                self.destroy(&reference).await?;
                Ok(receipt)
            }
            // Unknown whether it was recorded: the note stays (step 3).
            Err(problem) if problem.code == Code::Unavailable => Err(problem),
            Err(problem) => {
                vault.spare(&reference.0, &request).await.map_err(|error| vault_problem(&error))?;
                Err(problem)
            }
        }
    }

    async fn destroy(&self, reference: &Hash) -> Result<(), Problem> {
        self.store.vault().destroy(&reference.0).await.map_err(|error| vault_problem(&error))
    }

    async fn record<P: Payload + Send + Sync + 'static>(
        &self,
        received: Received<P>,
        basis: Basis,
        reads: Vec<Hash>,
        rule: impl FnOnce(&P, &Envelope, &Facts, &Found, Next) -> Result<Decision, Refused> + Send + 'static,
    ) -> Result<Receipt, Problem> {
        let stream = received.stream(Service::Capture);
        let Received { bytes, hash, envelope, command } = received;
        let request = command.request();
        let proposal = Proposal {
            stream,
            request,
            kind: P::KIND,
            envelope: hash,
            stored: bytes,
            basis: basis.heads.clone(),
            reads,
            rule: Box::new(move |found, next| {
                basis.fresh(next)?;
                rule(&command, &envelope, &basis.enrollment, found, next)
            }),
        };
        Ok(receipt_message(self.journal.append(proposal).await?))
    }

    /// What is already recorded under the request id of a command. If it is the command itself, its receipt is returned without
    /// new checks, because the values it removed can no longer be checked.
    async fn recorded_before<P: Payload>(&self, study: Uuid, received: &Received<P>) -> Result<Before, Problem> {
        let stream = Service::Capture.stream(study);
        let found = self.store.reader().recorded(stream, &[received.command.request().0]).await?;
        let Some((_, number)) = found.into_iter().next() else { return Ok(Before::Nothing) };
        let receipt = self.store.reader().receipt(stream, number).await?;
        let entry = Entry::parse(&receipt.entry).map_err(|_| damaged())?;
        if entry.envelope == received.hash {
            return Ok(Before::This(receipt_message(receipt)));
        }
        Ok(Before::Another)
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
