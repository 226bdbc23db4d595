//! Publishing documents on terms.

use crate::*;
use vocabulary::{
    command::{DocumentVersion, Notice, Question, Quiz, Reconsent, ReconsentMode},
    fact::{self, Superseded},
    subject,
};

fn question(text: &str, choices: &[&str], right: u8) -> Question {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    Question { question: name("Q1"), text: text.to_owned(), choices, right }
}

fn version(version: &str, language: &str) -> DocumentVersion {
    DocumentVersion { version: name(version), language: name(language) }
}

fn reconsent() -> Reconsent {
    Reconsent { by: NOW + 9, meanwhile: ReconsentMode::Warn, then: ReconsentMode::Stop }
}

/// Publishing on the usual terms, but for one change.
fn changed(change: impl FnOnce(&mut Terms)) -> Result<Changes, Refusal> {
    let mut terms = terms();
    change(&mut terms);
    Study::under(Some(2)).publish("1.0", terms)
}

#[test]
fn a_document_states_its_terms_and_its_board() {
    let mut study = Study::under(Some(2));
    malformed("terms", study.run(&publication(), &["root"]));
    let good = publishing("1.0", terms());
    let approved = |change: fn(&mut Approval)| {
        let mut publishing = good.clone();
        change(&mut publishing.approval);
        publishing
    };
    malformed("approval.body", study.run(&approved(|approval| approval.body = None), &["root"]));
    // A day ahead of UTC is today somewhere.
    malformed("approval.date", study.run(&approved(|approval| approval.date = name("2026-11-23")), &["root"]));
    malformed("approval.date", study.run(&approved(|approval| approval.date = name("2026-02-29")), &["root"]));
    let today = PublishDocument { version: name("0.9"), ..approved(|approval| approval.date = name("2026-11-22")) };
    study.run(&today, &["root"]).unwrap();
    study.run(&good, &["root"]).unwrap();
    refuses(study.run(&good, &["root"]), Refusal::DocumentExists);
    assert_eq!(study.facts.count(&subject::list(&List::Documents)), 2);
}

#[test]
fn only_who_publishes_documents_everywhere_does() {
    let mut study = Study::under(Some(2));
    let by_ann = PublishDocument { by: name("ann"), ..publishing("1.0", terms()) };
    refuses(study.run(&by_ann, &["ann"]), no_delegation("ann", Task::PublishDocuments, "*"));
    study.delegate("ann", Task::PublishDocuments, "701", (NOW, NOW + 1), None);
    refuses(study.run(&by_ann, &["ann"]), no_delegation("ann", Task::PublishDocuments, "*"));
    study.delegate("ann", Task::PublishDocuments, "*", (NOW, NOW + 1), None);
    refuses(study.run(&by_ann, &["bob"]), unknown_key("ann"));
    study.run(&by_ann, &["ann"]).unwrap();
}

#[test]
fn the_fact_holds_the_terms() {
    let mut study = Study::under(Some(2));
    study.next.number = 6;
    let changes = study.publish("1.0", terms()).unwrap();
    let document = subject::document(&name("ICF"), &name("1.0"), &name("en"));
    let fact = Fact::Document(fact::Document {
        content: publication().content,
        approval: publishing("1.0", terms()).approval,
        published: 6,
        terms: Some(Box::new(terms())),
        superseded: None,
        published_ms: None,
    });
    assert_eq!(changes, [(subject::list(&List::Documents), Fact::Count { count: 1, newest: None }), (document, fact)]);
}

#[test]
fn offers_are_bounded_and_each_is_made_once() {
    let field = "terms.provisions";
    malformed(field, changed(|terms| terms.provisions.clear()));
    malformed(field, changed(|terms| terms.provisions.push(offer("recontact", true, Some(3)))));
    let many = |count: usize| {
        move |terms: &mut Terms| {
            let of = |number| offer(&format!("data_collection:{number}"), false, None);
            terms.provisions = (0..count).map(of).collect();
        }
    };
    malformed(field, changed(many(201)));
    changed(many(200)).unwrap();
    for days in [0, 36_526, u32::MAX] {
        malformed("terms.provisions.days", changed(|terms| terms.provisions[0].days = Some(days)));
    }
    for days in [1, 36_525] {
        changed(|terms| terms.provisions[0].days = Some(days)).unwrap();
    }
}

#[test]
fn a_quiz_can_be_answered_and_passed() {
    let quiz = |questions, pass| move |terms: &mut Terms| terms.quiz = Some(Quiz { questions, pass });
    let good = question("May you leave?", &["no", "yes"], 1);
    changed(quiz(vec![good.clone()], 1)).unwrap();
    malformed("terms.quiz", changed(quiz(vec![], 0)));
    malformed("terms.quiz", changed(quiz(vec![good.clone()], 2)));
    malformed("terms.quiz", changed(quiz(vec![good.clone(), good.clone()], 1)));
    let numbered = |number| Question { question: name(&format!("Q{number}")), ..good.clone() };
    malformed("terms.quiz", changed(quiz((0..201).map(numbered).collect(), 1)));
    changed(quiz((0..200).map(numbered).collect(), 200)).unwrap();
    let (longest, longer, many) = ("x".repeat(2_048), "x".repeat(2_049), vec!["a"; 201]);
    changed(quiz(vec![question(&longest, &[&longest, "b"], 0)], 1)).unwrap();
    changed(quiz(vec![question("?", &many[..200], 199)], 1)).unwrap();
    for bad in [
        question("", &["no", "yes"], 0),
        question(&longer, &["no", "yes"], 0),
        question("?", &["yes"], 0),
        question("?", &many, 0),
        question("?", &["no", ""], 0),
        question("?", &["no", &longer], 0),
        question("?", &["no", "yes"], 2),
    ] {
        malformed("terms.quiz.questions", changed(quiz(vec![bad], 1)));
    }
}

#[test]
fn terms_are_bounded() {
    malformed("terms.sites", changed(|terms| terms.sites = vec![name("701"), name("799")]));
    changed(|terms| terms.sites = vec![name("701"), name("702")]).unwrap();
    malformed("terms", changed(|terms| terms.sites = vec![name("701"); 201]));
    malformed("terms", changed(|terms| terms.supersedes = vec![version("0.9", "en"); 201]));
    malformed("terms.parents", changed(|terms| terms.parents = 3));
    changed(|terms| terms.parents = 2).unwrap();
    malformed("terms.deferral_ms", changed(|terms| terms.deferral_ms = Some(0)));
    let notice = |places: usize| Notice {
        controller: name("Sponsor"),
        contact: None,
        storage: vec![name("SE"); places],
        retention: None,
        jurisdiction: None,
        lawful_basis: None,
    };
    malformed("terms.notice.storage", changed(|terms| terms.notice = Some(notice(201))));
    changed(|terms| terms.notice = Some(notice(200))).unwrap();
}

#[test]
fn a_version_replaces_versions_that_are_there_and_in_use() {
    let mut study = Study::new();
    malformed("terms.reconsent", study.publish("2.0", Terms { reconsent: Some(reconsent()), ..terms() }));
    let replacing = |versions: &[DocumentVersion]| Terms {
        supersedes: versions.to_vec(),
        effective: NOW + 5,
        reconsent: Some(reconsent()),
        ..terms()
    };
    for unknown in [version("1.0", "sv"), version("0.9", "en"), version("2.0", "en")] {
        let unknown = replacing(&[version("1.0", "en"), unknown]);
        refuses(study.publish("2.0", unknown), Refusal::DocumentUnknown);
    }
    let twice = replacing(&[version("1.0", "en"), version("1.0", "en")]);
    refuses(study.publish("2.0", twice), Refusal::DocumentSuperseded);
    // Another document's versions are not replaced.
    let other = PublishDocument { document: name("ICF-2"), ..publishing("2.0", replacing(&[version("1.0", "en")])) };
    refuses(study.run(&other, &["root"]), Refusal::DocumentUnknown);

    let old = subject::document(&name("ICF"), &name("1.0"), &name("en"));
    let before = study.facts.find(&old).cloned();
    study.next.number = 8;
    study.publish("2.0", replacing(&[version("1.0", "en")])).unwrap();
    let Some(Fact::Document(fact::Document { content, approval, published, terms, .. })) = before else { panic!() };
    let superseded = Some(Superseded { by: 8, effective: NOW + 5, reconsent: Some(reconsent()) });
    let marked = Fact::Document(fact::Document { content, approval, published, terms, superseded, published_ms: None });
    assert_eq!(study.facts.find(&old), Some(&marked));
    refuses(study.publish("3.0", replacing(&[version("1.0", "en")])), Refusal::DocumentSuperseded);
    study.publish("3.0", replacing(&[version("2.0", "en")])).unwrap();
}

#[test]
fn a_later_version_reaches_those_whom_an_earlier_one_did_not_ask() {
    let mut study = Study::new();
    study.give(&["data_collection"]).unwrap();
    let replacing = |texts: &[&str], reconsent| Terms {
        supersedes: texts.iter().map(|text| version(text, "en")).collect(),
        reconsent,
        ..terms()
    };
    study.publish("2.0", replacing(&["1.0"], None)).unwrap();
    assert!(study.holds("data_collection").is_ok());
    let stop = |by| Some(Reconsent { by, meanwhile: ReconsentMode::Warn, then: ReconsentMode::Stop });
    let later = Terms { effective: NOW + 1, ..replacing(&["1.0"], stop(NOW + 3)) };
    refuses(study.publish("3.0", later), Refusal::DocumentSuperseded);
    study.publish("3.0", replacing(&["2.0", "1.0"], stop(NOW + 3))).unwrap();
    study.next.time = NOW + 3;
    assert_eq!(study.holds("data_collection"), Err(NotInForce::ReconsentRequired));
    // Of two demands the stricter counts: a later one puts nothing off.
    let mild = Some(Reconsent { by: NOW + 50, meanwhile: ReconsentMode::Warn, then: ReconsentMode::Warn });
    study.publish("4.0", replacing(&["3.0", "1.0"], mild)).unwrap();
    assert_eq!(study.holds("data_collection"), Err(NotInForce::ReconsentRequired));
}
