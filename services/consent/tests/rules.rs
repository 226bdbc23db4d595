//! The rules of consent: documents, both signatures, withdrawal, and what may be relied on.

#![allow(clippy::unwrap_used)]

use consent::domain::{Changes, Next, Refusal, Rule, permits};
use proptest::prelude::*;
use seal::{
    authority::Unauthorised,
    command::{ActorKind, Approval, GiveConsent, Provision, PublishDocument, Task, WithdrawConsent},
    dsse::{Envelope, sign},
    fact::{Fact, Facts, Subject},
    id::{Name, Uuid},
    key::SecretKey,
    sha256,
};

const NOW: u64 = 1_000_000;
const PARTICIPANT: &str = "P-ABCDEFGHIJKLMNOP";
const OTHER: &str = "P-ABCDEFGHIJKLMNO2";

fn name(text: &str) -> Name {
    text.parse().unwrap()
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

fn publication() -> PublishDocument {
    let approval = Approval { reference: name("IRB-1"), date: name("2026-01-15") };
    let (document, version, language, content) = (name("ICF"), name("1.0"), name("en"), sha256(&[b"text"]).into());
    command!("root", PublishDocument { document, version, language, content, approval })
}

/// `ann` obtains consent to data collection.
fn giving(participant: &str) -> GiveConsent {
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
        }
    )
}

fn withdrawing(by: &str, participant: &str) -> WithdrawConsent {
    let (participant, site) = (name(participant), name("701"));
    command!(by, WithdrawConsent { participant, site, provisions: vec![Provision::data_collection()] })
}

/// A consent journal without a journal: the facts of enrollment, its own facts, and the entry to come.
struct Study {
    enrollment: Facts,
    facts: Facts,
    next: Next,
}

impl Study {
    /// `ann` and `bob` may obtain consent at the open site `701`, where two participants are enrolled; a document is out.
    fn new() -> Self {
        let mut study = Self::unpublished();
        study.run(&publication(), &["root"]).unwrap();
        study
    }

    fn unpublished() -> Self {
        let next = Next { number: 0, time: NOW };
        let mut study = Self { enrollment: Facts::default(), facts: Facts::default(), next };
        study.enroll(Subject::Study, Fact::Study { name: name("STUDY-1"), root_key: key("root").public() });
        for actor in ["root", "ann", "bob", "eve", PARTICIPANT, OTHER] {
            let fact = Fact::Key { actor: name(actor), key: key(actor).public(), registered: 0, ended: None };
            study.enroll(Subject::Key(key(actor).public().id()), fact);
            let kind = if actor.starts_with("P-") { ActorKind::Participant } else { ActorKind::Person };
            study.enroll(Subject::Actor(name(actor)), Fact::Actor { kind, registered: 0 });
        }
        for site in ["701", "702"] {
            study.enroll(Subject::Site(name(site)), Fact::Site { open: true, changed: 1 });
        }
        for obtainer in ["ann", "bob"] {
            study.delegate(obtainer, (NOW, NOW + 100), None);
        }
        for participant in [PARTICIPANT, OTHER] {
            study.participate(participant, None);
        }
        study
    }

    fn enroll(&mut self, subject: Subject, fact: Fact) {
        self.enrollment.set(subject, fact);
    }

    fn delegate(&mut self, to: &str, (from, until): (u64, u64), ended: Option<u64>) {
        let fact = Fact::Delegation { granted: 2, from, until, ended };
        self.enroll(Subject::Delegation(name(to), Task::ObtainConsent, name("701")), fact);
    }

    fn participate(&mut self, participant: &str, withdrawn: Option<u64>) {
        let fact = Fact::Participant { site: name("701"), enrolled: 3, withdrawn };
        self.enroll(Subject::Participant(name(participant)), fact);
    }

    /// Signs, parses, decides and applies, as the service does: the rule sees the facts it asked for and no other. That
    /// all the facts would lead to the same decision is checked each time.
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
        needed.extend(among(&self.facts, command.needs()));
        let decided = command.decide(&envelope, &needed, self.next);
        let mut all = self.enrollment.clone();
        all.extend(self.facts.clone());
        assert_eq!(decided, command.decide(&envelope, &all, self.next), "{command:?} needs more facts");
        let changes = decided?;
        for (subject, fact) in &changes {
            assert_eq!(Fact::parse(&fact.to_bytes()).as_ref(), Some(fact));
            self.facts.set(subject.clone(), fact.clone());
        }
        self.next.number += 1;
        Ok(changes)
    }

    fn give(&mut self, participant: &str) -> Result<Changes, Refusal> {
        self.run(&giving(participant), &["ann", participant])
    }

    fn withdraw(&mut self, by: &str, participant: &str) -> Result<Changes, Refusal> {
        self.run(&withdrawing(by, participant), &[by])
    }

    fn permits(&self, participant: &str) -> Result<(), Refusal> {
        permits(self.facts.find(&Subject::Consent(name(participant))), Provision::data_collection())
    }
}

fn refuses<T: std::fmt::Debug>(result: Result<T, Refusal>, refusal: impl Into<Refusal>) {
    assert_eq!(result.map(|_| ()).unwrap_err(), refusal.into());
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

#[test]
fn without_a_study_nothing_is_accepted() {
    let next = Next { number: 0, time: NOW };
    let mut study = Study { enrollment: Facts::default(), facts: Facts::default(), next };
    refuses(study.run(&publication(), &["root"]), Refusal::StudyUnknown);
    refuses(study.give(PARTICIPANT), Refusal::StudyUnknown);
    refuses(study.withdraw(PARTICIPANT, PARTICIPANT), Refusal::StudyUnknown);
}

#[test]
fn a_document_is_published_once_per_version_and_language() {
    let mut study = Study::unpublished();
    let by_ann = PublishDocument { by: name("ann"), ..publication() };
    refuses(study.run(&by_ann, &["ann"]), no_delegation("ann", Task::PublishDocuments, "*"));
    for date in ["2026-02-30", "15.01.2026", "2026-01"] {
        let approval = Approval { date: name(date), ..publication().approval };
        malformed("approval.date", study.run(&PublishDocument { approval, ..publication() }, &["root"]));
    }
    study.run(&publication(), &["root"]).unwrap();
    refuses(study.run(&publication(), &["root"]), Refusal::DocumentExists);
    study.run(&PublishDocument { language: name("sv"), ..publication() }, &["root"]).unwrap();
    study.run(&PublishDocument { version: name("2.0"), ..publication() }, &["root"]).unwrap();
}

#[test]
fn consent_takes_both_signatures() {
    let mut study = Study::new();
    let giving = giving(PARTICIPANT);
    refuses(study.run(&giving, &["ann"]), Unauthorised::UnknownKey(name(PARTICIPANT)));
    refuses(study.run(&giving, &[PARTICIPANT]), Unauthorised::UnknownKey(name("ann")));
    refuses(study.run(&giving, &["ann", OTHER]), Unauthorised::UnknownKey(name(PARTICIPANT)));
    refuses(study.run(&giving, &["bob", PARTICIPANT]), Unauthorised::UnknownKey(name("ann")));
    // Names both keys, but the second signed something else.
    for (signers, bad) in [(["ann", PARTICIPANT], PARTICIPANT), ([PARTICIPANT, "ann"], "ann")] {
        let signed =
            |command: &GiveConsent| String::from_utf8(sign(command, &[&key(signers[0]), &key(signers[1])])).unwrap();
        let last = |json: &str| json.rsplit("\"sig\":\"").next().unwrap().split('"').next().unwrap().to_owned();
        let other = signed(&GiveConsent { time: NOW + 1, ..giving.clone() });
        let json = signed(&giving).replace(&last(&signed(&giving)), &last(&other));
        refuses(study.submit::<GiveConsent>(json.as_bytes()), Unauthorised::BadSignature(name(bad)));
    }
    for ended in ["ann", PARTICIPANT] {
        let mut study = Study::new();
        let fact = Fact::Key { actor: name(ended), key: key(ended).public(), registered: 0, ended: Some(5) };
        study.enroll(Subject::Key(key(ended).public().id()), fact);
        refuses(study.give(PARTICIPANT), Unauthorised::KeyEnded(name(ended)));
    }
    assert_eq!(study.permits(PARTICIPANT), Err(Refusal::ConsentMissing));
    study.run(&giving, &[PARTICIPANT, "ann"]).unwrap();
    assert_eq!(study.permits(PARTICIPANT), Ok(()));
    assert_eq!(study.permits(OTHER), Err(Refusal::ConsentMissing));
}

#[test]
fn consent_is_obtained_by_who_holds_the_task_then_and_there() {
    let mut study = Study::new();
    let by_eve = GiveConsent { by: name("eve"), ..giving(PARTICIPANT) };
    refuses(study.run(&by_eve, &["eve", PARTICIPANT]), no_delegation("eve", Task::ObtainConsent, "701"));
    let (actor, task) = (name("ann"), Task::ObtainConsent);
    for time in [NOW - 1, NOW + 100] {
        study.next.time = time;
        refuses(study.give(PARTICIPANT), Unauthorised::OutsidePeriod { actor: actor.clone(), task });
    }
    study.next.time = NOW;
    study.delegate("ann", (NOW, NOW + 100), Some(4));
    refuses(study.give(PARTICIPANT), Unauthorised::DelegationEnded { actor, task });
}

#[test]
fn consent_is_given_by_the_enrolled_at_an_open_site_to_a_published_document() {
    let mut study = Study::new();
    for unknown in [
        GiveConsent { document: name("ICF-2"), ..giving(PARTICIPANT) },
        GiveConsent { version: name("1.1"), ..giving(PARTICIPANT) },
        GiveConsent { language: name("sv"), ..giving(PARTICIPANT) },
    ] {
        refuses(study.run(&unknown, &["ann", PARTICIPANT]), Refusal::DocumentUnknown);
    }
    for provisions in [vec![], vec![Provision::data_collection(); 2]] {
        let bad = GiveConsent { provisions, ..giving(PARTICIPANT) };
        malformed("provisions", study.run(&bad, &["ann", PARTICIPANT]));
    }
    let elsewhere = GiveConsent { by: name("root"), site: name("702"), ..giving(PARTICIPANT) };
    refuses(study.run(&elsewhere, &["root", PARTICIPANT]), Refusal::NotEnrolled);
    study.participate(OTHER, Some(6));
    refuses(study.give(OTHER), Refusal::NotEnrolled);
    study.enroll(Subject::Site(name("701")), Fact::Site { open: false, changed: 7 });
    refuses(study.give(PARTICIPANT), Refusal::SiteNotOpen);
}

#[test]
fn consent_is_withdrawn_by_the_participant_or_on_their_word_and_can_be_given_again() {
    let mut study = Study::new();
    refuses(study.withdraw(PARTICIPANT, PARTICIPANT), Refusal::ConsentMissing);
    study.give(PARTICIPANT).unwrap();
    refuses(study.withdraw(OTHER, PARTICIPANT), no_delegation(OTHER, Task::ObtainConsent, "701"));
    refuses(study.run(&withdrawing(PARTICIPANT, PARTICIPANT), &["ann"]), Unauthorised::UnknownKey(name(PARTICIPANT)));
    let elsewhere = WithdrawConsent { site: name("702"), ..withdrawing(PARTICIPANT, PARTICIPANT) };
    refuses(study.run(&elsewhere, &[PARTICIPANT]), Refusal::NotEnrolled);
    for provisions in [vec![], vec![Provision::data_collection(); 2]] {
        let bad = WithdrawConsent { provisions, ..withdrawing(PARTICIPANT, PARTICIPANT) };
        malformed("provisions", study.run(&bad, &[PARTICIPANT]));
    }
    assert_eq!(study.permits(PARTICIPANT), Ok(()));

    study.withdraw(PARTICIPANT, PARTICIPANT).unwrap();
    assert_eq!(study.permits(PARTICIPANT), Err(Refusal::ConsentWithdrawn));
    refuses(study.withdraw("bob", PARTICIPANT), Refusal::ConsentWithdrawn);
    study.give(PARTICIPANT).unwrap();
    assert_eq!(study.permits(PARTICIPANT), Ok(()));

    // Neither a closed site nor having left the trial keeps anybody from withdrawing.
    study.enroll(Subject::Site(name("701")), Fact::Site { open: false, changed: 7 });
    study.participate(PARTICIPANT, Some(8));
    study.withdraw("bob", PARTICIPANT).unwrap();
    assert_eq!(study.permits(PARTICIPANT), Err(Refusal::ConsentWithdrawn));
}

#[test]
fn the_fact_names_what_was_agreed_to_and_the_entries() {
    let mut study = Study::new();
    study.give(PARTICIPANT).unwrap();
    study.withdraw(PARTICIPANT, PARTICIPANT).unwrap();
    let Some(Fact::Consent { provisions }) = study.facts.find(&Subject::Consent(name(PARTICIPANT))) else { panic!() };
    let given = &provisions[&Provision::data_collection()];
    assert_eq!((given.given, given.withdrawn), (1, Some(2)));
    assert_eq!((&given.document, &given.version, &given.language), (&name("ICF"), &name("1.0"), &name("en")));
}

proptest! {
    #[test]
    fn consent_permits_exactly_while_the_last_accepted_event_gave_it(
        events in prop::collection::vec((any::<bool>(), any::<bool>(), 0_usize..5), 0..40)
    ) {
        let mut study = Study::new();
        let participants = [PARTICIPANT, OTHER];
        let mut last = [None; 2];
        for (gives, which, signer) in events {
            let (who, signer) = (usize::from(which), ["ann", "bob", "eve", PARTICIPANT, OTHER][signer]);
            let participant = participants[who];
            let result = if gives {
                let command = GiveConsent { by: name(signer), ..giving(participant) };
                let both = if signer == participant { vec![signer] } else { vec![signer, participant] };
                study.run(&command, &both)
            } else {
                study.withdraw(signer, participant)
            };
            let entitled = ["ann", "bob"].contains(&signer) || (!gives && signer == participant);
            prop_assert_eq!(result.is_ok(), entitled && (gives || last[who] == Some(true)), "{:?}", result);
            if result.is_ok() {
                last[who] = Some(gives);
            }
            for (participant, last) in participants.iter().zip(last) {
                let expected = match last {
                    None => Err(Refusal::ConsentMissing),
                    Some(false) => Err(Refusal::ConsentWithdrawn),
                    Some(true) => Ok(()),
                };
                prop_assert_eq!(study.permits(participant), expected);
            }
        }
    }
}
