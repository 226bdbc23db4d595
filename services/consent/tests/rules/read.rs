//! Reads from outside the site: on a grant, or with a task.

use crate::*;
use grant::{granting, revoking};
use seal::{MAX_ACCESS_AGE_MS, MAX_ACCESS_AHEAD_MS, MAX_CLOCK_AHEAD_MS};
use vocabulary::{
    command::{AccessData, GrantAccess, ItemRead},
    subject,
};

/// Asks to read everything of the participant, with a task.
pub(crate) fn reading(by: &str) -> AccessData {
    let (participant, site, purpose) = (name(PARTICIPANT), name("701"), name("research"));
    command!(by, AccessData { participant, site, categories: Vec::new(), purpose, grant: None, only: None })
}

fn on_grant(by: &str, texts: &[&str]) -> AccessData {
    AccessData { categories: provisions(texts), grant: Some(name("G1")), ..reading(by) }
}

fn everybody(by: &str) -> AccessData {
    AccessData { participant: name("*"), site: name("*"), ..reading(by) }
}

/// The lab was granted access.
fn granted() -> Study {
    let mut study = Study::new();
    study.give(&["data_collection", "genetics"]).unwrap();
    study.run(&granting(), &[PARTICIPANT]).unwrap();
    study
}

fn used(study: &Study) -> u32 {
    match study.facts.find(&subject::grant(&name(PARTICIPANT), &name("G1"))) {
        Some(Fact::Grant { used, .. }) => *used,
        other => panic!("{other:?}"),
    }
}

fn lab_reads(study: &mut Study) -> Result<Changes, Refusal> {
    let access = AccessData { time: study.next.time, ..on_grant("lab", &["genetics"]) };
    study.run(&access, &["lab"])
}

#[test]
fn a_grant_covers_its_grantee_categories_and_purpose() {
    let mut study = granted();
    refuses(study.run(&on_grant("lab", &["genetics"]), &["dora"]), unknown_key("lab"));
    for other in ["dora", "ann", "root", PARTICIPANT] {
        refuses(study.run(&on_grant(other, &["genetics"]), &[other]), Refusal::GrantUnknown);
    }
    let unknown = AccessData { grant: Some(name("G2")), ..on_grant("lab", &["genetics"]) };
    refuses(study.run(&unknown, &["lab"]), Refusal::GrantUnknown);
    for texts in [&["recontact"][..], &["genetics", "data_collection"]] {
        refuses(study.run(&on_grant("lab", texts), &["lab"]), Refusal::GrantDoesNotCover);
    }
    let marketing = AccessData { purpose: name("marketing"), ..on_grant("lab", &["genetics"]) };
    refuses(study.run(&marketing, &["lab"]), Refusal::GrantDoesNotCover);
    for texts in [&[][..], &["genetics", "genetics"]] {
        malformed("categories", study.run(&on_grant("lab", texts), &["lab"]));
    }
    let elsewhere = AccessData { site: name("702"), ..on_grant("lab", &["genetics"]) };
    refuses(study.run(&elsewhere, &["lab"]), Refusal::NotEnrolled);
    assert_eq!(used(&study), 0);
    study.run(&on_grant("lab", &["data_collection:imaging", "genetics"]), &["lab"]).unwrap();
    assert_eq!(used(&study), 1);
    // A grant of one participant says nothing about another.
    let other = AccessData { participant: name(OTHER), ..on_grant("lab", &["genetics"]) };
    refuses(study.run(&other, &["lab"]), Refusal::GrantUnknown);
}

#[test]
fn a_grant_is_used_up_after_exactly_so_many_reads() {
    let mut study = granted();
    for reads in 1..=3 {
        let changes = lab_reads(&mut study).unwrap();
        assert_eq!(
            changes[0],
            (subject::list(&List::Accesses(name(PARTICIPANT))), Fact::Count { count: reads, newest: None })
        );
        assert_eq!(u64::from(used(&study)), reads);
    }
    refuses(lab_reads(&mut study), Refusal::GrantUsedUp);
    let mut unlimited = Study::new();
    unlimited.run(&GrantAccess { uses: None, ..granting() }, &[PARTICIPANT]).unwrap();
    for _ in 0..20 {
        lab_reads(&mut unlimited).unwrap();
    }
}

#[test]
fn a_grant_holds_in_its_period_until_the_participant_ends_it() {
    let mut study = Study::new();
    study.give(&["data_collection", "genetics"]).unwrap();
    study.run(&GrantAccess { from: NOW + 2, ..granting() }, &[PARTICIPANT]).unwrap();
    for (time, covered) in [(NOW + 1, false), (NOW + 2, true), (NOW + 9, true), (NOW + 10, false)] {
        study.next.time = time;
        match covered {
            true => drop(lab_reads(&mut study).unwrap()),
            false => refuses(lab_reads(&mut study), Refusal::GrantOutsidePeriod),
        }
    }
    study.next.time = NOW + 5;
    let mut revoked = study.clone();
    revoked.run(&revoking(), &[PARTICIPANT]).unwrap();
    refuses(lab_reads(&mut revoked), Refusal::GrantEnded);
    // One withdrawal in part leaves the grant, the last of several ends it.
    study.run(&withdrawing(PARTICIPANT, &["genetics"], None), &[PARTICIPANT]).unwrap();
    study.clone().run(&AccessData { time: NOW + 5, ..on_grant("lab", &["genetics"]) }, &["lab"]).unwrap();
    study.withdraw(PARTICIPANT, WithdrawalScope::Everything).unwrap();
    refuses(lab_reads(&mut study), Refusal::GrantEnded);
}

#[test]
fn a_grant_made_after_everything_was_withdrawn_holds() {
    let mut study = Study::new();
    study.give(&["data_collection"]).unwrap();
    study.withdraw(PARTICIPANT, WithdrawalScope::Everything).unwrap();
    study.run(&granting(), &[PARTICIPANT]).unwrap();
    lab_reads(&mut study).unwrap();
}

#[test]
fn a_task_at_the_site_or_everywhere_lets_read_one_participant() {
    let refused = no_delegation("eve", Task::Read, "701");
    refuses(Study::new().run(&reading("eve"), &["eve"]), refused.clone());
    refuses(Study::new().run(&reading("ann"), &["ann"]), no_delegation("ann", Task::Read, "701"));
    for task in [Task::Read, Task::Audit] {
        for site in ["701", "*"] {
            let mut study = Study::new();
            study.delegate("eve", task, site, (NOW, NOW + 1), None);
            refuses(study.run(&reading("eve"), &["ann"]), unknown_key("eve"));
            let changes = study.run(&reading("eve"), &["eve"]).unwrap();
            let list = subject::list(&List::Accesses(name(PARTICIPANT)));
            assert_eq!(changes, [(list, Fact::Count { count: 1, newest: None })]);
            study.run(&AccessData { categories: provisions(&["genetics"]), ..reading("eve") }, &["eve"]).unwrap();
            study.delegate("eve", task, site, (NOW, NOW + 1), Some(5));
            assert!(matches!(study.run(&reading("eve"), &["eve"]), Err(Refusal::Unauthorised(_))));
        }
        let mut study = Study::new();
        study.delegate("eve", task, "702", (NOW, NOW + 1), None);
        refuses(study.run(&reading("eve"), &["eve"]), refused.clone());
        let elsewhere = AccessData { site: name("702"), ..reading("eve") };
        refuses(study.run(&elsewhere, &["eve"]), Refusal::NotEnrolled);
    }
}

#[test]
fn everybody_is_read_with_the_task_audit_everywhere_only() {
    let mut study = Study::new();
    for (task, site) in [(Task::Read, "*"), (Task::Audit, "701")] {
        study.delegate("eve", task, site, (NOW, NOW + 1), None);
        refuses(study.run(&everybody("eve"), &["eve"]), no_delegation("eve", Task::Audit, "*"));
    }
    study.delegate("eve", Task::Audit, "*", (NOW, NOW + 1), None);
    malformed("site", study.run(&AccessData { site: name("701"), ..everybody("eve") }, &["eve"]));
    malformed("site", study.run(&AccessData { grant: Some(name("G1")), ..everybody("eve") }, &["eve"]));
    let changes = study.run(&everybody("eve"), &["eve"]).unwrap();
    assert_eq!(changes, [(subject::list(&List::Accesses(name("*"))), Fact::Count { count: 1, newest: None })]);
    // One participant is not read "everywhere".
    refuses(study.run(&AccessData { site: name("*"), ..reading("eve") }, &["eve"]), Refusal::NotEnrolled);
}

#[test]
fn a_request_to_read_is_recorded_soon_after_it_was_signed() {
    let mut study = granted();
    study.delegate("eve", Task::Audit, "*", (NOW, u64::MAX), None);
    for access in [reading("eve"), everybody("eve")] {
        study.next.time = NOW + MAX_ACCESS_AGE_MS;
        study.run(&access, &["eve"]).unwrap();
        study.next.time += 1;
        refuses(study.run(&access, &["eve"]), Refusal::AccessStale);
    }
    refuses(study.run(&on_grant("lab", &["genetics"]), &["lab"]), Refusal::AccessStale);
    refuses(Study::none().run(&reading("eve"), &["eve"]), Refusal::StudyUnknown);
}

#[test]
fn a_request_to_read_is_signed_at_most_half_a_minute_ahead_from_the_third_rules_on() {
    for (rules, ahead) in [(2, MAX_CLOCK_AHEAD_MS), (3, MAX_ACCESS_AHEAD_MS)] {
        let mut study = Study::under(Some(rules));
        study.delegate("eve", Task::Read, "701", (0, u64::MAX), None);
        study.next.time = NOW - ahead;
        study.run(&reading("eve"), &["eve"]).unwrap();
        study.next.time -= 1;
        match rules {
            2 => drop(study.run(&reading("eve"), &["eve"]).unwrap()), // recorded so once, and replayed so for ever
            _ => refuses(study.run(&reading("eve"), &["eve"]), Refusal::AccessAhead),
        }
    }
}

#[test]
fn one_item_is_within_what_the_grant_covers() {
    let only = |repeat: &str| Some(ItemRead { entry: 4, item: name("SYSBP"), repeat: repeat.to_owned() });
    let mut study = granted();
    study.run(&AccessData { only: only(""), ..on_grant("lab", &["genetics"]) }, &["lab"]).unwrap();
    assert_eq!(used(&study), 1);
    for texts in [&["recontact"][..], &["genetics", "recontact"]] {
        let wider = AccessData { only: only(""), ..on_grant("lab", texts) };
        refuses(study.run(&wider, &["lab"]), Refusal::GrantDoesNotCover);
    }
    malformed("categories", study.run(&AccessData { only: only(""), ..on_grant("lab", &[]) }, &["lab"]));
    let long = AccessData { only: only(&"x".repeat(129)), ..on_grant("lab", &["genetics"]) };
    malformed("only.repeat", study.run(&long, &["lab"]));
}
