//! Criteria, screening and its dry run, and the key of tokens.

use super::{Inner, name, record::Foreseen, refusals::refused};
use crate::domain::Refusal;
use admission::receive;
use caller::Caller;
use eligibility::{Criteria, Fault};
use problem::Problem;
use proto::{enrollment as pb, types::Receipt};
use seal::{
    datapoint::{self, Datapoint, MAX_DATAPOINTS},
    id::{Name, Uuid},
};
use vocabulary::{
    command::{DefineCriteria, ItemDef, RecordScreening, Task},
    eligibility::{Criterion, CriterionOutcome, Outcome, eligible},
    fact::{Fact, Facts},
    subject,
};

impl Inner {
    pub(super) async fn define_criteria(&self, request: pb::DefineCriteriaRequest) -> Result<Receipt, Problem> {
        let received = receive::<DefineCriteria>(request.envelope).await?;
        self.foresee(&received).await?; // by who may: compiling is work
        let DefineCriteria { items, criteria, .. } = received.command.clone();
        let compiled = self.work.run(move || Criteria::compile(&items, &criteria).map(drop));
        compiled.await?.map_err(|fault| invalid(&fault))?;
        self.append(received, None, None).await
    }

    pub(super) async fn record_screening(&self, request: pb::RecordScreeningRequest) -> Result<Receipt, Problem> {
        let pb::RecordScreeningRequest { envelope, answers } = request;
        let received = receive::<RecordScreening>(envelope).await?;
        let command = &received.command;
        if command.count as usize != answers.len() || answers.is_empty() {
            return Err(differs("answers"));
        }
        let parsed = parse(&answers)?;
        if datapoint::root(&answers) != command.root.0 {
            return Err(differs("envelope.payload.root"));
        }
        let (sealed, consented) = match self.foresee(&received).await? {
            Foreseen::RecordedBefore => (None, None),
            Foreseen::New(facts) => {
                let consented = self.consented(command.study, &command.participant).await?;
                let version = (command.study, command.criteria.clone());
                let (_, outcomes) = self.evaluate(&facts, version, parsed).await?;
                if outcomes != command.outcomes {
                    let what = "not what the answers give";
                    return Err(Problem::field("OUTCOME_MISMATCH", "envelope.payload.outcomes", what));
                }
                let bytes = received.bytes.clone();
                let sealed = self.store.seal(command.study, &command.participant, bytes, answers).await?;
                (Some(sealed), Some(consented))
            }
        };
        self.append(received, sealed, consented).await
    }

    pub(super) async fn evaluate_eligibility(
        &self,
        from: &Caller,
        request: pb::EvaluateEligibilityRequest,
    ) -> Result<pb::EvaluateEligibilityResponse, Problem> {
        let (study, caller) = self.caller(from, &request.study).await?;
        self.must_hold(&caller, study, &[Task::Enrol], &name("site", &request.site)?).await?;
        let answers = parse(&request.answers)?;
        let in_force = self.find(study, &[subject::criteria_in_force()]).await?;
        let Some(Fact::CriteriaInForce { version }) = in_force.find(&subject::criteria_in_force()) else {
            return Err(refused(Refusal::CriteriaOutdated(None)));
        };
        let facts = self.find(study, &[subject::criteria(version)]).await?;
        let (criteria, outcomes) = self.evaluate(&facts, (study, version.clone()), answers).await?;
        Ok(pb::EvaluateEligibilityResponse {
            criteria: version.to_string(),
            eligible: eligible(criteria, &outcomes),
            outcomes: outcomes.iter().map(outcome_message).collect(),
        })
    }

    pub(super) async fn get_matching_key(
        &self,
        from: &Caller,
        request: pb::GetMatchingKeyRequest,
    ) -> Result<pb::GetMatchingKeyResponse, Problem> {
        let (study, caller) = self.caller(from, &request.study).await?;
        self.must_hold(&caller, study, &[Task::Enrol], &name("site", &request.site)?).await?;
        Ok(pb::GetMatchingKeyResponse { key: self.store.matching_key(study).await?.to_vec() })
    }

    /// The criteria of a version, and what answers make of them.
    async fn evaluate<'a>(
        &self,
        facts: &'a Facts,
        version: (Uuid, Name),
        answers: Vec<Datapoint>,
    ) -> Result<(&'a [Criterion], Vec<CriterionOutcome>), Problem> {
        let (items, criteria): (&[ItemDef], &[Criterion]) = match facts.find(&subject::criteria(&version.1)) {
            Some(Fact::Criteria { items, criteria, .. }) => (items, criteria),
            _ => return Err(refused(Refusal::NotFound("criteria version"))),
        };
        let outcomes = self.work.evaluate(version, items.to_vec(), criteria.to_vec(), answers).await?;
        Ok((criteria, outcomes.map_err(|fault| invalid(&fault))?))
    }
}

fn parse(answers: &[Vec<u8>]) -> Result<Vec<Datapoint>, Problem> {
    if answers.len() > MAX_DATAPOINTS {
        return Err(Problem::field("MALFORMED", "answers", format!("more than {MAX_DATAPOINTS}")));
    }
    let parse = |(index, bytes): (usize, &Vec<u8>)| {
        let what = "not of format trialseal/datapoint@v1";
        Datapoint::parse(bytes).map_err(|_| Problem::field("MALFORMED", format!("answers[{index}]"), what))
    };
    answers.iter().enumerate().map(parse).collect()
}

pub(super) fn outcome_message(outcome: &CriterionOutcome) -> pb::CriterionOutcome {
    let said = match outcome.outcome {
        Outcome::Met => "met",
        Outcome::NotMet => "not_met",
        Outcome::Undetermined => "undetermined",
    };
    pb::CriterionOutcome { criterion: outcome.criterion.to_string(), outcome: said.to_owned() }
}

fn invalid(fault: &Fault) -> Problem {
    Problem::field("CRITERIA_INVALID", "envelope.payload.criteria", fault.to_string())
}

fn differs(field: &str) -> Problem {
    Problem::field("ROOT_MISMATCH", field, "differs from what was signed")
}
