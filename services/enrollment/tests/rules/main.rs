//! The rules of enrollment: every refusal, and what no sequence of commands can bring about.

#![allow(clippy::unwrap_used)]

use enrollment::domain::{Changes, Next, Refusal, Rule, decide};
use seal::{
    dsse::{Envelope, sign},
    id::{Name, Uuid},
    key::SecretKey,
    sha256,
};
use vocabulary::{
    authority::Unauthorised,
    command::{
        ActivateSite, ActorKind, AddProtocolVersion, AddSite, CloseSite, CreateStudy, Delegate, EndDelegation,
        EnrolParticipant, RegisterActor, RevokeKey, RotateKey, Task, WithdrawParticipant, WithdrawalReason,
    },
    fact::{Fact, Facts},
};

const NOW: u64 = 1_000_000;
const PSEUDONYM: &str = "P-ABCDEFGHIJKLMNOP";
const OTHER_PSEUDONYM: &str = "P-ABCDEFGHIJKLMNO2";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The first key of an actor in these tests.
fn key_of(actor: &str) -> SecretKey {
    if actor == Name::ROOT { key(1) } else { SecretKey::from_seed(&sha256(&[b"key", actor.as_bytes()]).0) }
}

/// A command with the fields all have, and its own.
macro_rules! command {
    ($by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type { study: Uuid([9; 16]), request: Uuid([8; 16]), by: name($by), time: NOW, $($field $(: $value)?),* }
    };
}

mod bounds;
mod delegation;
mod model3;
mod people;
mod present;
mod randomisation;
mod refusals;
mod screening;
mod stages;
mod third;

fn refuses<T: std::fmt::Debug>(result: Result<T, Refusal>, refusal: impl Into<Refusal>) {
    assert_eq!(result.map(|_| ()).unwrap_err(), refusal.into());
}

/// A journal without a journal: facts, and the entry to come.
#[derive(Clone)]
struct Study {
    facts: Facts,
    next: Next,
}

impl Study {
    fn empty() -> Self {
        Self { facts: Facts::default(), next: Next { number: 0, time: NOW } }
    }

    /// A study with the actors `ann` and `bob` and the open site `701`.
    fn new() -> Self {
        let mut study = Self::empty();
        study.run(&create(), &[&key(1)]).unwrap();
        study.register("ann").unwrap();
        study.register("bob").unwrap();
        study.add_site("701").unwrap();
        study.activate("root", "701").unwrap();
        study
    }

    /// Signs, parses, decides and applies, as the service does: the rule sees the facts it asked for and no other. That
    /// all the facts would lead to the same decision is checked each time.
    fn run<P: Rule + std::fmt::Debug>(&mut self, command: &P, keys: &[&SecretKey]) -> Result<Changes, Refusal> {
        self.submit::<P>(&sign(command, keys))
    }

    fn submit<P: Rule + std::fmt::Debug>(&mut self, bytes: &[u8]) -> Result<Changes, Refusal> {
        let envelope = Envelope::parse(bytes).unwrap();
        let command: P = envelope.payload().unwrap();
        let needs = command.needs(&envelope);
        let needed = needs.iter().filter_map(|subject| Some((subject.clone(), self.facts.find(subject)?.clone())));
        let decided = decide(&command, &envelope, &needed.collect(), self.next);
        assert_eq!(decided, decide(&command, &envelope, &self.facts, self.next), "{command:?} needs more facts");
        let changes = decided?;
        for (subject, fact) in &changes {
            assert_eq!(Fact::parse(&fact.to_bytes()).as_ref(), Some(fact));
            self.facts.set(subject.clone(), fact.clone());
        }
        self.next.number += 1;
        Ok(changes)
    }

    fn register(&mut self, actor: &str) -> Result<Changes, Refusal> {
        self.run(&registration("root", actor), &[&key(1), &key_of(actor)])
    }

    fn add_site(&mut self, site: &str) -> Result<Changes, Refusal> {
        self.run(&command!("root", AddSite { site: name(site), title: name("A site") }), &[&key(1)])
    }

    fn activate(&mut self, by: &str, site: &str) -> Result<Changes, Refusal> {
        self.run(&command!(by, ActivateSite { site: name(site), reason: None, seen: None }), &[&key_of(by)])
    }

    fn close(&mut self, by: &str, site: &str) -> Result<Changes, Refusal> {
        self.run(&command!(by, CloseSite { site: name(site), reason: None }), &[&key_of(by)])
    }

    fn delegate(&mut self, by: &str, to: &str, task: Task, site: &str, period: (u64, u64)) -> Result<Changes, Refusal> {
        let (actor, site, (from, until)) = (name(to), name(site), period);
        self.run(
            &command!(by, Delegate { actor, task: task.into(), site, from, until, training: None, seen: None }),
            &[&key_of(by)],
        )
    }

    fn end(&mut self, by: &str, whose: &str, task: Task, site: &str) -> Result<Changes, Refusal> {
        let end = command!(
            by,
            EndDelegation { actor: name(whose), task, site: name(site), reason: name("over"), delegation: None }
        );
        self.run(&end, &[&key_of(by)])
    }

    fn enrol(&mut self, by: &str, participant: &str, site: &str) -> Result<Changes, Refusal> {
        let key = key_of(participant).public();
        let enrol =
            command!(by, EnrolParticipant { participant: name(participant), site: name(site), key, late: None });
        self.run(&enrol, &[&key_of(by)])
    }

    fn withdraw(&mut self, by: &str, participant: &str, site: &str) -> Result<Changes, Refusal> {
        let (participant, site, reason) = (name(participant), name(site), WithdrawalReason::ParticipantDecision);
        self.run(&command!(by, WithdrawParticipant { participant, site, reason }), &[&key_of(by)])
    }

    fn revoke(&mut self, by: &str, revoked: &SecretKey) -> Result<Changes, Refusal> {
        let revoke = command!(by, RevokeKey { key: revoked.public().id(), reason: name("lost") });
        self.run(&revoke, &[&key_of(by)])
    }
}

fn create() -> CreateStudy {
    command!("root", CreateStudy { name: name("STUDY-1"), root_key: key(1).public(), rules: None, tokens: false })
}

fn registration(by: &str, actor: &str) -> RegisterActor {
    command!(by, RegisterActor { actor: name(actor), kind: ActorKind::Person, key: key_of(actor).public(), site: None })
}

fn protocol(by: &str) -> AddProtocolVersion {
    command!(
        by,
        AddProtocolVersion {
            version: name("1.0"),
            document: sha256(&[b"protocol"]).into(),
            effective: NOW,
            amends: None,
            approval: None
        }
    )
}

fn malformed(field: &'static str, result: Result<Changes, Refusal>) {
    match result {
        Err(Refusal::Malformed { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{other:?}"),
    }
}

fn no_delegation(actor: &str, task: Task, site: &str) -> Unauthorised {
    Unauthorised::NoDelegation { actor: name(actor), task, site: name(site) }
}
