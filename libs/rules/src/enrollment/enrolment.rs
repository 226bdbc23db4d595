//! The step of becoming enrolled, and where a participant stands.

use super::{Changes, Next, Refusal, site, study};
use seal::id::Name;
use vocabulary::{
    command::{Stage, State},
    fact::{self, Fact, Facts},
    subject::{self, List, Subject},
};

/// A participant at their site.
#[derive(Debug, Clone)]
pub(super) struct Participation {
    participant: Name,
    site: Name,
    enrolled: u64,
    withdrawn: Option<u64>,
    /// Where they stand.
    pub(super) stage: Stage,
}

impl Participation {
    /// The participation of `participant`, if it is at `at`.
    pub(super) fn find(facts: &Facts, participant: &Name, at: &Name) -> Result<Self, Refusal> {
        match facts.find(&subject::participant(participant)) {
            Some(Fact::Participant(fact::Participant { site, enrolled, withdrawn, stage: Some(stage) }))
                if site == at =>
            {
                Ok(Self {
                    participant: participant.clone(),
                    site: site.clone(),
                    enrolled: *enrolled,
                    withdrawn: *withdrawn,
                    stage: *stage,
                })
            }
            _ => Err(Refusal::NotFound("participant")),
        }
    }

    /// The refusal of a stage.
    pub(super) fn cannot<T>(&self, to: Stage) -> Result<T, Refusal> {
        Err(Refusal::StageNotPermitted { from: self.stage, to })
    }

    /// What changes when they enter a stage.
    pub(super) fn enter(&self, facts: &Facts, stage: Stage, next: Next) -> Changes {
        let enrolled = if stage == Stage::Enrolled { next.number } else { self.enrolled };
        let withdrawn = if stage == Stage::Withdrawn { Some(next.number) } else { self.withdrawn };
        let fact =
            Fact::Participant(fact::Participant { site: self.site.clone(), enrolled, withdrawn, stage: Some(stage) });
        let mut changes = vec![
            (subject::participant(&self.participant), fact),
            facts.one_more(subject::list(&List::Participant(self.participant.clone()))),
        ];
        if stage == Stage::LostToFollowUp {
            let fact = Fact::LostFrom { stage: self.stage };
            changes.push((subject::lost_from(&self.participant), fact));
        }
        changes
    }
}

/// The facts about a participant.
pub(super) fn participation(participant: &Name) -> [Subject; 2] {
    [subject::participant(participant), subject::list(&List::Participant(participant.clone()))]
}

/// The facts that decide whether a study and a site enrol.
pub(super) fn openness(site: &Name) -> [Subject; 2] {
    [subject::study_state(), subject::site(site)]
}

/// Checks that the study and the site enrol.
pub(super) fn must_enrol(facts: &Facts, at: &Name) -> Result<(), Refusal> {
    study::must_be_open(facts)?;
    match site::state(facts, at) {
        Ok(State::Open) => Ok(()),
        _ => Err(Refusal::SiteNotOpen),
    }
}

/// The facts that decide whether one more may be enrolled.
pub(super) fn admission(participant: &Name, site: &Name) -> Vec<Subject> {
    let criteria = [subject::criteria_in_force(), subject::matched(participant)];
    openness(site).into_iter().chain(criteria).chain(limits(site)).collect()
}

/// How many are enrolled at a site and in the study, and how many may be.
pub(super) fn limits(site: &Name) -> impl Iterator<Item = Subject> {
    let scopes = [site.clone(), Name::all_sites()];
    scopes.into_iter().flat_map(|scope| [subject::cap(&scope), subject::enrolled(&scope)])
}

/// Counts one fewer enrolled where the limit says that a withdrawal frees a place.
pub(super) fn freed(facts: &Facts, site: &Name) -> Changes {
    let frees =
        |scope: &Name| matches!(facts.find(&subject::cap(scope)), Some(Fact::Cap { withdrawal_frees: true, .. }));
    let scopes = [site.clone(), Name::all_sites()].into_iter().filter(frees);
    let fewer = |scope| {
        let enrolled = subject::enrolled(&scope);
        let count = facts.count(&enrolled).saturating_sub(1);
        (enrolled, Fact::Count { count, newest: None })
    };
    scopes.map(fewer).collect()
}

/// Whether criteria are in force.
pub(super) fn screens(facts: &Facts) -> bool {
    facts.find(&subject::criteria_in_force()).is_some()
}

/// Counts one more enrolled, if study and site are open, no limit is reached and nobody takes part twice.
pub(super) fn admit(facts: &Facts, participant: &Name, site: &Name) -> Result<Changes, Refusal> {
    must_enrol(facts, site)?;
    if matches!(facts.find(&subject::matched(participant)), Some(Fact::Match { cleared: None, .. })) {
        return Err(Refusal::DuplicateParticipation);
    }
    [site.clone(), Name::all_sites()].into_iter().map(|scope| count(facts, scope)).collect()
}

fn count(facts: &Facts, scope: Name) -> Result<(Subject, Fact), Refusal> {
    let enrolled = subject::enrolled(&scope);
    match facts.find(&subject::cap(&scope)) {
        Some(Fact::Cap { participants, .. }) if facts.count(&enrolled) >= u64::from(*participants) => {
            Err(Refusal::CapReached(scope))
        }
        _ => Ok(facts.one_more(enrolled)),
    }
}
