//! The rules of consent: every refusal, each way to give and to withdraw, who reads what, and a model they agree with.

#![allow(clippy::unwrap_used)]

use consent::domain::{Changes, Next, Refusal, Rule, decide};
use seal::{
    dsse::{Envelope, sign},
    id::{Name, Uuid},
    key::SecretKey,
    sha256,
};
use std::collections::BTreeMap;
use vocabulary::{
    authority::Unauthorised,
    command::{
        ActorKind, Approval, Capacity, Collected, GiveConsent, Manner, Offer, Provision, PublishDocument, Relation,
        Task, Terms, WithdrawConsent, WithdrawalScope,
    },
    consent::{InForce, NotInForce, in_force},
    fact::{self, Fact, Facts, Given},
    subject::{self, List, Subject},
};

/// 2026-11-21T00:00:00Z.
const NOW: u64 = 1_795_219_200_000;
const DAY: u64 = 86_400_000;
const PARTICIPANT: &str = "P-ABCDEFGHIJKLMNOP";
const OTHER: &str = "P-ABCDEFGHIJKLMNO2";
const LEGAL: &str = "R-LEGALREPRESENTAT";
const MOTHER: &str = "R-MOTHERMOTHERMOTH";
const FATHER: &str = "R-FATHERFATHERFATH";
const WITNESS: &str = "R-WITNESSWITNESSWI";
/// How long consent may be deferred under the document of these tests.
const DEFERRAL: u64 = 1_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn provision(text: &str) -> Provision {
    text.parse().unwrap()
}

fn provisions(texts: &[&str]) -> Vec<Provision> {
    texts.iter().map(|text| provision(text)).collect()
}

/// The key of an actor in these tests.
fn key(actor: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[actor.as_bytes()]).0)
}

/// A command with the fields all have, and its own.
macro_rules! command {
    ($by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type { study: Uuid([9; 16]), request: Uuid([8; 16]), by: name($by), time: NOW, $($field $(: $value)?),* }
    };
}

mod again;
mod capacity;
mod document;
mod first;
mod give;
mod grant;
mod model;
mod model3;
mod quiz;
mod read;
mod standing;
mod third;
mod withdraw;

/// A document without terms.
fn publication() -> PublishDocument {
    let approval = Approval { reference: name("IRB-1"), date: name("2026-01-15"), body: None };
    let (document, version, language, content) = (name("ICF"), name("1.0"), name("en"), sha256(&[b"text"]).into());
    command!("root", PublishDocument { document, version, language, content, approval, terms: None })
}

fn offer(text: &str, mandatory: bool, days: Option<u32>) -> Offer {
    Offer { provision: provision(text), mandatory, days }
}

/// Terms that admit every way of giving consent, for good except genetics.
fn terms() -> Terms {
    Terms {
        title: name("Informed consent form"),
        sites: Vec::new(),
        effective: NOW,
        provisions: vec![
            offer("data_collection", true, None),
            offer("genetics", false, Some(10)),
            offer("biosamples:blood", false, None),
            offer("recontact", false, None),
        ],
        quiz: None,
        supersedes: Vec::new(),
        reconsent: None,
        parents: 1,
        representative: true,
        remote: true,
        deferral_ms: Some(DEFERRAL),
        notice: None,
        site_device: false,
    }
}

fn publishing(version: &str, terms: Terms) -> PublishDocument {
    let approval = Approval { body: Some(name("Ethics board")), ..publication().approval };
    PublishDocument { version: name(version), approval, terms: Some(terms), ..publication() }
}

/// `ann` obtains consent to data collection under a study's first rules.
fn giving_at_first(participant: &str) -> GiveConsent {
    command!(
        "ann",
        GiveConsent {
            participant: name(participant),
            site: name("701"),
            document: name("ICF"),
            version: name("1.0"),
            language: name("en"),
            provisions: vec![Provision::data_collection()],
            synthetic: true,
            manner: None,
            seen: None,
            late: None,
        }
    )
}

fn manner(capacity: Capacity) -> Manner {
    Manner { capacity, witness: None, remote: None, answers: Vec::new() }
}

/// `ann` obtains consent to these provisions, from whom `capacity` says.
fn giving(texts: &[&str], capacity: Capacity) -> GiveConsent {
    GiveConsent { provisions: provisions(texts), manner: Some(manner(capacity)), ..giving_at_first(PARTICIPANT) }
}

fn withdrawing_at_first(by: &str, participant: &str) -> WithdrawConsent {
    let (participant, site, provisions) = (name(participant), name("701"), vec![Provision::data_collection()]);
    command!(by, WithdrawConsent { participant, site, provisions, scope: None, collected: None, late: None })
}

/// Withdraws within `scope`, or what is listed.
fn withdrawing(by: &str, texts: &[&str], scope: Option<WithdrawalScope>) -> WithdrawConsent {
    let provisions = provisions(texts);
    WithdrawConsent { provisions, scope, collected: Some(Collected::Kept), ..withdrawing_at_first(by, PARTICIPANT) }
}

/// A consent journal without a journal: the facts of enrollment, its own facts, and the entry to come.
#[derive(Clone)]
struct Study {
    enrollment: Facts,
    facts: Facts,
    next: Next,
}

impl Study {
    fn none() -> Self {
        Self { enrollment: Facts::default(), facts: Facts::default(), next: Next { number: 0, time: NOW } }
    }

    /// `ann` and `bob` may obtain consent at the open site `701`, where two participants are enrolled; one of them has
    /// representatives.
    fn under(rules: Option<u32>) -> Self {
        let mut study = Self::none();
        let root_key = key("root").public();
        study.enroll(subject::study(), Fact::Study { name: name("STUDY-1"), root_key, rules, tokens: false });
        let kinds = [
            (ActorKind::Person, vec!["root", "ann", "bob", "eve", "dora"]),
            (ActorKind::Participant, vec![PARTICIPANT, OTHER]),
            (ActorKind::Representative, vec![LEGAL, MOTHER, FATHER, WITNESS]),
            (ActorKind::Device, vec!["tablet", "meter"]),
            (ActorKind::System, vec!["edc"]),
            (ActorKind::Organisation, vec!["lab"]),
        ];
        for (kind, actors) in kinds {
            actors.into_iter().for_each(|actor| study.register(actor, kind));
        }
        for site in ["701", "702"] {
            study.enroll(
                subject::site(&name(site)),
                Fact::Site(fact::Site { open: true, changed: 1, state: None, newest: None }),
            );
        }
        for obtainer in ["ann", "bob"] {
            study.delegate(obtainer, Task::ObtainConsent, "701", (NOW, u64::MAX), None);
        }
        for participant in [PARTICIPANT, OTHER] {
            study.participate(participant, None);
        }
        let parents = [(MOTHER, Relation::Parent), (FATHER, Relation::Parent)];
        for (actor, relation) in
            parents.into_iter().chain([(LEGAL, Relation::LegalRepresentative), (WITNESS, Relation::ImpartialWitness)])
        {
            let subject = subject::representative(&name(PARTICIPANT), &name(actor));
            study.enroll(subject, Fact::Representative(fact::Representative { relation, registered: 4, until: None }));
        }
        study
    }

    /// A study under the second rules, with [`terms`] out.
    fn new() -> Self {
        Self::with(terms())
    }

    /// A study under the second rules, with a document on these terms out.
    fn with(terms: Terms) -> Self {
        let mut study = Self::under(Some(2));
        study.publish("1.0", terms).unwrap();
        study
    }

    fn enroll(&mut self, subject: Subject, fact: Fact) {
        self.enrollment.set(subject, fact);
    }

    fn register(&mut self, actor: &str, kind: ActorKind) {
        let fact = Fact::Key(fact::Key {
            actor: name(actor),
            key: key(actor).public(),
            registered: 0,
            ended: None,
            steps: None,
        });
        self.enroll(subject::key(key(actor).public().id()), fact);
        self.enroll(subject::actor(&name(actor)), Fact::Actor(fact::Actor { kind, registered: 0, site: None }));
    }

    fn delegate(&mut self, to: &str, task: Task, site: &str, (from, until): (u64, u64), ended: Option<u64>) {
        let fact = Fact::Delegation(fact::Delegation { granted: 2, from, until, ended });
        self.enroll(subject::delegation(&name(to), task.name(), &name(site)), fact);
    }

    fn participate(&mut self, participant: &str, withdrawn: Option<u64>) {
        let fact = Fact::Participant(fact::Participant { site: name("701"), enrolled: 3, withdrawn, stage: None });
        self.enroll(subject::participant(&name(participant)), fact);
    }

    fn end_key(&mut self, actor: &str) {
        let fact = Fact::Key(fact::Key {
            actor: name(actor),
            key: key(actor).public(),
            registered: 0,
            ended: Some(5),
            steps: None,
        });
        self.enroll(subject::key(key(actor).public().id()), fact);
    }

    fn open(&mut self, site: &str, open: bool) {
        self.enroll(subject::site(&name(site)), Fact::Site(fact::Site { open, changed: 7, state: None, newest: None }));
    }

    /// Signs, parses, decides and applies, as the service does: the rule sees the facts it asked for and no other. That
    /// all the facts would lead to the same decision is checked each time; a refused command leaves everything as it was.
    fn run<P: Rule + std::fmt::Debug>(&mut self, command: &P, signers: &[&str]) -> Result<Changes, Refusal> {
        let keys: Vec<SecretKey> = signers.iter().map(|signer| key(signer)).collect();
        self.submit::<P>(&sign(command, &keys.iter().collect::<Vec<_>>()))
    }

    fn submit<P: Rule + std::fmt::Debug>(&mut self, bytes: &[u8]) -> Result<Changes, Refusal> {
        let envelope = Envelope::parse(bytes).unwrap();
        let command: P = envelope.payload().unwrap();
        let among = |facts: &Facts, needs: Vec<Subject>| -> Facts {
            needs.into_iter().filter_map(|subject| Some((subject.clone(), facts.find(&subject)?.clone()))).collect()
        };
        let mut needed = among(&self.enrollment, command.needs_enrollment(&envelope));
        needed.extend(among(&self.facts, command.needs(&needed)));
        let decided = decide(&command, &envelope, &needed, self.next);
        let mut all = self.enrollment.clone();
        all.extend(self.facts.clone());
        assert_eq!(decided, decide(&command, &envelope, &all, self.next), "{command:?} needs more facts");
        let changes = decided?;
        let asked = command.needs(&self.enrollment);
        for (subject, fact) in &changes {
            assert!(asked.contains(subject), "{subject:?} is changed unseen");
            assert_eq!(Fact::parse(&fact.to_bytes()).as_ref(), Some(fact));
            self.facts.set(subject.clone(), fact.clone());
        }
        self.next.number += 1;
        Ok(changes)
    }

    fn publish(&mut self, version: &str, terms: Terms) -> Result<Changes, Refusal> {
        self.run(&publishing(version, terms), &["root"])
    }

    /// The participant gives consent with their own key.
    fn give(&mut self, texts: &[&str]) -> Result<Changes, Refusal> {
        self.run(&giving(texts, Capacity::Participant), &["ann", PARTICIPANT])
    }

    fn withdraw(&mut self, by: &str, scope: WithdrawalScope) -> Result<Changes, Refusal> {
        self.run(&withdrawing(by, &[], Some(scope)), &[by])
    }

    fn holds(&self, text: &str) -> Result<InForce, NotInForce> {
        in_force(&self.facts, &name(PARTICIPANT), &provision(text), self.next.time)
    }

    fn provisions(&self) -> BTreeMap<Provision, Given> {
        match self.facts.find(&subject::consent(&name(PARTICIPANT))) {
            Some(Fact::Consent(fact::Consent { provisions, majority: None, emptied: None, .. })) => provisions.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// How many entries the participant's list of consents names.
    fn consents(&self) -> u64 {
        self.facts.count(&subject::list(&List::Consents(name(PARTICIPANT))))
    }
}

fn refuses<T: std::fmt::Debug>(result: Result<T, Refusal>, refusal: impl Into<Refusal>) {
    assert_eq!(result.map(|_| ()).unwrap_err(), refusal.into());
}

fn malformed(field: &'static str, result: Result<Changes, Refusal>) {
    match result {
        Err(Refusal::Malformed { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{field}: {other:?}"),
    }
}

fn no_delegation(actor: &str, task: Task, site: &str) -> Unauthorised {
    Unauthorised::NoDelegation { actor: name(actor), task, site: name(site) }
}

fn unknown_key(actor: &str) -> Unauthorised {
    Unauthorised::UnknownKey(name(actor))
}
