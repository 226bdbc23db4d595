//! Rules 3: keys that are held, devices of a site, two persons who are two, delegations as periods, proofs that fit.

use crate::*;
use seal::moment::{MAX_AGE_MS, Untimely};
use vocabulary::{
    command::{
        Confirmation, LinkParticipants, Payload, RegisterRepresentative, Relation, ScreenParticipant, SetCap,
        SetStudyState, State,
    },
    subject::{self, List, Subject},
};

const REPRESENTATIVE: &str = "R-ABCDEFGHIJKLMNOP";
const LATER: (u64, u64) = (NOW, NOW + 1_000_000);

fn bound() -> Uuid {
    Uuid::of_study(&key(1).public(), *b"test", 3)
}

impl Study {
    /// A study under rules 3 that is open, with the open site `701` and the persons `ann`, `bob` and `eve`.
    pub(crate) fn third() -> Self {
        let mut study = Self::empty();
        study.run(&CreateStudy { study: bound(), rules: Some(3), ..create() }, &[&key(1)]).unwrap();
        for actor in ["ann", "bob", "eve"] {
            study.register(actor).unwrap();
        }
        study.run(&protocol("root"), &[&key(1)]).unwrap();
        study.set_state(State::Open).unwrap();
        for site in ["701", "702"] {
            study.add_site(site).unwrap();
            study.approve("root", site, "1.0", present::approval(present::DAY)).unwrap();
            study.activate("root", site).unwrap();
        }
        study
    }

    /// Runs a command that was signed on what is newest.
    pub(crate) fn fresh<P: Rule + Clone + std::fmt::Debug>(
        &mut self,
        command: &P,
        newest: &Subject,
        keys: &[&SecretKey],
    ) -> Result<Changes, Refusal> {
        let mut command = command.clone();
        if let Some(newest) = self.facts.newest(newest) {
            command.see(newest);
        }
        self.run(&command, keys)
    }

    pub(crate) fn entrust(&mut self, by: &str, to: &str, task: Task, period: (u64, u64)) -> Result<Changes, Refusal> {
        let (actor, site, (from, until)) = (name(to), name("701"), period);
        let subject = subject::delegation(&actor, task.name(), &site);
        let delegate =
            command!(by, Delegate { actor, task: task.into(), site, from, until, training: None, seen: None });
        self.fresh(&delegate, &subject, &[&key_of(by)])
    }

    fn holds(&self, actor: &str, task: Task, time: u64) -> bool {
        vocabulary::authority::holds(&self.facts, &name(actor), task, &name("701"), time).is_ok()
    }

    fn end_one(&mut self, whose: &str, task: Task, delegation: u64) -> Result<Changes, Refusal> {
        let (actor, site, reason) = (name(whose), name("701"), name("over"));
        let end = command!("root", EndDelegation { actor, task, site, reason, delegation: Some(delegation) });
        self.run(&end, &[&key(1)])
    }

    fn screen_with(&mut self, participant: &str, site: &str, token: &str) -> Result<Changes, Refusal> {
        let (key, token) = (key_of(participant).public(), Some(sha256(&[token.as_bytes()]).into()));
        let (participant, site) = (name(participant), name(site));
        let keys = [&key_of("root"), &key_of(participant.as_str())];
        self.run(&command!("root", ScreenParticipant { participant, site, key, token, late: None }), &keys)
    }

    fn link(&mut self, participant: &str, earlier: &str) -> Result<Changes, Refusal> {
        let (participant, earlier, reason) = (name(participant), name(earlier), name("rescreened"));
        self.run(&command!("root", LinkParticipants { participant, earlier, reason }), &[&key(1)])
    }
}

#[test]
fn a_study_is_named_by_its_root_key() {
    let mut study = Study::empty();
    let create = CreateStudy { rules: Some(3), ..create() };
    refuses(study.run(&create, &[&key(1)]), Refusal::StudyIdUnbound);
    let others = CreateStudy { study: Uuid::of_study(&key(2).public(), *b"test", 3), ..create.clone() };
    refuses(study.run(&others, &[&key(1)]), Refusal::StudyIdUnbound);
    study.next.time = NOW + MAX_AGE_MS + 1;
    refuses(study.run(&CreateStudy { study: bound(), ..create.clone() }, &[&key(1)]), Untimely::Stale);
    study.next.time = NOW;
    study.run(&CreateStudy { study: bound(), ..create }, &[&key(1)]).unwrap();
    assert_eq!(bound().rules(&key(1).public()), Some(3));
    assert_eq!(bound().rules(&key(2).public()), None);
    assert_eq!(Uuid([9; 16]).rules(&key(1).public()), None);
}

#[test]
fn whoever_is_registered_holds_the_key() {
    let mut study = Study::third();
    let (participant, site, public) = (name(PSEUDONYM), name("701"), key_of(PSEUDONYM).public());
    let enrol = command!("root", EnrolParticipant { participant, site, key: public, late: None });
    assert!(matches!(study.run(&enrol, &[&key(1)]), Err(Refusal::Signature(_))), "somebody else's public key");
    study.run(&enrol, &[&key(1), &key_of(PSEUDONYM)]).unwrap();
}

#[test]
fn a_device_belongs_to_a_site_and_nobody_else_does() {
    let mut study = Study::third();
    let device = RegisterActor { kind: ActorKind::Device, ..registration("root", "tablet") };
    let keys = [&key(1), &key_of("tablet")];
    malformed("site", study.run(&device, &keys));
    let nowhere = RegisterActor { site: Some(name("799")), ..device.clone() };
    refuses(study.run(&nowhere, &keys), Refusal::NotFound("site"));
    malformed("site", study.run(&RegisterActor { kind: ActorKind::Person, ..nowhere }, &keys));
    study.run(&RegisterActor { site: Some(name("701")), ..device }, &keys).unwrap();
}

#[test]
fn a_representative_is_registered_by_two_persons_on_grounds_and_for_a_time() {
    let mut study = Study::third();
    study
        .run(
            &command!(
                "root",
                EnrolParticipant {
                    participant: name(PSEUDONYM),
                    site: name("701"),
                    key: key_of(PSEUDONYM).public(),
                    late: None
                }
            ),
            &[&key(1), &key_of(PSEUDONYM)],
        )
        .unwrap();
    study.entrust("root", "ann", Task::Enrol, LATER).unwrap();
    study.entrust("root", "bob", Task::ObtainConsent, LATER).unwrap();
    let register = command!(
        "ann",
        RegisterRepresentative {
            participant: name(PSEUDONYM),
            site: name("701"),
            actor: name(REPRESENTATIVE),
            relation: Relation::LegalRepresentative,
            key: key_of(REPRESENTATIVE).public(),
            second: Some(name("bob")),
            grounds: Some(name("court order 12/2026")),
            until: Some(NOW + 10),
        }
    );
    let (ann, bob, own) = (key_of("ann"), key_of("bob"), key_of(REPRESENTATIVE));
    malformed("second", study.run(&RegisterRepresentative { second: None, ..register.clone() }, &[&ann, &own]));
    malformed("grounds", study.run(&RegisterRepresentative { grounds: None, ..register.clone() }, &[&ann, &bob, &own]));
    malformed(
        "until",
        study.run(&RegisterRepresentative { until: Some(NOW), ..register.clone() }, &[&ann, &bob, &own]),
    );
    refuses(study.run(&register, &[&ann, &own]), Unauthorised::UnknownKey(name("bob")));
    // Who has the task from the other is no second person.
    let mut lent = study.clone();
    lent.entrust("root", "ann", Task::ObtainConsent, LATER).unwrap();
    lent.entrust("ann", "eve", Task::ObtainConsent, LATER).unwrap();
    let by_eve = RegisterRepresentative { second: Some(name("eve")), ..register.clone() };
    refuses(lent.run(&by_eve, &[&ann, &key_of("eve"), &own]), Unauthorised::NotIndependent(name("ann"), name("eve")));
    study.run(&register, &[&ann, &bob, &own]).unwrap();
}

#[test]
fn delegations_are_periods_and_ending_one_ends_that_one() {
    let mut study = Study::third();
    let (this, next) = ((NOW, NOW + 100), (NOW + 100, NOW + 200));
    let first = study.next.number;
    study.entrust("root", "ann", Task::Capture, this).unwrap();
    let second = study.next.number;
    study.entrust("root", "ann", Task::Capture, next).unwrap();
    for time in [NOW, NOW + 99, NOW + 100, NOW + 199] {
        assert!(study.holds("ann", Task::Capture, time), "{time}");
    }
    assert!(!study.holds("ann", Task::Capture, NOW + 200));
    // A kept copy of the first says nothing any more.
    let (actor, site) = (name("ann"), name("701"));
    let (task, (from, until)) = (Task::Capture, this);
    let kept = command!("root", Delegate { actor, task: task.into(), site, from, until, training: None, seen: None });
    assert!(matches!(study.run(&kept, &[&key(1)]), Err(Refusal::Untimely(Untimely::StateChanged { newest: Some(_) }))));
    refuses(study.end_one("ann", Task::Capture, 99), Refusal::NotFound("delegation"));
    study.end_one("ann", Task::Capture, first).unwrap();
    assert!(!study.holds("ann", Task::Capture, NOW) && study.holds("ann", Task::Capture, NOW + 100));
    refuses(study.end_one("ann", Task::Capture, first), Refusal::AlreadyEnded("delegation"));
    assert!(study.run(&kept, &[&key(1)]).is_err(), "ended, and brought back by a copy");
    study.end_one("ann", Task::Capture, second).unwrap();
    assert!(!study.holds("ann", Task::Capture, NOW + 100));
}

#[test]
fn who_holds_next_year_may_delegate_next_year() {
    let mut study = Study::third();
    study.entrust("root", "ann", Task::Capture, (NOW, NOW + 100)).unwrap();
    refuses(study.entrust("ann", "bob", Task::Capture, (NOW + 100, NOW + 150)), Refusal::DelegationExceedsOwn);
    study.entrust("root", "ann", Task::Capture, (NOW + 100, NOW + 200)).unwrap();
    study.entrust("ann", "bob", Task::Capture, (NOW + 100, NOW + 150)).unwrap();
    refuses(study.entrust("ann", "bob", Task::Capture, (NOW + 50, NOW + 150)), Refusal::DelegationExceedsOwn);
}

#[test]
fn what_is_accepted_fits_into_a_proof() {
    let mut study = Study::third();
    let mut old = key_of("ann");
    let rotate = |study: &mut Study, old: &SecretKey, new: &SecretKey| {
        study.run(&command!("ann", RotateKey { key: new.public(), confirmed: None }), &[old, new])
    };
    let mut rotations = 0;
    let refusal = loop {
        let new = SecretKey::from_seed(&sha256(&[&[rotations]]).0);
        match rotate(&mut study, &old, &new) {
            Ok(_) => (old, rotations) = (new, rotations + 1),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!((refusal, rotations), (Refusal::ProofTooLong, 29));
    // A registrar's word shortens it.
    study.entrust_everywhere("root", "bob", Task::RegisterActors);
    let new = key(200);
    let confirmed = |by: &str, kind| Some(Confirmation { by: name(by), kind });
    let rotation = |confirmed| command!("ann", RotateKey { key: key(200).public(), confirmed });
    let person = confirmed("bob", ActorKind::Person);
    let both = [&old, &new];
    refuses(study.run(&rotation(person.clone()), &both), Unauthorised::UnknownKey(name("bob")));
    let all = [&old, &new, &key_of("bob")];
    malformed("confirmed.kind", study.run(&rotation(confirmed("bob", ActorKind::System)), &all));
    malformed("confirmed.by", study.run(&rotation(confirmed("ann", ActorKind::Person)), &both));
    study.run(&rotation(person), &all).unwrap();
    rotate(&mut study, &new, &key(201)).unwrap();

    // Padding makes no proof unprovable.
    let padded = serde_json::to_vec(&registration("root", "zoe")).unwrap();
    let padded = [b" ".repeat(3_000), padded].concat();
    let kind = seal::dsse::payload_type(RegisterActor::KIND);
    let bytes = seal::dsse::sign_bytes(&kind, padded, &[&key(1), &key_of("zoe")]);
    refuses(study.submit::<RegisterActor>(&bytes), Refusal::EnvelopeTooLarge);
}

impl Study {
    fn entrust_everywhere(&mut self, by: &str, to: &str, task: Task) {
        self.delegate(by, to, task, "*", LATER).unwrap();
    }
}

#[test]
fn so_many_periods_of_one_delegation_fit() {
    let mut study = Study::third();
    let refusal = (0..100).find_map(|n| study.entrust("root", "ann", Task::Capture, (NOW + n, NOW + n + 10)).err());
    assert_eq!(refusal, Some(Refusal::TooManyDelegations));
    study.next.time = NOW + 200; // those that are over make room
    study.entrust("root", "ann", Task::Capture, (NOW + 200, NOW + 300)).unwrap();
}

#[test]
fn the_newcomer_is_held_and_told_apart_or_recognised() {
    const THIRD: &str = "P-ABCDEFGHIJKLMNO3";
    let mut study = Study::third();
    study.screen_with(PSEUDONYM, "701", "somebody").unwrap();
    study.screen_with(OTHER_PSEUDONYM, "702", "somebody").unwrap();
    let held = |study: &Study, who: &str| {
        matches!(study.facts.find(&subject::matched(&name(who))), Some(Fact::Match { cleared: None, .. }))
    };
    assert!(!held(&study, PSEUDONYM), "who was there goes on");
    assert!(held(&study, OTHER_PSEUDONYM));
    refuses(study.link(OTHER_PSEUDONYM, PSEUDONYM), Refusal::NotTheSame);
    refuses(study.link(OTHER_PSEUDONYM, THIRD), Refusal::NotTheSame);
    study.withdraw("root", PSEUDONYM, "701").unwrap();
    study.link(OTHER_PSEUDONYM, PSEUDONYM).unwrap();
    assert!(!held(&study, OTHER_PSEUDONYM));
    refuses(study.link(OTHER_PSEUDONYM, PSEUDONYM), Refusal::AlreadyEnded("match"));
    assert_eq!(
        study.facts.find(&subject::same(&name(OTHER_PSEUDONYM))),
        Some(&Fact::Same { earlier: name(PSEUDONYM), linked: study.next.number - 1, before: Vec::new() })
    );
    assert_eq!(present::count(&study, &List::Participant(name(OTHER_PSEUDONYM))), 2);

    // A third time: only the newest registration goes on, and only once it has ended.
    study.screen_with(THIRD, "701", "somebody").unwrap();
    refuses(study.link(THIRD, PSEUDONYM), Refusal::NotTheSame);
    refuses(study.link(THIRD, OTHER_PSEUDONYM), Refusal::NotTheSame);
    study.withdraw("root", OTHER_PSEUDONYM, "702").unwrap();
    refuses(study.link(THIRD, PSEUDONYM), Refusal::NotTheSame);
    study.link(THIRD, OTHER_PSEUDONYM).unwrap();
    let same = study.facts.find(&subject::same(&name(THIRD)));
    assert!(matches!(same, Some(Fact::Same { before, .. }) if *before == [name(PSEUDONYM)]), "{same:?}");
}

#[test]
fn a_token_is_no_oracle_to_be_asked_at_will() {
    let pseudonym = |site: char, n: u8| {
        let (first, second) = (char::from(b'A' + n / 26), char::from(b'A' + n % 26));
        format!("P-ABCDEFGHIJKLM{site}{first}{second}")
    };
    let mut study = Study::third();
    (0..=100).for_each(|n| drop(study.screen_with(&pseudonym('A', n), "701", &format!("person {n}")).unwrap()));
    let tries = |n: u8| (n, pseudonym('B', n), format!("person {n}"));
    let refusal = (0..=100)
        .map(tries)
        .find_map(|(n, who, token)| study.screen_with(&who, "702", &token).err().map(|why| (n, why)));
    assert_eq!(refusal, Some((100, Refusal::TooManyHeld)));
    study.screen_with(OTHER_PSEUDONYM, "702", "somebody else").unwrap();
}

#[test]
fn a_study_may_demand_tokens() {
    let mut study = Study::empty();
    study.run(&CreateStudy { study: bound(), rules: Some(3), tokens: true, ..create() }, &[&key(1)]).unwrap();
    study.run(&protocol("root"), &[&key(1)]).unwrap();
    study.set_state(State::Open).unwrap();
    study.add_site("701").unwrap();
    study.approve("root", "701", "1.0", present::approval(present::DAY)).unwrap();
    study.activate("root", "701").unwrap();
    let (key_of_them, keys) = (key_of(PSEUDONYM).public(), [&key(1), &key_of(PSEUDONYM)]);
    let (participant, site) = (name(PSEUDONYM), name("701"));
    let enrol = command!(
        "root",
        EnrolParticipant { participant: participant.clone(), site: site.clone(), key: key_of_them, late: None }
    );
    refuses(study.run(&enrol, &keys), Refusal::TokenRequired);
    let screen = command!("root", ScreenParticipant { participant, site, key: key_of_them, token: None, late: None });
    refuses(study.run(&screen, &keys), Refusal::TokenRequired);
    study.screen_with(PSEUDONYM, "701", "somebody").unwrap();
}

#[test]
fn a_withdrawal_frees_a_place_where_the_limit_says_so() {
    for frees in [false, true] {
        let mut study = Study::third();
        let (site, participants) = (name("701"), 1);
        let cap = command!("root", SetCap { site, participants, withdrawal_frees: frees, seen: None });
        study.run(&cap, &[&key(1)]).unwrap();
        assert!(matches!(study.run(&cap, &[&key(1)]), Err(Refusal::Untimely(Untimely::StateChanged { .. }))));
        let enrol = |study: &mut Study, who: &str| {
            let (participant, site, key_of_them) = (name(who), name("701"), key_of(who).public());
            let enrol = command!("root", EnrolParticipant { participant, site, key: key_of_them, late: None });
            study.run(&enrol, &[&key(1), &key_of(who)])
        };
        enrol(&mut study, PSEUDONYM).unwrap();
        refuses(enrol(&mut study, OTHER_PSEUDONYM), Refusal::CapReached(name("701")));
        study.withdraw("root", PSEUDONYM, "701").unwrap();
        assert_eq!(enrol(&mut study, OTHER_PSEUDONYM).is_ok(), frees);
    }
}

#[test]
fn a_kept_copy_opens_nothing_again() {
    let mut study = Study::third();
    let open = command!("root", SetStudyState { state: State::Open, reason: name("on"), seen: None });
    study.set_state(State::Paused).unwrap();
    assert!(matches!(study.run(&open, &[&key(1)]), Err(Refusal::Untimely(Untimely::StateChanged { .. }))));
    study.fresh(&open, &subject::study_state(), &[&key(1)]).unwrap();
    let activate = command!("root", ActivateSite { site: name("701"), reason: Some(name("on")), seen: None });
    study.pause("701").unwrap();
    assert!(matches!(study.run(&activate, &[&key(1)]), Err(Refusal::Untimely(Untimely::StateChanged { .. }))));
    study.fresh(&activate, &subject::site(&name("701")), &[&key(1)]).unwrap();
    let again = study.approve("root", "701", "1.0", present::approval(present::DAY));
    assert!(matches!(again, Err(Refusal::Untimely(Untimely::StateChanged { .. }))));
}
