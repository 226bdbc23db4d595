//! What was kept beside the golden data directory when it was written.

use super::support::receipts::Told;
use client::Reader;
use seal::{
    id::{Name, Service, Uuid},
    key::SecretKey,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};
use synthetic::{Actor, Participant, Study};

/// The file in the folder of what was kept.
const FILE: &str = "kept.json";

/// A person or participant with their secret key: made up, like everything here.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: Name,
    key: String,
}

/// Receipts handed out by one service.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipts {
    pub(crate) service: Service,
    pub(crate) receipts: Vec<Told>,
}

/// What was kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) study: Uuid,
    pub(crate) site: Name,
    staff: BTreeMap<String, Person>,
    participants: Vec<Person>,
    /// The last value captured of the first participant, and where.
    pub(crate) event: Name,
    pub(crate) value: String,
    pub(crate) receipts: Vec<Receipts>,
    /// How many entries the journals held at least.
    pub(crate) entries: u64,
}

impl Kept {
    /// What a study and its participants are.
    pub(crate) fn of(study: &Study, site: &Name, participants: &[Participant], event: &str, value: &str) -> Self {
        let person =
            |name: &Name, key: &SecretKey| Person { name: name.clone(), key: key.to_secret_text().to_string() };
        let staff = [
            ("root", &study.root),
            ("investigator", &study.investigator),
            ("coordinator", &study.coordinator),
            ("auditor", &study.auditor),
        ];
        Self {
            study: study.id,
            site: site.clone(),
            staff: staff.map(|(role, actor)| (role.to_owned(), person(&actor.name, &actor.key))).into(),
            participants: participants.iter().map(|p| person(&p.name, &p.key)).collect(),
            event: event.parse().unwrap(),
            value: value.to_owned(),
            receipts: Vec::new(),
            entries: 0,
        }
    }

    pub(crate) fn read(folder: &Path) -> Self {
        serde_json::from_slice(&fs::read(folder.join(FILE)).unwrap()).unwrap()
    }

    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join(FILE), serde_json::to_vec_pretty(self).unwrap()).unwrap();
    }

    /// The study, to act in again.
    pub(crate) fn study(&self) -> Study {
        let actor = |role: &str| {
            let Person { name, key } = &self.staff[role];
            Actor { name: name.clone(), key: SecretKey::from_secret_text(key).unwrap() }
        };
        let [root, investigator, coordinator, auditor] = ["root", "investigator", "coordinator", "auditor"].map(actor);
        Study { id: self.study, root, investigator, coordinator, auditor }
    }

    /// One of the participants.
    pub(crate) fn participant(&self, place: usize) -> Participant {
        let Person { name, key } = &self.participants[place];
        let key = SecretKey::from_secret_text(key).unwrap();
        Participant { name: name.clone(), site: self.site.clone(), key }
    }

    /// A participant who reads their own.
    pub(crate) fn own(&self, place: usize) -> Reader {
        let Participant { name, key, .. } = self.participant(place);
        self.study().reads(&Actor { name, key })
    }
}
