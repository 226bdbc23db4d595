//! What both releases share: references, identifiers, periods, narrative.

use super::concept::{ACT_REASON, CONSENT_ACTION, Concept, PROVISION_SYSTEM, codeable, coding};
use crate::{
    record::{Capacity, Consent, Provision, ProvisionState},
    text,
    time::instant,
    wording,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tlog::Hash;

const URI: &str = "urn:ietf:rfc:3986";
const WITNESS: &str = "http://hl7.org/fhir/StructureDefinition/consent-Witness";
const RESEARCH_STUDY: &str = "http://hl7.org/fhir/StructureDefinition/consent-ResearchStudyContext";
pub(super) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
/// Information recipient.
pub(super) const RECIPIENT: &str = "IRCP";
const CONSENT_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/consentcategorycodes";
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const ROLE_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";

/// The name of something by its SHA-256 (RFC 6920 section 3).
pub(crate) fn ni(hash: &Hash) -> String {
    format!("ni:///sha-256;{}", URL_SAFE_NO_PAD.encode(hash.as_bytes()))
}

/// Pseudonymised; and marked as test data if synthetic.
pub(super) fn meta(consent: &Consent) -> Value {
    let tag =
        consent.synthetic.then(|| json!({ "system": ACT_REASON, "code": "HTEST", "display": "test health data" }));
    json!({ "security": [coding(OBSERVATION_VALUE, "PSEUDED")], "tag": tag.map(|tag| vec![tag]) })
}

/// The participant's copy. `additional`, because it says more than the elements do.
pub(super) fn narrative(consent: &Consent) -> Value {
    let escaped = text::copy(consent).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><pre>{escaped}</pre></div>");
    json!({ "status": "additional", "div": div })
}

/// The number of the entry in the study, and the entry by its hash.
pub(super) fn identifiers(consent: &Consent) -> Value {
    json!([
        { "system": name_space(consent), "value": format!("consent/{}", consent.entry) },
        { "system": URI, "value": ni(&consent.entry_hash) },
    ])
}

/// Research consent, and a patient's consent at all (LOINC 59284-0).
pub(super) fn categories() -> Vec<Value> {
    vec![codeable(CONSENT_CATEGORY, "research"), codeable("http://loinc.org", "59284-0")]
}

pub(super) fn name_space(consent: &Consent) -> String {
    format!("urn:uuid:{}", consent.study)
}

/// A logical reference: type and identifier, no name.
pub(super) fn reference(consent: &Consent, kind: &str, id: &str) -> Value {
    json!({ "type": kind, "identifier": { "system": name_space(consent), "value": id } })
}

pub(super) fn patient(consent: &Consent) -> Value {
    reference(consent, "Patient", &consent.participant)
}

pub(super) fn site(consent: &Consent) -> Value {
    reference(consent, "Organization", &consent.site)
}

pub(super) fn controllers(consent: &Consent) -> Vec<Value> {
    consent.controllers.iter().map(|party| json!({ "type": "Organization", "display": party.name })).collect()
}

/// Who consented: the patient, or persons described in [`contained`].
pub(super) fn consenters(consent: &Consent) -> Vec<Value> {
    let minor = matches!(consent.capacity, Capacity::Minor { assented: true, .. });
    let own = matches!(consent.capacity, Capacity::Participant | Capacity::SiteDevice { .. }) || minor;
    let others = (0..relatives(consent).len()).map(|n| json!({ "reference": format!("#consenter-{n}") }));
    others.chain(own.then(|| patient(consent))).collect()
}

/// The persons who consented for the patient, as RelatedPerson.
pub(super) fn contained(consent: &Consent) -> Vec<Value> {
    let person = |(n, (id, relationship)): (usize, (&str, Value))| {
        json!({
            "resourceType": "RelatedPerson",
            "id": format!("consenter-{n}"),
            "identifier": [{ "system": name_space(consent), "value": id }],
            "patient": patient(consent),
            "relationship": [relationship],
        })
    };
    relatives(consent).into_iter().enumerate().map(person).collect()
}

fn relatives(consent: &Consent) -> Vec<(&str, Value)> {
    match &consent.capacity {
        Capacity::Representative { actor, relation } => vec![(actor, json!({ "text": relation }))],
        Capacity::Minor { parents, .. } => parents.iter().map(|id| (id.as_str(), codeable(ROLE_CODE, "PRN"))).collect(),
        Capacity::Participant | Capacity::SiteDevice { .. } | Capacity::Deferred { .. } => Vec::new(),
    }
}

pub(super) fn witness(consent: &Consent) -> Option<Value> {
    let witness = consent.witness.as_deref()?;
    Some(json!([{ "url": WITNESS, "valueReference": reference(consent, "RelatedPerson", witness) }]))
}

/// The study that a provision is about.
pub(super) fn study(consent: &Consent) -> Value {
    let mut study = reference(consent, "ResearchStudy", &consent.study);
    if let Some(fields) = study.as_object_mut() {
        fields.insert("display".to_owned(), json!(consent.protocol));
    }
    json!([{ "url": RESEARCH_STUDY, "valueReference": study }])
}

/// The ICF: its language, its title with the version, and its SHA-256 as a URL.
pub(super) fn attachment(consent: &Consent) -> Value {
    let document = &consent.document;
    let title = document.title.as_deref().unwrap_or(&document.id);
    json!({
        "language": document.language,
        "url": ni(&document.content),
        "title": format!("{title}, {} version {}", document.id, document.version),
    })
}

/// The time a rule holds for. FHIR periods include their end; ours do not.
pub(super) fn period(consent: &Consent, provision: &Provision) -> Value {
    let last = consent.until(provision).map(|until| until.saturating_sub(1));
    match provision.state {
        ProvisionState::Given if consent.permits(provision) => {
            json!({ "start": instant(provision.from_ms), "end": last.map(|ms| instant(ms.max(provision.from_ms))) })
        }
        ProvisionState::Declined => json!({ "start": instant(provision.from_ms) }),
        ProvisionState::Given => Value::Null,
        ProvisionState::Withdrawn | ProvisionState::Expired => json!({ "start": provision.until_ms.map(instant) }),
    }
}

/// Purpose, action, recipient and our own name: the same in both releases.
pub(super) fn rule(consent: &Consent, provision: &Provision) -> Value {
    let concept = Concept::of(&provision.name);
    let recipient = provision.recipient().map(|name| {
        json!([{ "role": codeable(PARTICIPATION, RECIPIENT), "reference": { "type": "Organization", "display": name } }])
    });
    json!({
        "period": period(consent, provision),
        "actor": recipient,
        "action": [codeable(CONSENT_ACTION, concept.action)],
        "purpose": [coding(ACT_REASON, concept.purpose)],
        "code": [{ "coding": [coding(PROVISION_SYSTEM, &provision.name)], "text": wording::clause(provision) }],
    })
}

/// A provision and what refines it. Only a tree can say "all of this, but not that".
pub(super) struct Node<'a> {
    pub(super) provision: &'a Provision,
    pub(super) refined: Vec<Node<'a>>,
}

/// The provisions as a tree. Deeper levels have longer names, so the depth is bounded by the names' length.
pub(super) fn tree(provisions: &[Provision]) -> Vec<Node<'_>> {
    let all: Vec<&Provision> = provisions.iter().collect();
    roots(&all)
}

fn roots<'a>(provisions: &[&'a Provision]) -> Vec<Node<'a>> {
    let is_root = |p: &&&Provision| !provisions.iter().any(|other| p.refines(other));
    let node = |root: &&'a Provision| {
        let below: Vec<&Provision> = provisions.iter().copied().filter(|p| p.refines(root)).collect();
        Node { provision: root, refined: roots(&below) }
    };
    provisions.iter().filter(is_root).map(node).collect()
}

/// `base` with the fields of `more` that say something.
pub(super) fn with(mut base: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (base.as_object_mut(), more) {
        fields.extend(more);
    }
    base
}
