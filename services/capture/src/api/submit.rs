//! Commands: form definitions, submissions and corrections.

use super::{
    Inner,
    refusals::{refusal_message, refused},
};
use crate::{
    domain::{self, Refusal, Refused},
    gate::Basis,
    store,
};
use admission::{Received, receive};
use facts::FactSource;
use journal::{Decision, Found, Next, Proposal};
use messages::receipt_message;
use problem::Problem;
use proto::{
    capture::{self as pb, submit_forms_response::Outcome},
    types::Receipt,
};
use record::{Signed, is_too_old, not_recorded};
use seal::id::{Name, Service, Uuid};
use std::sync::Arc;
use vocabulary::{
    authority::{authorise, subjects},
    command::{DefineForms, Submission, Task},
    subject,
};

/// A submission that waits for its turn.
pub(super) struct Prepared {
    proposal: Proposal<Refused>,
    reconsent_by: Option<u64>,
}

impl Inner {
    pub(super) async fn define_forms(&self, envelope: Vec<u8>) -> Result<Receipt, Problem> {
        let received = receive::<DefineForms>(envelope).await?;
        domain::check_forms(&received.command).map_err(refused)?;
        let everywhere = Name::all_sites();
        let by = &received.command.by;
        let mut needs = subjects(by, received.envelope.key_ids(), Task::DefineForms, &everywhere);
        needs.push(subject::study());
        let asked_ms = clock::now_ms();
        let (head, facts) = self.enrollment.facts(received.command.study, &needs).await?;
        let head = head.ok_or_else(|| refused(Refusal::StudyUnknown))?;
        let key = self.store.forms_key(received.command.study, &received.command.version);
        let signed = Signed::of(&received, Service::Capture);
        let Received { bytes, envelope, command, .. } = received;
        let rule = move |found: &Found, next: Next| {
            if is_too_old(asked_ms, next) {
                return Err(Refused::DecisionTooOld);
            }
            authorise(&facts, &envelope, &command.by, Task::DefineForms, &Name::all_sites(), next.time)
                .map_err(Refusal::from)?;
            domain::on_time(&command, &facts, next.time)?;
            domain::check_new_forms(&command, &facts)?;
            if found.0.contains_key(&key) {
                return Err(Refusal::FormsVersionExists.into());
            }
            Ok(Decision { facts: vec![(key, Vec::new())], ..Decision::default() })
        };
        let proposal = signed.propose_opaque(bytes, vec![head], vec![key], rule);
        Ok(receipt_message(self.journal.append(proposal).await.map_err(not_recorded)?))
    }

    /// Records a submission. Gives its receipt, and by when consent anew is asked for, if it is.
    pub(super) async fn submit(
        &self,
        envelope: Vec<u8>,
        datapoints: Vec<Vec<u8>>,
    ) -> Result<(Receipt, Option<u64>), Problem> {
        let Prepared { proposal, reconsent_by } = self.prepare(envelope, datapoints).await?;
        let receipt = self.journal.append(proposal).await.map_err(not_recorded)?;
        telemetry::meters().submissions.add(1);
        Ok((receipt_message(receipt), reconsent_by))
    }

    /// Does what there is to do about a submission before its turn.
    pub(super) async fn prepare(&self, envelope: Vec<u8>, datapoints: Vec<Vec<u8>>) -> Result<Prepared, Problem> {
        let received = receive::<Submission>(envelope).await?;
        let submission = &received.command;
        let values = domain::check_header(submission, &datapoints).map_err(refused)?;
        let basis = self.gate.basis(submission, &received.envelope).await?;
        let now = clock::now_ms();
        domain::admit(submission, &received.envelope, &basis.enrollment, now).map_err(refused)?;
        let reconsent_by = basis.consent.clone().map_err(refused)?.reconsent_by;
        let forms = self.forms(submission.study, &submission.forms_version).await?;
        domain::check_values(submission, &values, &forms).map_err(refused)?;
        domain::check_new(submission, &values, &forms, (&basis.enrollment, now)).map_err(refused)?;

        let listed = !forms.events.is_empty();
        let keys = self.store.keys(submission.study, &submission.instance);
        let stored = self.store.seal(&keys.participant, &received.hash, &received.bytes, &datapoints).await?;
        let (signed, heads) = (Signed::of(&received, Service::Capture), basis.heads.clone());
        let reads = vec![keys.instance, keys.erased, keys.alike];
        let proposal = signed.propose_opaque(stored, heads, reads, move |found, next| {
            record(&received, &basis, &keys, listed, found, next)
        });
        Ok(Prepared { proposal, reconsent_by })
    }

    async fn forms(&self, study: Uuid, version: &Name) -> Result<Arc<DefineForms>, Problem> {
        let name = (study, version.clone());
        if let Some(forms) = self.forms.get(&name) {
            return Ok(forms);
        }
        let key = self.store.forms_key(study, version);
        let forms = self.store.forms(Service::Capture.stream(study), &key).await?;
        let forms = Arc::new(forms.ok_or_else(|| refused(Refusal::FormsVersionUnknown))?);
        self.forms.insert(name, forms.clone());
        Ok(forms)
    }

    /// Puts what was prepared in line, and gives what awaits its answer.
    pub(super) async fn take_turn(
        &self,
        prepared: Result<Prepared, Problem>,
    ) -> impl Future<Output = pb::SubmitFormsResponse> + Send + use<> {
        let proposed = match prepared {
            Ok(Prepared { proposal, reconsent_by }) => match self.journal.propose(proposal).await {
                Ok(decision) => Ok((decision, reconsent_by)),
                Err(error) => Err(not_recorded(error)),
            },
            Err(problem) => Err(problem),
        };
        async move {
            let outcome = match proposed {
                Ok((decision, reconsent_by)) => {
                    decision.await.map(|appended| (appended.receipt, reconsent_by)).map_err(not_recorded)
                }
                Err(problem) => Err(problem),
            };
            let (outcome, reconsent_by) = match outcome {
                Ok((receipt, reconsent_by)) => {
                    telemetry::meters().submissions.add(1);
                    (Outcome::Receipt(receipt_message(receipt)), reconsent_by)
                }
                Err(problem) => (Outcome::Refusal(refusal_message(problem)), None),
            };
            let reconsent_by_ms = reconsent_by.unwrap_or(0);
            pb::SubmitFormsResponse { sequence: 0, outcome: Some(outcome), reconsent_by_ms }
        }
    }
}

/// The last word, at the entry's own time and place: the delegation still covers it, the decision is not too old, and
/// nobody else recorded this form instance in between. `listed`: its event is on the study's list.
fn record(
    received: &Received<Submission>,
    basis: &Basis,
    keys: &store::Keys,
    listed: bool,
    found: &Found,
    next: Next,
) -> Result<Decision, Refused> {
    let submission = &received.command;
    let consent = basis.consent.as_ref().map_err(Clone::clone)?;
    let ended = consent.until.is_some_and(|until| next.time >= until);
    if ended || is_too_old(basis.asked_ms, next) {
        return Err(Refused::DecisionTooOld);
    }
    if found.0.contains_key(&keys.erased) {
        return Err(Refusal::Erased.into());
    }
    vocabulary::authority::holds(&basis.enrollment, &submission.by, Task::Capture, &submission.site, next.time)
        .map_err(Refusal::from)?;
    domain::on_time(submission, &basis.enrollment, next.time)?;
    let latest = found.0.get(&keys.instance).and_then(|bytes| bytes.as_slice().try_into().ok()).map(u64::from_be_bytes);
    domain::fits(submission, latest)?;
    let first = submission.corrects.is_none();
    let known = found.0.get(&keys.alike);
    let otherwise = known.is_some_and(|spelt| *spelt != keys.spelt.0);
    // An event on a list is the right one, whatever was captured before there was a list.
    if first && otherwise && !listed && basis.enrollment.rules() >= Some(3) {
        return Err(Refusal::EventAlike.into());
    }
    let mark = store::mark(first, next.number);
    let mut facts = vec![(keys.instance, next.number.to_be_bytes().to_vec()), (keys.participant, mark)];
    if known.is_none() || (otherwise && listed) {
        facts.push((keys.alike, keys.spelt.0.to_vec()));
    }
    Ok(Decision { facts, ..Decision::default() })
}
