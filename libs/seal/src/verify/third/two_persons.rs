//! Where two persons must sign, they are two: redactions and the registration of representatives. And a representative acts
//! for a time.

use super::{About, BY, Case, LATER, NURSE, Wrong, admitting, captured, nurse, own, past, wrong};
use crate::{
    command::{ActorKind, Capacity, RedactValue, RegisterRepresentative, Relation},
    fact::{self, Fact},
    id::{Service, Uuid},
    key::SecretKey,
    report::LinkName::{Consent as Link, Redaction},
    subject, task,
    verify::counted::world::{
        World, key, public,
        study::{Consent, DEVICE, PARTICIPANT, SECOND, name},
    },
};

/// A value that was taken out by this command.
pub(super) fn redacted(prepare: impl FnOnce(&mut World), change: impl FnOnce(&mut RedactValue)) -> Case {
    let mut world = World::third();
    prepare(&mut world);
    let mut case = captured(world, admitting(), |world| _ = world.consent(&own()));
    let mut redact = case.world.redaction(case.of);
    change(&mut redact);
    let keys = [&redact.by, &redact.second].map(|person| key(person.as_str()));
    case.about = About::Redacted(case.world.record(&redact, &keys.each_ref(), Vec::new()));
    case
}

const REPRESENTATIVE: &str = "R-EEEEEEEEEEEEEEEE";

/// The registration of a legal representative.
struct Registration {
    by: &'static str,
    second: Option<&'static str>,
    grounds: Option<&'static str>,
    until: Option<u64>,
    /// Who signs besides who registers and the second person.
    holder: &'static str,
}

impl Registration {
    fn usual() -> Self {
        Self {
            by: BY,
            second: Some(SECOND),
            grounds: Some("court order 12/2026"),
            until: Some(LATER),
            holder: REPRESENTATIVE,
        }
    }

    fn record(&self, world: &mut World) {
        let (registered, until) = (world.next(Service::Enrollment), self.until);
        let register = RegisterRepresentative {
            study: world.study,
            request: Uuid([1; 16]),
            by: name(self.by),
            time: world.time,
            participant: name(PARTICIPANT),
            site: name("701"),
            actor: name(REPRESENTATIVE),
            relation: Relation::LegalRepresentative,
            key: public(REPRESENTATIVE),
            second: self.second.map(name),
            grounds: self.grounds.map(name),
            until,
        };
        let (actor, of) = (name(REPRESENTATIVE), public(REPRESENTATIVE));
        let valid = Fact::Key(fact::Key { actor: actor.clone(), key: of, registered, ended: None, steps: Some(1) });
        let fact =
            Fact::Representative(fact::Representative { relation: Relation::LegalRepresentative, registered, until });
        let subject = subject::representative(&name(PARTICIPANT), &actor);
        let mut signers = vec![self.by, self.holder];
        signers.extend(self.second.filter(|second| *second != self.by));
        let keys: Vec<SecretKey> = signers.into_iter().map(key).collect();
        let facts = vec![(subject::key(of.id()), valid), (subject, fact)];
        world.record(&register, &keys.iter().collect::<Vec<_>>(), facts);
    }
}

/// A value under the consent of a representative who was registered so.
fn represented(prepare: impl FnOnce(&mut World), change: impl FnOnce(&mut Registration)) -> Case {
    let mut world = World::third();
    prepare(&mut world);
    let mut registration = Registration::usual();
    change(&mut registration);
    registration.record(&mut world);
    let consent = Consent::by(Capacity::Representative { actor: name(REPRESENTATIVE) }, &[REPRESENTATIVE]);
    captured(world, admitting(), |world| _ = world.consent(&consent))
}

/// The nurse holds this task: from the root, or from the investigator.
fn holding(world: &mut World, task: &str, from_the_root: bool) {
    nurse(world, ActorKind::Person, &[]);
    match from_the_root {
        true => world.delegate(NURSE, task),
        false => world.delegate_by(BY, &["root"], (NURSE, task), None),
    };
}

pub(super) fn wrong_persons() -> Vec<Wrong> {
    let mut all = redactions();
    all.extend(representatives());
    all
}

fn redactions() -> Vec<Wrong> {
    vec![
        wrong("redaction-with-a-device", Redaction, "tablet-7 is no person", |right| {
            redacted(
                |world| _ = world.delegate(DEVICE, task::REDACT),
                |redact| redact.second = name(if right { SECOND } else { DEVICE }),
            )
        }),
        wrong("redaction-by-a-system", Redaction, "nurse-adeyemi is no person", |right| {
            let kind = if right { ActorKind::Person } else { ActorKind::System };
            redacted(|world| nurse(world, kind, &[task::REDACT]), |redact| redact.by = name(NURSE))
        }),
        wrong("redaction-with-ones-own-delegate", Redaction, "are not independent of each other", |right| {
            redacted(|world| holding(world, task::REDACT, right), |redact| redact.second = name(NURSE))
        }),
        wrong("redaction-with-whom-one-holds-it-from", Redaction, "are not independent of each other", |right| {
            redacted(
                |world| holding(world, task::REDACT, right),
                |redact| (redact.by, redact.second) = (name(NURSE), name(BY)),
            )
        }),
    ]
}

fn representatives() -> Vec<Wrong> {
    const ALONE: &str = "one person alone registered a representative";
    const BARE: &str = "a representative without grounds or end";
    const APART: &str = "are not independent of each other";
    vec![
        wrong("representative-by-one-person", Link, ALONE, |right| {
            represented(|_| (), |made| made.second = Some(SECOND).filter(|_| right))
        }),
        wrong("representative-by-one-person-twice", Link, APART, |right| {
            represented(|_| (), |made| made.second = Some(if right { SECOND } else { BY }))
        }),
        wrong("representative-with-ones-own-delegate", Link, APART, |right| {
            represented(|world| holding(world, task::OBTAIN_CONSENT, right), |made| made.second = Some(NURSE))
        }),
        wrong("representative-with-a-device", Link, "tablet-7 is no person", |right| {
            represented(
                |world| _ = world.delegate(DEVICE, task::OBTAIN_CONSENT),
                |made| made.second = Some(if right { SECOND } else { DEVICE }),
            )
        }),
        wrong("representative-by-a-system", Link, "nurse-adeyemi is no person", |right| {
            let kind = if right { ActorKind::Person } else { ActorKind::System };
            represented(|world| nurse(world, kind, &[task::ENROL]), |made| made.by = NURSE)
        }),
        wrong("representative-with-who-may-not", Link, "nurse-adeyemi held no delegation of obtain_consent", |right| {
            let tasks: &[&str] = if right { &[task::OBTAIN_CONSENT] } else { &[] };
            represented(|world| nurse(world, ActorKind::Person, tasks), |made| made.second = Some(NURSE))
        }),
        wrong("representative-without-grounds", Link, BARE, |right| {
            represented(|_| (), |made| made.grounds = made.grounds.filter(|_| right))
        }),
        wrong("representative-with-the-key-of-somebody-else", Link, "a registered key did not sign", |right| {
            represented(|_| (), |made| made.holder = if right { REPRESENTATIVE } else { "somebody else" })
        }),
        past("representative-until-consent-was-recorded", {
            wrong("representative-whose-time-is-over", Link, "did not act for P-AAAAAAAAAAAAAAAA any more", |right| {
                // The registration, the document and the consent are recorded a second after each other.
                let recorded = World::third().time + 3_000;
                represented(|_| (), |made| made.until = Some(recorded + u64::from(right)))
            })
        }),
    ]
}
