//! What no rule of a study refuses and its reader should know: signatures long before their entries, or before what they follow.

use super::{Report, replay::State, study::Study};
use seal::{
    MAX_CLOCK_AHEAD_MS,
    dsse::Envelope,
    entry::Entry,
    id::{Name, Service},
    moment::MAX_AGE_MS,
};
use serde::Deserialize;
use vocabulary::{
    command::Submission,
    fact::{self, Fact},
    subject::{self, Subject},
};

/// What payloads say of their moment.
#[derive(Deserialize)]
struct Moment {
    time: u64,
    late: Option<Name>,
}

impl Study<'_> {
    /// Remarks on the age of a signature, and on its place among those before it, given what its command changed.
    pub(super) fn order(
        &self,
        service: Service,
        entry: &Entry,
        (envelope, changes): (&Envelope, &[(Subject, Fact)]),
        report: &mut Report,
    ) -> Result<(), String> {
        let Moment { time, late } = envelope.common().map_err(|error| error.to_string())?;
        let mut remark = |what: String| report.remark(self.id, service, entry.number, what);
        let hours = entry.time.saturating_sub(time) / 3_600_000;
        if late.is_some() {
            remark(format!("was recorded late, {hours} hours after it was signed, as it declares"));
        } else if time.saturating_add(MAX_AGE_MS) < entry.time {
            remark(format!("was recorded {hours} hours after it was signed"));
        }
        let state = if service == Service::Enrollment { &self.enrollment } else { &self.consent };
        for (subject, fact) in changes {
            for earlier in follows(state, subject, fact, entry.number) {
                let recorded = state.time(earlier).unwrap_or(0);
                if time.saturating_add(MAX_CLOCK_AHEAD_MS) < recorded {
                    remark(format!("was signed before entry {earlier}, which it follows, was recorded"));
                }
            }
        }
        Ok(())
    }
}

impl Study<'_> {
    /// Remarks on a submission that was signed before the consent it rests on was recorded: no rule compares the two.
    pub(super) fn after_consent(&self, entry: &Entry, submission: &Submission, report: &mut Report) {
        let subject = subject::consent(&submission.instance.participant);
        let head = entry.basis_in(Service::Consent.stream(self.id));
        let given = match head.and_then(|head| self.consent.at(&subject, head.number)) {
            Some(Fact::Consent(fact::Consent { provisions, .. })) => provisions.get(&submission.rests_on()),
            _ => None,
        };
        let recorded = given.and_then(|given| Some((given.given, self.consent.time(given.given)?)));
        if let Some((number, time)) =
            recorded.filter(|(_, time)| submission.time.saturating_add(MAX_CLOCK_AHEAD_MS) < *time)
        {
            let hours = (time - submission.time) / 3_600_000;
            let what =
                format!("was signed {hours} hours before the consent it is based on, entry {number}, was recorded");
            report.remark(self.id, Service::Capture, entry.number, what);
        }
    }
}

/// The entries before `number` that whoever set `subject` to `fact` should have seen: the one before about the same right,
/// and the publication of each document consented to.
fn follows(state: &State, subject: &Subject, fact: &Fact, number: u64) -> Vec<u64> {
    let right = matches!(subject.kind(), "consent" | "delegation" | "grant" | "site-approval" | "study-state");
    let mut entries: Vec<u64> = state.newest(subject).filter(|_| right).into_iter().collect();
    if let Fact::Consent(fact::Consent { provisions, .. }) = fact {
        for given in provisions.values().filter(|given| given.given == number) {
            let document = vocabulary::consent::document(given);
            if let Some(Fact::Document(fact::Document { published, .. })) = state.at(&document, number) {
                entries.push(*published);
            }
        }
        entries.sort_unstable();
        entries.dedup();
    }
    entries
}
