//! The capture journal of a study: forms, submissions, and what was taken out.

use super::{
    Report, StoredEntry,
    study::{Record, Study, envelope},
};
use rayon::prelude::*;
use rules::capture as rule;
use seal::{
    Hash,
    datapoint::Datapoint,
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service},
    text::is_in_words,
};
use std::collections::{HashMap, HashSet};
use tlog::merkle;
use vocabulary::{
    authority::authorise,
    command::{DefineForms, EraseParticipant, FormInstance, Payload, Provision, RedactValue, Submission, Task},
    consent::{self, NotInForce},
    fact::{self, Fact, Facts},
    subject,
};

/// What is known of the capture journal so far.
#[derive(Default)]
pub(super) struct Captured {
    forms: HashMap<Name, (u64, DefineForms)>,
    latest: HashMap<FormInstance, u64>,
    /// Of each submission that can be read: whose it is.
    readable: HashMap<u64, Name>,
    unreadable: Vec<u64>,
    /// Entries that were erased, and by which entry.
    erased: HashMap<u64, u64>,
    pub(super) gone: HashSet<Name>,
    /// Whether an entry could not be read.
    pub(super) lost: bool,
    /// Values that are not there, and values that were taken out, by entry and place.
    missing: HashSet<(u64, u32)>,
    redacted: HashMap<(u64, u32), u64>,
    /// The study events, by what those that look the same have in common: each spelling, and the entry that used it first.
    events: HashMap<String, Vec<(Name, u64)>>,
}

impl Study<'_> {
    /// Checks entries of the capture journal: what needs no order in parallel, then the order.
    pub(super) fn captured(&mut self, records: &[Record], report: &mut Report) {
        let judged: Vec<&Record> = records.iter().filter(|record| self.rests_on_what_is_known(&record.entry)).collect();
        report.unjudged += (records.len() - judged.len()) as u64;
        for record in judged.iter().filter(|record| record.entry.kind == DefineForms::KIND) {
            self.judge(record, report, Self::forms);
        }
        let this = &*self;
        let checked: Vec<_> = judged
            .into_par_iter()
            .filter(|record| record.entry.kind != DefineForms::KIND)
            .map(|record| {
                let mut part = Report::default();
                let readable = record.entry.kind == Submission::KIND && !record.stored.unreadable;
                let outcome = readable.then(|| this.submission(record, &mut part));
                (record, outcome, part)
            })
            .collect();
        for (record, outcome, part) in checked {
            report.commands += u64::from(outcome.is_some() || record.entry.kind != Submission::KIND);
            report.datapoints += part.datapoints;
            report.oldest_decision_ms = report.oldest_decision_ms.max(part.oldest_decision_ms);
            match (outcome, record.entry.kind.as_str()) {
                (Some(outcome), _) => {
                    let placed = outcome.and_then(|(submission, envelope)| {
                        self.order(Service::Capture, &record.entry, (&envelope, &[]), report)?;
                        self.after_consent(&record.entry, &submission, report);
                        self.as_new(&record.entry, &submission, report);
                        self.in_order(record, submission, &envelope)
                    });
                    if let Err(what) = placed {
                        self.find(report, Service::Capture, record.entry.number, what);
                    }
                }
                (None, Submission::KIND) => self.captured.unreadable.push(record.entry.number),
                (None, RedactValue::KIND) => self.judge(record, report, Self::redaction),
                (None, EraseParticipant::KIND) => self.judge(record, report, Self::erasure),
                (None, _) => {
                    self.find(report, Service::Capture, record.entry.number, "an unknown kind of command");
                }
            }
        }
    }

    fn judge(
        &mut self,
        record: &Record,
        report: &mut Report,
        check: impl FnOnce(&mut Self, &Record, &mut Report) -> Result<(), String>,
    ) {
        if let Err(what) = check(self, record, report) {
            self.find(report, Service::Capture, record.entry.number, what);
        }
    }

    /// Remarks on what is refused when it is new, and earlier programs recorded.
    fn as_new(&mut self, entry: &Entry, submission: &Submission, report: &mut Report) {
        let mut remark = |what: String| report.remark(self.id, Service::Capture, entry.number, what);
        if submission.collected.as_ref().is_some_and(|collected| rule::is_future(collected, entry.time)) {
            remark("says that its data were collected after it was recorded".to_owned());
        }
        if submission.reason.as_ref().is_some_and(|reason| !is_in_words(reason)) {
            remark("corrects without a reason in words".to_owned());
        }
        let event = &submission.instance.event;
        let spellings = self.captured.events.entry(rule::alike(event.as_str())).or_default();
        if spellings.iter().any(|(known, _)| known == event) {
            return;
        }
        if let Some((_, first)) = spellings.first() {
            remark(format!("has an event that looks like that of entry {first} but is spelt otherwise"));
        }
        spellings.push((event.clone(), entry.number));
    }

    fn in_order(&mut self, record: &Record, submission: Submission, envelope: &Envelope) -> Result<(), String> {
        self.once(Service::Capture, envelope)?;
        let number = record.entry.number;
        let latest = self.captured.latest.get(&submission.instance).copied();
        rule::fits(&submission, latest).map_err(|refusal| refusal.to_string())?;
        let participant = submission.instance.participant.clone();
        if self.captured.gone.contains(&participant) {
            return Err("was captured after its participant was erased".to_owned());
        }
        self.captured.latest.insert(submission.instance, number);
        self.captured.readable.insert(number, participant);
        self.captured.missing.extend(record.stored.redacted.iter().map(|place| (number, *place)));
        Ok(())
    }

    fn forms(&mut self, record: &Record, report: &mut Report) -> Result<(), String> {
        let Record { entry, stored, .. } = record;
        let envelope = envelope(entry, stored)?;
        self.once(Service::Capture, &envelope)?;
        let forms: DefineForms = envelope.payload().map_err(|error| error.to_string())?;
        let basis = self.basis(entry, Service::Enrollment, report)?;
        let everywhere = Name::all_sites();
        let subjects = vocabulary::authority::subjects(&forms.by, envelope.key_ids(), Task::DefineForms, &everywhere);
        let subjects = [subjects, vec![subject::study()]].concat();
        let facts = self.enrollment.facts(&subjects, basis);
        authorise(&facts, &envelope, &forms.by, Task::DefineForms, &everywhere, entry.time)
            .map_err(|error| error.to_string())?;
        rule::on_time(&forms, &facts, entry.time).map_err(|refusal| refusal.to_string())?;
        report.commands += 1;
        rule::check_forms(&forms).map_err(|refusal| refusal.to_string())?;
        if !forms.events.is_empty() && facts.rules() < Some(3) {
            return Err(rule::Refusal::RulesOutdated.to_string());
        }
        match self.captured.forms.insert(forms.version.clone(), (entry.number, forms)) {
            None => Ok(()),
            Some(_) => Err("defines a version of the forms again".to_owned()),
        }
    }

    fn submission(&self, record: &Record, report: &mut Report) -> Result<(Submission, Envelope), String> {
        let Record { entry, stored, .. } = record;
        let envelope = envelope(entry, stored)?;
        let submission: Submission = envelope.payload().map_err(|error| error.to_string())?;
        let said = |refusal: rule::Refusal| refusal.to_string();
        let enrollment = self.basis(entry, Service::Enrollment, report)?;
        let consent = self.basis(entry, Service::Consent, report)?;
        let facts = self.enrollment.facts(&rule::needs(&submission, &envelope), enrollment);
        rule::admit(&submission, &envelope, &facts, entry.time).map_err(said)?;
        let participant = &submission.instance.participant;
        self.consents(participant, &submission.rests_on(), (consent, entry.time)).map_err(|why| why.to_string())?;
        let forms = self.captured.forms.get(&submission.forms_version);
        let (_, forms) =
            forms.filter(|(defined, _)| *defined < entry.number).ok_or("names form definitions that did not exist")?;
        if stored.redacted.is_empty() {
            let values = rule::check_header(&submission, &stored.datapoints).map_err(said)?;
            rule::check_values(&submission, &values, forms).map_err(said)?;
            report.datapoints = values.len() as u64;
        } else {
            report.datapoints = rest_of(&submission, stored)?;
        }
        Ok((submission, envelope))
    }

    /// Whether a provision was in force in consent state `number`, at `time`.
    pub(super) fn consents(
        &self,
        who: &Name,
        provision: &Provision,
        (number, time): (u64, u64),
    ) -> Result<(), NotInForce> {
        consent::in_force(&self.consent_facts(who, number), who, provision, time).map(drop)
    }

    /// A participant's consent in state `number`, and the documents it was given under.
    fn consent_facts(&self, participant: &Name, number: u64) -> Facts {
        let subject = subject::consent(participant);
        let mut subjects = vec![subject.clone()];
        if let Some(Fact::Consent(fact::Consent { provisions, .. })) = self.consent.at(&subject, number) {
            subjects.extend(provisions.values().map(consent::document));
        }
        self.consent.facts(&subjects, number)
    }

    fn redaction(&mut self, record: &Record, report: &mut Report) -> Result<(), String> {
        let Record { entry, stored, .. } = record;
        let envelope = envelope(entry, stored)?;
        self.once(Service::Capture, &envelope)?;
        let redact: RedactValue = envelope.payload().map_err(|error| error.to_string())?;
        let basis = self.basis(entry, Service::Enrollment, report)?;
        let facts = self.enrollment.facts(&rule::redaction_needs(&redact, &envelope), basis);
        rule::admit_redaction(&redact, &envelope, &facts, entry.time).map_err(|refusal| refusal.to_string())?;
        let whose = self.captured.readable.get(&redact.entry);
        if whose.is_some_and(|whose| *whose != redact.participant) {
            return Err("takes out a value of another participant".to_owned());
        }
        match self.captured.redacted.insert((redact.entry, redact.index), entry.number) {
            None => Ok(()),
            Some(_) => Err("redacts a value that was already redacted".to_owned()),
        }
    }

    fn erasure(&mut self, record: &Record, report: &mut Report) -> Result<(), String> {
        let Record { entry, stored, .. } = record;
        let envelope = envelope(entry, stored)?;
        self.once(Service::Capture, &envelope)?;
        let erase: EraseParticipant = envelope.payload().map_err(|error| error.to_string())?;
        let basis = self.basis(entry, Service::Enrollment, report)?;
        let facts = self.enrollment.facts(&rule::erasure_needs(&erase, &envelope), basis);
        rule::admit_erasure(&erase, &envelope, &facts, entry.time).map_err(|refusal| refusal.to_string())?;
        self.nothing_consented(&erase, entry, report)?;
        for number in erase.entries.iter().filter(|number| **number < entry.number) {
            self.captured.erased.insert(*number, entry.number);
        }
        self.captured.gone.insert(erase.participant);
        Ok(())
    }

    /// Checks that whatever the participant consented to had been withdrawn.
    fn nothing_consented(&self, erase: &EraseParticipant, entry: &Entry, report: &mut Report) -> Result<(), String> {
        let subject = subject::consent(&erase.participant);
        if entry.basis_in(Service::Consent.stream(erase.study)).is_none() {
            let ever = self.consent.at(&subject, u64::MAX).is_some();
            return if ever { Err("names no consent head it rests on".to_owned()) } else { Ok(()) };
        }
        let consent = self.basis(entry, Service::Consent, report)?;
        match self.consent.at(&subject, consent) {
            Some(Fact::Consent(fact::Consent { provisions, .. }))
                if provisions.values().any(|given| given.withdrawn.is_none()) =>
            {
                Err("erases a participant who withdrew not everything".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Checks that what cannot be read was taken out or erased, and that what was taken out cannot be read.
    pub(super) fn withheld(&mut self, report: &mut Report) {
        if !self.is_whole() {
            return; // the command that took something out may be among what was not judged
        }
        let captured = std::mem::take(&mut self.captured);
        for number in captured.unreadable.iter().filter(|number| !captured.erased.contains_key(number)) {
            self.find(
                report,
                Service::Capture,
                *number,
                "its stored values cannot be decrypted, although nobody erased the participant",
            );
        }
        for number in captured.erased.keys().filter(|number| captured.readable.contains_key(number)) {
            self.find(report, Service::Capture, *number, "was erased and can still be read");
        }
        for (number, place) in captured.missing.iter().filter(|at| !captured.redacted.contains_key(at)) {
            self.find(report, Service::Capture, *number, format!("lacks value {place}, which nobody redacted"));
        }
        for (number, place) in captured.redacted.keys().filter(|at| !captured.missing.contains(at)) {
            if captured.readable.contains_key(number) {
                self.find(
                    report,
                    Service::Capture,
                    *number,
                    format!("still contains value {place}, which was redacted"),
                );
            }
        }
        report.erased = captured.unreadable.len() as u64;
        report.redacted = captured.redacted.len() as u64;
    }
}

/// Checks what is left of a submission of which values were taken out against its signed header; gives how many are left.
fn rest_of(submission: &Submission, stored: &StoredEntry) -> Result<u64, String> {
    let out: HashSet<u32> = stored.redacted.iter().copied().collect();
    let leaf = |(place, bytes): (u32, &Vec<u8>)| {
        if out.contains(&place) { Hash::from_slice(bytes) } else { Some(merkle::leaf_hash(bytes)) }
    };
    let leaves: Option<Vec<Hash>> = (0..).zip(&stored.datapoints).map(leaf).collect();
    let leaves = leaves.ok_or("does not contain the hash of the redacted value")?;
    if merkle::root(&leaves) != submission.root.0 || leaves.len() != submission.count as usize {
        return Err("has other datapoints than the signed header".to_owned());
    }
    let whole = (0..).zip(&stored.datapoints).filter(|(place, _): &(u32, _)| !out.contains(place));
    for (_, bytes) in whole.clone() {
        Datapoint::parse(bytes).map_err(|error| error.to_string())?;
    }
    Ok(whole.count() as u64)
}
