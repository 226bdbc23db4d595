//! The built-in policies in full: which caller may call which RPC of which service. `matrix.txt` is reviewed by people; to
//! see what it should be after a change of the policies, read this test's message.

#![allow(clippy::unwrap_used)]

use caller::{Kind, Member};
use permission::policy::{Policies, PolicyError, RPCS};
use std::fmt::Write;

const TABLE: &str = include_str!("../policies/matrix.txt");

/// The services that serve an action.
fn serve(action: &str) -> Vec<Member> {
    let recording = [Member::Enrollment, Member::Consent, Member::Capture];
    match action {
        Policies::HTTP => vec![Member::Anchoring, Member::Witness],
        _ if action.starts_with("grpc.") => Member::ALL.to_vec(),
        _ if action.starts_with("trialseal.journal.") => recording.to_vec(),
        _ => {
            let own = |member: &Member| action.starts_with(&format!("trialseal.{}.", member.name()));
            vec![Member::ALL.into_iter().find(own).unwrap()]
        }
    }
}

fn actions() -> impl Iterator<Item = &'static str> {
    RPCS.iter().copied().chain([Policies::HTTP])
}

fn table(policies: &Policies) -> String {
    let mut table = "# At each service, each RPC it serves: who may call it. Everything else is denied.\n".to_owned();
    for member in Member::ALL {
        writeln!(table, "\n{}", member.name()).unwrap();
        for action in actions().filter(|action| serve(action).contains(&member)) {
            let who = Kind::ALL.into_iter().filter(|kind| policies.permits(*kind, member, action)).map(Kind::name);
            let who: Vec<_> = who.collect();
            let who = if who.is_empty() { "nobody".to_owned() } else { who.join(" ") };
            writeln!(table, "  {action}: {who}").unwrap();
        }
    }
    table
}

#[test]
fn the_built_in_policies_permit_what_the_table_says() {
    let table = table(&Policies::built_in().unwrap());
    assert!(table == TABLE, "matrix.txt is not what the policies say, which is:\n{table}");
}

#[test]
fn what_a_service_does_not_serve_nobody_may_call_there() {
    let policies = Policies::built_in().unwrap();
    for member in Member::ALL {
        for action in actions().filter(|action| !serve(action).contains(&member)) {
            let permitted = Kind::ALL.into_iter().find(|kind| policies.permits(*kind, member, action));
            assert_eq!(permitted, None, "{action} at {}", member.name());
        }
    }
}

#[test]
fn there_is_something_to_every_rpc() {
    let policies = Policies::built_in().unwrap();
    for action in actions() {
        let called = |member: &Member| Kind::ALL.into_iter().any(|kind| policies.permits(kind, *member, action));
        assert!(serve(action).iter().any(called), "{action}: nobody may call it");
    }
}

/// The calls that the services really make of each other (`gate.rs`, `sequencer.rs`, `prove.rs`, `facts.rs`, `consents.rs`,
/// `log.rs`), and nothing more.
#[test]
fn services_may_call_each_other_as_they_do_and_no_further() {
    use Member::{Anchoring, Capture, Consent, Enrollment};
    let journal = |at, methods: &[&str]| -> Vec<(Member, String)> {
        methods.iter().map(|name| (at, format!("trialseal.journal.v1.JournalService/{name}"))).collect()
    };
    let deciding =
        ["Decide", "AccessData"].map(|name| (Consent, format!("trialseal.consent.v1.ConsentService/{name}")));
    let key = || vec![(Enrollment, "trialseal.enrollment.v1.EnrollmentService/FindKey".to_owned())];
    let whole = ["FollowHeads", "ListStreams", "ProveFacts", "ReadEntries"];
    let policies = Policies::built_in().unwrap();
    for (caller, expected) in [
        (Enrollment, vec![deciding.to_vec()]),
        (Consent, vec![journal(Enrollment, &["ReadFacts"]), key()]),
        (Capture, vec![journal(Enrollment, &["ReadFacts"]), deciding.to_vec(), key()]),
        (Anchoring, vec![journal(Enrollment, &whole), journal(Consent, &whole), journal(Capture, &whole)]),
        (Member::Witness, vec![]),
    ] {
        let mut expected = expected.concat();
        let mut found: Vec<(Member, String)> = Vec::new();
        for at in Member::ALL {
            let own = RPCS.iter().copied().filter(|rpc| !rpc.starts_with("grpc."));
            let permitted = own.filter(|rpc| policies.permits(Kind::Service(caller), at, rpc));
            found.extend(permitted.map(|rpc| (at, rpc.to_owned())));
        }
        let key = |(at, rpc): &(Member, String)| (at.name(), rpc.clone());
        expected.sort_by_key(key);
        found.sort_by_key(key);
        assert_eq!(found, expected, "{}", caller.name());
    }
}

#[test]
fn paths_are_what_they_look_like() {
    for (path, action) in [
        ("/trialseal.capture.v1.CaptureService/SubmitForm", Some("trialseal.capture.v1.CaptureService/SubmitForm")),
        ("/grpc.health.v1.Health/Check", Some("grpc.health.v1.Health/Check")),
        ("/trialseal.capture.v1.CaptureService/submitform", None),
        ("/trialseal.capture.v1.CaptureService/SubmitForm/", None),
        ("/trialseal.capture.v1.CaptureService/", None),
        ("/trialseal.capture.v1.Other/SubmitForm", None),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", None),
        ("//trialseal.capture.v1.CaptureService/SubmitForm", Some("http")),
        ("/checkpoint", Some("http")),
        ("/tile/0/x001/234.p/5", Some("http")),
        ("/", Some("http")),
        ("", Some("http")),
    ] {
        assert_eq!(Policies::action(path), action, "{path}");
    }
}

const PERMIT: &str = r#"permit (principal in Role::"actor", action == Action::"trialseal.capture.v1.CaptureService/GetForm", resource == Service::"capture");"#;

#[test]
fn an_operators_policies_replace_the_built_in_ones_and_deny_by_default() {
    let forbid = PERMIT.replacen("permit", "forbid", 1).replacen("actor", "actor-oidc", 1);
    let policies = Policies::parse([("a.cedar", PERMIT), ("b.cedar", forbid.as_str())]).unwrap();
    let mut permitted = Vec::new();
    for kind in Kind::ALL {
        for member in Member::ALL {
            permitted.extend(actions().filter(|action| policies.permits(kind, member, action)).map(|_| (kind, member)));
        }
    }
    assert_eq!(permitted, [(Kind::ActorToken, Member::Capture), (Kind::ActorCertificate, Member::Capture)]);
    assert_eq!(table(&Policies::parse([]).unwrap()).matches("actor").count(), 0);
}

#[test]
fn policies_that_do_not_fit_are_refused() {
    for (wrong, with) in [
        ("GetForm", "GetFrom"),
        ("Role::", "Group::"),
        ("Role::\"actor\"", "Role::\"actors\""),
        ("Service::\"capture\"", "Service::\"captures\""),
        ("Service::\"capture\"", "Role::\"actor\""),
        ("\");", "\") when { context.time > 1 };"),
        ("\");", "\") when { principal.name == \"ann\" };"),
    ] {
        let policy = PERMIT.replacen(wrong, with, 1);
        assert!(matches!(Policies::parse([("x.cedar", policy.as_str())]), Err(PolicyError::Schema(_))), "{policy}");
    }
    let other = PERMIT.replacen("Action::", "Verb::", 1);
    for wrong in ["permit", "permit (principal == ?principal, action, resource);", other.as_str()] {
        assert!(matches!(Policies::parse([("x.cedar", wrong)]), Err(PolicyError::Syntax { .. })), "{wrong}");
    }
}
