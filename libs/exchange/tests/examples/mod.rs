//! Consents of invented participants, one of every kind.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

use exchange::record::{
    Approval, Capacity, Consent, Document, Handling, Party, Provision, ProvisionState, Quiz, Status,
};
use tlog::sha256;

/// 1 July 2026, 09:30 UTC.
pub const SIGNED: u64 = 1_782_898_200_000;
/// 1 July 2027.
pub const NEXT_YEAR: u64 = SIGNED + 365 * DAY;
const DAY: u64 = 86_400_000;

pub fn provision(name: &str, state: ProvisionState) -> Provision {
    let ended = matches!(state, ProvisionState::Withdrawn | ProvisionState::Expired);
    Provision {
        name: name.to_owned(),
        mandatory: name == "data_collection",
        state,
        from_ms: SIGNED,
        until_ms: ended.then_some(SIGNED + 30 * DAY),
        given_entry: (state != ProvisionState::Declined).then_some(17),
        withdrawn_entry: (state == ProvisionState::Withdrawn).then_some(40),
    }
}

/// An adult who agreed to most of what was asked.
pub fn participant() -> Consent {
    use ProvisionState::{Declined, Expired, Given, Withdrawn};
    let mut provisions = vec![
        provision("data_collection", Given),
        provision("data_collection:imaging", Declined),
        provision("biosamples", Given),
        provision("genetics", Declined),
        provision("data_sharing:rare_disease_registry:Registry of Lyon", Given),
        provision("data_sharing:marketing_authorisation:Agency", Withdrawn),
        provision("future_research", Expired),
        provision("recontact", Given),
        provision("remote_monitoring", Given),
    ];
    provisions[2].until_ms = Some(NEXT_YEAR);
    Consent {
        study: "3f6c1f0e-8d1b-4c57-9a34-0d1f5f2b7a10".to_owned(),
        protocol: "TEST-01".to_owned(),
        participant: "P-ABCDEFGHIJKLMNOP".to_owned(),
        site: "701".to_owned(),
        signed_ms: SIGNED,
        recorded_ms: SIGNED + 1_500,
        status: Status::Active,
        document: document(),
        capacity: Capacity::Participant,
        witness: None,
        remote: false,
        obtained_by: "investigator-1".to_owned(),
        provisions,
        quiz: Some(Quiz { right: 9, questions: 10 }),
        entry: 17,
        entry_hash: sha256(&[b"entry 17"]),
        controllers: vec![Party {
            name: "Example Sponsor <R&D>".to_owned(),
            address: Some("1 Example Street, Lyon".to_owned()),
            contact: Some("privacy@sponsor.example".to_owned()),
        }],
        handling: handling(),
        synthetic: true,
    }
}

fn document() -> Document {
    Document {
        id: "ICF-ADULT".to_owned(),
        version: "2.1".to_owned(),
        language: "en-GB".to_owned(),
        title: Some("Information and consent form for adults".to_owned()),
        content: sha256(&[b"the form"]),
        approval: Approval {
            body: "Ethics Board South-East".to_owned(),
            reference: "EB-2026-114".to_owned(),
            date: "2026-05-20".to_owned(),
        },
    }
}

fn handling() -> Handling {
    Handling {
        after_withdrawal:
            "No new data are collected. What was collected until then is kept, as the law on trials asks.".to_owned(),
        withdrawal: Some("Tell anybody of the study site, or use the study app.".to_owned()),
        contact: Some("Dr. Example, telephone 555 0100".to_owned()),
        storage_locations: vec!["FR".to_owned()],
        retention: Some("25 years after the end of the study".to_owned()),
        jurisdiction: Some("EU".to_owned()),
        lawful_basis: None,
    }
}

/// Of every kind one, with the name of its vectors.
pub fn all() -> Vec<(&'static str, Consent)> {
    vec![
        ("participant", participant()),
        ("representative", representative()),
        ("minor", minor()),
        ("deferred", deferred()),
        ("withdrawn", withdrawn()),
        ("site-device", site_device()),
    ]
}

fn representative() -> Consent {
    let capacity =
        Capacity::Representative { actor: "representative-4".to_owned(), relation: "legal guardian".to_owned() };
    Consent { capacity, witness: Some("witness-2".to_owned()), remote: true, ..participant() }
}

fn minor() -> Consent {
    let parents = vec!["parent-1".to_owned(), "parent-2".to_owned()];
    Consent { capacity: Capacity::Minor { parents, assented: true }, ..participant() }
}

fn deferred() -> Consent {
    let capacity = Capacity::Deferred { deadline_ms: SIGNED + 3 * DAY };
    let provisions = vec![provision("data_collection", ProvisionState::Given)];
    Consent { status: Status::Deferred, capacity, provisions, quiz: None, ..participant() }
}

fn withdrawn() -> Consent {
    let mut consent = participant();
    consent.status = Status::Withdrawn;
    for provision in &mut consent.provisions {
        if provision.state == ProvisionState::Given {
            provision.state = ProvisionState::Withdrawn;
            provision.until_ms = Some(SIGNED + 30 * DAY);
            provision.withdrawn_entry = Some(40);
        }
    }
    consent
}

/// With as little as possible stated.
fn site_device() -> Consent {
    let mut document = document();
    document.title = None;
    let controllers = vec![Party { name: "Sponsor".to_owned(), address: None, contact: None }];
    let capacity = Capacity::SiteDevice { evidence: sha256(&[b"scan"]) };
    let provisions =
        vec![provision("data_collection", ProvisionState::Given), provision("brain_bank", ProvisionState::Given)];
    let (handling, status) = (Handling::default(), Status::Superseded);
    Consent {
        status,
        document,
        controllers,
        capacity,
        provisions,
        handling,
        quiz: None,
        synthetic: false,
        ..participant()
    }
}
