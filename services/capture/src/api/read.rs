//! Which requests were recorded, and what proves a datapoint.

use super::Inner;
use crate::store::leaf;
use caller::Caller;
use clock::now_ms;
use content::{Content, Kept};
use journal::ReadError;
use journal_service::not_read;
use problem::{Problem, study};
use proto::capture as pb;
use seal::{
    Hash,
    datapoint::Datapoint,
    id::{IdError, Name, Service, Uuid},
};
use tlog::merkle::Tree;
use tonic::Code;
use vocabulary::command::{ItemRead, RedactValue};

impl Inner {
    pub(super) async fn disclose_datapoint(
        &self,
        from: &Caller,
        request: pb::DiscloseDatapointRequest,
    ) -> Result<pb::DiscloseDatapointResponse, Problem> {
        let study = study(&request.study)?;
        let stream = Service::Capture.stream(study);
        // Who may not see the entry must not learn whether it exists: the answer is the same.
        let caller = access::actor(from, study, &self.enrollment, now_ms()).await?;
        let item = item_read(&request);
        access::signed_read(from, study, &caller, item.as_ref(), now_ms())?;
        let stored = self.store.reader().entry(stream, request.entry).await.map_err(|error| match error {
            ReadError::NotFound => not_found(),
            other => not_read(other),
        })?;
        if let Some(number) = self.store.erased_in(stream, &stored).await? {
            let erase = self.store.erasure(stream, number).await?;
            self.sight_of(from, study, &erase.participant, item.as_ref()).await.map_err(hidden)?;
            let withheld = Some(pb::Withheld { entry: number, leaf: Vec::new() });
            return Ok(pb::DiscloseDatapointResponse { entry: stored.entry, withheld, ..Default::default() });
        }
        let (recorded, content, stored) =
            self.store.submission(stream, request.entry).await.map_err(|error| match Problem::from(error) {
                problem if matches!(problem.code, Code::DataLoss | Code::Unavailable) => problem,
                _ => not_found(),
            })?;
        let participant = &recorded.header.instance.participant;
        let sight = self.sight_of(from, study, participant, item.as_ref()).await.map_err(hidden)?;
        if !sight.covers(&recorded.header.rests_on()) {
            return Err(not_found());
        }
        let (index, withheld) = self.place(study, &request, &content).await?;
        let (collected, mut before) = (recorded.header.collected.as_deref().unwrap_or_default(), None);
        self.place_in_time(study, participant, vec![(collected, &mut before)]).await;
        let leaves: Vec<Hash> = content.datapoints.iter().map(leaf).collect();
        Ok(pb::DiscloseDatapointResponse {
            entry: stored.entry,
            envelope: content.envelope,
            datapoint: content.datapoints[index].whole().map(<[u8]>::to_vec).unwrap_or_default(),
            index: index as u64,
            path: Tree::new(&leaves).path(index).iter().map(|hash| hash.0.to_vec()).collect(),
            withheld,
            collected_before_consent: before,
        })
    }

    /// The place of the item asked for, and what took it out, if something did.
    async fn place(
        &self,
        study: Uuid,
        request: &pb::DiscloseDatapointRequest,
        content: &Content,
    ) -> Result<(usize, Option<pb::Withheld>), Problem> {
        let wanted = |kept: &Kept| {
            let found = kept.whole().and_then(|bytes| Datapoint::parse(bytes).ok());
            found.is_some_and(|found| found.item == request.item && found.repeat == request.repeat)
        };
        if let Some(index) = content.datapoints.iter().position(wanted) {
            return Ok((index, None));
        }
        let redactions = self.store.redactions(study, request.entry).await?;
        let same =
            |redact: &&(u64, RedactValue)| redact.1.item.as_str() == request.item && redact.1.repeat == request.repeat;
        let (number, redact) = redactions.iter().find(same).ok_or_else(not_found)?;
        let index = usize::try_from(redact.index).map_err(|_| not_found())?;
        let kept = content.datapoints.get(index).ok_or_else(not_found)?;
        Ok((index, Some(pb::Withheld { entry: *number, leaf: leaf(kept).0.to_vec() })))
    }
}

/// Who may not see an entry is told what is told of an entry that is not there. That a signed request was used before is
/// told: it was recorded then, for somebody who may read.
fn hidden(problem: Problem) -> Problem {
    match problem.code {
        Code::FailedPrecondition if problem.reason == "ACCESS_USED" => problem,
        Code::PermissionDenied | Code::FailedPrecondition | Code::InvalidArgument => not_found(),
        _ => problem,
    }
}

/// The item asked for, as a signed request to read names it; nothing if no item can have that name.
fn item_read(request: &pb::DiscloseDatapointRequest) -> Option<ItemRead> {
    let item = request.item.parse().ok()?;
    Some(ItemRead { entry: request.entry, item, repeat: request.repeat.clone() })
}

pub(super) fn name(field: &str, text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: IdError| Problem::field("MALFORMED", field, error.to_string()))
}

pub(super) fn not_found() -> Problem {
    Problem::new(
        Code::NotFound,
        "NOT_FOUND",
        "there is no such form instance, item or entry that the caller may see (from outside its site only with a signed access-data)",
    )
}
