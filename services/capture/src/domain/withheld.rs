//! Taking values out: one by one, or with their participant.

use super::Refusal;
use seal::{
    authority::{authorise, delegations, subjects},
    command::{EraseParticipant, RedactValue, Task},
    dsse::Envelope,
    fact::{Facts, Subject},
    id::Name,
};

/// The facts of the enrollment journal a redaction needs.
pub fn redaction_needs(redact: &RedactValue, envelope: &Envelope) -> Vec<Subject> {
    let mut needs = subjects(&redact.by, envelope.key_ids(), Task::Redact, &redact.site);
    needs.extend(delegations(&redact.second, Task::Redact, &redact.site));
    needs.extend([Subject::Study, Subject::Participant(redact.participant.clone())]);
    needs
}

/// Whether two persons entitled to signed a redaction at `time`. That the value is there is for the caller to see.
pub fn admit_redaction(redact: &RedactValue, envelope: &Envelope, facts: &Facts, time: u64) -> Result<(), Refusal> {
    belongs(facts, &redact.participant, &redact.site)?;
    if redact.by == redact.second {
        return Err(Refusal::Field { field: "envelope.payload.second".to_owned(), fault: super::Fault::ItemRepeated });
    }
    for person in [&redact.by, &redact.second] {
        authorise(facts, envelope, person, Task::Redact, &redact.site, time)?;
    }
    Ok(())
}

/// The facts of the enrollment journal an erasure needs.
pub fn erasure_needs(erase: &EraseParticipant, envelope: &Envelope) -> Vec<Subject> {
    let mut needs = subjects(&erase.by, envelope.key_ids(), Task::Erase, &erase.site);
    needs.extend([Subject::Study, Subject::Participant(erase.participant.clone())]);
    needs
}

/// Whether somebody entitled to ordered an erasure at `time`. That consent ended, and that the entries are all of the
/// participant's, is for the caller to see.
pub fn admit_erasure(erase: &EraseParticipant, envelope: &Envelope, facts: &Facts, time: u64) -> Result<(), Refusal> {
    belongs(facts, &erase.participant, &erase.site)?;
    authorise(facts, envelope, &erase.by, Task::Erase, &erase.site, time)?;
    if erase.entries.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(Refusal::ErasureIncomplete) }
}

/// Checks that the participant is of the site, whether or not they have left.
fn belongs(facts: &Facts, participant: &Name, site: &Name) -> Result<(), Refusal> {
    if facts.find(&Subject::Study).is_none() {
        return Err(Refusal::StudyUnknown);
    }
    if facts.site_of(participant) == Some(site) { Ok(()) } else { Err(Refusal::NotEnrolled) }
}
