//! Who consented, in which capacity, on what state, of what age.

use super::{
    Case, DAY, LATER, NURSE, Wrong, admitting, after, captured, nurse, of_parents, on_device, own, past, wrong,
};
use crate::{
    command::{ActorKind, Capacity, RegisterActor, Terms},
    fact::{self, Fact, Given},
    id::{Service, Uuid},
    report::LinkName::{Consent as Link, Document},
    sha256, subject, task,
    text::Hex,
    verify::counted::world::{
        START_MS, World, key, public,
        study::{Consent, DEVICE, GUARDIAN, MOTHER, name, provision},
    },
};

pub(super) fn guardian() -> Consent {
    Consent::by(Capacity::Representative { actor: name(GUARDIAN) }, &[GUARDIAN])
}

/// Consent that was withdrawn and given again: on the newest state, or with a copy that was kept.
pub(super) fn given_again(on_the_newest: bool) -> Case {
    after(|world| {
        let given = world.consent(&own());
        world.withdraw(&[provision("data_collection")], given);
        world.consent(&Consent { kept: !on_the_newest, ..own() });
    })
}

fn consented(consent: &Consent) -> Case {
    after(|world| _ = world.consent(consent))
}

/// Consent on a tablet that belongs to this site.
fn of_site(site: &str) -> Case {
    let mut world = World::third();
    world.register_of("tablet-8", ActorKind::Device, Some(name(site)), "tablet-8");
    let evidence = Hex(sha256(&[b"drawn"]));
    let consent = Consent::by(Capacity::SiteDevice { device: name("tablet-8"), evidence }, &["tablet-8"]);
    captured(world, admitting(), |world| _ = world.consent(&consent))
}

/// Consent on the device of the site, signed with a second key of its name, which was registered as this kind.
fn with_a_key_of(kind: ActorKind) -> Case {
    let mut world = World::third();
    let (new, registered) = ("second key of the tablet", world.next(Service::Enrollment));
    let register = RegisterActor {
        study: world.study,
        request: Uuid([1; 16]),
        by: name("root"),
        time: world.time,
        actor: name(DEVICE),
        kind,
        key: public(new),
        site: Some(name("701")),
    };
    let fact = Fact::Key(fact::Key { actor: name(DEVICE), key: public(new), registered, ended: None, steps: Some(1) });
    world.record(&register, &[&key("root"), &key(new)], vec![(subject::key(public(new).id()), fact)]);
    let consent = Consent { signers: vec![new], ..on_device() };
    captured(world, admitting(), |world| _ = world.consent(&consent))
}

/// An adult's consent, signed so many milliseconds before it is recorded; they came of age so long after that.
fn of_age(signed_before: i64, came_of_age_after_recording: i64) -> Case {
    after(|world| {
        world.time += DAY;
        let majority = (world.time + 1_000).checked_add_signed(came_of_age_after_recording);
        world.signed_before(signed_before, |world| world.consent(&Consent { majority, ..own() }));
    })
}

/// A minor's value, captured so many milliseconds after they came of age by what is on record.
fn captured_after_majority(late: u64) -> Case {
    let majority = START_MS + 50 * DAY;
    after(|world| {
        world.consent(&Consent { majority: Some(majority), ..of_parents(LATER) });
        world.time = majority - 1_000 - 1 + late;
    })
}

pub(super) fn wrong_consents() -> Vec<Wrong> {
    let mut all = capacities();
    all.extend(ages());
    all
}

fn capacities() -> Vec<Wrong> {
    vec![
        wrong("kept-copy-after-a-withdrawal", Link, "the consent was signed on another state", given_again),
        wrong("device-alone", Link, "who held the discussion is no person", |right| {
            let mut world = World::third();
            world.delegate(DEVICE, task::OBTAIN_CONSENT);
            let alone = Consent { by: DEVICE, signers: Vec::new(), ..on_device() };
            captured(world, admitting(), |world| _ = world.consent(&if right { on_device() } else { alone }))
        }),
        wrong("discussion-held-by-a-system", Link, "who held the discussion is no person", |right| {
            let mut world = World::third();
            nurse(&mut world, if right { ActorKind::Person } else { ActorKind::System }, &[task::OBTAIN_CONSENT]);
            captured(world, admitting(), |world| _ = world.consent(&Consent { by: NURSE, ..own() }))
        }),
        wrong("device-of-another-site", Link, "tablet-8 was not a device", |right| {
            of_site(if right { "701" } else { "702" })
        }),
        wrong("device-with-a-key-of-a-person", Link, "signed with a key of another kind of actor", |right| {
            with_a_key_of(if right { ActorKind::Device } else { ActorKind::Person })
        }),
        wrong("device-not-admitted", Document, "the document does not admit consent", |right| {
            let of = Terms { site_device: right, ..admitting() };
            captured(World::third(), of, |world| _ = world.consent(&on_device()))
        }),
        wrong(
            "stated-at-another-time-than-signed",
            Link,
            "the state states another consent than was signed",
            |right| {
                let earlier: fn(&mut Given) = |given| given.signed = Some(START_MS);
                consented(&Consent { otherwise: (!right).then_some(earlier), ..own() })
            },
        ),
        wrong("stated-as-given-by-others", Link, "the state states another consent than was signed", |right| {
            let mother: fn(&mut Given) = |given| given.given_by = vec![name(MOTHER)];
            consented(&Consent { otherwise: (!right).then_some(mother), ..guardian() })
        }),
    ]
}

fn ages() -> Vec<Wrong> {
    const NOT_OF_AGE: &str = "the participant was not of age";
    vec![
        wrong("minor-as-an-adult", Link, NOT_OF_AGE, |right| {
            consented(&Consent { majority: Some(LATER).filter(|_| !right), ..own() })
        }),
        wrong("guardian-of-a-minor", Link, NOT_OF_AGE, |right| {
            consented(&Consent { majority: Some(LATER).filter(|_| !right), ..guardian() })
        }),
        wrong("device-for-a-minor", Link, NOT_OF_AGE, |right| {
            consented(&Consent { majority: Some(LATER).filter(|_| !right), ..on_device() })
        }),
        wrong("majority-put-off", Link, NOT_OF_AGE, |right| {
            let majority = Some(if right { LATER } else { START_MS + 10_000 });
            consented(&Consent { majority, ..of_parents(LATER) })
        }),
        past(
            "majority-on-record-as-signed",
            wrong("majority-on-record-later-than-signed", Link, NOT_OF_AGE, |right| {
                consented(&Consent { majority: Some(LATER + u64::from(!right)), ..of_parents(LATER) })
            }),
        ),
        wrong("minor-without-a-majority-on-record", Link, NOT_OF_AGE, |right| {
            consented(&Consent { majority: Some(LATER).filter(|_| right), ..of_parents(LATER) })
        }),
        past(
            "captured-before-majority",
            wrong("captured-at-majority", Link, NOT_OF_AGE, |right| captured_after_majority(u64::from(!right))),
        ),
        past(
            "of-age-when-signed",
            wrong("not-of-age-when-signed", Link, NOT_OF_AGE, |right| of_age(60_000, -60_000 + i64::from(!right))),
        ),
        past(
            "of-age-when-recorded",
            wrong("not-of-age-when-recorded", Link, NOT_OF_AGE, |right| of_age(-60_000, i64::from(!right))),
        ),
    ]
}
