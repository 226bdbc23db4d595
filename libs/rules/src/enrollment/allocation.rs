//! Randomisation: the commitment, each allocation, unblinding, the reveal. Which arm a participant has is in no fact.

use super::{
    Changes, Next, Refusal, Rule,
    enrolment::{Participation, must_enrol, openness, participation},
    grown, in_words, must_be_new, must_exist, needing, present_rules,
    study::state,
    third_rules,
};
use seal::{dsse::Envelope, id::Name, text::Hex};
use vocabulary::{
    allocation::{MAX_ARMS, MAX_SLOTS, Method, SEPARATOR, Scheme, Secret, commitment},
    authority::authorise,
    command::{CommitAllocation, Randomise, RevealAllocation, Stage, State, Task, Unblind},
    fact::{Fact, Facts},
    subject::{self, List, Subject},
};

/// The most roles that are told of an unblinding.
const MAX_NOTIFIED: usize = 32;

impl Rule for CommitAllocation {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let arms = self.scheme.arms.iter().take(MAX_ARMS).map(|arm| subject::arm(&arm.arm));
        let more = arms.chain([subject::allocation(&self.allocation), subject::list(&List::Study)]);
        needing(self, envelope, (Task::ManageAllocation, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageAllocation, &Name::all_sites(), next.time)?;
        let subject = subject::allocation(&self.allocation);
        must_be_new(facts, &subject, "allocation")?;
        self.scheme.check().map_err(|_| Refusal::Malformed { field: "scheme", what: "out of range" })?;
        for arm in &self.scheme.arms {
            must_exist(facts, &subject::arm(&arm.arm), "arm")?;
        }
        if self.root.is_some() != has_list(&self.scheme) {
            return Err(Refusal::Malformed {
                field: "root",
                what: "given where the method makes a list, and only there",
            });
        }
        let fact = Fact::Allocation {
            scheme: self.scheme.clone(),
            commitment: self.commitment,
            root: self.root,
            committed: next.number,
            revealed: None,
        };
        Ok(vec![(subject, fact), grown(facts, &List::Study)])
    }
}

fn has_list(scheme: &Scheme) -> bool {
    !matches!(scheme.method, Method::Minimisation { .. })
}

/// An allocation as committed to.
struct Committed<'a> {
    scheme: &'a Scheme,
    commitment: Hex,
    root: Option<Hex>,
    committed: u64,
}

/// The allocation, unless its secret is public.
fn committed<'a>(facts: &'a Facts, allocation: &Name, revealed: Refusal) -> Result<Committed<'a>, Refusal> {
    match facts.find(&subject::allocation(allocation)) {
        Some(Fact::Allocation { scheme, commitment, root, committed, revealed: None }) => {
            Ok(Committed { scheme, commitment: *commitment, root: *root, committed: *committed })
        }
        Some(Fact::Allocation { .. }) => Err(revealed),
        _ => Err(Refusal::NotFound("allocation")),
    }
}

impl Rule for Randomise {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let strata = [String::new(), named(&self.levels)];
        let more = [subject::allocation(&self.allocation), subject::list(&List::Randomised(self.allocation.clone()))]
            .into_iter()
            .chain(strata.map(|stratum| subject::stratum(&self.allocation, &stratum)))
            .chain(openness(&self.site))
            .chain(participation(&self.participant));
        needing(self, envelope, (Task::Enrol, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        let found = Participation::find(facts, &self.participant, &self.site)?;
        if found.stage != Stage::Enrolled {
            return found.cannot(Stage::Randomised);
        }
        must_enrol(facts, &self.site)?;
        let scheme = committed(facts, &self.allocation, Refusal::AllocationRevealed)?.scheme;
        if third_rules(facts) {
            known_levels(scheme, self)?;
        }
        let (stratum, places) = list(scheme, &self.levels)?;
        let taken = subject::stratum(&self.allocation, &stratum);
        let index = facts.count(&taken);
        if index >= places {
            return Err(Refusal::StratumExhausted);
        }
        let fact = Fact::Randomised { allocation: self.allocation.clone(), stratum, index, randomised: next.number };
        let mut changes = found.enter(facts, Stage::Randomised, next);
        changes.extend([
            (subject::randomised(&self.participant), fact),
            facts.one_more(taken),
            grown(facts, &List::Randomised(self.allocation.clone())),
        ]);
        Ok(changes)
    }
}

/// The factor whose level is known: the participant's site.
const SITE_FACTOR: &str = "site";

/// Checks that what is known is not stated otherwise: nobody gets into another site's stratum.
fn known_levels(scheme: &Scheme, command: &Randomise) -> Result<(), Refusal> {
    let stated = scheme.factors.iter().zip(&command.levels);
    match stated.into_iter().find(|(factor, _)| factor.factor.as_str().eq_ignore_ascii_case(SITE_FACTOR)) {
        Some((factor, level)) if *level != command.site => Err(Refusal::LevelMismatch(factor.factor.clone())),
        _ => Ok(()),
    }
}

/// The list that serves a participant with these levels, and how long it is. Minimisation has one, in the order of all.
fn list(scheme: &Scheme, levels: &[Name]) -> Result<(String, u64), Refusal> {
    let malformed = |_| Refusal::Malformed { field: "levels", what: "one level of each of the scheme's factors" };
    if has_list(scheme) {
        let stratum = scheme.stratum(levels).map_err(malformed)?;
        return Ok((stratum.name, u64::from(scheme.slots_per_stratum())));
    }
    scheme.level_indices(levels).map(|_| (String::new(), MAX_SLOTS)).map_err(malformed)
}

/// The name of the stratum of these levels, where the method has strata.
fn named(levels: &[Name]) -> String {
    let names: Vec<&str> = levels.iter().map(Name::as_str).collect();
    names.join(&SEPARATOR.to_string())
}

impl Rule for Unblind {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = participation(&self.participant).into_iter().chain([subject::randomised(&self.participant)]);
        needing(self, envelope, (Task::Unblind, &self.site), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::Unblind, &self.site, next.time)?;
        Participation::find(facts, &self.participant, &self.site)?;
        facts.find(&subject::randomised(&self.participant)).ok_or(Refusal::NotRandomised)?;
        in_words("reason", &self.reason)?;
        if self.notified.is_empty() || self.notified.len() > MAX_NOTIFIED {
            return Err(Refusal::Malformed { field: "notified", what: "1 to 32 roles that were notified" });
        }
        let fact = Fact::Unblinded { by: self.by.clone(), recorded: next.number };
        let list = grown(facts, &List::Participant(self.participant.clone()));
        Ok(vec![(subject::unblinded(&self.participant), fact), list])
    }
}

impl Rule for RevealAllocation {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let allocation = subject::allocation(&self.allocation);
        let more = [allocation, subject::study_state(), subject::list(&List::Study)];
        needing(self, envelope, (Task::ManageAllocation, &Name::all_sites()), more)
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ManageAllocation, &Name::all_sites(), next.time)?;
        let found = committed(facts, &self.allocation, Refusal::AlreadyEnded("allocation"))?;
        if !matches!(state(facts), State::Paused | State::Closed) {
            return Err(Refusal::RevealTooEarly);
        }
        let secret = Secret { seed: self.seed.0.0, block_sizes: self.block_sizes.clone() };
        let fits = secret.check(found.scheme).is_ok() && commitment(found.scheme, &secret) == found.commitment.0;
        if !fits {
            return Err(Refusal::CommitmentMismatch);
        }
        let fact = Fact::Allocation {
            scheme: found.scheme.clone(),
            commitment: found.commitment,
            root: found.root,
            committed: found.committed,
            revealed: Some(next.number),
        };
        Ok(vec![(subject::allocation(&self.allocation), fact), grown(facts, &List::Study)])
    }
}
