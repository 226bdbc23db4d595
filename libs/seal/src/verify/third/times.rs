//! When a command was signed and when it was recorded, and from when periods count.

use super::{About, Case, DAY, NURSE, Wrong, admitting, after, captured, nurse, own, past, prepared, wrong};
use crate::{
    command::{ActorKind, Capacity, Terms},
    id::Service,
    report::LinkName::{Consent as Link, Delegation, Document, Erasure, Policy, Redaction, Signer},
    task,
    verify::counted::world::{
        World, key,
        study::{Consent, INVESTIGATOR, SECOND, name, provision},
    },
};

const D: i64 = DAY as i64;
/// How far a signer's clock may be ahead.
const AHEAD: i64 = 300_000;

/// Consent that was signed so many milliseconds before it is recorded, a hundred days after the document.
fn signed_before(age: i64, late: bool) -> Case {
    let mut world = World::third();
    if late {
        world.delegate(INVESTIGATOR, task::RECORD_LATE);
    }
    captured(world, admitting(), |world| {
        world.time += 100 * DAY;
        let late = late.then(|| name("no network"));
        world.signed_before(age, |world| world.consent(&Consent { late, ..own() }));
    })
}

/// A value whose submission was signed so many milliseconds before it is recorded.
fn submitted_before(age: i64) -> Case {
    let mut case = after(|world| {
        world.consent(&own());
        world.time += 10 * DAY;
    });
    case.of = case.world.signed_before(age, |world| world.submit(None));
    case
}

/// A value that was erased by a command signed so many milliseconds before it is recorded.
pub(super) fn erased(age: i64) -> Case {
    let mut case = after(|world| _ = world.consent(&own()));
    case.world.time += 10 * DAY;
    let of = case.of;
    let erase = case.world.signed_before(age, |world| world.erasure(vec![of]));
    case.about = About::Erased(case.world.record(&erase, &[&key(INVESTIGATOR)], Vec::new()));
    case
}

/// A value that was taken out by a command signed so many milliseconds before it is recorded.
fn taken_out(age: i64) -> Case {
    let mut case = after(|world| _ = world.consent(&own()));
    case.world.time += 10 * DAY;
    let of = case.of;
    let redact = case.world.signed_before(age, |world| world.redaction(of));
    case.about = About::Redacted(case.world.record(&redact, &[&key(INVESTIGATOR), &key(SECOND)], Vec::new()));
    case
}

/// A withdrawal as such, recorded so many milliseconds after it was signed.
pub(super) fn recorded(age: i64) -> Case {
    let mut case = after(|world| _ = world.consent(&own()));
    case.world.time += 100 * DAY;
    let withdraw = |world: &mut World| world.withdraw(&[provision("data_collection")], 1);
    case.of = case.world.signed_before(age, withdraw);
    case.about = About::Record(Service::Consent);
    case
}

/// A document that was published so many milliseconds after it was signed.
fn published_after(age: i64) -> Case {
    let mut world = World::third();
    world.time += 10 * DAY;
    world.signed_before(age, |world| world.publish(Some(admitting())));
    world.consent(&own());
    let of = world.submit(None);
    Case { world, of, about: About::Value }
}

/// Consent to a document so many milliseconds before it was published, or may be used.
fn before_its_document(published: i64, effective: i64) -> Case {
    let mut world = World::third();
    world.time += DAY;
    let effective = (world.time + 1_000).checked_add_signed(effective).unwrap();
    captured(world, Terms { effective, ..admitting() }, |world| {
        // It is recorded five minutes after the document was.
        world.time += 299_000;
        world.signed_before(300_000 + published, |world| world.consent(&own()));
    })
}

/// A value captured so many milliseconds after consent for a day was signed, which was recorded after half a day.
fn captured_after(age: u64) -> Case {
    let mut of = admitting();
    of.provisions[0].days = Some(1);
    captured(World::third(), of, |world| {
        world.time += 10 * DAY;
        world.signed_before(D / 2, |world| world.consent(&own()));
        world.time = world.time - DAY / 2 + age - 1_000;
    })
}

/// Consent that is deferred for so many milliseconds from signing, where a day is admitted.
fn deferred_for(longest: u64) -> Case {
    let of = Terms { deferral_ms: Some(DAY), ..admitting() };
    captured(World::third(), of, |world| {
        world.time += 10 * DAY;
        let deadline = world.time + 1_000 - DAY / 2 + longest;
        let deferred = Consent::by(Capacity::Deferred { reason: name("unconscious"), deadline }, &[]);
        world.signed_before(D / 2, |world| world.consent(&deferred));
    })
}

/// A value recorded so many milliseconds before the newest enrollment entry, which it names.
fn before_its_head(early: u64) -> Case {
    after(|world| {
        world.consent(&own());
        world.time += DAY;
        world.register_of(NURSE, ActorKind::Person, None, NURSE);
        world.time -= early + 1_000;
    })
}

/// Consent obtained by who was registered so many milliseconds before the entry before.
fn before_the_entry_before(early: u64) -> Case {
    let mut world = World::third();
    world.time -= early + 1_000;
    nurse(&mut world, ActorKind::Person, &[task::OBTAIN_CONSENT]);
    captured(world, admitting(), |world| _ = world.consent(&Consent { by: NURSE, ..own() }))
}

pub(super) fn wrong_times() -> Vec<Wrong> {
    let mut all = signed();
    all.extend(counted());
    all.extend(ordered());
    all
}

fn signed() -> Vec<Wrong> {
    const LONG_AGO: &str = "it was signed too long ago";
    const CLOCK: &str = "it was signed more than five minutes after";
    vec![
        wrong("consent-signed-long-ago", Link, LONG_AGO, |right| {
            signed_before(if right { 1_000 } else { 99 * D }, false)
        }),
        past(
            "consent-signed-a-day-ago",
            wrong("consent-signed-more-than-a-day-ago", Link, LONG_AGO, |right| {
                signed_before(D + i64::from(!right), false)
            }),
        ),
        past(
            "consent-signed-five-minutes-ahead",
            wrong("consent-signed-further-ahead", Link, CLOCK, |right| {
                signed_before(-AHEAD - i64::from(!right), false)
            }),
        ),
        wrong("late-by-who-may-not", Link, "held no delegation of record_late", |right| {
            let mut case = signed_before(if right { 1_000 } else { 5 * D }, right);
            if !right {
                case = after(|world| {
                    world.time += 10 * DAY;
                    let late = Some(name("no network"));
                    world.signed_before(5 * D, |world| world.consent(&Consent { late, ..own() }));
                });
            }
            case
        }),
        past(
            "late-by-who-may",
            wrong("late-after-more-than-30-days", Link, LONG_AGO, |right| {
                signed_before(30 * D + i64::from(!right), true)
            }),
        ),
        wrong("submission-signed-long-ago", Signer, "submit-form: it was signed too long ago", |right| {
            submitted_before(if right { D } else { D + 1 })
        }),
        wrong("redaction-signed-long-ago", Redaction, LONG_AGO, |right| taken_out(if right { D } else { D + 1 })),
        wrong("erasure-signed-long-ago", Erasure, LONG_AGO, |right| erased(if right { D } else { D + 1 })),
        wrong("document-signed-long-ago", Document, "publish-document: it was signed too long ago", |right| {
            published_after(if right { D } else { D + 1 })
        }),
        wrong("registration-signed-long-ago", Link, "register-actor: it was signed too long ago", |right| {
            let mut world = World::third();
            world.time += 10 * DAY;
            let age = if right { D } else { D + 1 };
            world.signed_before(age, |world| world.register_of(NURSE, ActorKind::Person, None, NURSE));
            world.delegate(NURSE, task::OBTAIN_CONSENT);
            captured(world, admitting(), |world| _ = world.consent(&Consent { by: NURSE, ..own() }))
        }),
        wrong("delegation-signed-long-ago", Delegation, "delegate: it was signed too long ago", |right| {
            prepared(|world| {
                world.time += 10 * DAY;
                let age = if right { D } else { D + 1 };
                world.signed_before(age, |world| world.delegate(INVESTIGATOR, task::CAPTURE));
            })
        }),
        past(
            "record-of-30-days",
            wrong("record-of-more-than-30-days", Signer, "the command was not recorded in time", |right| {
                recorded(30 * D + i64::from(!right))
            }),
        ),
        wrong("record-signed-ahead", Signer, "the command was not recorded in time", |right| {
            recorded(-AHEAD - i64::from(!right))
        }),
    ]
}

fn counted() -> Vec<Wrong> {
    const ENDED: &str = "what was consented to had ended by itself";
    const ADMIT: &str = "the document does not admit consent";
    vec![
        past(
            "days-from-signing",
            wrong("days-over-since-signing", Link, ENDED, |right| captured_after(DAY - u64::from(right))),
        ),
        past(
            "deferral-from-signing",
            wrong("deferral-longer-than-admitted-from-signing", Document, ADMIT, |right| {
                deferred_for(DAY + u64::from(!right))
            }),
        ),
        past("consent-five-minutes-before-its-document", {
            wrong(
                "consent-before-its-document",
                Document,
                "consent was signed before the document was published",
                |right| before_its_document(AHEAD + i64::from(!right), -D),
            )
        }),
        past("consent-five-minutes-before-its-document-is-effective", {
            wrong("consent-before-its-document-is-effective", Document, ADMIT, |right| {
                before_its_document(i64::from(!right), AHEAD)
            })
        }),
    ]
}

fn ordered() -> Vec<Wrong> {
    const ORDER: &str = "was recorded before what it rests on";
    vec![
        past("recorded-five-minutes-before-its-head", {
            wrong("recorded-before-its-head", crate::report::LinkName::Submission, ORDER, |right| {
                before_its_head(300_000 + u64::from(!right))
            })
        }),
        past(
            "recorded-with-the-entry-before",
            wrong("recorded-before-the-entry-before", Link, ORDER, |right| before_the_entry_before(u64::from(!right))),
        ),
        wrong("study-of-later-rules", Policy, "the study is under later rules", |right| {
            captured(World::of_rules(if right { 3 } else { 4 }), admitting(), |world| _ = world.consent(&own()))
        }),
    ]
}
