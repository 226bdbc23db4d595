//! Every kind of fact and subject has the bytes and the place in the state map that it always had: `docs/vectors/facts.jsonl`,
//! whose hashes were computed by another program from what `docs/PROOF.md` says.

#![allow(clippy::unwrap_used)]

use seal::{
    id::{Name, Uuid},
    text::Hex,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use vocabulary::{
    fact::{Fact, salt, value_hash},
    subject::{self, List, Subject},
};

const STUDY: Uuid = Uuid([9; 16]);
const NONCE: [u8; 16] = [7; 16];

/// A subject and its key in the state map, or a fact and its hash.
#[derive(Deserialize)]
struct Vector {
    subject: Option<Vec<String>>,
    key: Option<Hex>,
    fact: Option<Box<RawValue>>,
    value: Option<Hex>,
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("../../../docs/vectors/facts.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn list(parts: &[String]) -> List {
    let of = || name(&parts[1]);
    match parts[0].as_str() {
        "protocols" => List::Protocols,
        "study" => List::Study,
        "delegations" => List::Delegations,
        "sites" => List::Sites,
        "participants" => List::Participants(of()),
        "participant" => List::Participant(of()),
        "randomised" => List::Randomised(of()),
        "documents" => List::Documents,
        "consents" => List::Consents(of()),
        "accesses" => List::Accesses(of()),
        other => panic!("{other}"),
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn subject(parts: &[String]) -> Subject {
    let of = |place: usize| name(&parts[place]);
    match parts[0].as_str() {
        "study" => subject::study(),
        "protocol" => subject::protocol(&of(1)),
        "site" => subject::site(&of(1)),
        "actor" => subject::actor(&of(1)),
        "key" => subject::key(parts[1].parse().unwrap()),
        "delegation" => subject::delegation(&of(1), vocabulary::command::Task::Capture.name(), &of(3)),
        "participant" => subject::participant(&of(1)),
        "document" => subject::document(&of(1), &of(2), &of(3)),
        "consent" => subject::consent(&of(1)),
        "study-state" => subject::study_state(),
        "site-approval" => subject::site_approval(&of(1)),
        "arm" => subject::arm(&of(1)),
        "cap" => subject::cap(&of(1)),
        "enrolled" => subject::enrolled(&of(1)),
        "criteria" => subject::criteria(&of(1)),
        "criteria-in-force" => subject::criteria_in_force(),
        "screening" => subject::screening(&of(1)),
        "token" => subject::token(serde_json::from_str(&format!("\"{}\"", parts[1])).unwrap()),
        "match" => subject::matched(&of(1)),
        "same" => subject::same(&of(1)),
        "continued" => subject::continued(&of(1)),
        "held" => subject::held(&of(1)),
        "representative" => subject::representative(&of(1), &of(2)),
        "allocation" => subject::allocation(&of(1)),
        "stratum" => subject::stratum(&of(1), &parts[2]),
        "randomised" => subject::randomised(&of(1)),
        "lost-from" => subject::lost_from(&of(1)),
        "unblinded" => subject::unblinded(&of(1)),
        "grant" => subject::grant(&of(1), &of(2)),
        "list" => subject::list(&list(&parts[1..])),
        other => panic!("{other}"),
    }
}

#[test]
fn every_kind_of_fact_has_the_bytes_and_hash_it_had() {
    let mut kinds = BTreeSet::new();
    for vector in vectors() {
        let (Some(fact), Some(value)) = (vector.fact, vector.value) else { continue };
        let read = Fact::parse(fact.get().as_bytes()).unwrap_or_else(|| panic!("{}", fact.get()));
        assert_eq!(String::from_utf8(read.to_bytes()).unwrap(), fact.get());
        let salt = salt(&NONCE, &subject::study().map_key(STUDY));
        assert_eq!(value_hash(&salt, &read.to_bytes()), value.0, "{}", fact.get());
        kinds.insert(fact.get().split('"').nth(1).unwrap().to_owned());
    }
    assert_eq!(kinds.len(), 29, "{kinds:?}");
}

#[test]
fn every_kind_of_subject_is_where_it_was() {
    let mut kinds = BTreeSet::new();
    for vector in vectors() {
        let (Some(parts), Some(key)) = (vector.subject, vector.key) else { continue };
        assert_eq!(subject(&parts).map_key(STUDY), key.0, "{parts:?}");
        kinds.insert(parts[0].clone() + parts.get(1).filter(|_| parts[0] == "list").map_or("", String::as_str));
    }
    assert_eq!(kinds.len(), 39, "{kinds:?}");
}
