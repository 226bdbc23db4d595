//! A study's first rules: one document, one provision, both signatures; and facts that are byte for byte as they were.

use crate::*;
use proptest::prelude::*;
use vocabulary::subject;

/// A study under its first rules, before and after its document is published.
fn unpublished() -> Study {
    Study::under(None)
}

fn published() -> Study {
    let mut study = unpublished();
    study.run(&publication(), &["root"]).unwrap();
    study
}

fn give(study: &mut Study, participant: &str) -> Result<Changes, Refusal> {
    study.run(&giving_at_first(participant), &["ann", participant])
}

fn withdraw(study: &mut Study, by: &str, participant: &str) -> Result<Changes, Refusal> {
    study.run(&withdrawing_at_first(by, participant), &[by])
}

fn permits(study: &Study, participant: &str) -> Result<(), NotInForce> {
    in_force(&study.facts, &name(participant), &Provision::data_collection(), study.next.time).map(|held| {
        assert_eq!(held, InForce::default());
    })
}

/// The subjects changed, and what is kept of their facts.
fn kept(changes: Result<Changes, Refusal>) -> Vec<(Subject, String)> {
    let text = |fact: Fact| String::from_utf8(fact.to_bytes()).unwrap();
    changes.unwrap().into_iter().map(|(subject, fact)| (subject, text(fact))).collect()
}

#[test]
fn without_a_study_nothing_is_accepted() {
    let mut study = Study::none();
    refuses(study.run(&publication(), &["root"]), Refusal::StudyUnknown);
    refuses(give(&mut study, PARTICIPANT), Refusal::StudyUnknown);
    refuses(withdraw(&mut study, PARTICIPANT, PARTICIPANT), Refusal::StudyUnknown);
}

#[test]
fn a_document_is_published_once_per_version_and_language() {
    let mut study = unpublished();
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
    let mut study = published();
    let giving = giving_at_first(PARTICIPANT);
    refuses(study.run(&giving, &["ann"]), unknown_key(PARTICIPANT));
    refuses(study.run(&giving, &[PARTICIPANT]), unknown_key("ann"));
    refuses(study.run(&giving, &["ann", OTHER]), unknown_key(PARTICIPANT));
    refuses(study.run(&giving, &["bob", PARTICIPANT]), unknown_key("ann"));
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
        let mut study = published();
        study.end_key(ended);
        refuses(give(&mut study, PARTICIPANT), Unauthorised::KeyEnded(name(ended)));
    }
    assert_eq!(permits(&study, PARTICIPANT), Err(NotInForce::Missing));
    study.run(&giving, &[PARTICIPANT, "ann"]).unwrap();
    assert_eq!(permits(&study, PARTICIPANT), Ok(()));
    assert_eq!(permits(&study, OTHER), Err(NotInForce::Missing));
}

#[test]
fn consent_is_obtained_by_who_holds_the_task_then_and_there() {
    let mut study = published();
    let by_eve = GiveConsent { by: name("eve"), ..giving_at_first(PARTICIPANT) };
    refuses(study.run(&by_eve, &["eve", PARTICIPANT]), no_delegation("eve", Task::ObtainConsent, "701"));
    let (actor, task) = (name("ann"), Task::ObtainConsent);
    study.delegate("ann", task, "701", (NOW, NOW + 100), None);
    for time in [NOW - 1, NOW + 100] {
        study.next.time = time;
        refuses(give(&mut study, PARTICIPANT), Unauthorised::OutsidePeriod { actor: actor.clone(), task });
    }
    study.next.time = NOW;
    study.delegate("ann", task, "701", (NOW, NOW + 100), Some(4));
    refuses(give(&mut study, PARTICIPANT), Unauthorised::DelegationEnded { actor, task });
}

#[test]
fn consent_is_given_by_the_enrolled_at_an_open_site_to_a_published_document() {
    let mut study = published();
    for unknown in [
        GiveConsent { document: name("ICF-2"), ..giving_at_first(PARTICIPANT) },
        GiveConsent { version: name("1.1"), ..giving_at_first(PARTICIPANT) },
        GiveConsent { language: name("sv"), ..giving_at_first(PARTICIPANT) },
    ] {
        refuses(study.run(&unknown, &["ann", PARTICIPANT]), Refusal::DocumentUnknown);
    }
    for provisions in [vec![], vec![Provision::data_collection(); 2]] {
        let bad = GiveConsent { provisions, ..giving_at_first(PARTICIPANT) };
        malformed("provisions", study.run(&bad, &["ann", PARTICIPANT]));
    }
    let elsewhere = GiveConsent { by: name("root"), site: name("702"), ..giving_at_first(PARTICIPANT) };
    refuses(study.run(&elsewhere, &["root", PARTICIPANT]), Refusal::NotEnrolled);
    study.participate(OTHER, Some(6));
    refuses(give(&mut study, OTHER), Refusal::NotEnrolled);
    study.open("701", false);
    refuses(give(&mut study, PARTICIPANT), Refusal::SiteNotOpen);
}

#[test]
fn consent_is_withdrawn_by_the_participant_or_on_their_word_and_can_be_given_again() {
    let mut study = published();
    refuses(withdraw(&mut study, PARTICIPANT, PARTICIPANT), NotInForce::Missing);
    give(&mut study, PARTICIPANT).unwrap();
    refuses(withdraw(&mut study, OTHER, PARTICIPANT), no_delegation(OTHER, Task::ObtainConsent, "701"));
    refuses(study.run(&withdrawing_at_first(PARTICIPANT, PARTICIPANT), &["ann"]), unknown_key(PARTICIPANT));
    let elsewhere = WithdrawConsent { site: name("702"), ..withdrawing_at_first(PARTICIPANT, PARTICIPANT) };
    refuses(study.run(&elsewhere, &[PARTICIPANT]), Refusal::NotEnrolled);
    for provisions in [vec![], vec![Provision::data_collection(); 2]] {
        let bad = WithdrawConsent { provisions, ..withdrawing_at_first(PARTICIPANT, PARTICIPANT) };
        malformed("provisions", study.run(&bad, &[PARTICIPANT]));
    }
    assert_eq!(permits(&study, PARTICIPANT), Ok(()));

    withdraw(&mut study, PARTICIPANT, PARTICIPANT).unwrap();
    assert_eq!(permits(&study, PARTICIPANT), Err(NotInForce::Withdrawn));
    refuses(withdraw(&mut study, "bob", PARTICIPANT), NotInForce::Withdrawn);
    give(&mut study, PARTICIPANT).unwrap();
    assert_eq!(permits(&study, PARTICIPANT), Ok(()));

    // Neither a closed site nor having left the trial keeps anybody from withdrawing.
    study.open("701", false);
    study.participate(PARTICIPANT, Some(8));
    withdraw(&mut study, "bob", PARTICIPANT).unwrap();
    assert_eq!(permits(&study, PARTICIPANT), Err(NotInForce::Withdrawn));
}

/// What is kept of a consent, as it was before there were other rules.
fn consent_text(withdrawn: &str) -> String {
    let given = format!(r#"{{"given":1,"document":"ICF","version":"1.0","language":"en","withdrawn":{withdrawn}}}"#);
    format!(r#"{{"consent":{{"provisions":{{"data_collection":{given}}}}}}}"#)
}

#[test]
fn facts_are_byte_for_byte_what_they_were() {
    for rules in [None, Some(1)] {
        let mut study = Study::under(rules);
        let document = concat!(
            r#"{"document":{"content":"982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1","#,
            r#""approval":{"reference":"IRB-1","date":"2026-01-15"},"published":0}}"#
        );
        let subject = subject::document(&name("ICF"), &name("1.0"), &name("en"));
        assert_eq!(kept(study.run(&publication(), &["root"])), [(subject, document.to_owned())]);
        let consent = subject::consent(&name(PARTICIPANT));
        assert_eq!(kept(give(&mut study, PARTICIPANT)), [(consent.clone(), consent_text("null"))]);
        assert_eq!(kept(withdraw(&mut study, PARTICIPANT, PARTICIPANT)), [(consent, consent_text("2"))]);
    }
}

#[test]
fn what_came_with_later_rules_is_refused() {
    let mut study = unpublished();
    refuses(study.run(&publishing("1.0", terms()), &["root"]), Refusal::RulesOutdated);
    study.run(&publication(), &["root"]).unwrap();
    for capacity in [Capacity::Participant, Capacity::Representative { actor: name(LEGAL) }] {
        refuses(study.run(&giving(&["data_collection"], capacity), &["ann", PARTICIPANT]), Refusal::RulesOutdated);
    }
    // That the participant signs is asked before anything new is looked at.
    let deferred = giving(&["data_collection"], Capacity::Deferred { reason: name("coma"), deadline: NOW + 1 });
    refuses(study.run(&deferred, &["ann"]), unknown_key(PARTICIPANT));
    give(&mut study, PARTICIPANT).unwrap();
    let plain = withdrawing_at_first(PARTICIPANT, PARTICIPANT);
    for newer in [
        WithdrawConsent { scope: Some(WithdrawalScope::Listed), ..plain.clone() },
        WithdrawConsent { collected: Some(Collected::Kept), ..plain },
    ] {
        refuses(study.run(&newer, &[PARTICIPANT]), Refusal::RulesOutdated);
    }
    refuses(study.run(&grant::granting(), &[PARTICIPANT]), Refusal::RulesOutdated);
    refuses(study.run(&grant::revoking(), &[PARTICIPANT]), Refusal::RulesOutdated);
    refuses(study.run(&read::reading("root"), &["root"]), Refusal::RulesOutdated);
    refuses(study.run(&give::request("ann"), &["ann"]), Refusal::RulesOutdated);
}

proptest! {
    #[test]
    fn consent_permits_exactly_while_the_last_accepted_event_gave_it(
        events in prop::collection::vec((any::<bool>(), any::<bool>(), 0_usize..5), 0..40)
    ) {
        let mut study = published();
        let participants = [PARTICIPANT, OTHER];
        let mut last = [None; 2];
        for (gives, which, signer) in events {
            let (who, signer) = (usize::from(which), ["ann", "bob", "eve", PARTICIPANT, OTHER][signer]);
            let participant = participants[who];
            let result = if gives {
                let command = GiveConsent { by: name(signer), ..giving_at_first(participant) };
                let both = if signer == participant { vec![signer] } else { vec![signer, participant] };
                study.run(&command, &both)
            } else {
                withdraw(&mut study, signer, participant)
            };
            let entitled = ["ann", "bob"].contains(&signer) || (!gives && signer == participant);
            prop_assert_eq!(result.is_ok(), entitled && (gives || last[who] == Some(true)), "{:?}", result);
            if result.is_ok() {
                last[who] = Some(gives);
            }
            for (participant, last) in participants.iter().zip(last) {
                let expected = match last {
                    None => Err(NotInForce::Missing),
                    Some(false) => Err(NotInForce::Withdrawn),
                    Some(true) => Ok(()),
                };
                prop_assert_eq!(permits(&study, participant), expected);
            }
        }
    }
}
