//! What a form is captured under, and taking values out: who may order it, and who must sign.

#![allow(clippy::unwrap_used)]

use capture::domain::{Fault, Refusal, admit_erasure, admit_redaction, check_values, erasure_needs, redaction_needs};
use seal::{
    Hash,
    datapoint::Datapoint,
    dsse::{Envelope, sign},
    id::{Name, Uuid},
    key::SecretKey,
    sha256,
};
use vocabulary::{
    authority::Unauthorised,
    command::{
        DefineForms, EraseParticipant, FormDef, FormInstance, ItemDef, ItemType, Payload, Provision, RedactValue,
        Submission, Task,
    },
    fact::{self, Fact, Facts},
    subject::{self, Subject},
};

const NOW: u64 = 1_000_000;
const PARTICIPANT: &str = "P-ABCDEFGHIJKLMNOP";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(actor: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[actor.as_bytes()]).0)
}

/// A command with the fields all have, and its own.
macro_rules! command {
    ($by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type { study: Uuid([9; 16]), request: Uuid([8; 16]), by: name($by), time: NOW, $($field $(: $value)?),* }
    };
}

/// A form captured under one provision, and a submission that rests on another.
fn captured(form: Option<&str>, submission: Option<&str>) -> Result<(), Refusal> {
    let provision = |text: Option<&str>| text.map(|text| text.parse::<Provision>().unwrap());
    let item = ItemDef {
        item: name("GENE"),
        kind: ItemType::Text,
        max_length: None,
        min: None,
        max: None,
        codes: Vec::new(),
        mandatory: true,
    };
    let forms = vec![FormDef { form: name("GX"), items: vec![item], provision: provision(form) }];
    let forms = command!("root", DefineForms { version: name("1"), forms, events: Vec::new() });
    let (participant, event, form) = (name(PARTICIPANT), name("V1"), name("GX"));
    let submission = command!(
        "ann",
        Submission {
            site: name("701"),
            instance: FormInstance { participant, event, event_repeat: 0, form, form_repeat: 0 },
            forms_version: name("1"),
            root: Hash::ZERO.into(),
            count: 1,
            collected: None,
            corrects: None,
            reason: None,
            provision: provision(submission),
            late: None,
        }
    );
    let (item, repeat, value, unit) = ("GENE".to_owned(), String::new(), "BRCA1".to_owned(), String::new());
    check_values(&submission, &[Datapoint { nonce: [7; 16], item, repeat, value, unit }], &forms)
}

#[test]
fn a_submission_rests_on_the_provision_its_form_is_captured_under() {
    let default = Some("data_collection");
    for (form, submission) in
        [(None, None), (None, default), (default, None), (default, default), (Some("genetics"), Some("genetics"))]
    {
        assert_eq!(captured(form, submission), Ok(()), "{form:?} {submission:?}");
    }
    for (form, submission) in [
        (None, Some("genetics")),
        (Some("genetics"), None),
        (Some("genetics"), default),
        (Some("data_collection:imaging"), default),
        (Some("biosamples"), Some("biosamples:blood")),
    ] {
        let field = "envelope.payload.provision".to_owned();
        let expected = Err(Refusal::Field { field, fault: Fault::Provision });
        assert_eq!(captured(form, submission), expected, "{form:?} {submission:?}");
    }
}

/// `ann` and `bob` may redact and erase at `701`; `eve` may both elsewhere, `dan` nothing. The participant has left.
fn enrollment() -> Facts {
    let root_key = key("root").public();
    let mut facts = Facts::default();
    facts.set(subject::study(), Fact::Study { name: name("STUDY-1"), root_key, rules: Some(2), tokens: false });
    for actor in ["ann", "bob", "eve", "dan", "root"] {
        let fact = Fact::Key(fact::Key {
            actor: name(actor),
            key: key(actor).public(),
            registered: 1,
            ended: None,
            steps: None,
        });
        facts.set(subject::key(key(actor).public().id()), fact);
    }
    for (actor, site) in [("ann", "701"), ("bob", "701"), ("eve", "702")] {
        for task in [Task::Redact, Task::Erase] {
            let fact = Fact::Delegation(fact::Delegation { granted: 2, from: NOW, until: NOW + 10, ended: None });
            facts.set(subject::delegation(&name(actor), task.name(), &name(site)), fact);
        }
    }
    let fact = Fact::Participant(fact::Participant { site: name("701"), enrolled: 4, withdrawn: Some(9), stage: None });
    facts.set(subject::participant(&name(PARTICIPANT)), fact);
    facts
}

/// What decides on a command, and which facts it asks for.
type Admit<P> = fn(&P, &Envelope, &Facts, u64) -> Result<(), Refusal>;
type Needs<P> = fn(&P, &Envelope) -> Vec<Subject>;

/// Decides on the facts a command needs; that all the facts would lead to the same decision is checked each time.
fn decide<P: Payload>(
    (admit, needs): (Admit<P>, Needs<P>),
    command: &P,
    signers: &[&str],
    (facts, time): (&Facts, u64),
) -> Result<(), Refusal> {
    let keys: Vec<SecretKey> = signers.iter().map(|signer| key(signer)).collect();
    let envelope = Envelope::parse(&sign(command, &keys.iter().collect::<Vec<_>>())).unwrap();
    let needed = needs(command, &envelope).into_iter();
    let needed: Facts = needed.filter_map(|subject| Some((subject.clone(), facts.find(&subject)?.clone()))).collect();
    let decided = admit(command, &envelope, &needed, time);
    assert_eq!(decided, admit(command, &envelope, facts, time));
    decided
}

fn redaction(by: &str, second: &str) -> RedactValue {
    command!(
        by,
        RedactValue {
            participant: name(PARTICIPANT),
            site: name("701"),
            entry: 4,
            index: 0,
            item: name("COMMENT"),
            repeat: String::new(),
            reason: name("a name in a comment"),
            second: name(second),
        }
    )
}

fn redact(command: &RedactValue, signers: &[&str], facts: &Facts, time: u64) -> Result<(), Refusal> {
    decide((admit_redaction, redaction_needs), command, signers, (facts, time))
}

fn erasure(by: &str, entries: &[u64]) -> EraseParticipant {
    let (participant, site, entries) = (name(PARTICIPANT), name("701"), entries.to_vec());
    command!(by, EraseParticipant { participant, site, entries, order: name("court 7/26"), law: name("GDPR 17") })
}

fn erase(command: &EraseParticipant, signers: &[&str], facts: &Facts, time: u64) -> Result<(), Refusal> {
    decide((admit_erasure, erasure_needs), command, signers, (facts, time))
}

fn no_delegation(actor: &str, task: Task) -> Result<(), Refusal> {
    Err(Unauthorised::NoDelegation { actor: name(actor), task, site: name("701") }.into())
}

fn unknown_key(actor: &str) -> Result<(), Refusal> {
    Err(Unauthorised::UnknownKey(name(actor)).into())
}

#[test]
fn two_persons_with_the_task_at_the_site_sign_a_redaction() {
    let facts = enrollment();
    assert_eq!(redact(&redaction("ann", "bob"), &["ann", "bob"], &facts, NOW), Ok(()));
    assert_eq!(redact(&redaction("bob", "ann"), &["ann", "bob"], &facts, NOW + 9), Ok(()));
    let twice = Refusal::Field { field: "envelope.payload.second".to_owned(), fault: Fault::ItemRepeated };
    assert_eq!(redact(&redaction("ann", "ann"), &["ann"], &facts, NOW), Err(twice.clone()));
    assert_eq!(redact(&redaction("root", "root"), &["root"], &facts, NOW), Err(twice));
    assert_eq!(redact(&redaction("ann", "bob"), &["ann"], &facts, NOW), unknown_key("bob"));
    assert_eq!(redact(&redaction("ann", "bob"), &["bob"], &facts, NOW), unknown_key("ann"));
    assert_eq!(redact(&redaction("ann", "bob"), &["ann", "eve"], &facts, NOW), unknown_key("bob"));
    for other in ["dan", "eve"] {
        let refused = no_delegation(other, Task::Redact);
        assert_eq!(redact(&redaction("ann", other), &["ann", other], &facts, NOW), refused);
        assert_eq!(redact(&redaction(other, "ann"), &["ann", other], &facts, NOW), refused);
    }
    for time in [NOW - 1, NOW + 10] {
        let outside = Unauthorised::OutsidePeriod { actor: name("ann"), task: Task::Redact };
        assert_eq!(redact(&redaction("ann", "bob"), &["ann", "bob"], &facts, time), Err(outside.into()));
    }
    // The second one's key counts as much as the first one's.
    let mut ended = facts.clone();
    let fact = Fact::Key(fact::Key {
        actor: name("bob"),
        key: key("bob").public(),
        registered: 1,
        ended: Some(5),
        steps: None,
    });
    ended.set(subject::key(key("bob").public().id()), fact);
    let refused = Err(Unauthorised::KeyEnded(name("bob")).into());
    assert_eq!(redact(&redaction("ann", "bob"), &["ann", "bob"], &ended, NOW), refused);
}

#[test]
fn a_redaction_is_ordered_at_the_participants_site() {
    let facts = enrollment();
    let elsewhere = RedactValue { site: name("702"), ..redaction("root", "eve") };
    assert_eq!(redact(&elsewhere, &["root", "eve"], &facts, NOW), Err(Refusal::NotEnrolled));
    let stranger = RedactValue { participant: name("P-ABCDEFGHIJKLMNO2"), ..redaction("ann", "bob") };
    assert_eq!(redact(&stranger, &["ann", "bob"], &facts, NOW), Err(Refusal::NotEnrolled));
    let unknown = redact(&redaction("ann", "bob"), &["ann", "bob"], &Facts::default(), NOW);
    assert_eq!(unknown, Err(Refusal::StudyUnknown));
}

#[test]
fn an_erasure_lists_each_entry_once_and_in_order() {
    let facts = enrollment();
    for entries in [&[][..], &[0], &[3, 4, 9, u64::MAX]] {
        assert_eq!(erase(&erasure("ann", entries), &["ann"], &facts, NOW), Ok(()), "{entries:?}");
    }
    for entries in [&[4, 3][..], &[3, 3], &[1, 2, 2], &[5, 9, 7]] {
        let refused = erase(&erasure("ann", entries), &["ann"], &facts, NOW);
        assert_eq!(refused, Err(Refusal::ErasureIncomplete), "{entries:?}");
    }
}

#[test]
fn an_erasure_is_ordered_by_who_has_the_task_at_the_participants_site() {
    let facts = enrollment();
    for other in ["dan", "eve"] {
        assert_eq!(erase(&erasure(other, &[1]), &[other], &facts, NOW), no_delegation(other, Task::Erase));
    }
    assert_eq!(erase(&erasure("ann", &[1]), &["bob"], &facts, NOW), unknown_key("ann"));
    let elsewhere = EraseParticipant { site: name("702"), ..erasure("eve", &[1]) };
    assert_eq!(erase(&elsewhere, &["eve"], &facts, NOW), Err(Refusal::NotEnrolled));
    let unknown = erase(&erasure("ann", &[1]), &["ann"], &Facts::default(), NOW);
    assert_eq!(unknown, Err(Refusal::StudyUnknown));
    // Whoever may only redact does not erase.
    let mut redacts = facts.clone();
    let fact = Fact::Delegation(fact::Delegation { granted: 2, from: NOW, until: NOW + 10, ended: Some(3) });
    redacts.set(subject::delegation(&name("ann"), Task::Erase.name(), &name("701")), fact);
    let ended = Unauthorised::DelegationEnded { actor: name("ann"), task: Task::Erase };
    assert_eq!(erase(&erasure("ann", &[1]), &["ann"], &redacts, NOW), Err(ended.into()));
}
