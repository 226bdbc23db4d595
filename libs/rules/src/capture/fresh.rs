//! What is refused when it is new, under rules 3, and is only remarked on in an audit: earlier programs recorded it.

use super::{Fault, Refusal, When, alike::reduced, field};
use seal::{
    MAX_CLOCK_AHEAD_MS,
    datapoint::Datapoint,
    id::Name,
    text::{is_blank, is_in_words},
};
use std::collections::HashSet;
use vocabulary::{
    command::{DefineForms, EraseParticipant, RedactValue, Submission},
    fact::Facts,
};

/// Checks a new submission whose values fit `forms`, received at `now` (Unix milliseconds).
pub fn check_new(
    submission: &Submission,
    values: &[Datapoint],
    forms: &DefineForms,
    (facts, now): (&Facts, u64),
) -> Result<(), Refusal> {
    if facts.rules() < Some(3) {
        return Ok(());
    }
    if submission.reason.as_ref().is_some_and(|reason| !is_in_words(reason)) {
        return field("envelope.payload.reason", Fault::Reason);
    }
    in_words("late", submission.late.as_ref())?;
    if submission.collected.as_ref().is_some_and(|text| is_future(text, now)) {
        return field("envelope.payload.collected", Fault::Future);
    }
    let form = forms.forms.iter().find(|form| form.form == submission.instance.form);
    let mut seen = HashSet::new();
    for (index, datapoint) in values.iter().enumerate() {
        let at = |part: &str| format!("datapoints[{index}].{part}");
        if !datapoint.value.is_empty() && is_blank(&datapoint.value) {
            let item = form.and_then(|form| form.items.iter().find(|item| item.item.as_str() == datapoint.item));
            return field(
                at("value"),
                if item.is_some_and(|item| item.mandatory) { Fault::Missing } else { Fault::Blank },
            );
        }
        if !datapoint.unit.is_empty() && is_blank(&datapoint.unit) {
            return field(at("unit"), Fault::Blank);
        }
        if !seen.insert((&datapoint.item, reduced(&datapoint.repeat))) {
            return field(at("item"), Fault::ItemRepeated);
        }
    }
    Ok(())
}

/// Checks new definitions: no two forms, or items of a form, look the same.
pub fn check_new_forms(forms: &DefineForms, facts: &Facts) -> Result<(), Refusal> {
    if facts.rules() < Some(3) {
        return if forms.events.is_empty() { Ok(()) } else { Err(Refusal::RulesOutdated) };
    }
    let mut names = HashSet::new();
    for form in &forms.forms {
        let path = format!("envelope.payload.forms[{}]", form.form);
        if !names.insert(reduced(form.form.as_str())) {
            return field(path, Fault::Alike);
        }
        let mut items = HashSet::new();
        if let Some(item) = form.items.iter().find(|item| !items.insert(reduced(item.item.as_str()))) {
            return field(format!("{path}.items[{}]", item.item), Fault::Alike);
        }
    }
    Ok(())
}

/// Checks that a new redaction says why.
pub fn check_new_redaction(redact: &RedactValue, facts: &Facts) -> Result<(), Refusal> {
    if facts.rules() < Some(3) { Ok(()) } else { in_words("reason", Some(&redact.reason)) }
}

/// Checks that a new erasure says by whose order and by which law.
pub fn check_new_erasure(erase: &EraseParticipant, facts: &Facts) -> Result<(), Refusal> {
    if facts.rules() < Some(3) {
        return Ok(());
    }
    in_words("order", Some(&erase.order))?;
    in_words("law", Some(&erase.law))
}

/// Whether a date of collection is later than `now` (Unix milliseconds), with five minutes for clocks that differ.
pub fn is_future(collected: &str, now: u64) -> bool {
    When::parse(collected).is_some_and(|when| when.is_after(now.saturating_add(MAX_CLOCK_AHEAD_MS)))
}

fn in_words(name: &str, text: Option<&Name>) -> Result<(), Refusal> {
    match text {
        Some(text) if !is_in_words(text.as_str()) => field(format!("envelope.payload.{name}"), Fault::Words),
        _ => Ok(()),
    }
}
