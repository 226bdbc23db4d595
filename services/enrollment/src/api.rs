//! The gRPC edge: decode, authorise, call, encode.

mod allocation;
mod delegations;
mod keys;
mod participants;
mod record;
mod refusals;
mod screening;
mod study;

use crate::{
    Creators,
    local_facts::LocalFacts,
    store::{Enrollment, OpenedEntry, Store},
    work::Work,
};
use access::{AccessLog, Reading};
use caller::Caller;
use clock::now_ms;
use facts::{Consents, FactSource};
use journal::Stored;
use journal_service::{Open, Opened};
use problem::Problem;
use proto::enrollment::{
    self as pb,
    enrollment_service_server::{EnrollmentService, EnrollmentServiceServer},
};
use seal::id::{IdError, Name, Uuid};
use serde::Deserialize;
use tonic::{Code, Request, Response, Status};
use vocabulary::{
    authority::{SITE_STAFF, delegations, is_of_site},
    command::{self as cmd, Provision, Task},
    fact::Facts,
    subject::{self, Subject},
};

/// The largest message: an envelope, and the answers of a screening.
const MAX_MESSAGE_BYTES: usize = admission::MAX_COMMAND_BYTES + (4 << 20);

/// The enrollment service over its journal.
pub(crate) fn service(
    journal: Enrollment,
    store: Store,
    accesses: AccessLog,
    consents: Consents,
    creators: Creators,
) -> EnrollmentServiceServer<Api> {
    let facts = LocalFacts(store.reader().clone());
    let inner = Inner { journal, facts, store, accesses, consents, creators, work: Work::new() };
    EnrollmentServiceServer::new(Api(inner)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

pub(crate) struct Api(Inner);

struct Inner {
    journal: Enrollment,
    facts: LocalFacts,
    store: Store,
    accesses: AccessLog,
    consents: Consents,
    creators: Creators,
    work: Work,
}

macro_rules! methods {
    (
        plain { $($plain:ident $plain_rpc:ident($plain_request:ident) -> $plain_response:ident: [$($_p:ident),*] $_ps:literal;)* }
        checked { $($_c:ident $checked:ident($checked_request:ident) -> $checked_response:ident: [$($_ct:ident),*] $_cs:literal;)* }
        attached { $($_a:ident $attached:ident($attached_request:ident) -> $attached_response:ident: [$($_at:ident),*] $_as:literal;)* }
        reads { $($read:ident($read_request:ident) -> $read_response:ident,)* }
    ) => {
        #[tonic::async_trait]
        impl EnrollmentService for Api {
            $(async fn $plain_rpc(
                &self,
                request: Request<pb::$plain_request>,
            ) -> Result<Response<pb::$plain_response>, Status> {
                let receipt = self.0.record::<cmd::$plain>(request.into_inner().envelope).await?;
                Ok(Response::new(pb::$plain_response { receipt: Some(receipt) }))
            })*
            $(async fn $checked(
                &self,
                request: Request<pb::$checked_request>,
            ) -> Result<Response<pb::$checked_response>, Status> {
                let receipt = self.0.$checked(request.into_inner()).await?;
                Ok(Response::new(pb::$checked_response { receipt: Some(receipt) }))
            })*
            $(async fn $attached(
                &self,
                request: Request<pb::$attached_request>,
            ) -> Result<Response<pb::$attached_response>, Status> {
                let receipt = self.0.$attached(request.into_inner()).await?;
                Ok(Response::new(pb::$attached_response { receipt: Some(receipt) }))
            })*
            $(async fn $read(
                &self,
                request: Request<pb::$read_request>,
            ) -> Result<Response<pb::$read_response>, Status> {
                let (from, request) = Caller::take(request);
                Ok(Response::new(self.0.$read(&from, request).await?))
            })*
        }
    };
}

vocabulary::enrollment_commands! { methods
    reads {
        get_study(GetStudyRequest) -> GetStudyResponse,
        list_delegations(ListDelegationsRequest) -> ListDelegationsResponse,
        list_participants(ListParticipantsRequest) -> ListParticipantsResponse,
        get_participant(GetParticipantRequest) -> GetParticipantResponse,
        evaluate_eligibility(EvaluateEligibilityRequest) -> EvaluateEligibilityResponse,
        get_matching_key(GetMatchingKeyRequest) -> GetMatchingKeyResponse,
        get_allocation(GetAllocationRequest) -> GetAllocationResponse,
        find_key(FindKeyRequest) -> FindKeyResponse,
    }
}

impl Inner {
    /// The facts about `subjects`.
    async fn find(&self, study: Uuid, subjects: &[Subject]) -> Result<Facts, Problem> {
        Ok(self.facts.facts(study, subjects).await?.1)
    }

    /// Who calls, in a study that keeps the lists reads rest on.
    async fn caller(&self, from: &Caller, of_study: &str) -> Result<(Uuid, Name), Problem> {
        let study = problem::study(of_study)?;
        let caller = access::actor(from, study, &self.facts, now_ms()).await?;
        match self.find(study, &[subject::study()]).await?.rules() {
            Some(2..) => Ok((study, caller)),
            _ => Err(refusals::refused(crate::domain::Refusal::RulesOutdated)),
        }
    }

    /// Checks that `caller` holds one of `tasks` at `site`.
    async fn must_hold(&self, caller: &Name, study: Uuid, tasks: &[Task], site: &Name) -> Result<(), Problem> {
        Ok(access::holds_any(caller, study, tasks, site, &self.facts, now_ms()).await?)
    }

    /// Checks that `caller` may see what became of a participant of `site`: as the participant, for them, or by a task. Who is
    /// not of the site signs the read, and it is recorded before anything is shown. What became of a participant is data
    /// collected of them: to a read of other categories they are not there.
    async fn must_see(
        &self,
        from: &Caller,
        study: Uuid,
        caller: &Name,
        participant: &Name,
        site: &Name,
    ) -> Result<(), Problem> {
        if caller == participant {
            return Ok(());
        }
        let represents = subject::representative(participant, caller);
        let mut subjects: Vec<Subject> = Task::ALL.iter().flat_map(|task| delegations(caller, *task, site)).collect();
        subjects.extend([represents.clone(), subject::study()]);
        let (facts, now) = (self.find(study, &subjects).await?, now_ms());
        let of_site = SITE_STAFF.iter().any(|task| is_of_site(&facts, caller, *task, site, now));
        let (represents, earlier_rules) = (facts.decides_for(participant, caller), facts.rules() < Some(3));
        if of_site || (represents && earlier_rules) {
            return Ok(());
        }
        if !represents {
            let tasks = [Task::Read, Task::Audit];
            let held = access::holds_any(caller, study, &tasks, site, &self.facts, now).await;
            held.map_err(access::Denied::of_participant)?;
        }
        let reading = Reading { study, reader: caller, participant, item: None };
        match self.accesses.record(from, reading, now).await? {
            Some(categories) if !categories.contains(&Provision::data_collection()) => Err(not_found("participant")),
            _ => Ok(()),
        }
    }

    /// Who brought something about.
    async fn act(&self, study: Uuid, number: u64) -> Result<pb::Act, Problem> {
        Ok(act(&self.store.read(study, number).await?))
    }
}

/// Who brought something about, and why.
fn act(OpenedEntry { entry, envelope }: &OpenedEntry) -> pb::Act {
    #[derive(Default, Deserialize)]
    struct Said {
        by: String,
        reason: Option<String>,
        overridden: Option<String>,
    }
    let said: Said = envelope.as_ref().and_then(|envelope| envelope.common().ok()).unwrap_or_default();
    let reason = said.reason.or(said.overridden).unwrap_or_default();
    pb::Act { entry: entry.number, recorded_ms: entry.time, by: said.by, reason }
}

fn name(field: &str, text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: IdError| Problem::field("MALFORMED", field, error.to_string()))
}

fn not_found(what: &'static str) -> Problem {
    Problem::new(Code::NotFound, "NOT_FOUND", format!("there is no {what} that the caller may see")).with("what", what)
}

#[tonic::async_trait]
impl Open for Store {
    async fn open(&self, stored: &Stored) -> Option<Opened> {
        let (envelope, datapoints) = self.open_entry(stored).await?;
        Some(Opened { envelope, datapoints, ..Opened::default() })
    }
}
