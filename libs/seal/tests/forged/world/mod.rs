//! A deployment in memory that records whatever it is told, true or false, and a prover for it: what a dishonest operator
//! could make, with every hash, proof and signature in order.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

mod anchor;
pub mod rotation;
pub mod study;

use seal::{
    Hash,
    bundle::{Bundle, EntryPart, FactPart, Withheld},
    command::Payload,
    datapoint::{self, Datapoint},
    dsse,
    entry::{Entry, Head, hash},
    fact::{Fact, salt, value_hash},
    id::{Service, Uuid},
    key::{PublicKey, SecretKey},
    map::Memory,
    policy::Policy,
    report::Report,
    sha256,
    subject::Subject,
    text::{Base64, Hex},
    verify::{Demand, Fault, verify, walk},
};
use std::{collections::BTreeMap, ops::Range};
use tlog::{
    key::{Algorithm, SignerKey},
    merkle::Tree,
};

pub const START_MS: u64 = 1_767_225_600_000;
/// The name of the chain.
pub const ORIGIN: &str = "world.test/chain";

/// A fact's bytes and salt.
type Kept = (Vec<u8>, [u8; 16]);

#[derive(Default)]
struct Journal {
    entries: Vec<Entry>,
    envelopes: Vec<Vec<u8>>,
    states: Vec<BTreeMap<Hash, Kept>>,
}

impl Journal {
    fn tree(&self) -> Tree {
        self.tree_of(0..self.entries.len())
    }

    fn tree_of(&self, range: Range<usize>) -> Tree {
        Tree::new(&self.entries[range].iter().map(|entry| hash(&entry.to_bytes())).collect::<Vec<_>>())
    }
}

fn map(state: &BTreeMap<Hash, Kept>) -> Memory {
    let mut map = Memory::default();
    state.iter().for_each(|(key, (fact, salt))| map.set(key, &value_hash(salt, fact)));
    map
}

/// Three journals of one study.
pub struct World {
    pub study: Uuid,
    pub root: SecretKey,
    pub time: u64,
    /// Whether the study is under rules 3.
    pub third: bool,
    /// From rules 3 on: SHA-256 of the envelope of the newest command about the participant's consent.
    pub newest: Option<Hash>,
    /// From rules 3 on: how long before they are recorded commands are signed, in milliseconds.
    pub kept_back_ms: u64,
    /// How much later than they are recorded commands are signed, in milliseconds.
    pub ahead_ms: u64,
    journals: BTreeMap<Service, Journal>,
}

impl World {
    pub fn empty() -> Self {
        let journals = Service::ALL.map(|service| (service, Journal::default())).into_iter().collect();
        Self {
            study: Uuid([7; 16]),
            root: key("root"),
            time: START_MS,
            third: false,
            newest: None,
            kept_back_ms: 0,
            ahead_ms: 0,
            journals,
        }
    }

    /// SHA-256 of the envelope of an entry.
    pub fn envelope(&self, service: Service, number: u64) -> Hash {
        self.journals[&service].entries[number as usize].envelope
    }

    /// When an entry was recorded.
    pub fn recorded(&self, service: Service, number: u64) -> u64 {
        self.journals[&service].entries[number as usize].time
    }

    /// What is recorded by `work` was signed so many milliseconds before it is recorded, or after if that is negative.
    pub fn signed_before<T>(&mut self, age_ms: i64, work: impl FnOnce(&mut Self) -> T) -> T {
        let offset = 1_000 - age_ms;
        (self.ahead_ms, self.kept_back_ms) = (offset.max(0) as u64, (-offset).max(0) as u64);
        let done = work(self);
        (self.ahead_ms, self.kept_back_ms) = (0, 0);
        done
    }

    /// The number of the next entry.
    pub fn next(&self, service: Service) -> u64 {
        self.journals[&service].entries.len() as u64
    }

    /// Records a command and what it is said to have changed, a second later.
    pub fn record<P: Payload>(&mut self, command: &P, keys: &[&SecretKey], facts: Vec<(Subject, Fact)>) -> u64 {
        let facts = facts.into_iter().map(|(subject, fact)| (subject, fact.to_bytes())).collect();
        self.record_bytes(service_of(P::KIND), P::KIND, dsse::sign(command, keys), facts)
    }

    pub fn record_bytes(
        &mut self,
        service: Service,
        kind: &str,
        envelope: Vec<u8>,
        facts: Vec<(Subject, Vec<u8>)>,
    ) -> u64 {
        self.time += 1_000;
        let basis = match service {
            Service::Enrollment => Vec::new(),
            Service::Consent => vec![self.head(Service::Enrollment)],
            Service::Capture => vec![self.head(Service::Enrollment), self.head(Service::Consent)],
        };
        let (study, time, number) = (self.study, self.time, self.next(service));
        let journal = self.journals.get_mut(&service).unwrap();
        let nonce: [u8; 16] = sha256(&[kind.as_bytes(), &number.to_be_bytes()]).0[..16].try_into().unwrap();
        let mut state = journal.states.last().cloned().unwrap_or_default();
        for (subject, fact) in facts {
            let place = subject.map_key(study);
            state.insert(place, (fact, salt(&nonce, &place)));
        }
        let state_root = (service != Service::Capture).then(|| map(&state).root());
        journal.entries.push(Entry {
            stream: service.stream(study),
            number,
            previous: journal.entries.last().map_or(Hash::ZERO, |before| hash(&before.to_bytes())),
            time,
            nonce,
            kind: kind.to_owned(),
            envelope: sha256(&[&envelope]),
            state_root,
            basis,
        });
        journal.envelopes.push(envelope);
        journal.states.push(state);
        number
    }

    fn head(&self, service: Service) -> Head {
        self.journals[&service].entries.last().unwrap().head()
    }

    pub fn policy_text(&self) -> String {
        policy_of(&[self])
    }

    pub fn policy(&self) -> Policy {
        Policy::parse(&self.policy_text()).unwrap()
    }

    /// The bundle of a command as such, as far as it can be made.
    pub fn record_bundle(&self, service: Service, number: u64) -> Bundle {
        let mut bundle = Bundle {
            record: Some(service),
            study: self.study,
            submission: number,
            datapoint: Base64::default(),
            index: 0,
            path: Vec::new(),
            entries: Vec::new(),
            facts: Vec::new(),
            blocks: Vec::new(),
            checkpoint: String::new(),
            withheld: None,
        };
        self.complete(&mut bundle);
        bundle
    }

    /// The bundle of a value, as far as it can be made: what is missing is added until the walk ends or breaks.
    pub fn bundle(&self, submission: u64, values: &[Datapoint], index: usize, withheld: Option<Withheld>) -> Bundle {
        let values: Vec<Vec<u8>> = values.iter().map(Datapoint::to_bytes).collect();
        let leaves: Vec<Hash> = values.iter().map(|bytes| tlog::merkle::leaf_hash(bytes)).collect();
        let erased = matches!(withheld, Some(Withheld::Erased { .. }));
        let path = Tree::new(&leaves).path(index).into_iter().map(Hex).collect();
        let mut bundle = Bundle {
            record: None,
            study: self.study,
            submission,
            datapoint: Base64(if withheld.is_none() { values[index].clone() } else { Vec::new() }),
            index: if erased { 0 } else { index as u64 },
            path: if erased { Vec::new() } else { path },
            entries: Vec::new(),
            facts: Vec::new(),
            blocks: Vec::new(),
            checkpoint: String::new(),
            withheld,
        };
        self.complete(&mut bundle);
        bundle
    }

    /// Adds what the walk lacks, then blocks and checkpoint.
    pub fn complete(&self, bundle: &mut Bundle) {
        while let Err(Fault::Missing(_, demand)) = walk(bundle, &self.root.public(), &mut Vec::new()) {
            if !self.supply(bundle, demand) {
                break;
            }
        }
        self.anchor(bundle);
    }

    /// The bundle with the parts that `model` has, from these journals and not from the model's: complete where the walk
    /// breaks, so that it breaks for one reason alone.
    pub fn with_the_parts_of(&self, model: &Bundle) -> Bundle {
        let mut bundle = Bundle { entries: Vec::new(), facts: Vec::new(), ..model.clone() };
        for EntryPart { service, number, envelope, .. } in &model.entries {
            let envelope = envelope.is_some();
            self.supply(&mut bundle, Demand::Entry { service: *service, number: *number, envelope });
        }
        bundle.facts =
            model.facts.iter().map(|part| self.fact(part.service, part.number, part.key.0).unwrap()).collect();
        self.anchor(&mut bundle);
        bundle
    }

    /// A fact in the state after an entry, with the proof of its place.
    fn fact(&self, service: Service, number: u64, key: Hash) -> Option<FactPart> {
        let state = &self.journals[&service].states[number as usize];
        let (fact, salt) = state.get(&key)?;
        let siblings = map(state).path(&key).siblings.into_iter().map(Hex).collect();
        let (fact, salt) = (Base64(fact.clone()), Base64(salt.to_vec()));
        Some(FactPart { service, number, key: Hex(key), fact, salt, siblings })
    }

    pub fn supply(&self, bundle: &mut Bundle, demand: Demand) -> bool {
        match demand {
            Demand::Entry { service, number, envelope } => {
                let (journal, place) = (&self.journals[&service], number as usize);
                let Some(entry) = journal.entries.get(place) else { return false };
                bundle.entries.retain(|known| (known.service, known.number) != (service, number));
                bundle.entries.push(EntryPart {
                    service,
                    number,
                    entry: Base64(entry.to_bytes()),
                    envelope: envelope.then(|| Base64(journal.envelopes[place].clone())),
                    path: journal.tree().path(place).into_iter().map(Hex).collect(),
                });
                true
            }
            Demand::Fact { service, number, subjects } => {
                let keys = subjects.iter().map(|subject| subject.map_key(self.study));
                let Some(part) = keys.filter_map(|key| self.fact(service, number, key)).next() else { return false };
                bundle.facts.push(part);
                true
            }
        }
    }

    pub fn verify(&self, bundle: &Bundle) -> Report {
        verify(&bundle.to_bytes(), &self.policy())
    }
}

fn service_of(kind: &str) -> Service {
    match kind {
        "publish-document" | "give-consent" | "withdraw-consent" => Service::Consent,
        "submit-form" | "redact-value" | "erase-participant" => Service::Capture,
        _ => Service::Enrollment,
    }
}

/// The policy for the studies of these worlds.
pub fn policy_of(worlds: &[&World]) -> String {
    let studies: String =
        worlds.iter().map(|world| format!("study {} {}\n", world.study, world.root.public())).collect();
    format!("log {}\nquorum none\n{studies}", log().verifier())
}

/// The key of the chain.
pub fn log() -> SignerKey {
    SignerKey::from_seed(ORIGIN, Algorithm::Ed25519, [9; 32]).unwrap()
}

/// The key of whoever has this name; one name, one key.
pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[name.as_bytes()]).0)
}

pub fn public(name: &str) -> PublicKey {
    key(name).public()
}

/// The root over values.
pub fn root(values: &[Datapoint]) -> Hex {
    datapoint::root(&values.iter().map(Datapoint::to_bytes).collect::<Vec<_>>()).into()
}
