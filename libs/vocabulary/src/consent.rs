//! The consent journal: its commands, and whether a consent is in force.

mod command;

pub use command::{
    AccessData, Collected, GrantAccess, ItemRead, RequestConsent, RevokeAccess, WithdrawConsent, WithdrawalScope,
};
pub use seal::{
    command::{
        Answer, Approval, Assent, Capacity, DocumentVersion, GiveConsent, Manner, Notice, Offer, Provision,
        PublishDocument, Question, Quiz, Reconsent, ReconsentMode, Terms,
    },
    consent::{InForce, NotInForce, holds},
};

use crate::{
    fact::{self, Fact, Facts, Given},
    subject::{self, Subject},
};
use seal::id::Name;

/// The state of one provision of a participant.
pub fn given<'a>(facts: &'a Facts, participant: &Name, provision: &Provision) -> Option<&'a Given> {
    match facts.find(&subject::consent(participant)) {
        Some(Fact::Consent(fact::Consent { provisions, .. })) => provisions.get(provision),
        _ => None,
    }
}

/// The version of the document a provision was given under.
pub fn document(given: &Given) -> Subject {
    subject::document(&given.document, &given.version, &given.language)
}

/// Whether `actor` decides for a participant at `time` (Unix milliseconds): registered as their representative or parent, and
/// from rules 3 on only while something they gave in that capacity stands. `facts` hold the study, the registration and the
/// participant's consent.
pub fn decides_for(facts: &Facts, participant: &Name, actor: &Name, time: u64) -> bool {
    if !facts.decides_for(participant, actor) {
        return false;
    }
    if facts.rules() < Some(3) {
        return true;
    }
    let acts = match facts.find(&subject::representative(participant, actor)) {
        Some(Fact::Representative(fact::Representative { until, .. })) => until.is_some_and(|until| time < until),
        _ => false,
    };
    let gave = |given: &Given| given.given_by.contains(actor) && given.stands(time);
    match facts.find(&subject::consent(participant)) {
        Some(Fact::Consent(fact::Consent { provisions, .. })) => acts && provisions.values().any(gave),
        _ => false,
    }
}

/// Whether `provision` of `participant` may be relied on at `time` (Unix milliseconds). `facts` hold the participant's
/// consent and the document it was given under.
pub fn in_force(facts: &Facts, participant: &Name, provision: &Provision, time: u64) -> Result<InForce, NotInForce> {
    let given = given(facts, participant, provision).ok_or(NotInForce::Missing)?;
    match facts.find(&document(given)) {
        Some(Fact::Document(fact::Document { superseded, .. })) => holds(given, superseded.as_ref(), time),
        _ => Err(NotInForce::Missing),
    }
}
