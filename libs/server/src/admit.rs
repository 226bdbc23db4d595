//! Who may read a journal.

use crate::{Problem, now_ms, study};
use access::{FactSource, ServiceToken, actor, holds_any};
use seal::{
    command::Task,
    id::{Name, Service, StreamId},
};
use tonic::{Code, metadata::MetadataMap};

/// Lets the deployment's services pass.
pub fn admit_service(metadata: &MetadataMap, services: &ServiceToken) -> Result<(), Problem> {
    if services.admits(metadata) {
        return Ok(());
    }
    Err(Problem::new(Code::Unauthenticated, "CREDENTIALS_INVALID", "only the deployment's own services may call this"))
}

/// Lets services pass, and actors who hold the task audit in the study the stream belongs to.
pub async fn admit_auditor(
    metadata: &MetadataMap,
    services: &ServiceToken,
    facts: &dyn FactSource,
    service: Service,
    (stream, of_study): (StreamId, &str),
) -> Result<(), Problem> {
    if services.admits(metadata) {
        return Ok(());
    }
    let study = study(of_study)?;
    if service.stream(study) != stream {
        return Err(Problem::field("MALFORMED", "stream", format!("not the {service} journal of the study")));
    }
    let now = now_ms();
    let caller = actor(metadata, study, facts, now).await?;
    Ok(holds_any(&caller, study, &[Task::Audit], &Name::all_sites(), facts, now).await?)
}
