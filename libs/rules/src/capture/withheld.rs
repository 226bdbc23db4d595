//! Redacting single values, and erasing participants.

use super::{Refusal, on_time};
use seal::{dsse::Envelope, id::Name};
use vocabulary::{
    authority::{authorise, delegations, kinds, subjects, two_persons},
    command::{EraseParticipant, RedactValue, Task},
    fact::Facts,
    subject::{self, Subject},
};

/// The facts of the enrollment journal a redaction needs.
pub fn redaction_needs(redact: &RedactValue, envelope: &Envelope) -> Vec<Subject> {
    let mut needs = subjects(&redact.by, envelope.key_ids(), Task::Redact, &redact.site);
    needs.extend(delegations(&redact.second, Task::Redact, &redact.site));
    needs.extend([subject::study(), subject::participant(&redact.participant)]);
    needs.extend(kinds([&redact.by, &redact.second]));
    needs
}

/// Whether two persons entitled to signed a redaction at `time`. That the value is there is for the caller to see.
pub fn admit_redaction(redact: &RedactValue, envelope: &Envelope, facts: &Facts, time: u64) -> Result<(), Refusal> {
    study_exists(facts)?;
    if redact.by == redact.second {
        return Err(Refusal::Field { field: "envelope.payload.second".to_owned(), fault: super::Fault::ItemRepeated });
    }
    let entitled = |person| authorise(facts, envelope, person, Task::Redact, &redact.site, time);
    let ((_, one), (_, other)) = (entitled(&redact.by)?, entitled(&redact.second)?);
    if facts.rules() >= Some(3) {
        two_persons(facts, (&redact.by, &one), (&redact.second, &other))?;
    }
    on_time(redact, facts, time)?;
    belongs(facts, &redact.participant, &redact.site)
}

/// The facts of the enrollment journal an erasure needs.
pub fn erasure_needs(erase: &EraseParticipant, envelope: &Envelope) -> Vec<Subject> {
    let mut needs = subjects(&erase.by, envelope.key_ids(), Task::Erase, &erase.site);
    needs.extend([subject::study(), subject::participant(&erase.participant)]);
    needs
}

/// Whether somebody entitled to ordered an erasure at `time`. That consent ended, and that the entries are all of the
/// participant's, is for the caller to see.
pub fn admit_erasure(erase: &EraseParticipant, envelope: &Envelope, facts: &Facts, time: u64) -> Result<(), Refusal> {
    study_exists(facts)?;
    authorise(facts, envelope, &erase.by, Task::Erase, &erase.site, time)?;
    on_time(erase, facts, time)?;
    belongs(facts, &erase.participant, &erase.site)?;
    if erase.entries.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(Refusal::ErasureIncomplete) }
}

fn study_exists(facts: &Facts) -> Result<(), Refusal> {
    facts.find(&subject::study()).map(drop).ok_or(Refusal::StudyUnknown)
}

/// Checks that the participant is of the site, whether or not they have left.
fn belongs(facts: &Facts, participant: &Name, site: &Name) -> Result<(), Refusal> {
    if facts.site_of(participant) == Some(site) { Ok(()) } else { Err(Refusal::NotEnrolled) }
}
