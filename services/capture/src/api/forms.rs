//! Forms and items as they stand, for those entitled to see.

use super::{
    Inner, order,
    read::{name, not_found},
    refusals::too_large,
};
use crate::{
    domain::{Current, FormState, History},
    store::{Folded, Open, Store, is_first},
};
use caller::Caller;
use journal_service::not_read;
use problem::{Problem, study};
use proto::capture as pb;
use record::Page;
use seal::id::{Name, Service, Uuid};
use vocabulary::command::{FormInstance, Provision, Submission};

impl Inner {
    pub(super) async fn get_datapoint(
        &self,
        from: &Caller,
        request: pb::GetDatapointRequest,
    ) -> Result<pb::GetDatapointResponse, Problem> {
        let (study, instance) = parse(&request.study, request.instance)?;
        let sight = self.sight(from, study, &instance.participant).await?;
        let (item, repeat) = (request.item.as_str(), request.repeat.as_str());
        let found = self.store.item(study, &instance, item, repeat, |provision| sight.covers(provision)).await?;
        let mut value = value_message(found.ok_or_else(not_found)?);
        self.place_in_time(study, &instance.participant, vec![order::of_value(&mut value)]).await;
        Ok(pb::GetDatapointResponse { value: Some(value) })
    }

    pub(super) async fn get_form(
        &self,
        from: &Caller,
        request: pb::GetFormRequest,
    ) -> Result<pb::GetFormResponse, Problem> {
        let (study, instance) = parse(&request.study, request.instance)?;
        let sight = self.sight(from, study, &instance.participant).await?;
        match self.store.form(study, &instance, |provision| sight.covers(provision)).await? {
            Folded::Nothing => Err(not_found()),
            Folded::Whole(form) => {
                let mut form = form_message(*form);
                self.place_in_time(study, &instance.participant, order::of_form(&mut form)).await;
                Ok(pb::GetFormResponse { form: Some(form) })
            }
            Folded::TooLarge => Err(too_large()),
        }
    }

    pub(super) async fn list_forms(
        &self,
        from: &Caller,
        request: pb::ListFormsRequest,
    ) -> Result<pb::ListFormsResponse, Problem> {
        let study = study(&request.study)?;
        let participant = name("participant", &request.participant)?;
        let sight = self.sight(from, study, &participant).await?;
        let page = Page::parse(request.page_size, &request.page_token)?;
        let mut answer = forms(&self.store, study, &participant, page, |provision| sight.covers(provision)).await?;
        self.place_in_time(study, &participant, answer.forms.iter_mut().flat_map(order::of_form).collect()).await;
        Ok(answer)
    }

    pub(super) async fn get_item_history(
        &self,
        from: &Caller,
        request: pb::GetItemHistoryRequest,
    ) -> Result<pb::GetItemHistoryResponse, Problem> {
        let (study, instance) = parse(&request.study, request.instance)?;
        let sight = self.sight(from, study, &instance.participant).await?;
        let page = Page::parse(request.page_size, &request.page_token)?;
        let history = History::new(request.item, request.repeat);
        let mut answer =
            changes(&self.store, study, &instance, history, page, |provision| sight.covers(provision)).await?;
        let all = answer.changes.iter_mut().map(order::of_change).collect();
        self.place_in_time(study, &instance.participant, all).await;
        Ok(answer)
    }
}

/// A page of a participant's forms: those that began with the entries looked at.
async fn forms(
    store: &Store,
    study: Uuid,
    participant: &Name,
    mut page: Page,
    covers: impl Fn(&Provision) -> bool,
) -> Result<pb::ListFormsResponse, Problem> {
    let (stream, key) = (Service::Capture.stream(study), store.participant_key(study, participant));
    let found = store.reader().history(stream, &key, page.after, page.size).await.map_err(not_read)?;
    let mut forms = Vec::new();
    for (number, mark) in &found {
        // A correction is part of the form instance it corrects.
        let first =
            if is_first(mark) { Some(store.open_submission(stream, *number).await?.recorded.header) } else { None };
        let form = match first.filter(|first| covers(&first.rests_on())) {
            Some(first) => match store.form(study, &first.instance, &covers).await? {
                Folded::Nothing => None,
                Folded::Whole(form) => Some(form_message(*form)),
                Folded::TooLarge => Some(pb::Form { too_large: true, ..begun(&first) }),
            },
            None => None,
        };
        match form {
            None => page.passes(*number),
            Some(form) if page.takes(*number, &form) => forms.push(form),
            Some(_) => break,
        }
    }
    Ok(pb::ListFormsResponse { forms, next_page_token: page.next(found.len()) })
}

/// A page of an item's changes. Its token names the last of them, whose value is the one before the next.
async fn changes(
    store: &Store,
    study: Uuid,
    instance: &FormInstance,
    mut history: History,
    mut page: Page,
    covers: impl Fn(&Provision) -> bool,
) -> Result<pb::GetItemHistoryResponse, Problem> {
    let mut walk = store.oldest(study, instance, page.after.unwrap_or(0));
    let (mut changes, size) = (Vec::new(), page.size as usize);
    let mut before = page.after;
    while changes.len() < size
        && let Some(Open { recorded, .. }) = walk.next().await?
    {
        let change = Some(&recorded).filter(|recorded| covers(&recorded.header.rests_on()));
        let change = change.and_then(|recorded| history.add(recorded));
        if let Some(last) = before.take() {
            let ours = change.is_some() && recorded.entry.number == last;
            ours.then_some(())
                .ok_or_else(|| Problem::field("MALFORMED", "page_token", "not a page token of this call"))?;
            continue;
        }
        let Some(change) = change else { continue };
        let message = pb::ItemChange {
            old_value: change.old,
            new_value: change.new,
            signed_by: recorded.header.by.to_string(),
            recorded_ms: recorded.entry.time,
            signed_ms: recorded.header.time,
            reason: recorded.header.reason.unwrap_or_default(),
            entry: recorded.entry.number,
            old_unit: change.old_unit,
            new_unit: change.new_unit,
            collected: recorded.header.collected.unwrap_or_default(),
            collected_before_consent: None,
        };
        if !page.takes(message.entry, &message) {
            break;
        }
        changes.push(message);
    }
    if changes.is_empty() && page.after.is_none() {
        return Err(not_found());
    }
    let next_page_token = page.next(changes.len());
    Ok(pb::GetItemHistoryResponse { changes, next_page_token })
}

fn parse(of_study: &str, instance: Option<pb::FormInstance>) -> Result<(Uuid, FormInstance), Problem> {
    let study = study(of_study)?;
    let instance = instance.ok_or_else(|| Problem::field("MALFORMED", "instance", "required"))?;
    let instance = FormInstance {
        participant: name("instance.participant", &instance.participant)?,
        event: name("instance.event", &instance.event)?,
        event_repeat: instance.event_repeat,
        form: name("instance.form", &instance.form)?,
        form_repeat: instance.form_repeat,
    };
    Ok((study, instance))
}

fn value_message(item: Current) -> pb::ItemValue {
    let Current { datapoint, entry, collected } = item;
    pb::ItemValue {
        collected: collected.unwrap_or_default(),
        collected_before_consent: None,
        item: datapoint.item,
        repeat: datapoint.repeat,
        value: datapoint.value,
        unit: datapoint.unit,
        entry,
    }
}

/// A form of which only the first submission's header is told.
fn begun(Submission { instance, site, forms_version, collected, .. }: &Submission) -> pb::Form {
    pb::Form {
        instance: Some(pb::FormInstance {
            participant: instance.participant.to_string(),
            event: instance.event.to_string(),
            event_repeat: instance.event_repeat,
            form: instance.form.to_string(),
            form_repeat: instance.form_repeat,
        }),
        site: site.to_string(),
        forms_version: forms_version.to_string(),
        collected: collected.clone().unwrap_or_default(),
        ..pb::Form::default()
    }
}

fn form_message(form: FormState) -> pb::Form {
    let redacted = |(entry, index)| pb::RedactedValue { entry, index };
    pb::Form {
        values: form.items.into_iter().map(value_message).collect(),
        entries: form.entries,
        redacted: form.redacted.into_iter().map(redacted).collect(),
        ..begun(&form.header)
    }
}

#[cfg(test)]
mod tests;
