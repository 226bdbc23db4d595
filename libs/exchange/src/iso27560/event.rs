//! The events of a record (ISO/IEC TS 27560:2023 clause 6.3.7), one or two per provision.
//!
//! The states are those of the consent life cycle in annex B, in DPV's words: given, refused, withdrawn, expired, request
//! deferred. Of what was given and refused, `entity_id` is who did it; of the other states it is the participant concerned:
//! who withdrew is in the journal, not in our input. To which purpose an event belongs is said in `purpose_type`: the
//! standard leaves that open.

use super::NOT_STATED;
use crate::{
    record::{Consent, Provision, ProvisionState, Status},
    time::instant,
};
use serde_json::{Value, json};

pub(super) fn all(consent: &Consent) -> Vec<Value> {
    consent.provisions.iter().flat_map(|provision| of(consent, provision)).collect()
}

/// The name of a status in our extension.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Withdrawn => "withdrawn",
        Status::Expired => "expired",
        Status::Deferred => "deferred",
        Status::Superseded => "superseded",
    }
}

fn of(consent: &Consent, provision: &Provision) -> Vec<Value> {
    let event = |state, time, entry| event(consent, provision, state, time, entry);
    let (from, until) = (Some(provision.from_ms), provision.until_ms);
    let given = event("given", from, provision.given_entry);
    match (provision.state, consent.status) {
        (ProvisionState::Declined, _) => vec![event("refused", from, None)],
        (ProvisionState::Withdrawn, _) => vec![given, event("withdrawn", until, provision.withdrawn_entry)],
        (ProvisionState::Expired, _) => vec![given, event("expired", until, None)],
        (ProvisionState::Given, Status::Deferred) => vec![event("request_deferred", from, provision.given_entry)],
        (ProvisionState::Given, Status::Withdrawn) => vec![given, event("withdrawn", None, provision.withdrawn_entry)],
        (ProvisionState::Given, Status::Expired) => vec![given, event("expired", until, None)],
        (ProvisionState::Given, Status::Active | Status::Superseded) => vec![given],
    }
}

fn event(consent: &Consent, provision: &Provision, state: &str, time: Option<u64>, entry: Option<u64>) -> Value {
    let actors = if matches!(state, "given" | "refused") { consent.consenters() } else { Vec::new() };
    json!({
        "event_time": time.map_or(NOT_STATED.to_owned(), instant),
        "validity_duration": validity(consent, provision),
        "entity_id": actors.first().copied().unwrap_or(&consent.participant),
        "event_type": "explicit",
        "event_state": state,
        "extension": { "purpose_type": provision.name, "journal_entry": entry, "also_by": actors.get(1..) },
    })
}

/// An interval (ISO 8601-1 section 5.5), with `..` for an open end (ISO 8601-2).
fn validity(consent: &Consent, provision: &Provision) -> String {
    let end = consent.until(provision).map_or("..".to_owned(), instant);
    format!("{}/{end}", instant(provision.from_ms))
}
