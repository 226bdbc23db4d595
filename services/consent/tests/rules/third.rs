//! Rules 3: a consent is for the state and the moment it was signed on, a device is of a site, who speaks for whom ends, a
//! minor's majority is kept apart.

use crate::*;
use seal::{
    moment::{MAX_AGE_MS, MAX_LATE_AGE_MS, Untimely},
    text::Hex,
};
use vocabulary::{
    command::{Assent, GrantAccess},
    fact, subject,
};

const GUARDED: &[&str] = &["data_collection"];

/// A study under rules 3 in which everybody may consent in every way, with a tablet of the site.
pub(crate) fn present() -> Study {
    let mut study = Study::under(Some(3));
    for (device, site) in [("tablet", "701"), ("meter", "702")] {
        let fact = Fact::Actor(fact::Actor { kind: ActorKind::Device, registered: 0, site: Some(name(site)) });
        study.enroll(subject::actor(&name(device)), fact);
    }
    for (actor, relation) in [
        (MOTHER, Relation::Parent),
        (FATHER, Relation::Parent),
        (LEGAL, Relation::LegalRepresentative),
        (WITNESS, Relation::ImpartialWitness),
    ] {
        let subject = subject::representative(&name(PARTICIPANT), &name(actor));
        study.enroll(
            subject,
            Fact::Representative(fact::Representative { relation, registered: 4, until: Some(NOW + 1_000 * DAY) }),
        );
    }
    study.publish("1.0", Terms { site_device: true, effective: NOW - 50 * DAY, ..terms() }).unwrap();
    study
}

impl Study {
    /// Runs a command that was signed on what is newest about the participant's consent.
    pub(crate) fn fresh<P: Rule + Clone + std::fmt::Debug>(
        &mut self,
        command: &P,
        signers: &[&str],
    ) -> Result<Changes, Refusal> {
        let mut command = command.clone();
        if let Some(newest) = self.newest() {
            command.see(newest);
        }
        self.run(&command, signers)
    }

    pub(crate) fn newest(&self) -> Option<seal::Hash> {
        self.facts.newest(&subject::list(&List::Consents(name(PARTICIPANT))))
    }

    fn given(&mut self, texts: &[&str], capacity: Capacity, signers: &[&str]) -> Result<Changes, Refusal> {
        self.fresh(&giving(texts, capacity), signers)
    }
}

pub(crate) fn on_tablet() -> Capacity {
    Capacity::SiteDevice { device: name("tablet"), evidence: sha256(&[b"drawn"]).into() }
}

pub(crate) fn guardian() -> Capacity {
    Capacity::Representative { actor: name(LEGAL) }
}

pub(crate) fn minor(majority: u64) -> Capacity {
    Capacity::Minor { parents: vec![name(MOTHER)], assent: Assent::Signed, majority }
}

pub(crate) const OF_MINOR: [&str; 3] = ["ann", MOTHER, PARTICIPANT];

fn state_changed<T: std::fmt::Debug>(result: Result<T, Refusal>) {
    match result {
        Err(Refusal::Untimely(Untimely::StateChanged { .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kept_copy_of_a_consent_undoes_no_withdrawal() {
    let mut study = present();
    let consent = giving(GUARDED, Capacity::Participant);
    study.run(&consent, &["ann", PARTICIPANT]).unwrap();
    let kept = GiveConsent { request: Uuid([7; 16]), ..consent };
    state_changed(study.run(&kept, &["ann", PARTICIPANT]));
    let on_the_first = GiveConsent { seen: study.newest().map(Hex), ..kept.clone() };
    study.fresh(&withdrawing(PARTICIPANT, &[], Some(WithdrawalScope::Everything)), &[PARTICIPANT]).unwrap();
    state_changed(study.run(&kept, &["ann", PARTICIPANT]));
    state_changed(study.run(&on_the_first, &["ann", PARTICIPANT]));
    assert_eq!(study.holds("data_collection"), Err(NotInForce::Withdrawn));
    study.given(GUARDED, Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    assert!(study.holds("data_collection").is_ok(), "signed anew, on what is newest");
}

#[test]
fn what_is_signed_is_recorded_within_a_day_or_late_by_who_may() {
    let old =
        |age: u64, late: Option<Name>| GiveConsent { time: NOW - age, late, ..giving(GUARDED, Capacity::Participant) };
    let signers = &["ann", PARTICIPANT][..];
    let mut study = present();
    study.facts.set(
        subject::document(&name("ICF"), &name("1.0"), &name("en")),
        match study.facts.find(&subject::document(&name("ICF"), &name("1.0"), &name("en"))).cloned() {
            Some(Fact::Document(fact::Document { content, approval, published, terms, superseded, .. })) => {
                Fact::Document(fact::Document {
                    content,
                    approval,
                    published,
                    terms,
                    superseded,
                    published_ms: Some(NOW - 50 * DAY),
                })
            }
            other => panic!("{other:?}"),
        },
    );
    refuses(study.run(&old(MAX_AGE_MS + 1, None), signers), Untimely::Stale);
    let ahead = GiveConsent { time: NOW + 300_001, ..giving(GUARDED, Capacity::Participant) };
    refuses(study.run(&ahead, signers), Untimely::Ahead);
    let why = Some(name("no network at the site"));
    refuses(study.run(&old(MAX_AGE_MS + 1, why.clone()), signers), no_delegation("ann", Task::RecordLate, "701"));
    study.delegate("ann", Task::RecordLate, "701", (0, u64::MAX), None);
    refuses(study.run(&old(MAX_LATE_AGE_MS + 1, why.clone()), signers), Untimely::Stale);
    let mut within = study.clone();
    within.run(&old(MAX_LATE_AGE_MS, why.clone()), signers).unwrap();
    assert!(within.holds("data_collection").is_ok());
    // A period counts from signing: what is over when it is recorded is not taken in.
    let over = |age| GiveConsent { provisions: provisions(&["data_collection", "genetics"]), ..old(age, why.clone()) };
    refuses(study.clone().run(&over(10 * DAY), signers), NotInForce::PeriodEnded);
    study.run(&over(10 * DAY - 1), signers).unwrap();
    assert_eq!(study.holds("genetics").unwrap().until, Some(NOW + 1));
}

#[test]
fn times_that_cannot_be_are_refused_and_a_withdrawal_is_recorded_with_its_reason() {
    let mut study = present();
    let early = GiveConsent { time: NOW - 300_001, ..giving(GUARDED, Capacity::Participant) };
    refuses(study.run(&early, &["ann", PARTICIPANT]), Refusal::OutOfOrder("its document was published"));
    study.given(GUARDED, Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    let before =
        WithdrawConsent { time: NOW - 2 * DAY, ..withdrawing(PARTICIPANT, &[], Some(WithdrawalScope::Everything)) };
    refuses(study.fresh(&before, &[PARTICIPANT]), Refusal::OutOfOrder("the consent it withdraws"));
    let said = WithdrawConsent { late: Some(name("the clock of the phone was wrong")), ..before };
    study.fresh(&said, &[PARTICIPANT]).unwrap();
    assert_eq!(study.holds("data_collection"), Err(NotInForce::Withdrawn));
}

#[test]
fn a_device_is_of_the_site_admitted_by_the_document_and_nobody_overrides_a_refusal_with_it() {
    let mut study = present();
    let elsewhere = Capacity::SiteDevice { device: name("meter"), evidence: sha256(&[b"drawn"]).into() };
    refuses(study.given(GUARDED, elsewhere, &["ann", "meter"]), Refusal::DeviceUnknown);
    // A device that holds the task is no person, and so nobody who held the discussion.
    study.delegate("tablet", Task::ObtainConsent, "701", (0, u64::MAX), None);
    let alone = GiveConsent { by: name("tablet"), ..giving(GUARDED, on_tablet()) };
    refuses(study.fresh(&alone, &["tablet"]), Unauthorised::NotAPerson(name("tablet")));
    study.given(GUARDED, on_tablet(), &["ann", "tablet"]).unwrap();
    study.fresh(&withdrawing(PARTICIPANT, &[], Some(WithdrawalScope::Everything)), &[PARTICIPANT]).unwrap();
    refuses(study.given(GUARDED, on_tablet(), &["ann", "tablet"]), NotInForce::Withdrawn);
    study.given(GUARDED, Capacity::Participant, &["ann", PARTICIPANT]).unwrap();

    let mut study = Study::under(Some(3));
    let fact = Fact::Actor(fact::Actor { kind: ActorKind::Device, registered: 0, site: Some(name("701")) });
    study.enroll(subject::actor(&name("tablet")), fact);
    study.publish("1.0", terms()).unwrap();
    let refused = study.given(GUARDED, on_tablet(), &["ann", "tablet"]);
    refuses(refused, Refusal::NotAdmitted("consent on a device of the site"));
}

#[test]
fn a_representative_speaks_only_while_what_they_gave_stands() {
    let mut study = present();
    let everything = withdrawing(LEGAL, &[], Some(WithdrawalScope::Everything));
    study.given(GUARDED, Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    refuses(study.fresh(&everything, &[LEGAL]), no_delegation(LEGAL, Task::ObtainConsent, "701"));
    let grant = GrantAccess { by: name(LEGAL), ..grant::granting() };
    refuses(study.fresh(&grant, &[LEGAL]), Refusal::RepresentativeUnknown("representative"));

    let mut study = present();
    study.given(GUARDED, guardian(), &["ann", LEGAL]).unwrap();
    study.clone().fresh(&grant, &[LEGAL]).unwrap();
    study.clone().fresh(&everything, &[LEGAL]).unwrap();
    study.given(GUARDED, Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    refuses(study.fresh(&grant, &[LEGAL]), Refusal::RepresentativeUnknown("representative"));

    let mut study = present();
    study.next.time = NOW + 1_000 * DAY - 1;
    let late = GiveConsent { time: study.next.time, ..giving(GUARDED, guardian()) };
    study.clone().fresh(&late, &["ann", LEGAL]).unwrap();
    study.next.time += 1;
    refuses(study.fresh(&late, &["ann", LEGAL]), Refusal::RepresentativeUnknown("legally authorised representative"));
}

#[test]
fn nobody_grants_while_nothing_is_in_force_and_grants_end_for_good() {
    let mut study = present();
    refuses(study.fresh(&grant::granting(), &[PARTICIPANT]), Refusal::NothingInForce);
    study.given(&["data_collection", "genetics"], Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    let kept = grant::granting();
    study.fresh(&kept, &[PARTICIPANT]).unwrap();
    state_changed(study.run(&GrantAccess { grant: name("G2"), ..kept }, &[PARTICIPANT]));
    let read = vocabulary::command::AccessData {
        categories: provisions(&["genetics"]),
        grant: Some(name("G1")),
        ..read::reading("lab")
    };
    study.clone().run(&read, &["lab"]).unwrap();
    study.fresh(&withdrawing(PARTICIPANT, &[], Some(WithdrawalScope::Everything)), &[PARTICIPANT]).unwrap();
    study.given(&["data_collection", "genetics"], Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    refuses(study.run(&read, &["lab"]), Refusal::GrantEnded);
}

#[test]
fn a_majority_is_kept_apart_and_never_moves_later() {
    let of_age = NOW + 50 * DAY;
    let both = &["data_collection", "genetics"][..];
    let mut study = present();
    study.given(both, minor(of_age), &OF_MINOR).unwrap();
    assert_eq!(study.holds("genetics").unwrap().until, Some(NOW + 10 * DAY), "the earlier end");
    malformed("manner.capacity.minor.majority", study.given(both, minor(of_age + 1), &OF_MINOR));
    study.given(both, minor(of_age - 1), &OF_MINOR).unwrap();
    malformed("manner.capacity.minor.majority", study.given(both, minor(of_age), &OF_MINOR));

    for (capacity, signers) in [
        (Capacity::Participant, vec!["ann", PARTICIPANT]),
        (on_tablet(), vec!["ann", "tablet"]),
        (guardian(), vec!["ann", LEGAL]),
    ] {
        refuses(study.given(both, capacity, &signers), Refusal::NotOfAge);
    }
    let at = |time, capacity| GiveConsent { time, ..giving(GUARDED, capacity) };
    study.next.time = of_age - 1;
    assert_eq!(study.holds("data_collection"), Err(NotInForce::MajorityReached));
    refuses(study.fresh(&at(of_age - 1, minor(of_age + DAY)), &OF_MINOR), NotInForce::MajorityReached);
    refuses(study.fresh(&at(of_age - 2, Capacity::Participant), &["ann", PARTICIPANT]), Refusal::NotOfAge);
    study.fresh(&at(of_age - 1, Capacity::Participant), &["ann", PARTICIPANT]).unwrap();
    assert!(study.holds("data_collection").is_ok());
    let parents = WithdrawConsent { time: of_age - 1, ..withdrawing(MOTHER, &[], Some(WithdrawalScope::Everything)) };
    refuses(study.fresh(&parents, &[MOTHER]), no_delegation(MOTHER, Task::ObtainConsent, "701"));
}

#[test]
fn what_a_minor_gave_alone_ends_when_the_parents_state_a_majority() {
    let mut study = present();
    study.given(&["data_collection", "genetics"], Capacity::Participant, &["ann", PARTICIPANT]).unwrap();
    study.given(GUARDED, minor(NOW + 50 * DAY), &OF_MINOR).unwrap();
    assert_eq!(study.holds("genetics"), Err(NotInForce::Withdrawn));
    assert!(study.holds("data_collection").is_ok());
}
