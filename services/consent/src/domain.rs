//! The rules of informed consent. No clock, no I/O, no transport types.
//!
//! A command names the facts it needs of the enrollment journal and of its own; given both, it decides.

use seal::{
    authority::{Unauthorised, authorise, signing_key, subjects},
    command::{GiveConsent, Payload, Provision, PublishDocument, Task, WithdrawConsent},
    dsse::Envelope,
    fact::{Fact, Facts, Given, Subject},
    id::Name,
    text::is_day,
};
use std::collections::BTreeMap;

/// The facts a command changes.
pub type Changes = Vec<(Subject, Fact)>;

/// The entry a command will become.
#[derive(Debug, Clone, Copy)]
pub struct Next {
    /// Its number in the consent journal.
    pub number: u64,
    /// When it is recorded, Unix milliseconds.
    pub time: u64,
}

/// Why a command, or a capture, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signer may not do this.
    #[error(transparent)]
    Unauthorised(#[from] Unauthorised),
    /// The study does not exist.
    #[error("the study does not exist")]
    StudyUnknown,
    /// The document exists already.
    #[error("this version of the document exists already in this language")]
    DocumentExists,
    /// The document was not published.
    #[error("this version of the document was not published in this language")]
    DocumentUnknown,
    /// The participant is not enrolled there, or has left.
    #[error("the participant is not enrolled at that site, or has left the trial")]
    NotEnrolled,
    /// The site is closed.
    #[error("the site is not open")]
    SiteNotOpen,
    /// No consent was given.
    #[error("no consent to this was given")]
    ConsentMissing,
    /// Consent was withdrawn.
    #[error("consent to this was withdrawn")]
    ConsentWithdrawn,
    /// The facts it was decided on grew too old before it could be recorded.
    #[error("the facts this was decided on grew too old before it could be recorded: try again")]
    DecisionTooOld,
    /// A field has a value it may not have.
    #[error("{field}: {what}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// What a kind of command does.
pub trait Rule: Payload {
    /// The facts of the enrollment journal its decision needs.
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject>;

    /// The facts of the consent journal its decision needs.
    fn needs(&self) -> Vec<Subject>;

    /// Decides which facts of the consent journal change.
    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal>;
}

/// Whether `provision` may be relied on, given the fact about a participant's consent.
pub fn permits(fact: Option<&Fact>, provision: Provision) -> Result<(), Refusal> {
    let Some(Fact::Consent { provisions }) = fact else { return Err(Refusal::ConsentMissing) };
    match provisions.get(&provision) {
        None => Err(Refusal::ConsentMissing),
        Some(Given { withdrawn: Some(_), .. }) => Err(Refusal::ConsentWithdrawn),
        Some(Given { withdrawn: None, .. }) => Ok(()),
    }
}

impl Rule for PublishDocument {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::PublishDocuments, &Name::all_sites());
        needs.push(Subject::Study);
        needs
    }

    fn needs(&self) -> Vec<Subject> {
        vec![Subject::Document(self.document.clone(), self.version.clone(), self.language.clone())]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::PublishDocuments, &Name::all_sites(), next.time)?;
        if !is_day(self.approval.date.as_str()) {
            return Err(Refusal::Malformed { field: "approval.date", what: "not a day of the form YYYY-MM-DD" });
        }
        let subject = Subject::Document(self.document.clone(), self.version.clone(), self.language.clone());
        if facts.find(&subject).is_some() {
            return Err(Refusal::DocumentExists);
        }
        let fact = Fact::Document { content: self.content, approval: self.approval.clone(), published: next.number };
        Ok(vec![(subject, fact)])
    }
}

impl Rule for GiveConsent {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::ObtainConsent, &self.site);
        let who = [Subject::Participant(self.participant.clone()), Subject::Site(self.site.clone())];
        needs.push(Subject::Study);
        needs.extend(who);
        needs
    }

    fn needs(&self) -> Vec<Subject> {
        vec![
            Subject::Document(self.document.clone(), self.version.clone(), self.language.clone()),
            Subject::Consent(self.participant.clone()),
        ]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        authorise(facts, envelope, &self.by, Task::ObtainConsent, &self.site, next.time)?;
        signing_key(facts, envelope, &self.participant)?;
        if facts.site_of_active(&self.participant) != Some(&self.site) {
            return Err(Refusal::NotEnrolled);
        }
        if !facts.site_is_open(&self.site) {
            return Err(Refusal::SiteNotOpen);
        }
        let document = Subject::Document(self.document.clone(), self.version.clone(), self.language.clone());
        if facts.find(&document).is_none() {
            return Err(Refusal::DocumentUnknown);
        }
        each_once(&self.provisions)?;
        let mut provisions = given(facts, &self.participant);
        for provision in &self.provisions {
            let state = Given {
                given: next.number,
                document: self.document.clone(),
                version: self.version.clone(),
                language: self.language.clone(),
                withdrawn: None,
            };
            provisions.insert(*provision, state);
        }
        Ok(vec![(Subject::Consent(self.participant.clone()), Fact::Consent { provisions })])
    }
}

impl Rule for WithdrawConsent {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::ObtainConsent, &self.site);
        needs.extend([Subject::Study, Subject::Participant(self.participant.clone())]);
        needs
    }

    fn needs(&self) -> Vec<Subject> {
        vec![Subject::Consent(self.participant.clone())]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        if self.by == self.participant {
            signing_key(facts, envelope, &self.by)?;
        } else {
            authorise(facts, envelope, &self.by, Task::ObtainConsent, &self.site, next.time)?;
        }
        match facts.find(&Subject::Participant(self.participant.clone())) {
            Some(Fact::Participant { site, .. }) if *site == self.site => {}
            _ => return Err(Refusal::NotEnrolled),
        }
        each_once(&self.provisions)?;
        let subject = Subject::Consent(self.participant.clone());
        let mut provisions = given(facts, &self.participant);
        for provision in &self.provisions {
            permits(facts.find(&subject), *provision)?;
            if let Some(state) = provisions.get_mut(provision) {
                state.withdrawn = Some(next.number);
            }
        }
        Ok(vec![(subject, Fact::Consent { provisions })])
    }
}

fn study_exists(facts: &Facts) -> Result<(), Refusal> {
    facts.find(&Subject::Study).map(|_| ()).ok_or(Refusal::StudyUnknown)
}

fn given(facts: &Facts, participant: &Name) -> BTreeMap<Provision, Given> {
    match facts.find(&Subject::Consent(participant.clone())) {
        Some(Fact::Consent { provisions }) => provisions.clone(),
        _ => BTreeMap::new(),
    }
}

fn each_once(provisions: &[Provision]) -> Result<(), Refusal> {
    let mut sorted = provisions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.is_empty() || sorted.len() != provisions.len() {
        return Err(Refusal::Malformed { field: "provisions", what: "at least one, and each at most once" });
    }
    Ok(())
}
