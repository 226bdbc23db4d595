//! Granting and revoking access.

use crate::*;
use vocabulary::{
    command::{GrantAccess, RevokeAccess},
    subject,
};

/// The participant lets the lab read genetics and imaging three times within ten days.
pub(crate) fn granting() -> GrantAccess {
    command!(
        PARTICIPANT,
        GrantAccess {
            participant: name(PARTICIPANT),
            site: name("701"),
            grant: name("G1"),
            grantee: name("lab"),
            categories: provisions(&["genetics", "data_collection:imaging"]),
            purpose: name("research"),
            from: NOW,
            until: NOW + 10,
            uses: Some(3),
            seen: None,
        }
    )
}

pub(crate) fn revoking() -> RevokeAccess {
    let (participant, site, grant) = (name(PARTICIPANT), name("701"), name("G1"));
    command!(PARTICIPANT, RevokeAccess { participant, site, grant })
}

#[test]
fn persons_and_organisations_are_granted_access() {
    let mut study = Study::new();
    for other in ["tablet", "edc", OTHER, PARTICIPANT, LEGAL, "nobody"] {
        let grant = GrantAccess { grantee: name(other), ..granting() };
        refuses(study.run(&grant, &[PARTICIPANT]), Refusal::GranteeUnknown);
    }
    study.run(&granting(), &[PARTICIPANT]).unwrap();
    study.run(&GrantAccess { grantee: name("dora"), grant: name("G2"), ..granting() }, &[PARTICIPANT]).unwrap();
}

#[test]
fn a_grant_names_categories_a_period_to_come_and_uses() {
    let mut study = Study::new();
    for categories in [&[][..], &["genetics", "genetics"]] {
        let bad = GrantAccess { categories: provisions(categories), ..granting() };
        malformed("categories", study.run(&bad, &[PARTICIPANT]));
    }
    for (from, until) in [(NOW + 5, NOW + 5), (NOW + 6, NOW + 5), (NOW - 9, NOW), (0, 0)] {
        malformed("until", study.run(&GrantAccess { from, until, ..granting() }, &[PARTICIPANT]));
    }
    malformed("uses", study.run(&GrantAccess { uses: Some(0), ..granting() }, &[PARTICIPANT]));
    let long_ago = GrantAccess { from: 0, until: NOW + 1, uses: None, ..granting() };
    study.run(&long_ago, &[PARTICIPANT]).unwrap();
    refuses(study.run(&granting(), &[PARTICIPANT]), Refusal::GrantExists);
}

#[test]
fn the_participant_or_who_decides_for_them_grants_and_revokes() {
    for by in [PARTICIPANT, MOTHER, LEGAL] {
        let mut study = Study::new();
        let grant = GrantAccess { by: name(by), ..granting() };
        refuses(study.run(&grant, &["ann"]), unknown_key(by));
        study.run(&grant, &[by]).unwrap();
        let revoke = RevokeAccess { by: name(by), ..revoking() };
        refuses(study.run(&revoke, &["ann"]), unknown_key(by));
        study.run(&revoke, &[by]).unwrap();
    }
    let mut study = Study::new();
    study.run(&granting(), &[PARTICIPANT]).unwrap();
    for by in [WITNESS, OTHER, "ann", "root", "lab"] {
        let grant = GrantAccess { by: name(by), grant: name("G2"), ..granting() };
        refuses(study.run(&grant, &[by]), Refusal::RepresentativeUnknown("representative"));
        let revoke = RevokeAccess { by: name(by), ..revoking() };
        refuses(study.run(&revoke, &[by]), Refusal::RepresentativeUnknown("representative"));
    }
    let grant = GrantAccess { site: name("702"), grant: name("G2"), ..granting() };
    refuses(study.run(&grant, &[PARTICIPANT]), Refusal::NotEnrolled);
    refuses(study.run(&RevokeAccess { site: name("702"), ..revoking() }, &[PARTICIPANT]), Refusal::NotEnrolled);
    // Having left the trial takes nobody's say over their data.
    study.participate(PARTICIPANT, Some(8));
    study.run(&revoking(), &[PARTICIPANT]).unwrap();
}

#[test]
fn a_grant_is_revoked_once() {
    let mut study = Study::new();
    refuses(study.run(&revoking(), &[PARTICIPANT]), Refusal::GrantUnknown);
    study.next.number = 4;
    let changes = study.run(&granting(), &[PARTICIPANT]).unwrap();
    let subject = subject::grant(&name(PARTICIPANT), &name("G1"));
    let fact = |revoked| Fact::Grant {
        grantee: name("lab"),
        categories: granting().categories,
        purpose: name("research"),
        from: NOW,
        until: NOW + 10,
        uses: Some(3),
        used: 0,
        granted: 4,
        revoked,
    };
    let listed = |count| (subject::list(&List::Consents(name(PARTICIPANT))), Fact::Count { count, newest: None });
    assert_eq!(changes, [(subject.clone(), fact(None)), listed(1)]);
    let changes = study.run(&revoking(), &[PARTICIPANT]).unwrap();
    assert_eq!(changes, [(subject, fact(Some(5))), listed(2)]);
    refuses(study.run(&revoking(), &[PARTICIPANT]), Refusal::GrantEnded);
    // Its name is not used for another.
    refuses(study.run(&granting(), &[PARTICIPANT]), Refusal::GrantExists);
}
