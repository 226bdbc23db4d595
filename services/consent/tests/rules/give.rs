//! What any consent to a document with terms needs, and what it leaves behind.

use crate::*;
use vocabulary::{
    command::{DocumentVersion, RequestConsent},
    fact::{self, End, Until},
    subject,
};

pub(crate) fn request(by: &str) -> RequestConsent {
    command!(
        by,
        RequestConsent {
            participant: name(PARTICIPANT),
            site: name("701"),
            source: name("fhir-r4"),
            content: sha256(&[b"resource"]).into(),
            provisions: provisions(&["data_collection"]),
        }
    )
}

fn own(texts: &[&str]) -> GiveConsent {
    giving(texts, Capacity::Participant)
}

#[test]
fn a_consent_says_how_it_came_about() {
    let mut study = Study::new();
    malformed("manner", study.run(&giving_at_first(PARTICIPANT), &["ann", PARTICIPANT]));
    refuses(study.run(&giving_at_first(PARTICIPANT), &["ann"]), unknown_key(PARTICIPANT));
    assert_eq!(study.holds("data_collection"), Err(NotInForce::Missing));
}

#[test]
fn who_held_the_discussion_signs_and_has_the_task_there_and_then() {
    let mut study = Study::new();
    refuses(study.run(&own(&["data_collection"]), &[PARTICIPANT]), unknown_key("ann"));
    let by_eve = GiveConsent { by: name("eve"), ..own(&["data_collection"]) };
    refuses(study.run(&by_eve, &["eve", PARTICIPANT]), no_delegation("eve", Task::ObtainConsent, "701"));
    let (actor, task) = (name("ann"), Task::ObtainConsent);
    study.next.time = NOW - 1;
    refuses(study.give(&["data_collection"]), Unauthorised::OutsidePeriod { actor: actor.clone(), task });
    study.next.time = NOW;
    study.delegate("ann", task, "701", (NOW, u64::MAX), Some(4));
    refuses(study.give(&["data_collection"]), Unauthorised::DelegationEnded { actor, task });
    study.end_key("ann");
    refuses(study.give(&["data_collection"]), Unauthorised::KeyEnded(name("ann")));
}

#[test]
fn the_participant_is_enrolled_at_the_open_site() {
    let mut study = Study::new();
    let elsewhere = GiveConsent { by: name("root"), site: name("702"), ..own(&["data_collection"]) };
    refuses(study.run(&elsewhere, &["root", PARTICIPANT]), Refusal::NotEnrolled);
    study.open("701", false);
    refuses(study.give(&["data_collection"]), Refusal::SiteNotOpen);
    study.open("701", true);
    study.participate(PARTICIPANT, Some(6));
    refuses(study.give(&["data_collection"]), Refusal::NotEnrolled);
}

#[test]
fn the_document_is_published_effective_and_for_the_site() {
    let mut study = Study::new();
    for unknown in [
        GiveConsent { document: name("ICF-2"), ..own(&["data_collection"]) },
        GiveConsent { version: name("1.1"), ..own(&["data_collection"]) },
        GiveConsent { language: name("sv"), ..own(&["data_collection"]) },
    ] {
        refuses(study.run(&unknown, &["ann", PARTICIPANT]), Refusal::DocumentUnknown);
    }
    let mut early = Study::with(Terms { effective: NOW + 1, ..terms() });
    refuses(early.give(&["data_collection"]), Refusal::DocumentNotEffective);
    early.next.time = NOW + 1;
    early.give(&["data_collection"]).unwrap();
    let elsewhere = Terms { sites: vec![name("702")], ..terms() };
    refuses(Study::with(elsewhere).give(&["data_collection"]), Refusal::DocumentNotForSite);
    Study::with(Terms { sites: vec![name("702"), name("701")], ..terms() }).give(&["data_collection"]).unwrap();
    // A document without terms asks for nothing; the rules let none be published.
    let mut bare = Study::under(Some(1));
    bare.run(&publication(), &["root"]).unwrap();
    bare.enroll(
        subject::study(),
        Fact::Study { name: name("S"), root_key: key("root").public(), rules: Some(2), tokens: false },
    );
    refuses(bare.give(&["data_collection"]), Refusal::DocumentUnknown);
}

#[test]
fn a_replaced_version_is_used_until_the_new_one_is_effective() {
    let mut study = Study::new();
    let replaced = DocumentVersion { version: name("1.0"), language: name("en") };
    study.publish("2.0", Terms { supersedes: vec![replaced], effective: NOW + 5, ..terms() }).unwrap();
    study.next.time = NOW + 4;
    study.give(&["data_collection"]).unwrap();
    let newer = GiveConsent { version: name("2.0"), ..own(&["data_collection"]) };
    refuses(study.run(&newer, &["ann", PARTICIPANT]), Refusal::DocumentNotEffective);
    study.next.time = NOW + 5;
    refuses(study.give(&["data_collection"]), Refusal::DocumentSuperseded);
    study.run(&newer, &["ann", PARTICIPANT]).unwrap();
    // Nobody demanded it anew: what was given holds, under whichever version it was given last.
    assert_eq!(study.provisions()[&provision("data_collection")].version, name("2.0"));
    assert_eq!(study.holds("data_collection"), Ok(InForce::default()));
}

#[test]
fn only_what_is_offered_is_agreed_to_and_nothing_mandatory_declined() {
    let mut study = Study::new();
    malformed("provisions", study.give(&[]));
    malformed("provisions", study.give(&["data_collection", "data_collection"]));
    for other in ["data_collection:imaging", "biosamples", "remote_monitoring"] {
        refuses(study.give(&["data_collection", other]), Refusal::ProvisionNotOffered);
    }
    refuses(study.give(&["genetics", "recontact"]), Refusal::MandatoryDeclined);
    study.give(&["data_collection", "genetics"]).unwrap();
    assert_eq!(study.holds("biosamples:blood"), Err(NotInForce::Missing));
    assert_eq!(study.holds("genetics"), Ok(InForce { until: Some(NOW + 10 * DAY), reconsent_by: None }));
}

#[test]
fn consent_at_a_distance_is_given_where_the_document_admits_it() {
    let remote = Manner { remote: Some(name("video, passport shown")), ..manner(Capacity::Participant) };
    let distant = GiveConsent { manner: Some(remote), ..own(&["data_collection"]) };
    let mut near = Study::with(Terms { remote: false, ..terms() });
    refuses(near.run(&distant, &["ann", PARTICIPANT]), Refusal::NotAdmitted("consent at a distance"));
    near.give(&["data_collection"]).unwrap();
    Study::new().run(&distant, &["ann", PARTICIPANT]).unwrap();
}

#[test]
fn the_fact_says_what_was_agreed_to_until_when_and_what_was_mandatory() {
    let mut study = Study::new();
    study.next.number = 7;
    let changes = study.give(&["genetics", "data_collection"]).unwrap();
    let given = |until, mandatory| Given {
        refused: false,
        given: 7,
        document: name("ICF"),
        version: name("1.0"),
        language: name("en"),
        withdrawn: None,
        until,
        mandatory,
        signed: None,
        after: None,
        given_by: Vec::new(),
    };
    let ten_days = Until { time: NOW + 10 * DAY, why: End::Period };
    let expected =
        [(provision("data_collection"), given(None, true)), (provision("genetics"), given(Some(ten_days), false))];
    let list = subject::list(&List::Consents(name(PARTICIPANT)));
    let consent = (
        subject::consent(&name(PARTICIPANT)),
        Fact::Consent(fact::Consent {
            provisions: expected.into(),
            majority: None,
            emptied: None,
            declined: [].into(),
        }),
    );
    assert_eq!(changes, [(list, Fact::Count { count: 1, newest: None }), consent]);
    // Agreeing to more later leaves the rest as it was agreed to, except what is agreed to again.
    study.next.time += 1;
    study.give(&["data_collection", "recontact"]).unwrap();
    let numbers: Vec<u64> = study.provisions().values().map(|state| state.given).collect();
    assert_eq!((numbers, study.consents()), (vec![8, 7, 8], 2), "data_collection, genetics, recontact");
}

#[test]
fn a_request_from_elsewhere_gives_nothing() {
    let mut study = Study::new();
    refuses(study.run(&request("eve"), &["eve"]), no_delegation("eve", Task::ObtainConsent, "701"));
    refuses(study.run(&request("ann"), &["bob"]), unknown_key("ann"));
    let elsewhere = RequestConsent { site: name("702"), ..request("root") };
    refuses(study.run(&elsewhere, &["root"]), Refusal::NotEnrolled);
    study.run(&request("ann"), &["ann"]).unwrap();
    assert_eq!((study.consents(), study.provisions().len()), (1, 0));
    assert_eq!(study.holds("data_collection"), Err(NotInForce::Missing));
    study.participate(PARTICIPANT, Some(6));
    refuses(study.run(&request("ann"), &["ann"]), Refusal::NotEnrolled);
    refuses(Study::none().run(&request("ann"), &["ann"]), Refusal::StudyUnknown);
}

#[test]
fn a_form_answers_every_question_it_asks() {
    let mut study = Study::new();
    study.give(&["data_collection", "genetics"]).unwrap();
    study.give(&["data_collection"]).unwrap();
    assert_eq!(study.holds("genetics"), Err(NotInForce::Withdrawn));
    assert_eq!(study.holds("data_collection"), Ok(InForce::default()));
    study.give(&["data_collection", "genetics"]).unwrap();
    assert!(study.holds("genetics").is_ok());
}
