//! Who may read a journal.

use crate::{AccessLog, Reading, actor, holds_any};
use caller::Caller;
use clock::now_ms;
use facts::FactSource;
use problem::{Problem, study};
use seal::id::{Name, Service, StreamId};
use tonic::Code;
use vocabulary::{command::Task, subject};

/// Lets the deployment's services pass.
pub fn admit_service(from: &Caller) -> Result<(), Problem> {
    if from.is_service() {
        return Ok(());
    }
    Err(Problem::new(Code::Unauthenticated, "CREDENTIALS_INVALID", "only this deployment's services may call this"))
}

/// A journal that somebody asks to read.
#[derive(Debug, Clone, Copy)]
pub struct Journal<'a> {
    /// Whose journal it is.
    pub service: Service,
    /// Which it is said to be.
    pub stream: StreamId,
    /// The study it is said to belong to, as text.
    pub study: &'a str,
}

/// Lets services pass, and actors who hold the task audit in the study the journal belongs to. Where participants' values
/// are asked for, `accesses` is where that is recorded first.
pub async fn admit_auditor(
    from: &Caller,
    facts: &dyn FactSource,
    accesses: Option<&AccessLog>,
    journal: Journal<'_>,
) -> Result<(), Problem> {
    if from.is_service() {
        return Ok(());
    }
    let (study, service) = (study(journal.study)?, journal.service);
    if service.stream(study) != journal.stream {
        return Err(Problem::field("MALFORMED", "stream", format!("not the {service} journal of the study")));
    }
    let now = now_ms();
    let caller = actor(from, study, facts, now).await?;
    holds_any(&caller, study, &[Task::Audit], &Name::all_sites(), facts, now).await?;
    let Some(accesses) = accesses else { return Ok(()) };
    let (_, found) = facts.facts(study, &[subject::study()]).await?;
    if found.rules() > Some(1) {
        let everybody = Reading { study, reader: &caller, participant: &Name::all_sites(), item: None };
        let named = accesses.record(from, everybody, now).await?;
        if named.is_some() {
            let what = "a journal is read whole: name no categories, or the log would say less than was read";
            return Err(Problem::field("MALFORMED", token::ACCESS_HEADER, what));
        }
    }
    Ok(())
}
