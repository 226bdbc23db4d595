//! Form definitions, and whether values fit them.

use super::{Fault, Refusal, When, alike::alike, field};
use seal::{
    datapoint::{Datapoint, MAX_DATAPOINTS, MAX_VALUE_BYTES},
    id::Name,
    text::is_day,
};
use std::collections::HashSet;
use vocabulary::command::{DefineForms, FormDef, FormInstance, ItemDef, ItemType, Provision, Submission};

const DEFAULT_LENGTH: usize = 4_096;
const MAX_FORMS: usize = 1_024;
const MAX_EVENTS: usize = 4_096;

/// Checks that definitions do not contradict themselves.
pub fn check_forms(forms: &DefineForms) -> Result<(), Refusal> {
    if forms.forms.is_empty() || forms.forms.len() > MAX_FORMS {
        return field("envelope.payload.forms", Fault::Definition);
    }
    let mut names = HashSet::new();
    for form in &forms.forms {
        let path = format!("envelope.payload.forms[{}]", form.form);
        let mut items = HashSet::new();
        if !names.insert(&form.form) || form.items.is_empty() || form.items.len() > MAX_DATAPOINTS {
            return field(path, Fault::Definition);
        }
        for item in &form.items {
            let long = item.max_length.is_some_and(|length| length == 0 || length as usize > MAX_VALUE_BYTES);
            let empty = item.min.zip(item.max).is_some_and(|(min, max)| min > max);
            if long || empty || !items.insert(&item.item) {
                return field(format!("{path}.items[{}]", item.item), Fault::Definition);
            }
        }
    }
    check_events(forms)
}

/// Checks that study events are told apart by who reads them, and name forms that are defined, each once.
fn check_events(forms: &DefineForms) -> Result<(), Refusal> {
    if forms.events.len() > MAX_EVENTS {
        return field("envelope.payload.events", Fault::Definition);
    }
    let mut names = HashSet::new();
    for event in &forms.events {
        let path = format!("envelope.payload.events[{}]", event.event);
        if !names.insert(alike(event.event.as_str())) {
            return field(path, Fault::Alike);
        }
        let mut seen = HashSet::new();
        let defined = |name: &Name| forms.forms.iter().any(|form| form.form == *name);
        if let Some(form) = event.forms.iter().find(|form| !defined(form) || !seen.insert(*form)) {
            return field(format!("{path}.forms[{form}]"), Fault::Definition);
        }
    }
    Ok(())
}

/// Checks that the study has the event of a form instance, and captures the form there.
fn check_event(instance: &FormInstance, forms: &DefineForms) -> Result<(), Refusal> {
    if forms.events.is_empty() {
        return Ok(());
    }
    match forms.events.iter().find(|event| event.event == instance.event) {
        None => field("envelope.payload.instance.event", Fault::EventUnknown),
        Some(event) if event.forms.is_empty() || event.forms.contains(&instance.form) => Ok(()),
        Some(_) => field("envelope.payload.instance.form", Fault::FormElsewhere),
    }
}

/// Checks a submission's values against the definitions it names.
pub fn check_values(submission: &Submission, values: &[Datapoint], forms: &DefineForms) -> Result<(), Refusal> {
    let Some(form) = forms.forms.iter().find(|form| form.form == submission.instance.form) else {
        return field("envelope.payload.instance.form", Fault::ItemUnknown);
    };
    check_event(&submission.instance, forms)?;
    let provision = form.provision.clone().unwrap_or_else(Provision::data_collection);
    if submission.rests_on() != provision {
        return field("envelope.payload.provision", Fault::Provision);
    }
    let mut seen = HashSet::new();
    for (index, datapoint) in values.iter().enumerate() {
        let Some(item) = form.items.iter().find(|item| item.item.as_str() == datapoint.item) else {
            return field(format!("datapoints[{index}].item"), Fault::ItemUnknown);
        };
        if !seen.insert((&datapoint.item, &datapoint.repeat)) {
            return field(format!("datapoints[{index}].item"), Fault::ItemRepeated);
        }
        let taken_away = submission.corrects.is_some() && datapoint.value.is_empty();
        let fault = match (taken_away, item.mandatory) {
            (true, true) => Err(Fault::Missing),
            (true, false) => Ok(()),
            (false, _) => check_value(item, &datapoint.value),
        };
        if let Err(fault) = fault {
            return field(format!("datapoints[{index}].value"), fault);
        }
    }
    if submission.corrects.is_some() { Ok(()) } else { check_mandatory(form, values) }
}

fn check_mandatory(form: &FormDef, values: &[Datapoint]) -> Result<(), Refusal> {
    let given: HashSet<&str> = values.iter().map(|datapoint| datapoint.item.as_str()).collect();
    match form.items.iter().find(|item| item.mandatory && !given.contains(item.item.as_str())) {
        Some(item) => field(format!("datapoints[{}]", item.item), Fault::Missing),
        None => Ok(()),
    }
}

fn check_value(item: &ItemDef, value: &str) -> Result<(), Fault> {
    if value.len() > item.max_length.map_or(DEFAULT_LENGTH, |length| length as usize) {
        return Err(Fault::TooLong);
    }
    let number = match item.kind {
        ItemType::Text => (!value.is_empty()).then_some(None),
        ItemType::Integer => is_integer(value).then(|| value.parse::<f64>().ok()),
        ItemType::Decimal => is_decimal(value).then(|| value.parse::<f64>().ok()),
        ItemType::Boolean => matches!(value, "true" | "false").then_some(None),
        ItemType::Date => is_day(value).then_some(None),
        ItemType::PartialDatetime => When::parse(value).map(|_| None),
    };
    let number = number.ok_or(Fault::WrongType)?;
    let below = number.zip(item.min).is_some_and(|(number, min)| number < min);
    let above = number.zip(item.max).is_some_and(|(number, max)| number > max);
    if below || above {
        return Err(Fault::OutOfRange);
    }
    if item.codes.is_empty() || item.codes.iter().any(|code| code == value) {
        Ok(())
    } else {
        Err(Fault::NotInCodeList)
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_integer(whole) && fraction.is_none_or(digits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn item(kind: ItemType) -> ItemDef {
        ItemDef {
            item: "X".parse().unwrap(),
            kind,
            max_length: Some(30),
            min: Some(-5.0),
            max: Some(10.5),
            codes: Vec::new(),
            mandatory: false,
        }
    }

    #[test]
    fn values_fit_their_type_range_and_length() {
        let cases = [
            (ItemType::Integer, vec!["0", "-5", "10"], vec!["", "1.0", "+1", "1e3", "x", "0000000000000000001"]),
            (ItemType::Decimal, vec!["0", "10.5", "-4.25"], vec!["", ".5", "1.", "1,5", "NaN", "inf", "1e3"]),
            (ItemType::Boolean, vec!["true", "false"], vec!["", "1", "TRUE"]),
            (ItemType::Date, vec!["2024-02-29"], vec!["2023-02-29", "2024-2-9", "2024-13-01", "+024-01-01"]),
            (
                ItemType::PartialDatetime,
                vec!["2014", "2014-01", "2014-01-16T13", "2014-01-16T13:17", "2014-01-16T13:17:59"],
                vec!["", "14", "2014-13", "2014T10", "2014-01-16T24:00", "2014-01-16T13:17:59:00", "2014-01-16T"],
            ),
        ];
        for (kind, good, bad) in cases {
            for value in good {
                assert_eq!(check_value(&item(kind), value), Ok(()), "{kind:?} {value}");
            }
            for value in bad {
                assert_eq!(check_value(&item(kind), value), Err(Fault::WrongType), "{kind:?} {value:?}");
            }
        }
        assert_eq!(check_value(&item(ItemType::Integer), "11"), Err(Fault::OutOfRange));
        assert_eq!(check_value(&item(ItemType::Decimal), "-5.01"), Err(Fault::OutOfRange));
        assert_eq!(check_value(&item(ItemType::Text), &"x".repeat(31)), Err(Fault::TooLong));
        let mut listed = item(ItemType::Text);
        listed.codes = vec!["M".to_owned(), "F".to_owned()];
        assert_eq!(check_value(&listed, "F"), Ok(()));
        assert_eq!(check_value(&listed, "U"), Err(Fault::NotInCodeList));
    }
}
