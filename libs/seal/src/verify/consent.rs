//! The consent a submission rests on: who gave it, under which document, and that it was in force.

use super::{
    authority::Walk,
    evidence::{Fault, Recorded, ensure},
    terms,
};
use crate::{
    MAX_CLOCK_AHEAD_MS,
    command::{
        ActorKind, Assent, Capacity, GiveConsent, Provision, PublishDocument, RegisterActor, RegisterRepresentative,
        Relation, Terms,
    },
    consent,
    dsse::Envelope,
    fact::{self, Fact, Given},
    id::{Name, Service},
    report::{ConsentClaim, LinkName},
    subject::{self, Subject},
    task,
};
use std::collections::HashSet;

const LINK: LinkName = LinkName::Consent;

/// A consent that was given and not withdrawn.
pub(super) struct InForce {
    provision: Provision,
    state: Given,
    done: Recorded<GiveConsent>,
}

impl InForce {
    /// What is established, in words.
    pub(super) fn established(&self, participant: &Name) -> String {
        let (who, obtained) = (capacity(&self.done.command), &self.done.command.by);
        format!(
            "consent entry {} to {}, {who} {participant} and {obtained}, was in force and not withdrawn",
            self.state.given, self.provision
        )
    }

    /// Whether it says how it came about.
    pub(super) fn has_manner(&self) -> bool {
        self.done.command.manner.is_some()
    }

    /// Checks that the document's terms admit it, and that by them it had not ended at `time`.
    fn admitted(&self, terms: Option<&Terms>, time: u64, third: bool) -> Result<(), Fault> {
        let (given, recorded) = (&self.done.command, self.done.entry.time);
        let end = terms::admitted(terms, given, &self.provision, (recorded, third));
        ensure(end.is_some(), LinkName::Document, "the document does not admit consent to this, given so")?;
        ensure(end.flatten().is_none_or(|end| time < end), LINK, "what was consented to had ended by itself")
    }

    /// From rules 3 on: checks what the state says of how it was given against what was signed.
    fn as_signed(&self) -> Result<(), Fault> {
        let (Given { signed, after, given_by, .. }, command) = (&self.state, &self.done.command);
        let by: &[Name] = match command.manner.as_ref().map(|manner| &manner.capacity) {
            Some(Capacity::Representative { actor }) => std::slice::from_ref(actor),
            Some(Capacity::Minor { parents, .. }) => parents,
            _ => &[],
        };
        ensure(
            *signed == Some(command.time) && given_by == by,
            LINK,
            "the state states another consent than was signed",
        )?;
        ensure(
            *after == command.seen,
            LINK,
            "the consent was signed on another state: something was recorded in between",
        )
    }

    /// From rules 3 on: checks that until a minor comes of age the parents alone give.
    fn of_age(&self, majority: Option<u64>, time: u64) -> Result<(), Fault> {
        let stated = match self.done.command.manner.as_ref().map(|manner| &manner.capacity) {
            Some(Capacity::Minor { majority, .. }) => Some(*majority),
            _ => None,
        };
        let (signed, recorded) = (self.done.command.time, self.done.entry.time);
        let good = match (stated, majority) {
            (Some(stated), Some(of_age)) => time < of_age && of_age <= stated,
            (Some(_), None) => false,
            (None, Some(of_age)) => signed >= of_age && recorded >= of_age,
            (None, None) => true,
        };
        ensure(
            good,
            LINK,
            "the participant was not of age when they consented, or had come of age since their parents did",
        )
    }
}

impl Walk<'_> {
    /// The consent of `participant` to `provision` in consent state `state`, signed by those who had to, for a submission
    /// recorded at `time`.
    pub(super) fn consent_given(
        &mut self,
        participant: &Name,
        site: &Name,
        provision: &Provision,
        (state, time): (u64, u64),
    ) -> Result<InForce, Fault> {
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Consent(fact::Consent { provisions, majority, .. }) => {
                provisions.get(provision).filter(|g| g.withdrawn.is_none()).map(|given| (given.clone(), *majority))
            }
            _ => None,
        };
        let subject = [subject::consent(participant)];
        let otherwise = format!("no consent to {provision} was in force");
        let (fact, majority) = self.evidence.fact(LINK, Service::Consent, state, &subject, wanted, &otherwise)?;
        ensure(fact.given <= state, LINK, "the consent was given later")?;

        let done = self.evidence.command::<GiveConsent>(LINK, Service::Consent, fact.given)?;
        let given = &done.command;
        let same = given.participant == *participant
            && given.site == *site
            && given.provisions.contains(provision)
            && (&given.document, &given.version, &given.language) == (&fact.document, &fact.version, &fact.language);
        ensure(same, LINK, format!("consent entry {} does not give this consent", fact.given))?;
        let enrollment = self.evidence.head(LINK, Service::Enrollment, &done.entry)?;
        self.signed_for(&done, enrollment)?;
        let obtained = self.entitled(LINK, &done, task::OBTAIN_CONSENT, site, enrollment)?.kind;
        let given = InForce { provision: provision.clone(), state: fact, done };
        if self.third {
            ensure(obtained == ActorKind::Person, LINK, "who held the discussion is no person")?;
            given.as_signed()?;
            given.of_age(majority, time)?;
        }
        Ok(given)
    }

    /// Checks the signatures of the participant, or of who consents for them, and of the witness.
    fn signed_for(&mut self, done: &Recorded<GiveConsent>, enrollment: u64) -> Result<(), Fault> {
        let Recorded { envelope, command, .. } = done;
        let participant = &command.participant;
        let Some(manner) = &command.manner else {
            return self.signed_as_one(participant, ActorKind::Participant, envelope, enrollment);
        };
        match &manner.capacity {
            Capacity::Participant => {
                self.signed_as_one(participant, ActorKind::Participant, envelope, enrollment)?;
            }
            Capacity::SiteDevice { device, .. } => {
                self.is_device(device, &command.site, enrollment)?;
                self.signed_as_one(device, ActorKind::Device, envelope, enrollment)?;
            }
            Capacity::Representative { actor } => {
                self.signed_as(done, actor, Relation::LegalRepresentative, enrollment)?;
            }
            Capacity::Minor { parents, assent, .. } => {
                ensure(!parents.is_empty(), LINK, "no parent consented")?;
                // One named twice is refused with the document; here each is looked at once.
                let mut looked_at = HashSet::new();
                for parent in parents.iter().filter(|parent| looked_at.insert(*parent)) {
                    self.signed_as(done, parent, Relation::Parent, enrollment)?;
                }
                if *assent == Assent::Signed {
                    self.signed_as_one(participant, ActorKind::Participant, envelope, enrollment)?;
                }
            }
            Capacity::Deferred { .. } => {}
        }
        match &manner.witness {
            Some(witness) => self.signed_as(done, witness, Relation::ImpartialWitness, enrollment),
            None => Ok(()),
        }
    }

    /// Checks that `actor` signed, from rules 3 on with a key that was registered for one of `kind`.
    fn signed_as_one(
        &mut self,
        actor: &Name,
        kind: ActorKind,
        envelope: &Envelope,
        enrollment: u64,
    ) -> Result<(), Fault> {
        let signer = self.signed_by(LINK, actor, envelope, enrollment)?;
        ensure(!self.third || signer.kind == kind, LINK, format!("{actor} signed with a key of another kind of actor"))
    }

    /// Checks that `actor` was registered as a device, from rules 3 on of that site.
    fn is_device(&mut self, actor: &Name, site: &Name, enrollment: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Actor(fact::Actor { kind: ActorKind::Device, registered, .. }) => Some(*registered),
            _ => None,
        };
        let subject = [subject::actor(actor)];
        let otherwise = format!("{actor} was not a device");
        let number = self.evidence.fact(LINK, Service::Enrollment, enrollment, &subject, wanted, &otherwise)?;
        ensure(number <= enrollment, LINK, format!("{actor} was registered later"))?;
        let made = self.evidence.command::<RegisterActor>(LINK, Service::Enrollment, number)?;
        let same = made.command.actor == *actor && made.command.kind == ActorKind::Device;
        let here = !self.third || made.command.site.as_ref() == Some(site);
        ensure(same && here, LINK, otherwise)?;
        self.authorised(LINK, &made, task::REGISTER_ACTORS, &Name::all_sites()).map(drop)
    }

    /// Checks that `actor` signed, and was registered as `relation` of the participant.
    fn signed_as(
        &mut self,
        done: &Recorded<GiveConsent>,
        actor: &Name,
        relation: Relation,
        enrollment: u64,
    ) -> Result<(), Fault> {
        let participant = &done.command.participant;
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Representative(fact::Representative { relation: found, registered, .. }) if *found == relation => {
                Some(*registered)
            }
            _ => None,
        };
        let subject = [subject::representative(participant, actor)];
        let otherwise = format!("{actor} was not registered to sign for {participant} so");
        let number = self.evidence.fact(LINK, Service::Enrollment, enrollment, &subject, wanted, &otherwise)?;
        ensure(number <= enrollment, LINK, format!("{actor} was registered later"))?;
        let made = self.evidence.command::<RegisterRepresentative>(LINK, Service::Enrollment, number)?;
        let site = done.command.site.clone();
        let whose = (&made.command.participant, &made.command.site) == (participant, &site);
        let same = whose && made.command.actor == *actor && made.command.relation == relation;
        ensure(same, LINK, otherwise)?;
        let acts = made.command.until.is_some_and(|until| done.entry.time < until);
        ensure(!self.third || acts, LINK, format!("{actor} did not act for {participant} any more"))?;
        self.representative(LINK, &made)?;
        self.signed_as_one(actor, ActorKind::Representative, &done.envelope, enrollment)
    }

    /// Checks the document consent was given under, and that the consent held at `time`.
    pub(super) fn document(&mut self, given: &InForce, state: u64, time: u64) -> Result<ConsentClaim, Fault> {
        let link = LinkName::Document;
        let GiveConsent { document, version, language, by, synthetic, time: signed, late, .. } = &given.done.command;
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Document(fact::Document { content, approval, published, superseded, .. }) => {
                Some((*content, approval.clone(), *published, superseded.clone()))
            }
            _ => None,
        };
        let subject = [subject::document(document, version, language)];
        let otherwise = "the document was not published";
        let (content, approval, published, superseded) =
            self.evidence.fact(link, Service::Consent, state, &subject, wanted, otherwise)?;
        let held = consent::holds(&given.state, superseded.as_ref(), time);
        ensure(held.is_ok(), LINK, held.err().map(|why| why.to_string()).unwrap_or_default())?;
        ensure(published < given.done.entry.number, link, "the document was published after consent was given")?;

        let done = self.evidence.command::<PublishDocument>(link, Service::Consent, published)?;
        let made = &done.command;
        let same = (&made.document, &made.version, &made.language) == (document, version, language)
            && made.content == content
            && made.approval == approval;
        ensure(same, link, format!("consent entry {published} does not publish this document"))?;
        given.admitted(made.terms.as_ref(), time, self.third)?;
        let read = done.entry.time <= given.done.command.time.saturating_add(MAX_CLOCK_AHEAD_MS);
        ensure(!self.third || read, link, "consent was signed before the document was published")?;
        let enrollment = self.evidence.head(link, Service::Enrollment, &done.entry)?;
        let everywhere = Name::all_sites();
        self.entitled(link, &done, task::PUBLISH_DOCUMENTS, &everywhere, enrollment)?;
        Ok(ConsentClaim {
            document: document.clone(),
            version: version.clone(),
            language: language.clone(),
            content,
            approval: approval.reference,
            provision: given.provision.clone(),
            given: capacity(&given.done.command),
            obtained_by: by.clone(),
            signed: *signed,
            late: late.clone(),
            recorded: given.done.entry.time,
            synthetic: *synthetic,
        })
    }
}

/// Who consented, in words that go before the participant's name.
fn capacity(given: &GiveConsent) -> &'static str {
    match given.manner.as_ref().map(|manner| &manner.capacity) {
        None | Some(Capacity::Participant) => "signed by",
        Some(Capacity::SiteDevice { .. }) => "signed on a device of the site by",
        Some(Capacity::Representative { .. }) => "signed by the legally authorised representative of",
        Some(Capacity::Minor { .. }) => "signed by the parents of",
        Some(Capacity::Deferred { .. }) => "deferred in an emergency for",
    }
}
