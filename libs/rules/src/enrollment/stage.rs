//! From stage to stage, to the end of a participant's part in the trial.

use super::{
    Changes, Next, Refusal, Rule,
    enrolment::{Participation, admission, admit, freed, limits, participation, screens},
    first_rules, needing, present_rules, study_exists,
};
use seal::{dsse::Envelope, id::Name};
use vocabulary::{
    authority::{authorise, signing_key},
    command::{RecordStage, Stage, Task, WithdrawParticipant, WithdrawalReason},
    fact::{self, Fact, Facts},
    subject::{self, Subject},
};

/// Whether `record-stage` may take a participant from one stage to the other. Eligibility, randomisation and withdrawal
/// have commands of their own.
pub fn may_follow(from: Stage, to: Stage) -> bool {
    use Stage::{Active, Completed, Died, Eligible, Enrolled, LostToFollowUp, Randomised, Screened};
    match to {
        Enrolled => matches!(from, Screened | Eligible),
        Active => matches!(from, Enrolled | Randomised | LostToFollowUp),
        Completed => matches!(from, Active | LostToFollowUp),
        LostToFollowUp => matches!(from, Screened | Eligible | Enrolled | Randomised | Active | Completed),
        Died => matches!(from, Screened | Eligible | Enrolled | Randomised | Active | Completed | LostToFollowUp),
        _ => false,
    }
}

impl Rule for RecordStage {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = participation(&self.participant).into_iter().chain(admission(&self.participant, &self.site));
        let lost = subject::lost_from(&self.participant);
        needing(self, envelope, (Task::Enrol, &self.site), more.chain([lost]))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        let found = Participation::find(facts, &self.participant, &self.site)?;
        let returns = found.stage == Stage::LostToFollowUp && self.stage != Stage::Died;
        if !may_follow(found.stage, self.stage) || (returns && !was_enrolled(facts, &self.participant)) {
            return found.cannot(self.stage);
        }
        let mut changes = found.enter(facts, self.stage, next);
        if self.stage == Stage::Enrolled {
            if found.stage == Stage::Screened && screens(facts) {
                return Err(Refusal::ScreeningRequired);
            }
            changes.extend(admit(facts, &self.participant, &self.site)?);
        }
        Ok(changes)
    }
}

/// Whether a participant who was lost had been enrolled: who was lost in screening does not get in on the way back.
fn was_enrolled(facts: &Facts, participant: &Name) -> bool {
    match facts.find(&subject::lost_from(participant)) {
        Some(Fact::LostFrom { stage }) => !matches!(stage, Stage::Screened | Stage::Eligible),
        _ => false,
    }
}

impl Rule for WithdrawParticipant {
    fn needs(&self, envelope: &Envelope) -> Vec<Subject> {
        let more = participation(&self.participant).into_iter().chain(limits(&self.site));
        let lost = subject::lost_from(&self.participant);
        needing(self, envelope, (Task::Enrol, &self.site), more.chain([lost]))
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        study_exists(facts)?;
        if self.by == self.participant {
            signing_key(facts, envelope, &self.by)?;
        } else {
            authorise(facts, envelope, &self.by, Task::Enrol, &self.site, next.time)?;
        }
        if first_rules(facts) { leave(self, facts, next) } else { withdraw(self, facts, next) }
    }
}

/// Under the first rules every reason ends the participation.
fn leave(command: &WithdrawParticipant, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
    let subject = subject::participant(&command.participant);
    match facts.find(&subject) {
        Some(Fact::Participant(fact::Participant { withdrawn: Some(_), .. })) => {
            Err(Refusal::AlreadyEnded("participation"))
        }
        Some(Fact::Participant(fact::Participant { site, enrolled, withdrawn: None, .. })) if *site == command.site => {
            let (site, withdrawn) = (site.clone(), Some(next.number));
            Ok(vec![(
                subject,
                Fact::Participant(fact::Participant { site, enrolled: *enrolled, withdrawn, stage: None }),
            )])
        }
        _ => Err(Refusal::NotFound("participant")),
    }
}

/// Who died or cannot be reached has not withdrawn: what is learnt of them is still recorded.
fn withdraw(command: &WithdrawParticipant, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
    let found = Participation::find(facts, &command.participant, &command.site)?;
    let to = match command.reason {
        WithdrawalReason::LostToFollowUp => Stage::LostToFollowUp,
        WithdrawalReason::Death => Stage::Died,
        _ => Stage::Withdrawn,
    };
    match found.stage {
        Stage::Withdrawn => Err(Refusal::AlreadyEnded("participation")),
        from @ (Stage::Died | Stage::ScreenFailed | Stage::LostToFollowUp)
            if from == to || from != Stage::LostToFollowUp =>
        {
            found.cannot(to)
        }
        from => {
            let mut changes = found.enter(facts, to, next);
            let held_a_place = match from {
                Stage::Enrolled | Stage::Randomised | Stage::Active => true,
                Stage::LostToFollowUp => was_enrolled(facts, &command.participant),
                _ => false, // not counted yet, or done: whoever completed has used their place
            };
            if to == Stage::Withdrawn && held_a_place {
                changes.extend(freed(facts, &command.site));
            }
            Ok(changes)
        }
    }
}
