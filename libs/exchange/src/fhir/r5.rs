//! Writes Consent of FHIR R5 (5.0.0, <https://hl7.org/fhir/R5/consent.html>).

use super::{
    concept::{Concept, RESOURCE_TYPES_R5, codeable, coding},
    part::{
        Node, attachment, categories, consenters, contained, controllers, identifiers, meta, name_space, narrative,
        patient, reference, rule, site, study, tree, with, witness,
    },
};
use crate::{
    plain::pruned,
    record::{Capacity, Consent, Status},
    time::{day, instant},
};
use serde_json::{Value, json};

const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/consentverification";

/// The consent as a FHIR R5 Consent.
///
/// In R5 a provision has no type: it is an exception to what contains it. The base `decision` is `deny`; what was agreed
/// to is an exception to that; a refinement that was not agreed to is an exception to the exception. What was declined,
/// withdrawn or has expired and refines nothing agreed to follows from the base decision and is not listed.
pub fn r5(consent: &Consent) -> Value {
    let grantees: Vec<Value> = std::iter::once(site(consent)).chain(controllers(consent)).collect();
    let resource = json!({
        "resourceType": "Consent",
        "meta": meta(consent),
        "text": narrative(consent),
        "contained": contained(consent),
        "extension": witness(consent),
        "identifier": identifiers(consent),
        "status": status(consent.status),
        "category": categories(),
        "subject": patient(consent),
        "date": day(consent.signed_ms),
        "period": period(consent),
        "grantor": consenters(consent),
        "grantee": grantees,
        "manager": [site(consent)],
        "controller": controllers(consent),
        "sourceAttachment": [attachment(consent)],
        "policyBasis": { "url": name_space(consent) },
        "verification": [verification(consent)],
        "decision": "deny",
        "provision": exceptions(consent, &tree(&consent.provisions), false),
    });
    pruned(resource).unwrap_or_default()
}

/// `draft`: "not yet intended to be acted upon". R5 has no `proposed`.
fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Withdrawn | Status::Expired | Status::Superseded => "inactive",
        Status::Deferred => "draft",
    }
}

/// From the first provision agreed to, until the deadline if the consent is provisional.
fn period(consent: &Consent) -> Value {
    let start = consent.provisions.iter().filter(|p| consent.permits(p)).map(|p| p.from_ms).min();
    let end = match consent.capacity {
        Capacity::Deferred { deadline_ms } => Some(deadline_ms.saturating_sub(1)),
        _ => None,
    };
    let end = end.map(|end| end.max(start.unwrap_or_default()));
    json!({ "start": start.map(instant), "end": end.map(instant) })
}

fn verification(consent: &Consent) -> Value {
    let with = consenters(consent).into_iter().next();
    let date = with.is_some().then(|| vec![instant(consent.signed_ms)]);
    json!({
        "verified": with.is_some(),
        "verificationType": codeable(VERIFICATION, "validation"),
        "verifiedBy": reference(consent, "Practitioner", &consent.obtained_by),
        "verifiedWith": with,
        "verificationDate": date,
    })
}

/// The nodes that differ from what contains them. Of one that does not, only its refinements can.
fn exceptions(consent: &Consent, nodes: &[Node<'_>], permitted: bool) -> Vec<Value> {
    let one = |node: &Node<'_>| {
        let permits = consent.permits(node.provision);
        let refined = exceptions(consent, &node.refined, permits);
        if permits == permitted {
            return refined;
        }
        let class = Concept::of(&node.provision.name).class.map(|class| coding(RESOURCE_TYPES_R5, class));
        let own = json!({
            "extension": study(consent),
            "resourceType": class.map(|class| vec![class]),
            "provision": refined,
        });
        vec![with(rule(consent, node.provision), own)]
    };
    nodes.iter().flat_map(one).collect()
}
