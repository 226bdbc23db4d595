//! Consent records and consent receipts as JSON, after ISO/IEC TS 27560:2023.
//!
//! The names of the fields are those of the standard's clauses 6.3.3 to 6.3.7 and 6.4.5, as the W3C Data Privacy
//! Vocabularies group lists them in *Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV* (final report
//! of 1 August 2024). The standard defines no JSON: the names of the four sections below are ours, after the titles of its
//! clauses, and so is `extension`, which holds what the standard has no field for.
//!
//! | section | clause | holds |
//! |---|---|---|
//! | `record_header` | 6.3.3 | `schema_version`, `record_id`, `pii_principal_id` |
//! | `pii_processing` | 6.3.4, 6.3.5 | `privacy_notice`, `language`, `purposes` with their `pii_information`, and what the study states once for all purposes |
//! | `party_identification` | 6.3.6 | everybody who is named elsewhere in the record |
//! | `event` | 6.3.7 | what was given, refused, withdrawn, and when |
//!
//! Left out because Trialseal does not know them, all optional in the standard: `processing_method`,
//! `processing_locations`, `geographic_restrictions`, `services`, `privacy_rights`, `codes_of_conduct`,
//! `impact_assessment`, `authority_party`, `pii_attribute_id`. A mandatory field that the study states nothing for reads
//! [`NOT_STATED`], so that the gap is seen.

mod event;
mod party;

use crate::{
    plain::pruned,
    record::{Capacity, Consent, Provision},
    time::instant,
    wording,
};
use serde_json::{Value, json};

/// What a mandatory field says when the study states nothing.
pub const NOT_STATED: &str = "not stated";

/// The value of `schema_version`.
pub const SCHEMA_VERSION: &str = "ISO/IEC TS 27560:2023";

/// The consent record (clause 6.3).
pub fn record(consent: &Consent) -> Value {
    let record = json!({
        "record_header": header(consent),
        "pii_processing": processing(consent),
        "party_identification": party::all(consent),
        "event": event::all(consent),
        "extension": extension(consent),
    });
    pruned(record).unwrap_or_default()
}

/// The consent receipt (clause 6.4): its own metadata and a copy of the record. `issued_ms` is when it is handed out,
/// Unix milliseconds.
pub fn receipt(consent: &Consent, issued_ms: u64) -> Value {
    let receipt = json!({
        "receipt_metadata": {
            "schema_version": SCHEMA_VERSION,
            "receipt_id": format!("{}/receipt/{issued_ms}", record_id(consent)),
        },
        "extension": { "issued": instant(issued_ms) },
        "consent_record": record(consent),
    });
    pruned(receipt).unwrap_or_default()
}

fn record_id(consent: &Consent) -> String {
    format!("urn:uuid:{}#consent/{}", consent.study, consent.entry)
}

fn header(consent: &Consent) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "record_id": record_id(consent),
        "pii_principal_id": stated(&consent.participant),
    })
}

fn processing(consent: &Consent) -> Value {
    let handling = &consent.handling;
    let recipients: Vec<&str> = consent.provisions.iter().filter_map(Provision::recipient).collect();
    json!({
        "privacy_notice": crate::fhir::ni(&consent.document.content),
        "language": stated(&consent.document.language),
        "purposes": consent.provisions.iter().map(|provision| purpose(consent, provision)).collect::<Vec<_>>(),
        "pii_controllers": consent.controllers.iter().map(|party| &party.name).collect::<Vec<_>>(),
        "collection_method": if consent.remote { "remote" } else { "at the study site" },
        "storage_locations": if handling.storage_locations.is_empty() { vec![NOT_STATED.to_owned()] } else { handling.storage_locations.clone() },
        "retention_period": optional(handling.retention.as_deref()),
        "jurisdiction": optional(handling.jurisdiction.as_deref()),
        "recipient_third_parties": if recipients.is_empty() { vec!["none"] } else { recipients },
        "withdrawal_method": optional(handling.withdrawal.as_deref()),
    })
}

fn purpose(consent: &Consent, provision: &Provision) -> Value {
    json!({
        "purpose": wording::clause(provision),
        "purpose_type": provision.name,
        "lawful_basis": consent.handling.lawful_basis,
        "pii_information": [{
            "pii_type": pii_type(provision),
            "pii_optional": !provision.mandatory,
            "special_pii_category": if provision.parts().first() == Some(&"genetics") { "genetic data" } else { "data concerning health" },
        }],
        "recipient_third_parties": provision.recipient().map(|recipient| vec![recipient]),
    })
}

fn pii_type(provision: &Provision) -> &'static str {
    match provision.parts().first().copied().unwrap_or_default() {
        "biosamples" => "biological samples and what is found in them",
        "genetics" => "genetic data",
        "recontact" => "contact details, held by the study site",
        _ => "pseudonymous study data",
    }
}

/// What makes the record checkable, and what the standard has no field for.
fn extension(consent: &Consent) -> Value {
    let (document, handling) = (&consent.document, &consent.handling);
    json!({
        "study": consent.study,
        "protocol": consent.protocol,
        "document": {
            "id": document.id, "version": document.version, "title": document.title,
            "sha256": document.content.to_hex(),
            "approval": { "body": document.approval.body, "reference": document.approval.reference, "date": document.approval.date },
        },
        "capacity": capacity(&consent.capacity),
        "remote": consent.remote,
        "quiz": consent.quiz.map(|quiz| json!({ "right": quiz.right, "questions": quiz.questions })),
        "after_withdrawal": handling.after_withdrawal,
        "contact": handling.contact,
        "journal_entry": { "number": consent.entry, "sha256": consent.entry_hash.to_hex(), "recorded": instant(consent.recorded_ms) },
        "signed": if consent.consenters().is_empty() { None } else { Some(instant(consent.signed_ms)) },
        "status": event::status(consent.status),
        "synthetic": consent.synthetic,
    })
}

fn capacity(capacity: &Capacity) -> Value {
    match capacity {
        Capacity::Participant => json!({ "kind": "participant" }),
        Capacity::SiteDevice { evidence } => json!({ "kind": "site_device", "evidence_sha256": evidence.to_hex() }),
        Capacity::Representative { relation, .. } => json!({ "kind": "representative", "relation": relation }),
        Capacity::Minor { assented, .. } => json!({ "kind": "minor", "assented": assented }),
        Capacity::Deferred { deadline_ms } => json!({ "kind": "deferred", "deadline": instant(*deadline_ms) }),
    }
}

fn stated(text: &str) -> &str {
    if crate::plain::line(text).is_empty() { NOT_STATED } else { text }
}

fn optional(text: Option<&str>) -> &str {
    text.map_or(NOT_STATED, stated)
}
