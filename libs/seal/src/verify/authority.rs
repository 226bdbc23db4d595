//! Who signed, with what right: from a signature through keys and delegations to the study's root key.

use super::evidence::{Evidence, Fault, Recorded, broken, ensure};
use crate::{
    authority,
    command::{
        ActorKind, Delegate, EnrolParticipant, Payload, RegisterActor, RegisterRepresentative, RotateKey,
        ScreenParticipant, Task,
    },
    dsse::Envelope,
    entry::Entry,
    fact::{Fact, Subject},
    id::{Name, Service, is_pseudonym, is_representative},
    key::PublicKey,
    report::{DelegationStep, Failure, LinkName},
};
use std::collections::HashSet;

/// The most registrations, rotations and delegations one bundle may rest on; it bounds the recursion as well.
const MAX_STEPS: u32 = 128;

/// A walk under way.
pub(super) struct Walk<'a> {
    pub(super) evidence: Evidence<'a>,
    root_key: PublicKey,
    pub(super) delegations: Vec<DelegationStep>,
    known: HashSet<(u64, Name, tlog::Hash)>,
    steps: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(evidence: Evidence<'a>, root_key: PublicKey) -> Self {
        Self { evidence, root_key, delegations: Vec::new(), known: HashSet::new(), steps: 0 }
    }

    /// The key by which `actor` signed `envelope`, valid in enrollment state `state` and registered under the root key.
    pub(super) fn signed_by(
        &mut self,
        link: LinkName,
        actor: &Name,
        envelope: &Envelope,
        state: u64,
    ) -> Result<PublicKey, Fault> {
        let subjects: Vec<Subject> = envelope.key_ids().map(Subject::Key).collect();
        let wanted = |subject: &Subject, fact: &Fact| match fact {
            Fact::Key { actor: owner, key, registered, ended: None }
                if owner == actor && *subject == Subject::Key(key.id()) =>
            {
                Some((*key, *registered))
            }
            _ => None,
        };
        let otherwise = format!("no key that signed was a valid key of {actor}");
        let (key, registered) = self.evidence.fact(link, Service::Enrollment, state, &subjects, wanted, &otherwise)?;
        ensure(envelope.verify(&key).is_ok(), link, format!("the signature of {actor} does not verify"))?;
        self.registered(link, actor, &key, registered, state)?;
        Ok(key)
    }

    /// Checks that `key` was registered for `actor` by somebody entitled to, back to the root key.
    fn registered(
        &mut self,
        link: LinkName,
        actor: &Name,
        key: &PublicKey,
        number: u64,
        state: u64,
    ) -> Result<(), Fault> {
        if actor.as_str() == Name::ROOT {
            return ensure(*key == self.root_key, link, "the root key is not the one the policy names");
        }
        ensure(number <= state, link, format!("the key of {actor} was registered later"))?;
        if !self.known.insert((number, actor.clone(), key.id().0)) {
            return Ok(());
        }
        let mismatch = format!("enrollment entry {number} does not register this key for {actor}");
        match self.evidence.kind(link, Service::Enrollment, number)?.as_str() {
            RegisterActor::KIND => {
                let done = self.evidence.command::<RegisterActor>(link, Service::Enrollment, number)?;
                let others = [ActorKind::Participant, ActorKind::Representative];
                let staff = !others.contains(&done.command.kind) && !is_pseudonym(actor) && !is_representative(actor);
                ensure(staff && done.command.actor == *actor && done.command.key == *key, link, mismatch)?;
                self.authorised(link, &done, Task::RegisterActors, &Name::all_sites())
            }
            EnrolParticipant::KIND => {
                let done = self.evidence.command::<EnrolParticipant>(link, Service::Enrollment, number)?;
                let same = done.command.participant == *actor && done.command.key == *key;
                ensure(same && is_pseudonym(actor), link, mismatch)?;
                let site = done.command.site.clone();
                self.authorised(link, &done, Task::Enrol, &site)
            }
            ScreenParticipant::KIND => {
                let done = self.evidence.command::<ScreenParticipant>(link, Service::Enrollment, number)?;
                let same = done.command.participant == *actor && done.command.key == *key;
                ensure(same && is_pseudonym(actor), link, mismatch)?;
                let site = done.command.site.clone();
                self.authorised(link, &done, Task::Enrol, &site)
            }
            RegisterRepresentative::KIND => {
                let done = self.evidence.command::<RegisterRepresentative>(link, Service::Enrollment, number)?;
                let same = done.command.actor == *actor && done.command.key == *key;
                ensure(same && is_representative(actor), link, mismatch)?;
                let site = done.command.site.clone();
                self.authorised(link, &done, Task::Enrol, &site)
            }
            RotateKey::KIND => {
                let done = self.evidence.command::<RotateKey>(link, Service::Enrollment, number)?;
                ensure(done.command.by == *actor && done.command.key == *key, link, mismatch)?;
                self.step(link)?;
                let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
                self.signed_by(link, actor, &done.envelope, state).map(|_| ())
            }
            _ => broken(link, mismatch),
        }
    }

    /// Checks that the signer of an enrollment command was entitled to it in the state it was decided on.
    pub(super) fn authorised<P: Payload>(
        &mut self,
        link: LinkName,
        done: &Recorded<P>,
        task: Task,
        site: &Name,
    ) -> Result<(), Fault> {
        self.step(link)?;
        let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
        self.entitled(link, &done.envelope, &done.command, task, site, state, &done.entry).map(|_| ())
    }

    /// Checks that `command.by()` signed and held the task in enrollment state `state`; gives the period held.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn entitled<P: Payload>(
        &mut self,
        link: LinkName,
        envelope: &Envelope,
        command: &P,
        task: Task,
        site: &Name,
        state: u64,
        entry: &Entry,
    ) -> Result<(u64, u64), Fault> {
        self.signed_by(link, command.by(), envelope, state)?;
        self.authority(link, command.by(), task, site, state, entry.time)
    }

    /// Checks that `actor` held `task` at `site` at `time`, in enrollment state `state`, delegated from the root key;
    /// gives the period held.
    pub(super) fn authority(
        &mut self,
        link: LinkName,
        actor: &Name,
        task: Task,
        site: &Name,
        state: u64,
        time: u64,
    ) -> Result<(u64, u64), Fault> {
        if actor.as_str() == Name::ROOT {
            return Ok((0, u64::MAX));
        }
        let subjects = authority::delegations(actor, task, site);
        let wanted = |subject: &Subject, fact: &Fact| match (subject, fact) {
            (Subject::Delegation(_, _, scope), Fact::Delegation { granted, from, until, ended: None })
                if (*from..*until).contains(&time) =>
            {
                Some((scope.clone(), *granted, *from, *until))
            }
            _ => None,
        };
        let otherwise = format!("{actor} held no delegation of {task} at site {site} at that time");
        let found = self.evidence.fact(link, Service::Enrollment, state, &subjects, wanted, &otherwise)?;
        let (scope, granted, from, until) = found;
        ensure(granted <= state, link, format!("{task} was delegated to {actor} later"))?;
        self.delegated(link, actor, task, &scope, granted, (from, until))?;
        Ok((from, until))
    }

    fn delegated(
        &mut self,
        link: LinkName,
        actor: &Name,
        task: Task,
        scope: &Name,
        number: u64,
        period: (u64, u64),
    ) -> Result<(), Fault> {
        let done = self.evidence.command::<Delegate>(link, Service::Enrollment, number)?;
        let Delegate { by, actor: to, task: what, site, from, until, .. } = &done.command;
        let same = to == actor && *what == task && site == scope && (*from, *until) == period;
        ensure(same, link, format!("enrollment entry {number} does not delegate this to {actor}"))?;
        if !self.known.insert((number, actor.clone(), tlog::Hash::ZERO)) {
            return Ok(());
        }
        self.step(link)?;
        let state = self.evidence.before(link, Service::Enrollment, &done.entry)?;
        let (starts, ends) = self.entitled(link, &done.envelope, &done.command, task, scope, state, &done.entry)?;
        ensure(starts <= *from && *until <= ends, link, format!("{by} delegated {task} for longer than they held it"))?;
        self.delegations.push(DelegationStep {
            actor: actor.clone(),
            task: task.name(),
            site: scope.clone(),
            delegated_by: by.clone(),
            recorded: done.entry.time,
        });
        Ok(())
    }

    pub(super) fn site_open(&mut self, site: &Name, state: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| matches!(fact, Fact::Site { open: true, .. }).then_some(());
        let subject = [Subject::Site(site.clone())];
        self.evidence.fact(LinkName::Site, Service::Enrollment, state, &subject, wanted, "the site was not open")
    }

    pub(super) fn participant_active(&mut self, participant: &Name, site: &Name, state: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Participant { site: theirs, withdrawn: None, .. } if theirs == site => Some(()),
            _ => None,
        };
        let subject = [Subject::Participant(participant.clone())];
        let otherwise = "the participant was not enrolled at that site, or had left";
        self.evidence.fact(LinkName::Participant, Service::Enrollment, state, &subject, wanted, otherwise)
    }

    fn step(&mut self, link: LinkName) -> Result<(), Fault> {
        self.steps += 1;
        let failure = || Failure { link, reason: format!("more than {MAX_STEPS} registrations and delegations") };
        if self.steps <= MAX_STEPS { Ok(()) } else { Err(Fault::TooLong(failure())) }
    }
}
