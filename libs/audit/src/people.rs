//! Screening and randomisation: what their rules cannot see, because it was secret or is sealed.

use super::{Report, StoredEntry, study::Study};
use allocation::{List, check, replay};
use eligibility::Criteria;
use seal::{
    MAX_CLOCK_AHEAD_MS, MAX_DECISION_AGE_MS,
    datapoint::{self, Datapoint},
    dsse::Envelope,
    entry::{Entry, Head},
    id::{Name, Service},
};
use std::collections::HashMap;
use vocabulary::{
    allocation::{Method, Scheme, Secret},
    command::{Payload, Provision, Randomise, RecordScreening, RevealAllocation, Stage},
    fact::{self, Fact},
    subject::{self, List as FactList, Subject},
};

/// What is known of screenings and allocations so far.
#[derive(Default)]
pub(super) struct People {
    /// The entry of each screening, whose it is, and whether it can be read.
    screenings: Vec<(u64, Name, bool)>,
    /// Entries that rest on a consent in force: whose, and at which head and time.
    consented: Vec<(u64, Name, Option<Head>, u64)>,
    /// Of everybody randomised, by allocation and in order: who, and their levels.
    randomised: HashMap<Name, Vec<(Name, Vec<Name>)>>,
}

impl Study<'_> {
    /// Checks what an accepted command says against what came with it, before its changes are taken in.
    pub(super) fn person(
        &mut self,
        entry: &Entry,
        envelope: &Envelope,
        stored: &StoredEntry,
        report: &mut Report,
    ) -> Result<(), String> {
        fn payload<P: Payload>(envelope: &Envelope) -> Result<P, String> {
            envelope.payload().map_err(|error| error.to_string())
        }
        match entry.kind.as_str() {
            RecordScreening::KIND => {
                let screening: RecordScreening = payload(envelope)?;
                self.rests_on_consent(entry, &screening.participant);
                self.people.screenings.push((entry.number, screening.participant.clone(), true));
                report.screenings += 1;
                self.evaluate(&screening, &stored.datapoints)
            }
            Randomise::KIND => {
                let Randomise { participant, allocation, levels, .. } = payload(envelope)?;
                self.rests_on_consent(entry, &participant);
                self.people.randomised.entry(allocation).or_default().push((participant, levels));
                Ok(())
            }
            RevealAllocation::KIND => self.recompute(&payload(envelope)?, report),
            _ => Ok(()),
        }
    }

    fn rests_on_consent(&mut self, entry: &Entry, participant: &Name) {
        let head = entry.basis_in(Service::Consent.stream(self.id)).copied();
        self.people.consented.push((entry.number, participant.clone(), head, entry.time));
    }

    /// Checks, once the consent journal was replayed, that those screened and randomised consented.
    pub(super) fn consented(&mut self, report: &mut Report) {
        for (number, participant, head, time) in std::mem::take(&mut self.people.consented) {
            if head.is_some_and(|head| !self.consent.is_known(head.number)) {
                report.unjudged += 1;
                continue;
            }
            if let Err(what) = self.consented_at(&participant, head, time) {
                self.find(report, Service::Enrollment, number, what);
            }
        }
    }

    fn consented_at(&self, participant: &Name, head: Option<Head>, time: u64) -> Result<(), String> {
        let head = head.ok_or("rests on no consent")?;
        let known = self.consent.hash(head.number);
        if known.is_none() && time.saturating_add(MAX_CLOCK_AHEAD_MS) >= self.begun_ms {
            return Ok(()); // recorded while the audit ran, which had counted the consent journal before
        }
        if known != Some(head.hash) {
            return Err(format!("is based on a consent entry {} that is not in the journal", head.number));
        }
        let age = self.consent.age(head.number, time);
        if age > MAX_DECISION_AGE_MS {
            return Err(format!("is based on a consent state that was superseded {age} ms before"));
        }
        let state = (head.number, time);
        self.consents(participant, &Provision::data_collection(), state).map_err(|why| why.to_string())
    }

    /// Evaluates the answers of a screening again.
    fn evaluate(&self, screening: &RecordScreening, answers: &[Vec<u8>]) -> Result<(), String> {
        if datapoint::root(answers) != screening.root.0 || answers.len() != screening.count as usize {
            return Err("has other answers than the signed root".to_owned());
        }
        let answers: Result<Vec<Datapoint>, _> = answers.iter().map(|bytes| Datapoint::parse(bytes)).collect();
        let answers = answers.map_err(|error| error.to_string())?;
        let subject = subject::criteria(&screening.criteria);
        let Some(Fact::Criteria { items, criteria, .. }) = self.enrollment.at(&subject, u64::MAX) else {
            return Err("names criteria that did not exist".to_owned());
        };
        let criteria = Criteria::compile(items, criteria).map_err(|fault| fault.to_string())?;
        if criteria.evaluate(&answers) != screening.outcomes {
            return Err("states other outcomes than its answers give".to_owned());
        }
        Ok(())
    }

    /// Recomputes a revealed allocation: the committed list, and a place in it for everybody who was randomised.
    fn recompute(&self, reveal: &RevealAllocation, report: &mut Report) -> Result<(), String> {
        let subject = subject::allocation(&reveal.allocation);
        let Some(Fact::Allocation { scheme, commitment, root, .. }) = self.enrollment.at(&subject, u64::MAX) else {
            return Err("reveals an allocation that did not exist".to_owned());
        };
        let secret = Secret { seed: reveal.seed.0.0, block_sizes: reveal.block_sizes.clone() };
        check(scheme, &secret, &commitment.0, root.as_ref().map(|root| &root.0))
            .map_err(|error| format!("reveals something other than what was committed to: {error}"))?;
        let none = Vec::new();
        let randomised = self.people.randomised.get(&reveal.allocation).unwrap_or(&none);
        if matches!(scheme.method, Method::Minimisation { .. }) {
            minimised(scheme, &secret, randomised)?;
        } else {
            self.listed(scheme, &secret, randomised)?;
        }
        report.allocations += randomised.len() as u64;
        Ok(())
    }

    fn listed(&self, scheme: &Scheme, secret: &Secret, randomised: &[(Name, Vec<Name>)]) -> Result<(), String> {
        let list = List::generate(scheme, secret).map_err(|error| error.to_string())?;
        for (participant, _) in randomised {
            let found = self.enrollment.at(&subject::randomised(participant), u64::MAX);
            let place = match found {
                Some(Fact::Randomised { stratum, index, .. }) => Some(stratum).zip(u32::try_from(*index).ok()),
                _ => None,
            };
            place.and_then(|(stratum, index)| list.slot(stratum, index)).ok_or("lacks a slot that was allocated")?;
        }
        Ok(())
    }

    /// What a screening changed whose answers were erased: taken from the facts it set, which may be only what a screening
    /// of a participant at that stage can set. That they are the ones it did set is seen by the state root.
    pub(super) fn erased_screening(
        &mut self,
        entry: &Entry,
        stored: &StoredEntry,
    ) -> Result<Vec<(Subject, Fact)>, String> {
        let set = |subject: &Subject| {
            let key = subject.map_key(self.id);
            let (_, fact) = stored.set.iter().find(|(of, _)| of.as_slice() == key.0)?;
            Fact::parse(fact)
        };
        let participants = self.enrollment.subjects().filter(|subject| subject.kind() == subject::PARTICIPANT);
        let participants = participants.filter_map(|subject| match subject.names() {
            [participant] => participant.parse::<Name>().ok(),
            _ => None,
        });
        let mut screened = participants.filter(|one| set(&subject::screening(one)).is_some());
        let participant = screened.next().filter(|_| stored.set.len() == 3);
        let participant = participant.ok_or("cannot be decrypted, and set facts that no screening sets")?;
        let subjects = [
            subject::participant(&participant),
            subject::list(&FactList::Participant(participant.clone())),
            subject::screening(&participant),
        ];
        let changes: Option<Vec<_>> =
            subjects.into_iter().map(|subject| Some((subject.clone(), set(&subject)?))).collect();
        let changes = changes.filter(|changes| self.follows(entry, &participant, changes));
        let changes = changes.ok_or("cannot be decrypted, and set facts that no screening sets")?;
        self.people.screenings.push((entry.number, participant, false));
        Ok(changes)
    }

    /// Whether these are the changes of a screening.
    fn follows(&self, entry: &Entry, participant: &Name, changes: &[(Subject, Fact)]) -> bool {
        let before = |subject: Subject| self.enrollment.at(&subject, u64::MAX);
        let (place, list) =
            (subject::participant(participant), subject::list(&FactList::Participant(participant.clone())));
        let Some(Fact::Participant(fact::Participant {
            site,
            enrolled,
            withdrawn: None,
            stage: Some(Stage::Screened),
        })) = before(place)
        else {
            return false;
        };
        let [
            (_, is),
            (_, Fact::Count { count, newest: None }),
            (_, Fact::Screening { criteria, eligible, overridden, decided, .. }),
        ] = changes
        else {
            return false;
        };
        let stage = if *eligible || *overridden { Stage::Eligible } else { Stage::ScreenFailed };
        let (site, enrolled) = (site.clone(), *enrolled);
        let length = match before(list) {
            Some(Fact::Count { count, newest: None }) => *count,
            _ => 0,
        };
        *is == Fact::Participant(fact::Participant { site, enrolled, withdrawn: None, stage: Some(stage) })
            && *count == length + 1
            && *decided == entry.number
            && !(*eligible && *overridden)
            && before(subject::criteria_in_force()) == Some(&Fact::CriteriaInForce { version: criteria.clone() })
    }

    /// Checks that exactly the screenings of erased participants cannot be read.
    pub(super) fn screenings(&mut self, report: &mut Report) {
        if !self.is_whole() {
            return; // the command that erased somebody may be among what was not judged
        }
        for (number, participant, readable) in std::mem::take(&mut self.people.screenings) {
            let what = match (self.captured.gone.contains(&participant), readable) {
                (true, true) => "was erased and can still be read",
                (false, false) => "its stored values cannot be decrypted, although nobody erased the participant",
                _ => continue,
            };
            self.find(report, Service::Enrollment, number, what);
        }
    }
}

fn minimised(scheme: &Scheme, secret: &Secret, randomised: &[(Name, Vec<Name>)]) -> Result<(), String> {
    let levels: Vec<Vec<Name>> = randomised.iter().map(|(_, levels)| levels.clone()).collect();
    replay(scheme, secret, &levels).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
