//! Every step from one stage to the other.

use crate::*;
use enrollment::domain::may_follow;
use proptest::prelude::*;
use vocabulary::{
    command::{RecordStage, Stage, State},
    fact, subject,
};

const STAGES: [Stage; 10] = [
    Stage::Screened,
    Stage::Eligible,
    Stage::ScreenFailed,
    Stage::Enrolled,
    Stage::Randomised,
    Stage::Active,
    Stage::Completed,
    Stage::Withdrawn,
    Stage::LostToFollowUp,
    Stage::Died,
];

impl Study {
    pub(crate) fn record_stage(&mut self, participant: &str, stage: Stage) -> Result<Changes, Refusal> {
        self.record_stage_at(participant, "701", stage)
    }

    pub(crate) fn record_stage_at(&mut self, participant: &str, site: &str, stage: Stage) -> Result<Changes, Refusal> {
        let (participant, site, reason) = (name(participant), name(site), name("as planned"));
        self.run(&command!("root", RecordStage { participant, site, stage, reason }), &[&key(1)])
    }

    fn leave(&mut self, reason: WithdrawalReason) -> Result<Changes, Refusal> {
        let (participant, site) = (name(PSEUDONYM), name("701"));
        self.run(&command!("root", WithdrawParticipant { participant, site, reason }), &[&key(1)])
    }

    /// A study without criteria whose participant stands at `stage`.
    fn at(stage: Stage) -> Self {
        let mut study = Self::open();
        study.screen("root", PSEUDONYM, "701", None).unwrap();
        let (site, withdrawn) = (name("701"), (stage == Stage::Withdrawn).then_some(0));
        let fact = Fact::Participant(fact::Participant {
            site,
            enrolled: study.next.number - 1,
            withdrawn,
            stage: Some(stage),
        });
        study.facts.set(subject::participant(&name(PSEUDONYM)), fact);
        study
    }
}

/// The protocol of a trial, as a table: from each stage, where `record-stage` may lead.
fn table(from: Stage) -> &'static [Stage] {
    use Stage::{Active, Completed, Died, Eligible, Enrolled, LostToFollowUp, Randomised, Screened};
    match from {
        Screened | Eligible => &[Enrolled, LostToFollowUp, Died],
        Enrolled | Randomised => &[Active, LostToFollowUp, Died],
        Active => &[Completed, LostToFollowUp, Died],
        Completed => &[LostToFollowUp, Died],
        LostToFollowUp => &[Active, Completed, Died],
        _ => &[],
    }
}

proptest! {
    #[test]
    fn stages_follow_the_table(from in prop::sample::select(&STAGES[..]), to in prop::sample::select(&STAGES[..])) {
        let mut study = Study::at(from);
        study.facts.set(subject::lost_from(&name(PSEUDONYM)), Fact::LostFrom { stage: Stage::Active });
        let permitted = table(from).contains(&to);
        prop_assert_eq!(may_follow(from, to), permitted);
        let before = study.clone();
        match study.record_stage(PSEUDONYM, to) {
            Ok(_) => {
                prop_assert!(permitted, "{:?} {:?}", from, to);
                prop_assert_eq!(study.stage(PSEUDONYM), to);
            }
            Err(refusal) => {
                prop_assert!(!permitted, "{:?} {:?}", from, to);
                prop_assert_eq!(refusal, Refusal::StageNotPermitted { from, to });
                prop_assert_eq!(study.next.number, before.next.number);
            }
        }
    }

    /// Whatever is tried in whatever order, nobody comes under treatment who was not enrolled, and nobody comes back from
    /// an end.
    #[test]
    fn treatment_follows_enrolment(tries in prop::collection::vec(prop::sample::select(&STAGES[..]), 1..30)) {
        let mut study = Study::open();
        study.screen("root", PSEUDONYM, "701", None).unwrap();
        let (mut enrolled, mut ended) = (false, false);
        for to in tries {
            if study.record_stage(PSEUDONYM, to).is_ok() {
                prop_assert!(!ended, "went on to {:?}", to);
                enrolled |= to == Stage::Enrolled;
                ended |= to == Stage::Died;
                prop_assert!(enrolled || !matches!(to, Stage::Active | Stage::Completed), "{:?} unenrolled", to);
            }
        }
        prop_assert_eq!(study.facts.count(&subject::enrolled(&name("*"))), u64::from(enrolled));
    }
}

#[test]
fn leaving_leads_to_the_stage_of_its_reason() {
    use WithdrawalReason::{
        AdverseEvent, Death, InvestigatorDecision, LostToFollowUp, ParticipantDecision, StudyEnded,
    };
    for reason in [ParticipantDecision, InvestigatorDecision, AdverseEvent, StudyEnded, LostToFollowUp, Death] {
        for from in STAGES {
            let to = match reason {
                LostToFollowUp => Stage::LostToFollowUp,
                Death => Stage::Died,
                _ => Stage::Withdrawn,
            };
            let mut study = Study::at(from);
            let result = study.leave(reason);
            match from {
                Stage::Withdrawn => refuses(result, Refusal::AlreadyEnded("participation")),
                Stage::Died | Stage::ScreenFailed => refuses(result, Refusal::StageNotPermitted { from, to }),
                Stage::LostToFollowUp if to == from => refuses(result, Refusal::StageNotPermitted { from, to }),
                _ => {
                    result.unwrap();
                    assert_eq!(study.stage(PSEUDONYM), to, "{from:?} {reason:?}");
                    // What is learnt of who died or was lost is still captured.
                    let captured = study.facts.site_of_active(&name(PSEUDONYM)).is_some();
                    assert_eq!(captured, to != Stage::Withdrawn, "{from:?} {reason:?}");
                }
            }
        }
    }
}

#[test]
fn who_was_lost_in_screening_comes_back_to_no_treatment() {
    for (lost, comes_back) in [(Stage::Screened, false), (Stage::Eligible, false), (Stage::Randomised, true)] {
        for by_stage in [true, false] {
            let mut study = Study::at(lost);
            let gone = if by_stage {
                study.record_stage(PSEUDONYM, Stage::LostToFollowUp)
            } else {
                study.leave(WithdrawalReason::LostToFollowUp)
            };
            gone.unwrap();
            assert_eq!(study.record_stage(PSEUDONYM, Stage::Active).is_ok(), comes_back, "{lost:?}");
        }
    }
}

#[test]
fn stages_are_recorded_at_the_participants_site_by_who_enrols_there() {
    let mut study = Study::at(Stage::Enrolled);
    refuses(study.record_stage_at(PSEUDONYM, "702", Stage::Active), Refusal::NotFound("participant"));
    refuses(study.record_stage(OTHER_PSEUDONYM, Stage::Active), Refusal::NotFound("participant"));
    let (participant, site, reason) = (name(PSEUDONYM), name("701"), name("as planned"));
    let by_ann = command!("ann", RecordStage { participant, site, stage: Stage::Active, reason });
    refuses(study.run(&by_ann, &[&key_of("ann")]), no_delegation("ann", Task::Enrol, "701"));
    // Following participants goes on while nobody is enrolled.
    study.pause("701").unwrap();
    study.set_state(State::Paused).unwrap();
    study.record_stage(PSEUDONYM, Stage::Active).unwrap();
    let mut study = Study::at(Stage::Eligible);
    study.pause("701").unwrap();
    refuses(study.record_stage(PSEUDONYM, Stage::Enrolled), Refusal::SiteNotOpen);
    study.set_state(State::Paused).unwrap();
    refuses(study.record_stage(PSEUDONYM, Stage::Enrolled), Refusal::StudyNotOpen);
}
