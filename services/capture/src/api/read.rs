//! Reads, for those entitled to see.

use super::Inner;
use crate::{
    domain::{self, Current, Recorded},
    store::{is_first, leaf},
};
use access::Caller;
use journal::ReadError;
use proto::capture as pb;
use seal::{
    Hash,
    command::{FormInstance, ItemRead, RedactValue, Submission},
    datapoint::Datapoint,
    id::{IdError, Name, Service, Uuid},
};
use server::{Problem, now_ms, study};
use tlog::merkle::Tree;
use tonic::Code;
use vault::{Content, Kept};

impl Inner {
    pub(super) async fn get_datapoint(
        &self,
        from: &Caller,
        request: pb::GetDatapointRequest,
    ) -> Result<pb::GetDatapointResponse, Problem> {
        let submissions = self.read(from, &request.study, request.instance).await?;
        let found = domain::current(&submissions)
            .into_iter()
            .find(|item| item.datapoint.item == request.item && item.datapoint.repeat == request.repeat)
            .ok_or_else(not_found)?;
        Ok(pb::GetDatapointResponse { value: Some(value_message(found)) })
    }

    pub(super) async fn get_form(
        &self,
        from: &Caller,
        request: pb::GetFormRequest,
    ) -> Result<pb::GetFormResponse, Problem> {
        let submissions = self.read(from, &request.study, request.instance).await?;
        Ok(pb::GetFormResponse { form: form_message(&submissions) })
    }

    pub(super) async fn list_forms(
        &self,
        from: &Caller,
        request: pb::ListFormsRequest,
    ) -> Result<pb::ListFormsResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        let sight = self.sight(from, study, &participant).await?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| Problem::field("MALFORMED", "page_token", "not one of ours"))?),
        };
        let size = if request.page_size == 0 { 100 } else { request.page_size.min(500) };
        let stream = Service::Capture.stream(study);
        let key = self.store.participant_key(study, &participant);
        let page = self.store.reader().history(stream, &key, after, size).await?;
        let full = page.len() == size as usize;
        let next_page_token = page.last().filter(|_| full).map_or_else(String::new, |(number, _)| number.to_string());
        let mut forms = Vec::new();
        for (number, mark) in page {
            if !is_first(&mark) {
                continue; // a correction: part of the form instance it corrects
            }
            let (recorded, _, _) = self.store.submission(stream, number).await?;
            if !sight.covers(&recorded.header.rests_on()) {
                continue;
            }
            let mut submissions = self.store.submissions(study, &recorded.header.instance).await?;
            submissions.retain(|submission| sight.covers(&submission.header.rests_on()));
            forms.extend(form_message(&submissions));
        }
        Ok(pb::ListFormsResponse { forms, next_page_token })
    }

    pub(super) async fn get_item_history(
        &self,
        from: &Caller,
        request: pb::GetItemHistoryRequest,
    ) -> Result<pb::GetItemHistoryResponse, Problem> {
        let submissions = self.read(from, &request.study, request.instance).await?;
        let changes = domain::history(&submissions, &request.item, &request.repeat);
        if changes.is_empty() {
            return Err(not_found());
        }
        let message = |change: domain::Change| {
            let Recorded { entry, header, .. } = &submissions[change.by];
            pb::ItemChange {
                old_value: change.old,
                new_value: change.new,
                signed_by: header.by.to_string(),
                recorded_ms: entry.time,
                signed_ms: header.time,
                reason: header.reason.clone().unwrap_or_default(),
                entry: entry.number,
            }
        };
        Ok(pb::GetItemHistoryResponse { changes: changes.into_iter().map(message).collect() })
    }

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
        access::signed_read(from, (study, &caller), item.as_ref(), now_ms())?;
        let stored = self.store.reader().entry(stream, request.entry).await.map_err(|error| match error {
            ReadError::NotFound => not_found(),
            other => other.into(),
        })?;
        if let Some(number) = self.store.erased_in(stream, &stored).await? {
            let erase = self.store.erasure(stream, number).await?;
            self.sight_of(from, study, &erase.participant, item.as_ref()).await.map_err(hidden)?;
            let withheld = Some(pb::Withheld { entry: number, leaf: Vec::new() });
            return Ok(pb::DiscloseDatapointResponse { entry: stored.entry, withheld, ..Default::default() });
        }
        let (recorded, content, stored) =
            self.store.submission(stream, request.entry).await.map_err(|problem| match problem.code {
                Code::DataLoss | Code::Unavailable => problem,
                _ => not_found(),
            })?;
        let participant = &recorded.header.instance.participant;
        let sight = self.sight_of(from, study, participant, item.as_ref()).await.map_err(hidden)?;
        if !sight.covers(&recorded.header.rests_on()) {
            return Err(not_found());
        }
        let (index, withheld) = self.place(study, &request, &content).await?;
        let leaves: Vec<Hash> = content.datapoints.iter().map(leaf).collect();
        Ok(pb::DiscloseDatapointResponse {
            entry: stored.entry,
            envelope: content.envelope,
            datapoint: content.datapoints[index].whole().map(<[u8]>::to_vec).unwrap_or_default(),
            index: index as u64,
            path: Tree::new(&leaves).path(index).iter().map(|hash| hash.0.to_vec()).collect(),
            withheld,
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

    async fn read(
        &self,
        from: &Caller,
        of_study: &str,
        instance: Option<pb::FormInstance>,
    ) -> Result<Vec<Recorded>, Problem> {
        let study = study(of_study)?;
        let instance = instance.ok_or_else(|| Problem::field("MALFORMED", "instance", "required"))?;
        let instance = FormInstance {
            participant: name("instance.participant", &instance.participant)?,
            event: name("instance.event", &instance.event)?,
            event_repeat: instance.event_repeat,
            form: name("instance.form", &instance.form)?,
            form_repeat: instance.form_repeat,
        };
        let sight = self.sight(from, study, &instance.participant).await?;
        let mut submissions = self.store.submissions(study, &instance).await?;
        submissions.retain(|submission| sight.covers(&submission.header.rests_on()));
        if submissions.is_empty() { Err(not_found()) } else { Ok(submissions) }
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

fn not_found() -> Problem {
    Problem::new(
        Code::NotFound,
        "NOT_FOUND",
        "there is no such form instance, item or entry that the caller may see (from outside its site only with a signed access-data)",
    )
}

fn value_message(item: Current) -> pb::ItemValue {
    let Current { datapoint, entry } = item;
    pb::ItemValue {
        item: datapoint.item,
        repeat: datapoint.repeat,
        value: datapoint.value,
        unit: datapoint.unit,
        entry,
    }
}

fn form_message(submissions: &[Recorded]) -> Option<pb::Form> {
    let Submission { instance, site, forms_version, .. } = &submissions.first()?.header;
    Some(pb::Form {
        instance: Some(pb::FormInstance {
            participant: instance.participant.to_string(),
            event: instance.event.to_string(),
            event_repeat: instance.event_repeat,
            form: instance.form.to_string(),
            form_repeat: instance.form_repeat,
        }),
        site: site.to_string(),
        forms_version: forms_version.to_string(),
        values: domain::current(submissions).into_iter().map(value_message).collect(),
        entries: submissions.iter().map(|submission| submission.entry.number).collect(),
        redacted: submissions.iter().flat_map(redacted_message).collect(),
    })
}

fn redacted_message(submission: &Recorded) -> impl Iterator<Item = pb::RedactedValue> + '_ {
    submission.redacted.iter().map(|index| pb::RedactedValue { entry: submission.entry.number, index: *index })
}
