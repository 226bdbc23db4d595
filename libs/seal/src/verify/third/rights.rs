//! Keys that their holders hold, keys that a registrar confirmed, and periods of delegations.

use super::{Case, DAY, NURSE, Wrong, admitting, captured, nurse, own, prepared, published::Vector, wrong};
use crate::{
    command::{ActorKind, Capacity, Delegate, ScreenParticipant},
    fact::{self, Fact, Period},
    id::{Name, Service, Uuid},
    report::LinkName::{Consent as Link, Delegation, Signer},
    sha256,
    subject::{self, Subject},
    task,
    text::Hex,
    verify::counted::world::{
        START_MS, World, key, public,
        rotation::Rotation,
        study::{Consent, DEVICE, INVESTIGATOR, PARTICIPANT, SECOND, name},
    },
};

const NEW: &str = "new key";

/// A value that the investigator signed with a new key, which a registrar confirmed.
pub(super) fn confirmed(change: impl FnOnce(&mut Rotation)) -> Case {
    let registrars = |world: &mut World| {
        [SECOND, DEVICE, INVESTIGATOR].iter().for_each(|actor| _ = world.delegate(actor, task::REGISTER_ACTORS));
    };
    confirmed_by(registrars, change)
}

fn confirmed_by(prepare: impl FnOnce(&mut World), change: impl FnOnce(&mut Rotation)) -> Case {
    let mut world = World::third();
    prepare(&mut world);
    let mut rotation = Rotation {
        signers: vec![SECOND, NEW],
        confirmed: Some((SECOND, ActorKind::Person)),
        ..Rotation::of(INVESTIGATOR, INVESTIGATOR, NEW)
    };
    change(&mut rotation);
    world.replace_key(&rotation);
    let mut case = captured(world, admitting(), |world| _ = world.consent(&Consent { by: SECOND, ..own() }));
    let submission = case.world.submission(None);
    case.of = case.world.record(&submission, &[&key(NEW)], Vec::new());
    case
}

/// A value under the consent that a participant signed with a new key.
fn of_a_participant(rotation: &Rotation) -> Case {
    let mut world = World::third();
    world.delegate(SECOND, task::REGISTER_ACTORS);
    world.replace_key(rotation);
    let consent = Consent { by: SECOND, ..Consent::by(Capacity::Participant, &[NEW]) };
    captured(world, admitting(), |world| _ = world.consent(&consent))
}

/// A value under the consent that a participant signed with a second key, which was registered with these signatures.
fn screened_again(signers: &[&str]) -> Case {
    let mut world = World::third();
    let registered = world.next(Service::Enrollment);
    let screen = ScreenParticipant {
        study: world.study,
        request: Uuid([1; 16]),
        by: name(INVESTIGATOR),
        time: world.time,
        participant: name(PARTICIPANT),
        site: name("701"),
        key: public(NEW),
        token: None,
        late: None,
    };
    let fact =
        Fact::Key(fact::Key { actor: name(PARTICIPANT), key: public(NEW), registered, ended: None, steps: Some(1) });
    let keys: Vec<_> = signers.iter().map(|of| key(of)).collect();
    world.record(&screen, &keys.iter().collect::<Vec<_>>(), vec![(subject::key(public(NEW).id()), fact)]);
    captured(world, admitting(), |world| _ = world.consent(&Consent::by(Capacity::Participant, &[NEW])))
}

/// Delegates `capture` at every site for a period: what is signed, and what the state holds besides.
fn delegate(world: &mut World, (by, actor): (&str, &str), (from, until): (u64, u64), periods: &mut Vec<Period>) {
    let (task, site, granted) = (task::CAPTURE, Name::all_sites(), world.next(Service::Enrollment));
    let seen = periods.last().map(|last| Hex(world.envelope(Service::Enrollment, last.granted)));
    let delegate = Delegate {
        study: world.study,
        request: Uuid([1; 16]),
        by: name(by),
        time: world.time,
        actor: name(actor),
        task: name(task),
        site: site.clone(),
        from,
        until,
        training: None,
        seen,
    };
    let above: &[&str] = if by == "root" { &["root"] } else { &["root", by] };
    let line = above.iter().map(|actor| name(actor)).collect();
    periods.push(Period { granted, from, until, ended: None, line, steps: 1, after: seen });
    state(world, actor, periods, |world, facts| world.record(&delegate, &[&key(by)], facts));
}

/// Records something after which the state holds these periods of `capture`.
fn state(
    world: &mut World,
    actor: &str,
    periods: &[Period],
    record: impl FnOnce(&mut World, Vec<(Subject, Fact)>) -> u64,
) {
    let subject = subject::delegation(&name(actor), task::CAPTURE, &Name::all_sites());
    let fact =
        Fact::Delegations(fact::Delegations { periods: periods.to_vec(), newest: sha256(&[b"this one"]).into() });
    record(world, vec![(subject, fact)]);
}

/// A value captured on the day of the study, by who holds the task from the nurse for this period. The nurse holds it for
/// two periods of ten days, the second of which was ended or not.
fn from_the_nurse((from, until): (u64, u64), day: u64, is_ended: bool) -> Case {
    let mut world = World::third();
    nurse(&mut world, ActorKind::Person, &[]);
    let mut periods = Vec::new();
    let days = |days: u64| START_MS + days * DAY;
    delegate(&mut world, ("root", NURSE), (days(0), days(10)), &mut periods);
    delegate(&mut world, ("root", NURSE), (days(10), days(20)), &mut periods);
    if is_ended {
        periods[1].ended = Some(world.next(Service::Enrollment));
    }
    state(&mut world, NURSE, &periods, |world, facts| {
        let facts = facts.into_iter().map(|(subject, fact)| (subject, fact.to_bytes())).collect();
        world.record_bytes(Service::Enrollment, "end-delegation", b"{}".to_vec(), facts)
    });
    delegate(&mut world, (NURSE, INVESTIGATOR), (days(from), days(until)), &mut Vec::new());
    world.time = days(day);
    captured(world, admitting(), |world| _ = world.consent(&own()))
}

/// A value captured in a period that was delegated by who will hold the task then.
pub(super) fn from_a_later_period() -> Case {
    from_the_nurse((10, 20), 11, false)
}

pub(super) fn wrong_rights() -> Vec<Wrong> {
    let mut all = keys();
    all.extend(confirmations());
    all.extend(delegations());
    all
}

fn keys() -> Vec<Wrong> {
    const NOT_HELD: &str = "a registered key did not sign its registration";
    vec![
        wrong("key-of-somebody-else", Link, NOT_HELD, |right| {
            let mut world = World::third();
            world.register_of(NURSE, ActorKind::Person, None, if right { NURSE } else { SECOND });
            world.delegate(NURSE, task::OBTAIN_CONSENT);
            captured(world, admitting(), |world| _ = world.consent(&Consent { by: NURSE, ..own() }))
        }),
        wrong("key-of-somebody-else-for-a-participant", Link, NOT_HELD, |right| {
            screened_again(if right { &[INVESTIGATOR, NEW] } else { &[INVESTIGATOR] })
        }),
        wrong("key-of-somebody-else-by-rotation", Signer, NOT_HELD, |right| {
            confirmed(|rotation| rotation.signers = if right { vec![SECOND, NEW] } else { vec![SECOND] })
        }),
    ]
}

fn confirmations() -> Vec<Wrong> {
    const NOT_SO: &str = "no registrar can confirm this key";
    vec![
        wrong("confirmed-key-of-a-participant", Link, NOT_SO, |right| {
            let by_themselves = Rotation::of(PARTICIPANT, PARTICIPANT, NEW);
            let confirmed = Some((SECOND, ActorKind::Participant));
            let by_a_registrar = Rotation { signers: vec![SECOND, NEW], confirmed, ..by_themselves.clone() };
            of_a_participant(if right { &by_themselves } else { &by_a_registrar })
        }),
        wrong("confirmed-key-of-a-participant-as-a-person", Signer, NOT_SO, |right| {
            let mut world = World::third();
            world.delegate(SECOND, task::REGISTER_ACTORS);
            world.delegate(PARTICIPANT, task::CAPTURE);
            let by_themselves = Rotation::of(PARTICIPANT, PARTICIPANT, NEW);
            let confirmed = Some((SECOND, ActorKind::Person));
            let by_a_registrar = Rotation { signers: vec![SECOND, NEW], confirmed, ..by_themselves.clone() };
            world.replace_key(if right { &by_themselves } else { &by_a_registrar });
            let consent = Consent { by: SECOND, ..Consent::by(Capacity::Participant, &[PARTICIPANT]) };
            let mut case = captured(world, admitting(), |world| _ = world.consent(&consent));
            let mut submission = case.world.submission(None);
            submission.by = name(PARTICIPANT);
            case.of = case.world.record(&submission, &[&key(NEW)], Vec::new());
            case
        }),
        wrong("confirmed-as-a-participant", Signer, NOT_SO, |right| {
            let kind = if right { ActorKind::Person } else { ActorKind::Participant };
            confirmed(|rotation| rotation.confirmed = Some((SECOND, kind)))
        }),
        wrong("confirmed-as-a-representative", Signer, NOT_SO, |right| {
            let kind = if right { ActorKind::Person } else { ActorKind::Representative };
            confirmed(|rotation| rotation.confirmed = Some((SECOND, kind)))
        }),
        wrong("confirmed-by-themselves", Signer, NOT_SO, |right| {
            let by = if right { SECOND } else { INVESTIGATOR };
            confirmed(|rotation| {
                rotation.signers = vec![by, NEW];
                rotation.confirmed = Some((by, ActorKind::Person));
            })
        }),
        wrong("confirmed-by-a-device", Signer, "tablet-7 is no person", |right| {
            let by = if right { SECOND } else { DEVICE };
            confirmed(|rotation| {
                rotation.signers = vec![by, NEW];
                rotation.confirmed = Some((by, ActorKind::Person));
            })
        }),
        wrong("confirmed-by-who-may-not", Signer, "dr-okoye held no delegation of register_actors", |right| {
            let registrar = move |world: &mut World| {
                if right {
                    world.delegate(SECOND, task::REGISTER_ACTORS);
                }
            };
            confirmed_by(registrar, |_| ())
        }),
        wrong("confirmed-as-a-person-but-a-device", Link, "signed with a key of another kind of actor", |right| {
            let mut world = World::third();
            world.delegate(SECOND, task::REGISTER_ACTORS);
            let kind = if right { ActorKind::Device } else { ActorKind::Person };
            let confirmed = Some((SECOND, kind));
            world.replace_key(&Rotation { signers: vec![SECOND, NEW], confirmed, ..Rotation::of(DEVICE, DEVICE, NEW) });
            let consent = Consent { signers: vec![NEW], ..super::on_device() };
            captured(world, admitting(), |world| _ = world.consent(&consent))
        }),
    ]
}

fn delegations() -> Vec<Wrong> {
    const LONGER: &str = "delegated capture for longer than they held it";
    vec![
        wrong("kept-copy-of-a-delegation", Delegation, "was delegated to dr-imani on another state", |right| {
            prepared(|world| {
                let ended = (!right).then(|| Hex(sha256(&[b"the command that ended it"])));
                world.delegate_by("root", &[], (INVESTIGATOR, task::CAPTURE), ended);
            })
        }),
        wrong("delegation-held-from-others-than-stated", Delegation, "is not held by dr-imani from whom", |right| {
            prepared(|world| {
                let above: &[&str] = if right { &[] } else { &[SECOND] };
                world.delegate_by("root", above, (INVESTIGATOR, task::CAPTURE), None);
            })
        }),
        wrong("delegated-across-two-periods", Delegation, LONGER, |right| {
            from_the_nurse((5, if right { 10 } else { 15 }), 6, false)
        }),
        wrong("delegated-beyond-every-period", Delegation, LONGER, |right| {
            from_the_nurse((10, if right { 20 } else { 21 }), 11, false)
        }),
        wrong("delegated-from-a-period-that-was-ended", Delegation, LONGER, |right| {
            from_the_nurse((10, 20), 11, !right)
        }),
    ]
}

/// Vectors that lack a signature that a check needs to go on: no walk can do without it.
pub(super) fn without_a_signature() -> Vec<Vector> {
    let unsigned = confirmed(|rotation| rotation.signers = vec![INVESTIGATOR, NEW]);
    let by_old_key = Rotation { signers: vec![SECOND, NEW], ..Rotation::of(PARTICIPANT, PARTICIPANT, NEW) };
    vec![
        ("confirmed-without-the-registrar", Some(Signer), unsigned.bundle()),
        ("participants-key-replaced-without-them", Some(Link), of_a_participant(&by_old_key).bundle()),
    ]
}
