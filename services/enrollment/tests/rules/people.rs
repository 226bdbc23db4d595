//! Registration for screening, tokens, representatives.

use crate::*;
use seal::text::Hex;
use vocabulary::{
    command::{ClearMatch, EndRepresentation, RegisterRepresentative, Relation, ScreenParticipant, Stage, State},
    fact,
    subject::{self, List},
};

pub(crate) const REPRESENTATIVE: &str = "R-ABCDEFGHIJKLMNOP";
const THIRD: &str = "P-ABCDEFGHIJKLMNO3";

fn token() -> Option<Hex> {
    Some(sha256(&[b"token"]).into())
}

impl Study {
    pub(crate) fn screen(
        &mut self,
        by: &str,
        participant: &str,
        site: &str,
        token: Option<Hex>,
    ) -> Result<Changes, Refusal> {
        let key = key_of(participant).public();
        let screen = command!(
            by,
            ScreenParticipant { participant: name(participant), site: name(site), key, token, late: None }
        );
        self.run(&screen, &[&key_of(by)])
    }

    pub(crate) fn clear(&mut self, participant: &str) -> Result<Changes, Refusal> {
        let clear = command!("root", ClearMatch { participant: name(participant), reason: name("twins") });
        self.run(&clear, &[&key(1)])
    }

    pub(crate) fn represent(&mut self, participant: &str, actor: &str) -> Result<Changes, Refusal> {
        self.run(&representation(participant, actor), &[&key(1), &key_of(actor)])
    }

    /// The sites of a participant's match, and whether it was cleared.
    fn matched(&self, participant: &str) -> Option<(Vec<&str>, bool)> {
        match self.facts.find(&subject::matched(&name(participant))) {
            Some(Fact::Match { sites, cleared, .. }) => {
                Some((sites.iter().map(Name::as_str).collect(), cleared.is_some()))
            }
            _ => None,
        }
    }
}

fn representation(participant: &str, actor: &str) -> RegisterRepresentative {
    let (relation, key) = (Relation::Parent, key_of(actor).public());
    let (participant, site, actor) = (name(participant), name("701"), name(actor));
    command!(
        "root",
        RegisterRepresentative { participant, site, actor, relation, key, second: None, grounds: None, until: None }
    )
}

#[test]
fn participants_are_registered_where_study_and_site_are_open() {
    let mut study = Study::planned();
    refuses(study.screen("root", PSEUDONYM, "701", None), Refusal::StudyNotOpen);
    let mut study = Study::open();
    refuses(study.screen("ann", PSEUDONYM, "701", None), no_delegation("ann", Task::Enrol, "701"));
    malformed("participant", study.screen("root", "ann-2", "701", None));
    refuses(study.screen("root", PSEUDONYM, "703", None), Refusal::SiteNotOpen);
    study.pause("701").unwrap();
    refuses(study.screen("root", PSEUDONYM, "701", None), Refusal::SiteNotOpen);
    refuses(study.enrol("root", PSEUDONYM, "701"), Refusal::SiteNotOpen);
    study.reopen("701").unwrap();
    study.screen("root", PSEUDONYM, "701", None).unwrap();
    assert_eq!(study.stage(PSEUDONYM), Stage::Screened);
    refuses(study.screen("root", PSEUDONYM, "702", None), Refusal::NameTaken("participant"));
    let (participant, site, key) = (name(OTHER_PSEUDONYM), name("701"), key_of(PSEUDONYM).public());
    let shared = command!("root", ScreenParticipant { participant, site, key, token: None, late: None });
    refuses(study.run(&shared, &[&key_of("root")]), Refusal::NameTaken("key"));
    study.set_state(State::Paused).unwrap();
    refuses(study.screen("root", OTHER_PSEUDONYM, "701", None), Refusal::StudyNotOpen);
    refuses(study.enrol("root", OTHER_PSEUDONYM, "701"), Refusal::StudyNotOpen);
    assert_eq!(study.facts.count(&subject::list(&List::Participants(name("701")))), 1);
    assert_eq!(study.facts.count(&subject::list(&List::Participant(name(PSEUDONYM)))), 1);
}

#[test]
fn a_person_known_elsewhere_is_not_enrolled_until_it_is_cleared() {
    let mut study = Study::open();
    study.screen("root", PSEUDONYM, "701", token()).unwrap();
    assert_eq!(study.matched(PSEUDONYM), None);
    study.record_stage(PSEUDONYM, Stage::Enrolled).unwrap();
    let changes = study.screen("root", OTHER_PSEUDONYM, "702", token()).unwrap();
    // Each learns the other's site. The pseudonyms are in the token's own fact alone.
    let told = changes.iter().filter(|(subject, _)| subject.kind() == "match");
    for (_, fact) in told {
        let text = String::from_utf8(fact.to_bytes()).unwrap();
        assert!(!text.contains(PSEUDONYM) && !text.contains(OTHER_PSEUDONYM), "{text}");
    }
    assert_eq!(study.matched(PSEUDONYM), Some((vec!["702"], false)));
    assert_eq!(study.matched(OTHER_PSEUDONYM), Some((vec!["701"], false)));
    refuses(study.record_stage_at(OTHER_PSEUDONYM, "702", Stage::Enrolled), Refusal::DuplicateParticipation);
    study.clear(OTHER_PSEUDONYM).unwrap();
    refuses(study.clear(OTHER_PSEUDONYM), Refusal::AlreadyEnded("match"));
    study.record_stage_at(OTHER_PSEUDONYM, "702", Stage::Enrolled).unwrap();
    // A third opens the question again; the same site twice is a match too.
    study.screen("root", THIRD, "702", token()).unwrap();
    assert_eq!(study.matched(PSEUDONYM), Some((vec!["702"], false)));
    assert_eq!(study.matched(OTHER_PSEUDONYM), Some((vec!["701", "702"], false)));
    assert_eq!(study.matched(THIRD), Some((vec!["701", "702"], false)));
}

#[test]
fn matches_are_cleared_by_who_manages_the_study() {
    let mut study = Study::open();
    refuses(study.clear(PSEUDONYM), Refusal::NotFound("match"));
    let clear = command!("ann", ClearMatch { participant: name(PSEUDONYM), reason: name("twins") });
    refuses(study.run(&clear, &[&key_of("ann")]), no_delegation("ann", Task::ManageStudy, "*"));
}

#[test]
fn a_token_is_held_by_a_bounded_number() {
    let mut study = Study::open();
    let pseudonym = |number: u8| {
        let letter = |digit: u8| char::from(b'A' + digit);
        format!("P-AAAAAAAAAAAAAA{}{}", letter(number / 16), letter(number % 16))
    };
    for number in 0..64 {
        study.screen("root", &pseudonym(number), "701", token()).unwrap();
    }
    refuses(study.screen("root", &pseudonym(64), "701", token()), Refusal::DuplicateParticipation);
}

fn ending(by: &str, participant: &str, actor: &str) -> EndRepresentation {
    let (participant, site, actor, reason) = (name(participant), name("701"), name(actor), name("of age"));
    command!(by, EndRepresentation { participant, site, actor, reason })
}

#[test]
fn a_representation_is_ended_once_by_who_is_concerned_or_enrols() {
    let mut study = Study::open();
    study.screen("root", PSEUDONYM, "701", None).unwrap();
    study.screen("root", OTHER_PSEUDONYM, "701", None).unwrap();
    study.represent(PSEUDONYM, REPRESENTATIVE).unwrap();
    let none = || Refusal::NotFound("representative");
    let by = |by: &str| ending(by, PSEUDONYM, REPRESENTATIVE);
    refuses(study.run(&by("ann"), &[&key_of("ann")]), no_delegation("ann", Task::Enrol, "701"));
    refuses(
        study.run(&by(OTHER_PSEUDONYM), &[&key_of(OTHER_PSEUDONYM)]),
        no_delegation(OTHER_PSEUDONYM, Task::Enrol, "701"),
    );
    malformed("reason", study.run(&EndRepresentation { reason: name("."), ..by("root") }, &[&key(1)]));
    // Who represents somebody learns of nobody else whether they take part, or where.
    for participant in [OTHER_PSEUDONYM, "P-ZZZZZZZZZZZZZZZZ"] {
        let other = ending(REPRESENTATIVE, participant, REPRESENTATIVE);
        refuses(study.run(&other, &[&key_of(REPRESENTATIVE)]), none());
    }
    let elsewhere = EndRepresentation { site: name("702"), ..by(REPRESENTATIVE) };
    refuses(study.run(&elsewhere, &[&key_of(REPRESENTATIVE)]), none());
    refuses(study.run(&ending("root", PSEUDONYM, "R-ABCDEFGHIJKLMNO2"), &[&key(1)]), none());

    for (who, signer) in [(REPRESENTATIVE, key_of(REPRESENTATIVE)), (PSEUDONYM, key_of(PSEUDONYM)), ("root", key(1))] {
        let mut study = study.clone();
        study.run(&by(who), &[&signer]).unwrap();
        assert!(!study.facts.decides_for(&name(PSEUDONYM), &name(REPRESENTATIVE)));
        refuses(study.run(&by("root"), &[&key(1)]), Refusal::AlreadyEnded("representation"));
        refuses(study.represent(PSEUDONYM, REPRESENTATIVE), Refusal::NameTaken("actor"));
    }
}

#[test]
fn representatives_are_registered_for_a_participant_and_delegated_nothing() {
    let mut study = Study::open();
    refuses(study.represent(PSEUDONYM, REPRESENTATIVE), Refusal::NotFound("participant"));
    study.screen("root", PSEUDONYM, "701", None).unwrap();
    malformed("actor", study.represent(PSEUDONYM, "mother"));
    malformed("actor", study.represent(PSEUDONYM, OTHER_PSEUDONYM));
    let command = representation(PSEUDONYM, REPRESENTATIVE);
    let unsigned = Refusal::Signature(seal::dsse::EnvelopeError::Signature(command.key.id()));
    refuses(study.run(&command, &[&key(1)]), unsigned);
    let elsewhere = RegisterRepresentative { site: name("702"), ..command };
    refuses(study.run(&elsewhere, &[&key(1), &key_of(REPRESENTATIVE)]), Refusal::NotFound("participant"));
    study.represent(PSEUDONYM, REPRESENTATIVE).unwrap();
    refuses(study.represent(PSEUDONYM, REPRESENTATIVE), Refusal::NameTaken("actor"));
    let other =
        RegisterRepresentative { actor: name("R-ABCDEFGHIJKLMNO2"), ..representation(PSEUDONYM, REPRESENTATIVE) };
    refuses(study.run(&other, &[&key(1), &key_of(REPRESENTATIVE)]), Refusal::NameTaken("key"));
    refuses(study.delegate("root", REPRESENTATIVE, Task::Read, "*", (0, 1)), Refusal::NotFound("actor"));
    let registered = subject::representative(&name(PSEUDONYM), &name(REPRESENTATIVE));
    assert!(matches!(
        study.facts.find(&registered),
        Some(Fact::Representative(fact::Representative { relation: Relation::Parent, .. }))
    ));
}

#[test]
fn nobody_else_takes_the_names_of_participants_and_representatives() {
    let mut study = Study::open();
    for kind in [ActorKind::Participant, ActorKind::Representative] {
        let command = RegisterActor { kind, ..registration("root", "eve") };
        malformed("kind", study.run(&command, &[&key(1), &key_of("eve")]));
    }
    malformed("actor", study.register(PSEUDONYM));
    malformed("actor", study.register(REPRESENTATIVE));
    Study::new().register(REPRESENTATIVE).unwrap(); // the first rules had no representatives
}
