//! The rules of informed consent and of access. No clock, no I/O, no transport types.
//!
//! A command names the facts it needs of the enrollment journal and of its own; given both, it decides.

mod access;
mod document;
mod give;
mod withdraw;

pub use access::{may_read, reader_needs};

use seal::{
    dsse::Envelope,
    id::Name,
    moment::{self, Untimely},
};
use std::collections::{BTreeMap, BTreeSet};
use vocabulary::{
    authority::{Unauthorised, holds, signing_key},
    command::{Payload, Provision, Relation, Task},
    consent::{NotInForce, decides_for},
    fact::{self, Fact, Facts, Given},
    subject::{self, List, Subject},
};

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
    /// No consent to it is in force.
    #[error(transparent)]
    NotInForce(#[from] NotInForce),
    /// The study does not exist.
    #[error("the study does not exist")]
    StudyUnknown,
    /// The study runs under its first rules, which do not know this command.
    #[error("this study's rules are older and do not have this command")]
    RulesOutdated,
    /// The document exists already.
    #[error("this version of the document exists already in this language")]
    DocumentExists,
    /// The document was not published.
    #[error("this version of the document was not published in this language")]
    DocumentUnknown,
    /// The document is not in use yet.
    #[error("the document is not effective yet")]
    DocumentNotEffective,
    /// A newer version is in use.
    #[error("a newer version of the document is in use")]
    DocumentSuperseded,
    /// The document is for other sites.
    #[error("the document is not for this site")]
    DocumentNotForSite,
    /// It was not signed for this moment.
    #[error(transparent)]
    Untimely(#[from] Untimely),
    /// It was signed before what it rests on, or ends.
    #[error(
        "by its signer's clock it was signed before {0}: correct the clock and sign again, or give the reason in `late`"
    )]
    OutOfOrder(&'static str),
    /// The participant is not of age.
    #[error("the participant is not of age: the parents must consent, with the participant's assent")]
    NotOfAge,
    /// Nobody has said whether the participant was registered before.
    #[error(
        "the participant may already be registered: someone with manage_study at every site must first record whether it is the same person"
    )]
    Held,
    /// Nothing the participant consented to stands.
    #[error("the participant has no consent in force")]
    NothingInForce,
    /// The participant is not enrolled there, or has left.
    #[error("the participant is not enrolled at that site, or has left the trial")]
    NotEnrolled,
    /// The site is closed.
    #[error("the site is not open")]
    SiteNotOpen,
    /// The document does not ask for it.
    #[error("the document does not offer this provision")]
    ProvisionNotOffered,
    /// Nobody takes part without it.
    #[error("a mandatory provision was not agreed to; participation requires it")]
    MandatoryDeclined,
    /// The comprehension questions were not answered well enough.
    #[error("{right} questions were answered correctly, but {needed} are required")]
    QuizNotPassed {
        /// How many were.
        right: u32,
        /// How many are needed.
        needed: u32,
    },
    /// The document does not let consent be given so.
    #[error("the document does not allow {0}")]
    NotAdmitted(&'static str),
    /// Nobody of that name was registered to sign for the participant so.
    #[error("this actor is not registered as the participant's {0}")]
    RepresentativeUnknown(&'static str),
    /// No such device.
    #[error("this actor is not a registered device")]
    DeviceUnknown,
    /// The grantee is nobody.
    #[error("no actor of this name is registered in the study")]
    GranteeUnknown,
    /// The grant exists already.
    #[error("the participant has a grant of this name already")]
    GrantExists,
    /// There is no such grant for the reader.
    #[error("the participant has given this reader no grant of this name")]
    GrantUnknown,
    /// The grant was revoked, or everything was withdrawn after it.
    #[error("the participant ended this grant")]
    GrantEnded,
    /// The grant's period has not begun or is over.
    #[error("the grant does not cover this time")]
    GrantOutsidePeriod,
    /// The grant was used as often as it may be.
    #[error("the grant was used as often as it allows")]
    GrantUsedUp,
    /// The grant covers other categories, or another purpose.
    #[error("the grant covers other categories, or another purpose")]
    GrantDoesNotCover,
    /// The request to read was signed too long ago.
    #[error("the request to read was signed more than five minutes ago: sign a new one")]
    AccessStale,
    /// The request to read was signed too far ahead of the service's clock.
    #[error(
        "the request to read was signed more than thirty seconds ahead of the service's clock: correct the clock and sign again"
    )]
    AccessAhead,
    /// A field has a value it may not have.
    #[error("{field}: {what}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// Decides which facts of the consent journal change: whether the command is for this moment, then what its kind demands.
pub fn decide<P: Rule>(command: &P, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
    if facts.rules() >= Some(3) {
        moment::on_time(command, next.time)?;
    }
    command.decide(envelope, facts, next)
}

/// What a kind of command does.
pub trait Rule: Payload {
    /// The facts of the enrollment journal its decision needs.
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject>;

    /// The facts of the consent journal its decision needs, given those of the enrollment journal.
    fn needs(&self, enrollment: &Facts) -> Vec<Subject>;

    /// What its kind demands and changes; [`decide`] asks for it.
    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal>;
}

/// The rules the study runs under.
fn rules(facts: &Facts) -> Result<u32, Refusal> {
    facts.rules().ok_or(Refusal::StudyUnknown)
}

/// Checks that the study runs under rules that know more than consent to everything at once.
fn present_rules(facts: &Facts) -> Result<(), Refusal> {
    if rules(facts)? >= 2 { Ok(()) } else { Err(Refusal::RulesOutdated) }
}

fn malformed<T>(field: &'static str, what: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Malformed { field, what })
}

/// How a participant's consent stands.
#[derive(Debug, Clone, Default)]
struct Standing {
    provisions: BTreeMap<Provision, Given>,
    majority: Option<u64>,
    emptied: Option<u64>,
    declined: BTreeSet<Provision>,
}

impl Standing {
    fn find(facts: &Facts, participant: &Name) -> Self {
        match facts.find(&subject::consent(participant)) {
            Some(Fact::Consent(fact::Consent { provisions, majority, emptied, declined })) => Self {
                provisions: provisions.clone(),
                majority: *majority,
                emptied: *emptied,
                declined: declined.clone(),
            },
            _ => Self::default(),
        }
    }

    /// How the consent stands that a participant gives. Whoever takes part again has refused what they refused with their own key
    /// under the registration before, and comes of age when it was said then.
    fn before_giving(facts: &Facts, participant: &Name) -> Self {
        let mut registrations = [participant].into_iter().chain(earlier(facts, participant));
        let with_consent = registrations.find(|one| facts.find(&subject::consent(one)).is_some());
        let mut standing = Self::find(facts, with_consent.unwrap_or(participant));
        if with_consent.is_some_and(|one| one != participant) {
            standing.provisions.retain(|_, state| state.refused);
            standing.emptied = None;
        }
        standing
    }

    fn fact(self, participant: &Name) -> (Subject, Fact) {
        let Self { provisions, majority, emptied, declined } = self;
        (subject::consent(participant), Fact::Consent(fact::Consent { provisions, majority, emptied, declined }))
    }
}

/// The registrations under which a participant took part before, the newest first.
fn earlier<'a>(enrollment: &'a Facts, participant: &Name) -> impl Iterator<Item = &'a Name> {
    let (earlier, before) = match enrollment.find(&subject::same(participant)) {
        Some(Fact::Same { earlier, before, .. }) => (Some(earlier), before.as_slice()),
        _ => (None, [].as_slice()),
    };
    earlier.into_iter().chain(before)
}

/// The list of what a participant's consent went through. What gives a right is signed on its newest item.
fn consents(participant: &Name) -> Subject {
    subject::list(&List::Consents(participant.clone()))
}

/// Checks, from rules 3 on, that the signer saw the newest item of the participant's list.
fn on_newest<P: Payload>(command: &P, facts: &Facts, participant: &Name) -> Result<(), Refusal> {
    if facts.rules() < Some(3) {
        return if command.seen().is_none() { Ok(()) } else { Err(Refusal::RulesOutdated) };
    }
    Ok(moment::seen(command, facts.newest(&consents(participant)))?)
}

/// Checks that who records a command late may: what ends something is always recorded.
fn late<P: Payload>(command: &P, facts: &Facts, site: &Name, next: Next) -> Result<(), Refusal> {
    match command.late() {
        None => Ok(()),
        Some(_) if facts.rules() < Some(3) => Err(Refusal::RulesOutdated),
        Some(_) => holds(facts, command.by(), Task::RecordLate, site, next.time).map(drop).map_err(Refusal::from),
    }
}

fn each_once(field: &'static str, provisions: &[Provision]) -> Result<(), Refusal> {
    let mut sorted = provisions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.is_empty() || sorted.len() != provisions.len() {
        return malformed(field, "at least one, and each at most once");
    }
    Ok(())
}

/// Whether `actor` is registered as `relation` of the participant, and acts at that time.
fn represents(facts: &Facts, participant: &Name, actor: &Name, relation: Relation, next: Next) -> bool {
    let subject = subject::representative(participant, actor);
    match facts.find(&subject) {
        Some(Fact::Representative(fact::Representative { relation: theirs, until, .. })) => {
            *theirs == relation && until.is_none_or(|until| next.time < until)
        }
        _ => false,
    }
}

/// Checks that the participant signed, or somebody who decides for them.
fn signed_by_or_for(
    facts: &Facts,
    envelope: &Envelope,
    (by, participant): (&Name, &Name),
    next: Next,
) -> Result<(), Refusal> {
    signing_key(facts, envelope, by)?; // first: whom somebody represents is said to themselves
    if by != participant && !decides_for(facts, participant, by, next.time) {
        return Err(Refusal::RepresentativeUnknown("representative"));
    }
    Ok(())
}

/// Checks that the participant belongs to the site, whether or not they have left.
fn belongs(facts: &Facts, participant: &Name, site: &Name) -> Result<(), Refusal> {
    if facts.site_of(participant) == Some(site) { Ok(()) } else { Err(Refusal::NotEnrolled) }
}

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
