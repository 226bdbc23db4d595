//! The parties of a record (ISO/IEC TS 27560:2023 clause 6.3.6). Persons appear under their identifiers in the study,
//! never by name; who they are is known at the site.

use super::{NOT_STATED, optional, stated};
use crate::record::{Consent, Party, Provision};
use serde_json::{Value, json};

pub(super) fn all(consent: &Consent) -> Vec<Value> {
    let site = Party { name: consent.site.clone(), address: None, contact: consent.handling.contact.clone() };
    let mut parties = vec![person(consent, &consent.participant, "PII principal")];
    parties.extend(consenting(consent));
    parties.extend(consent.witness.iter().map(|witness| person(consent, witness, "impartial witness")));
    parties.push(person(consent, &consent.obtained_by, "obtained the consent"));
    parties.push(organisation(&site, "study site"));
    parties.extend(consent.controllers.iter().map(|party| organisation(party, "PII controller")));
    parties.extend(consent.provisions.iter().filter_map(Provision::recipient).map(recipient));
    parties
}

fn consenting(consent: &Consent) -> impl Iterator<Item = Value> {
    let others = consent.consenters().into_iter().filter(|actor| *actor != consent.participant);
    others.map(|actor| person(consent, actor, "consents for the PII principal"))
}

fn person(consent: &Consent, id: &str, role: &str) -> Value {
    let contact = format!("through the study site {}", consent.site);
    fields(id, id, NOT_STATED, role, &contact, "natural person")
}

fn organisation(party: &Party, role: &str) -> Value {
    let (address, contact) = (optional(party.address.as_deref()), optional(party.contact.as_deref()));
    fields(&party.name, &party.name, address, role, contact, "organisation")
}

fn recipient(name: &str) -> Value {
    fields(name, name, NOT_STATED, "recipient third party", NOT_STATED, "organisation")
}

fn fields(id: &str, name: &str, address: &str, role: &str, contact: &str, kind: &str) -> Value {
    json!({
        "party_id": stated(id),
        "party_name": stated(name),
        "party_address": address,
        "party_role": role,
        "party_contact": contact,
        "party_type": kind,
    })
}
