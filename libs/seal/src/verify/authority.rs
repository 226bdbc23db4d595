//! Who signed, with what right: from a signature through keys and delegations to the study's root key.

use super::evidence::{Evidence, Fault, Recorded, broken, ensure};
use crate::{
    command::{
        ActorKind, Confirmation, Delegate, EnrolParticipant, Payload, RegisterActor, RegisterRepresentative, RotateKey,
        ScreenParticipant,
    },
    dsse::Envelope,
    entry::Entry,
    fact::{self, Fact, Period},
    id::{Name, Service, is_pseudonym, is_representative},
    key::{KeyId, PublicKey},
    moment,
    report::{DelegationStep, Failure, LinkName},
    subject::{self, Subject},
    task,
};
use std::collections::HashMap;

/// The most registrations, rotations and delegations one bundle may rest on before rules 3; they bound the recursion as well.
pub const MAX_STEPS_BEFORE: u32 = 128;
/// The same from rules 3 on: so many rights fit, each of which takes 30 at most.
const MAX_STEPS: u32 = 480;

/// A walk under way.
pub(super) struct Walk<'a> {
    pub(super) evidence: Evidence<'a>,
    root_key: PublicKey,
    /// The rules the study is judged by; nothing before rules 3.
    pub(super) rules: Option<u32>,
    /// Whether they are 3 or later.
    pub(super) third: bool,
    pub(super) delegations: Vec<DelegationStep>,
    keys: HashMap<(u64, Name, tlog::Hash), ActorKind>,
    lines: HashMap<(u64, Name), Vec<Name>>,
    signatures: HashMap<(tlog::Hash, KeyId), bool>,
    steps: u32,
}

/// Who signed: with which key, and what they are registered as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signer {
    pub(super) key: PublicKey,
    pub(super) kind: ActorKind,
}

/// A task that is held: in which period, and from whom, the root first.
#[derive(Debug, Clone)]
pub(super) struct Held {
    from: u64,
    until: u64,
    line: Vec<Name>,
}

/// Somebody who signed and holds a task.
pub(super) struct Entitled<'n> {
    pub(super) actor: &'n Name,
    pub(super) kind: ActorKind,
    pub(super) held: Held,
}

impl<'a> Walk<'a> {
    pub(super) fn new(mut evidence: Evidence<'a>, root_key: PublicKey, rules: Option<u32>) -> Self {
        let third = rules >= Some(3);
        evidence.in_order = third;
        let (keys, lines, signatures) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { evidence, root_key, rules, third, delegations: Vec::new(), keys, lines, signatures, steps: 0 }
    }

    /// Checks that a command was recorded soon enough after it was signed; late only by who may.
    pub(super) fn on_time<P: Payload>(
        &mut self,
        link: LinkName,
        (command, entry): (&P, &Entry),
        (site, state): (&Name, u64),
    ) -> Result<(), Fault> {
        if !self.third {
            return Ok(());
        }
        let timely = moment::on_time(command, entry.time);
        ensure(timely.is_ok(), link, timely.err().map(|why| format!("{}: {why}", P::KIND)).unwrap_or_default())?;
        match command.late() {
            Some(_) => self.authority(link, command.by(), task::RECORD_LATE, site, state, entry.time).map(drop),
            None => Ok(()),
        }
    }

    /// The key by which `actor` signed `envelope`, valid in enrollment state `state` and registered under the root key.
    pub(super) fn signed_by(
        &mut self,
        link: LinkName,
        actor: &Name,
        envelope: &Envelope,
        state: u64,
    ) -> Result<Signer, Fault> {
        let subjects: Vec<Subject> = envelope.key_ids().map(subject::key).collect();
        let wanted = |subject: &Subject, fact: &Fact| match fact {
            Fact::Key(fact::Key { actor: owner, key, registered, ended: None, .. })
                if owner == actor && *subject == subject::key(key.id()) =>
            {
                Some((*key, *registered))
            }
            _ => None,
        };
        let otherwise = format!("no key that signed was a valid key of {actor}");
        let (key, registered) = self.evidence.fact(link, Service::Enrollment, state, &subjects, wanted, &otherwise)?;
        ensure(self.verifies(envelope, &key), link, format!("the signature of {actor} does not verify"))?;
        let kind = self.registered(link, actor, &key, registered, state)?;
        Ok(Signer { key, kind })
    }

    /// Checks that `key` was registered for `actor` by somebody entitled to, back to the root key; gives what the actor was
    /// registered as.
    fn registered(
        &mut self,
        link: LinkName,
        actor: &Name,
        key: &PublicKey,
        number: u64,
        state: u64,
    ) -> Result<ActorKind, Fault> {
        if actor.as_str() == Name::ROOT {
            ensure(*key == self.root_key, link, "the root key is not the one the policy names")?;
            return Ok(ActorKind::Person);
        }
        ensure(number <= state, link, format!("the key of {actor} was registered later"))?;
        let known = (number, actor.clone(), key.id().0);
        if let Some(kind) = self.keys.get(&known) {
            return Ok(*kind);
        }
        let kind = self.registration(link, actor, key, number)?;
        self.keys.insert(known, kind);
        Ok(kind)
    }

    fn registration(&mut self, link: LinkName, actor: &Name, key: &PublicKey, number: u64) -> Result<ActorKind, Fault> {
        let mismatch = format!("enrollment entry {number} does not register this key for {actor}");
        match self.evidence.kind(link, Service::Enrollment, number)?.as_str() {
            RegisterActor::KIND => {
                let done = self.evidence.command::<RegisterActor>(link, Service::Enrollment, number)?;
                let others = [ActorKind::Participant, ActorKind::Representative];
                let staff = !others.contains(&done.command.kind) && !is_pseudonym(actor) && !is_representative(actor);
                ensure(staff && done.command.actor == *actor && done.command.key == *key, link, mismatch)?;
                self.possessed(link, &done.envelope, key)?;
                self.authorised(link, &done, task::REGISTER_ACTORS, &Name::all_sites())?;
                Ok(done.command.kind)
            }
            EnrolParticipant::KIND => {
                let done = self.evidence.command::<EnrolParticipant>(link, Service::Enrollment, number)?;
                let same = done.command.participant == *actor && done.command.key == *key;
                ensure(same && is_pseudonym(actor), link, mismatch)?;
                let site = done.command.site.clone();
                self.possessed(link, &done.envelope, key)?;
                self.authorised(link, &done, task::ENROL, &site)?;
                Ok(ActorKind::Participant)
            }
            ScreenParticipant::KIND => {
                let done = self.evidence.command::<ScreenParticipant>(link, Service::Enrollment, number)?;
                let same = done.command.participant == *actor && done.command.key == *key;
                ensure(same && is_pseudonym(actor), link, mismatch)?;
                let site = done.command.site.clone();
                self.possessed(link, &done.envelope, key)?;
                self.authorised(link, &done, task::ENROL, &site)?;
                Ok(ActorKind::Participant)
            }
            RegisterRepresentative::KIND => {
                let done = self.evidence.command::<RegisterRepresentative>(link, Service::Enrollment, number)?;
                let same = done.command.actor == *actor && done.command.key == *key;
                ensure(same && is_representative(actor), link, mismatch)?;
                self.possessed(link, &done.envelope, key)?;
                self.representative(link, &done)?;
                Ok(ActorKind::Representative)
            }
            RotateKey::KIND => {
                let done = self.evidence.command::<RotateKey>(link, Service::Enrollment, number)?;
                ensure(done.command.by == *actor && done.command.key == *key, link, mismatch)?;
                self.possessed(link, &done.envelope, key)?;
                self.rotated(link, actor, &done)
            }
            _ => broken(link, mismatch),
        }
    }

    /// From rules 3 on: checks that the new key signed its own registration.
    fn possessed(&mut self, link: LinkName, envelope: &Envelope, key: &PublicKey) -> Result<(), Fault> {
        let good = !self.third || self.verifies(envelope, key);
        ensure(good, link, "a registered key did not sign its registration")
    }

    /// Whether `key` signed `envelope`. Each signature is verified once, however many checks rest on it.
    fn verifies(&mut self, envelope: &Envelope, key: &PublicKey) -> bool {
        let verdict = self.signatures.entry((envelope.hash(), key.id()));
        *verdict.or_insert_with(|| envelope.verify(key).is_ok())
    }

    /// Checks a rotation: by the key before, or where a registrar confirmed it, by the registrar.
    fn rotated(&mut self, link: LinkName, actor: &Name, done: &Recorded<RotateKey>) -> Result<ActorKind, Fault> {
        self.step(link)?;
        let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
        let everywhere = Name::all_sites();
        self.on_time(link, (&done.command, &done.entry), (&everywhere, state))?;
        match done.command.confirmed.as_ref().filter(|_| self.third) {
            None => self.signed_by(link, actor, &done.envelope, state).map(|signer| signer.kind),
            Some(Confirmation { by, kind }) => {
                let others = [ActorKind::Participant, ActorKind::Representative].contains(kind);
                let staff = !others && !is_pseudonym(actor) && !is_representative(actor);
                ensure(by != actor && staff, link, format!("no registrar can confirm this key of {actor}"))?;
                let registrar = self.signed_by(link, by, &done.envelope, state)?.kind;
                ensure(registrar == ActorKind::Person, link, format!("{by} is no person"))?;
                self.authority(link, by, task::REGISTER_ACTORS, &everywhere, state, done.entry.time)?;
                Ok(*kind)
            }
        }
    }

    /// Checks that a representative was registered by who may, from rules 3 on by two persons.
    pub(super) fn representative(
        &mut self,
        link: LinkName,
        done: &Recorded<RegisterRepresentative>,
    ) -> Result<(), Fault> {
        let RegisterRepresentative { site, second, by, grounds, until, .. } = &done.command;
        let first = self.authorised(link, done, task::ENROL, site)?;
        if !self.third {
            return Ok(());
        }
        ensure(second.is_some(), link, "one person alone registered a representative")?;
        let Some(second) = second else { return Ok(()) };
        ensure(grounds.is_some() && until.is_some(), link, "a representative without grounds or end")?;
        let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
        let signer = self.signed_by(link, second, &done.envelope, state)?;
        let held = self.authority(link, second, task::OBTAIN_CONSENT, site, state, done.entry.time)?;
        let one = Entitled { actor: by, kind: first.kind, held: first.held };
        self.two_persons(link, &one, &Entitled { actor: second, kind: signer.kind, held })
    }

    /// From rules 3 on: checks that two who must act independently are two persons, neither of whom holds the task from
    /// the other.
    pub(super) fn two_persons(&self, link: LinkName, one: &Entitled<'_>, other: &Entitled<'_>) -> Result<(), Fault> {
        if !self.third {
            return Ok(());
        }
        for who in [one, other] {
            ensure(who.kind == ActorKind::Person, link, format!("{} is no person", who.actor))?;
        }
        let apart =
            one.actor != other.actor && !one.held.line.contains(other.actor) && !other.held.line.contains(one.actor);
        ensure(apart, link, format!("{} and {} are not independent of each other", one.actor, other.actor))
    }

    /// Checks that the signer of an enrollment command was entitled to it in the state it was decided on.
    pub(super) fn authorised<'n, P: Payload>(
        &mut self,
        link: LinkName,
        done: &'n Recorded<P>,
        task: &str,
        site: &Name,
    ) -> Result<Entitled<'n>, Fault> {
        self.step(link)?;
        let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
        self.entitled(link, done, task, site, state)
    }

    /// Checks that `command.by()` signed in time and held the task in enrollment state `state`.
    pub(super) fn entitled<'n, P: Payload>(
        &mut self,
        link: LinkName,
        done: &'n Recorded<P>,
        task: &str,
        site: &Name,
        state: u64,
    ) -> Result<Entitled<'n>, Fault> {
        let Recorded { entry, envelope, command } = done;
        let actor = command.by();
        let kind = self.signed_by(link, actor, envelope, state)?.kind;
        let held = self.authority(link, actor, task, site, state, entry.time)?;
        self.on_time(link, (command, entry), (site, state))?;
        Ok(Entitled { actor, kind, held })
    }

    /// Checks that `actor` held `task` at `site` at `time`, in enrollment state `state`, delegated from the root key.
    pub(super) fn authority(
        &mut self,
        link: LinkName,
        actor: &Name,
        task: &str,
        site: &Name,
        state: u64,
        time: u64,
    ) -> Result<Held, Fault> {
        let otherwise = format!("{actor} held no delegation of {task} at site {site} at that time");
        #[cfg(test)]
        if super::counted::forgiven(&otherwise) {
            return Ok(Held { from: 0, until: u64::MAX, line: Vec::new() });
        }
        self.holding(link, (actor, task, site, state), |period| period.covers(time), &otherwise)
    }

    /// Checks that `actor` held `task` at `site` as `wanted`, in an enrollment state, delegated from the root key.
    fn holding(
        &mut self,
        link: LinkName,
        (actor, task, site, state): (&Name, &str, &Name, u64),
        wanted: impl Fn(&Period) -> bool,
        otherwise: &str,
    ) -> Result<Held, Fault> {
        if actor.as_str() == Name::ROOT {
            return Ok(Held { from: 0, until: u64::MAX, line: Vec::new() });
        }
        let subjects = subject::delegations(actor, task, site);
        let third = self.third;
        let found = |subject: &Subject, fact: &Fact| {
            let period = match fact {
                Fact::Delegation(delegation) if !third => Some(Period::from(delegation)).filter(&wanted),
                Fact::Delegations(of) if third => of.periods.iter().find(|period| wanted(period)).cloned(),
                _ => None,
            };
            let narrow = *subject == subject::delegation(actor, task, site);
            period.map(|period| (if narrow { site.clone() } else { Name::all_sites() }, period))
        };
        let (scope, period) = self.evidence.fact(link, Service::Enrollment, state, &subjects, found, otherwise)?;
        ensure(period.granted <= state, link, format!("{task} was delegated to {actor} later"))?;
        let line = self.delegated(link, actor, task, &scope, &period)?;
        Ok(Held { from: period.from, until: period.until, line })
    }

    /// Checks that the period was delegated by somebody who held the task, for its whole length; gives from whom it is
    /// held.
    fn delegated(
        &mut self,
        link: LinkName,
        actor: &Name,
        task: &str,
        scope: &Name,
        period: &Period,
    ) -> Result<Vec<Name>, Fault> {
        let number = period.granted;
        let done = self.evidence.command::<Delegate>(link, Service::Enrollment, number)?;
        let Delegate { actor: to, task: what, site, from, until, seen, .. } = &done.command;
        let same =
            to == actor && what.as_str() == task && site == scope && (*from, *until) == (period.from, period.until);
        ensure(same, link, format!("enrollment entry {number} does not delegate this to {actor}"))?;
        let known = self.lines.get(&(number, actor.clone())).cloned();
        let line = match known {
            Some(line) => line,
            None => self.line(link, &done)?,
        };
        if self.third {
            ensure(*seen == period.after, link, format!("{task} was delegated to {actor} on another state"))?;
            ensure(line == period.line, link, format!("{task} is not held by {actor} from whom the state says"))?;
        }
        Ok(line)
    }

    /// Checks that whoever delegated held the task for the whole length of what they gave; gives from whom it is held.
    fn line(&mut self, link: LinkName, done: &Recorded<Delegate>) -> Result<Vec<Name>, Fault> {
        let Delegate { by, actor, task, site: scope, from, until, .. } = &done.command;
        let (task, number) = (task.as_str(), done.entry.number);
        self.step(link)?;
        let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
        let now = self.entitled(link, done, task, scope, state)?.held;
        let covers = |held: &Held| held.from <= *from && *until <= held.until;
        let otherwise = format!("{by} delegated {task} for longer than they held it");
        let covered = covers(&now);
        #[cfg(test)]
        let covered = covered || super::counted::forgiven(&otherwise);
        let throughout = if covered || !self.third {
            ensure(covered, link, otherwise)?;
            now
        } else {
            let wanted = |own: &Period| own.ended.is_none() && own.from <= *from && *until <= own.until;
            self.holding(link, (by, task, scope, state), wanted, &otherwise)?
        };
        let mut line = throughout.line;
        line.push(by.clone());
        self.lines.insert((number, actor.clone()), line.clone());
        self.delegations.push(DelegationStep {
            actor: actor.clone(),
            task: task.to_owned(),
            site: scope.clone(),
            delegated_by: by.clone(),
            signed: done.command.time,
            recorded: done.entry.time,
        });
        Ok(line)
    }

    pub(super) fn site_open(&mut self, site: &Name, state: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| matches!(fact, Fact::Site(fact::Site { open: true, .. })).then_some(());
        let subject = [subject::site(site)];
        self.evidence.fact(LinkName::Site, Service::Enrollment, state, &subject, wanted, "the site was not open")
    }

    pub(super) fn participant_active(&mut self, participant: &Name, site: &Name, state: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Participant(fact::Participant { site: theirs, withdrawn: None, .. }) if theirs == site => Some(()),
            _ => None,
        };
        let subject = [subject::participant(participant)];
        let otherwise = "the participant was not enrolled at that site, or had left";
        self.evidence.fact(LinkName::Participant, Service::Enrollment, state, &subject, wanted, otherwise)
    }

    fn step(&mut self, link: LinkName) -> Result<(), Fault> {
        self.steps += 1;
        let most = if self.third { MAX_STEPS } else { MAX_STEPS_BEFORE };
        let failure = || Failure { link, reason: format!("more than {most} registrations and delegations") };
        if self.steps <= most { Ok(()) } else { Err(Fault::TooLong(failure())) }
    }
}
