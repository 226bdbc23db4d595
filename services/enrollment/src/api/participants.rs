//! A site's participants, and one participant's way through the trial.

use super::{Inner, act, name, not_found, screening::outcome_message};
use crate::{domain::stage_name, store::damaged};
use caller::Caller;
use problem::Problem;
use proto::enrollment as pb;
use record::Page;
use seal::id::{Name, Uuid};
use serde::Deserialize;
use tonic::Code;
use vocabulary::{
    command::{RecordScreening, Task},
    fact::{self, Fact, Facts},
    subject::{self, List},
};

/// Tasks whose holders follow the participants of a site.
const LISTS: [Task; 6] = [Task::Enrol, Task::Capture, Task::ObtainConsent, Task::Read, Task::Audit, Task::ManageStudy];

impl Inner {
    pub(super) async fn list_participants(
        &self,
        from: &Caller,
        request: pb::ListParticipantsRequest,
    ) -> Result<pb::ListParticipantsResponse, Problem> {
        let (study, caller) = self.caller(from, &request.study).await?;
        let site = name("site", &request.site)?;
        self.must_hold(&caller, study, &LISTS, &site).await?;
        let resolves = self.resolves(&caller, study).await?;
        let mut page = Page::parse(request.page_size, &request.page_token)?;
        let entries = self.store.list(study, List::Participants(site), page.after, page.size).await?;
        let mut participants = Vec::with_capacity(entries.len());
        for number in &entries {
            let row = self.row(study, *number, resolves).await?;
            if !page.takes(*number, &row) {
                break;
            }
            participants.push(row);
        }
        Ok(pb::ListParticipantsResponse { participants, next_page_token: page.next(entries.len()) })
    }

    /// The participant whom entry `number` registered.
    async fn row(&self, study: Uuid, number: u64, resolves: bool) -> Result<pb::ParticipantRow, Problem> {
        #[derive(Deserialize)]
        struct Registered {
            participant: Name,
        }
        let registered = self.store.read(study, number).await?;
        let said = registered.envelope.as_ref().and_then(|envelope| envelope.common::<Registered>().ok());
        let participant = said.ok_or_else(damaged)?.participant;
        let stages = self.stages(study, &participant).await?;
        let (entered, stage) = stages.last().ok_or_else(damaged)?;
        let facts = self.outcome_facts(study, &participant).await?;
        Ok(pb::ParticipantRow {
            participant: participant.to_string(),
            stage: (*stage).to_owned(),
            since_ms: self.store.read(study, *entered).await?.entry.time,
            registered_ms: registered.entry.time,
            screening: screening(&facts, &participant),
            r#match: token_match(&facts, &participant, resolves),
        })
    }

    /// Whether `caller` resolves matches of tokens.
    async fn resolves(&self, caller: &Name, study: Uuid) -> Result<bool, Problem> {
        match self.must_hold(caller, study, &[Task::ManageStudy], &Name::all_sites()).await {
            Ok(()) => Ok(true),
            Err(problem) if problem.code == Code::PermissionDenied => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// The stages a participant entered, and by which entries.
    async fn stages(&self, study: Uuid, participant: &Name) -> Result<Vec<(u64, &'static str)>, Problem> {
        let versions = self.store.versions(study, &subject::participant(participant)).await?;
        let stage = |(number, fact): &(u64, Fact)| match fact {
            Fact::Participant(fact::Participant { stage: Some(stage), .. }) => Some((*number, stage_name(*stage))),
            _ => None,
        };
        Ok(versions.iter().map(|version| stage(version).ok_or_else(damaged)).collect::<Result<_, _>>()?)
    }

    async fn outcome_facts(&self, study: Uuid, participant: &Name) -> Result<Facts, Problem> {
        let subjects = [subject::screening(participant), subject::matched(participant)];
        self.find(study, &subjects).await
    }

    pub(super) async fn get_participant(
        &self,
        from: &Caller,
        request: pb::GetParticipantRequest,
    ) -> Result<pb::GetParticipantResponse, Problem> {
        let (study, caller) = self.caller(from, &request.study).await?;
        let participant = name("participant", &request.participant)?;
        let facts = self.find(study, &[subject::participant(&participant)]).await?;
        let everywhere = Name::all_sites();
        let site = facts.site_of(&participant).unwrap_or(&everywhere);
        self.must_see(from, study, &caller, &participant, site).await?;
        if *site == everywhere {
            return Err(not_found("participant"));
        }
        let mut stages = Vec::new();
        for (number, stage) in self.stages(study, &participant).await? {
            let act = Some(self.act(study, number).await?);
            stages.push(pb::StageEntered { stage: stage.to_owned(), act });
        }
        let facts = self.outcome_facts(study, &participant).await?;
        Ok(pb::GetParticipantResponse {
            site: site.to_string(),
            stages,
            screening: screening(&facts, &participant),
            outcomes: self.outcomes(study, &facts, &participant).await?,
            r#match: token_match(&facts, &participant, self.resolves(&caller, study).await?),
            unblinded: self.unblinded(study, &participant).await?,
        })
    }

    async fn outcomes(
        &self,
        study: Uuid,
        facts: &Facts,
        participant: &Name,
    ) -> Result<Vec<pb::CriterionOutcome>, Problem> {
        let Some(Fact::Screening { decided, .. }) = facts.find(&subject::screening(participant)) else {
            return Ok(Vec::new());
        };
        let recorded: Option<RecordScreening> = self.store.read(study, *decided).await?.command();
        Ok(recorded.map(|command| command.outcomes.iter().map(outcome_message).collect()).unwrap_or_default())
    }

    async fn unblinded(&self, study: Uuid, participant: &Name) -> Result<Vec<pb::Act>, Problem> {
        let mut acts = Vec::new();
        for (number, _) in self.store.versions(study, &subject::unblinded(participant)).await? {
            acts.push(act(&self.store.read(study, number).await?));
        }
        Ok(acts)
    }
}

fn screening(facts: &Facts, participant: &Name) -> Option<pb::ScreeningOutcome> {
    match facts.find(&subject::screening(participant)) {
        Some(Fact::Screening { criteria, eligible, overridden, .. }) => {
            Some(pb::ScreeningOutcome { criteria: criteria.to_string(), eligible: *eligible, overridden: *overridden })
        }
        _ => None,
    }
}

/// That a participant is held; where else they were registered is for those who resolve it.
fn token_match(facts: &Facts, participant: &Name, resolves: bool) -> Option<pb::TokenMatch> {
    let texts = |names: &[Name]| if resolves { names.iter().map(ToString::to_string).collect() } else { Vec::new() };
    match facts.find(&subject::matched(participant)) {
        Some(Fact::Match { sites, cleared, earlier }) => {
            Some(pb::TokenMatch { sites: texts(sites), cleared: cleared.is_some(), earlier: texts(earlier) })
        }
        _ => None,
    }
}
