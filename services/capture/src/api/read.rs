//! Reads, for those entitled to see.

use super::Inner;
use crate::domain::{self, Current, Recorded};
use access::FactSource;
use proto::capture as pb;
use seal::{
    Hash,
    command::{FormInstance, Submission, Task},
    fact::Subject,
    id::{IdError, Name, Service, Uuid},
};
use server::{Problem, now_ms, study};
use tlog::merkle::{Tree, leaf_hash};
use tonic::{Code, metadata::MetadataMap};

/// Tasks that let their holder see what was captured at their site.
const SEES: [Task; 3] = [Task::Capture, Task::Read, Task::Audit];
const MAX_REQUESTS: usize = 1_000;

impl Inner {
    pub(super) async fn lookup_receipts(
        &self,
        metadata: &MetadataMap,
        request: pb::LookupReceiptsRequest,
    ) -> Result<pb::LookupReceiptsResponse, Problem> {
        let study = study(&request.study)?;
        if request.requests.len() > MAX_REQUESTS {
            return Err(Problem::field("MALFORMED", "requests", format!("more than {MAX_REQUESTS}")));
        }
        let parse = |text: &String| text.parse::<Uuid>().map(|uuid| uuid.0);
        let requests = request.requests.iter().map(parse).collect::<Result<Vec<_>, _>>();
        let requests = requests.map_err(|error| Problem::field("MALFORMED", "requests", error.to_string()))?;
        access::actor(metadata, study, &self.enrollment, now_ms()).await?; // whoever knows a request's id may ask for it
        let recorded = self.store.reader().recorded(Service::Capture.stream(study), &requests).await?;
        let message =
            |(request, number): ([u8; 16], u64)| pb::RecordedRequest { request: Uuid(request).to_string(), number };
        Ok(pb::LookupReceiptsResponse { recorded: recorded.into_iter().map(message).collect() })
    }

    pub(super) async fn get_datapoint(
        &self,
        metadata: &MetadataMap,
        request: pb::GetDatapointRequest,
    ) -> Result<pb::GetDatapointResponse, Problem> {
        let (_, submissions) = self.read(metadata, &request.study, request.instance).await?;
        let found = domain::current(&submissions)
            .into_iter()
            .find(|item| item.datapoint.item == request.item && item.datapoint.repeat == request.repeat)
            .ok_or_else(not_found)?;
        Ok(pb::GetDatapointResponse { value: Some(value_message(found)) })
    }

    pub(super) async fn get_form(
        &self,
        metadata: &MetadataMap,
        request: pb::GetFormRequest,
    ) -> Result<pb::GetFormResponse, Problem> {
        let (_, submissions) = self.read(metadata, &request.study, request.instance).await?;
        Ok(pb::GetFormResponse { form: form_message(&submissions) })
    }

    pub(super) async fn list_forms(
        &self,
        metadata: &MetadataMap,
        request: pb::ListFormsRequest,
    ) -> Result<pb::ListFormsResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        self.may_see(metadata, study, &participant).await?;
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
        for (number, first) in page {
            if first != [1] {
                continue; // a correction: part of the form instance it corrects
            }
            let (recorded, _, _) = self.store.submission(stream, number).await?;
            let submissions = self.store.submissions(study, &recorded.header.instance).await?;
            forms.extend(form_message(&submissions));
        }
        Ok(pb::ListFormsResponse { forms, next_page_token })
    }

    pub(super) async fn get_item_history(
        &self,
        metadata: &MetadataMap,
        request: pb::GetItemHistoryRequest,
    ) -> Result<pb::GetItemHistoryResponse, Problem> {
        let (_, submissions) = self.read(metadata, &request.study, request.instance).await?;
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
        metadata: &MetadataMap,
        request: pb::DiscloseDatapointRequest,
    ) -> Result<pb::DiscloseDatapointResponse, Problem> {
        let study = study(&request.study)?;
        // Who may not see the entry must not learn whether it exists: the answer is the same.
        let caller = access::actor(metadata, study, &self.enrollment, now_ms()).await?;
        let stream = Service::Capture.stream(study);
        let found = self.store.submission(stream, request.entry).await;
        let (recorded, content, stored) = found.map_err(|problem| match problem.code {
            Code::DataLoss if problem.reason == "DATA_DAMAGED" => problem,
            Code::Unavailable => problem,
            _ => not_found(),
        })?;
        self.sees(&caller, study, &recorded.header.instance.participant).await.map_err(|problem| {
            match problem.code {
                Code::PermissionDenied => not_found(),
                _ => problem,
            }
        })?;
        let index = recorded
            .datapoints
            .iter()
            .position(|datapoint| datapoint.item == request.item && datapoint.repeat == request.repeat)
            .ok_or_else(not_found)?;
        let leaves: Vec<Hash> = content.datapoints.iter().map(|bytes| leaf_hash(bytes)).collect();
        Ok(pb::DiscloseDatapointResponse {
            entry: stored.entry,
            envelope: content.envelope,
            datapoint: content.datapoints[index].clone(),
            index: index as u64,
            path: Tree::new(&leaves).path(index).iter().map(|hash| hash.0.to_vec()).collect(),
        })
    }

    async fn read(
        &self,
        metadata: &MetadataMap,
        of_study: &str,
        instance: Option<pb::FormInstance>,
    ) -> Result<(FormInstance, Vec<Recorded>), Problem> {
        let study = study(of_study)?;
        let instance = instance.ok_or_else(|| Problem::field("MALFORMED", "instance", "required"))?;
        let instance = FormInstance {
            participant: name("instance.participant", &instance.participant)?,
            event: name("instance.event", &instance.event)?,
            event_repeat: instance.event_repeat,
            form: name("instance.form", &instance.form)?,
            form_repeat: instance.form_repeat,
        };
        self.may_see(metadata, study, &instance.participant).await?;
        let submissions = self.store.submissions(study, &instance).await?;
        if submissions.is_empty() { Err(not_found()) } else { Ok((instance, submissions)) }
    }

    async fn may_see(&self, metadata: &MetadataMap, study: Uuid, participant: &Name) -> Result<(), Problem> {
        let caller = access::actor(metadata, study, &self.enrollment, now_ms()).await?;
        self.sees(&caller, study, participant).await
    }

    /// Checks that `caller` is the participant, or holds a task that sees at the participant's site.
    async fn sees(&self, caller: &Name, study: Uuid, participant: &Name) -> Result<(), Problem> {
        if caller == participant {
            return Ok(());
        }
        let (_, facts) = self.enrollment.facts(study, &[Subject::Participant(participant.clone())]).await?;
        let everywhere = Name::all_sites();
        let site = facts.site_of(participant).unwrap_or(&everywhere);
        Ok(access::holds_any(caller, study, &SEES, site, &self.enrollment, now_ms()).await?)
    }
}

fn name(field: &str, text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: IdError| Problem::field("MALFORMED", field, error.to_string()))
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound, "NOT_FOUND", "there is no such form instance, item or entry that the caller may see")
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
    })
}
