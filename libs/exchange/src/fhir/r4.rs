//! Writes Consent of FHIR R4 (4.0.1, <https://hl7.org/fhir/R4/consent.html>).

use super::{
    concept::{Concept, RESOURCE_TYPES_R4, codeable, coding},
    part::{
        Node, attachment, categories, consenters, contained, controllers, identifiers, meta, name_space, narrative,
        patient, rule, site, study, tree, with, witness,
    },
};
use crate::{
    plain::pruned,
    record::{Consent, Status},
    time::instant,
};
use serde_json::{Value, json};

const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

/// The consent as a FHIR R4 Consent.
///
/// The root rule carries no `type`, as R4 asks; every provision below says `permit` or `deny` itself. A refinement
/// (`data_collection:imaging`) is nested in what it refines.
pub fn r4(consent: &Consent) -> Value {
    let organizations: Vec<Value> = std::iter::once(site(consent)).chain(controllers(consent)).collect();
    let resource = json!({
        "resourceType": "Consent",
        "meta": meta(consent),
        "text": narrative(consent),
        "contained": contained(consent),
        "extension": witness(consent),
        "identifier": identifiers(consent),
        "status": status(consent.status),
        "scope": codeable(SCOPE, "research"),
        "category": categories(),
        "patient": patient(consent),
        "dateTime": instant(consent.signed_ms),
        "performer": consenters(consent),
        "organization": organizations,
        "sourceAttachment": attachment(consent),
        "policy": [{ "uri": name_space(consent) }],
        "verification": [verification(consent)],
        "provision": { "extension": study(consent), "provision": rules(consent, &tree(&consent.provisions)) },
    });
    pruned(resource).unwrap_or_default()
}

/// `proposed`: "not yet agreed to by all parties".
fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Withdrawn | Status::Expired | Status::Superseded => "inactive",
        Status::Deferred => "proposed",
    }
}

fn verification(consent: &Consent) -> Value {
    match consenters(consent).into_iter().next() {
        Some(with) => {
            json!({ "verified": true, "verifiedWith": with, "verificationDate": instant(consent.signed_ms) })
        }
        None => json!({ "verified": false }),
    }
}

fn rules(consent: &Consent, nodes: &[Node<'_>]) -> Vec<Value> {
    let one = |node: &Node<'_>| {
        let decision = if consent.permits(node.provision) { "permit" } else { "deny" };
        let class = Concept::of(&node.provision.name).class.map(|class| coding(RESOURCE_TYPES_R4, class));
        let own = json!({
            "type": decision,
            "class": class.map(|class| vec![class]),
            "provision": rules(consent, &node.refined),
        });
        with(rule(consent, node.provision), own)
    };
    nodes.iter().map(one).collect()
}
