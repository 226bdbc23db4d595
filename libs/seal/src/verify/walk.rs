//! Links 1 and 2 and the basis: from the datapoint through its signer, its consent and their delegations to the study's
//! root key.

use super::evidence::{Demand, Evidence, Fault, Recorded, broken, ensure};
use crate::{
    authority,
    bundle::Bundle,
    command::{
        ActorKind, Delegate, EnrolParticipant, GiveConsent, Payload, Provision, PublishDocument, RegisterActor,
        RotateKey, Submission, Task,
    },
    datapoint::Datapoint,
    dsse::Envelope,
    entry::Entry,
    fact::{Fact, Subject},
    id::{Name, Service, is_pseudonym},
    key::PublicKey,
    report::{CheckpointClaim, Claim, ConsentClaim, DelegationStep, Failure, Link, LinkName},
};
use std::collections::HashSet;
use tlog::merkle;

/// The most registrations, rotations and delegations one bundle may rest on; it bounds the recursion as well.
const MAX_STEPS: u32 = 128;

/// A walk that reached the root key everywhere.
pub struct Walked<'a> {
    evidence: Evidence<'a>,
    datapoint: Datapoint,
    submission: Recorded<Submission>,
    key: PublicKey,
    consent: ConsentClaim,
    delegations: Vec<DelegationStep>,
}

impl Walked<'_> {
    /// Checks that the bundle holds nothing the walk did not need.
    pub(super) fn nothing_left(&self, bundle: &Bundle) -> Result<(), Failure> {
        self.evidence.nothing_left(bundle)
    }

    pub(super) fn claim(self, checkpoint: CheckpointClaim) -> Claim {
        let Recorded { entry, command, .. } = self.submission;
        Claim {
            study: command.study,
            participant: command.instance.participant,
            site: command.site,
            event: command.instance.event,
            event_repeat: command.instance.event_repeat,
            form: command.instance.form,
            form_repeat: command.instance.form_repeat,
            item: self.datapoint.item,
            repeat: self.datapoint.repeat,
            value: self.datapoint.value,
            unit: self.datapoint.unit,
            collected: command.collected,
            corrects: command.corrects,
            reason: command.reason,
            signed_by: command.by,
            key: self.key,
            signed: command.time,
            entry: entry.number,
            recorded: entry.time,
            consent: self.consent,
            delegations: self.delegations,
            checkpoint,
        }
    }
}

/// Walks from the datapoint to the root key. `links` receives what was established, also when the walk stops early.
pub fn walk<'a>(bundle: &'a Bundle, root_key: &PublicKey, links: &mut Vec<Link>) -> Result<Walked<'a>, Fault> {
    let mut walk = Walk {
        evidence: Evidence::new(bundle),
        root_key: *root_key,
        delegations: Vec::new(),
        known: HashSet::new(),
        steps: 0,
    };
    let mut holds = |link, established: String| links.push(Link { link, established });

    let submission = walk.evidence.command::<Submission>(LinkName::Submission, Service::Capture, bundle.submission)?;
    let datapoint = datapoint_in_submission(bundle, &submission.command)?;
    let Recorded { entry, envelope, command } = &submission;
    holds(
        LinkName::Datapoint,
        format!("item {} is datapoint {} of the submission's {}", datapoint.item, bundle.index, command.count),
    );

    let study = command.study;
    let enrollment = entry.basis_in(Service::Enrollment.stream(study));
    let enrollment = walk.evidence.head(LinkName::Submission, Service::Enrollment, enrollment)?;
    let consent = entry.basis_in(Service::Consent.stream(study));
    let consent = walk.evidence.head(LinkName::Submission, Service::Consent, consent)?;
    let at = format!("capture entry {}, decided at enrollment {enrollment} and consent {consent}", entry.number);
    holds(LinkName::Submission, at);

    let key = walk.signed_by(LinkName::Signer, &command.by, envelope, enrollment)?;
    holds(LinkName::Signer, format!("signed by {} with {key}, valid at that moment", command.by));

    walk.authority(LinkName::Delegation, &command.by, Task::Capture, &command.site, enrollment, entry.time)?;
    holds(LinkName::Delegation, format!("{} held the task capture at site {}", command.by, command.site));

    walk.site_open(&command.site, enrollment)?;
    holds(LinkName::Site, format!("site {} was open", command.site));

    let participant = &command.instance.participant;
    walk.participant_active(participant, &command.site, enrollment)?;
    holds(LinkName::Participant, format!("{participant} was enrolled at site {} and had not left", command.site));

    let (given, number) = walk.consent_in_force(participant, &command.site, consent)?;
    let obtained = &given.command.by;
    holds(
        LinkName::Consent,
        format!("consent entry {number}, signed by {participant} and {obtained}, was in force and not withdrawn"),
    );

    let consent = walk.document(&given, consent)?;
    holds(
        LinkName::Document,
        format!(
            "{} version {} ({}), approval {}",
            consent.document, consent.version, consent.language, consent.approval
        ),
    );
    let Walk { evidence, delegations, .. } = walk;
    Ok(Walked { evidence, datapoint, submission, key, consent, delegations })
}

fn datapoint_in_submission(bundle: &Bundle, submission: &Submission) -> Result<Datapoint, Fault> {
    let link = LinkName::Datapoint;
    let datapoint = match Datapoint::parse(&bundle.datapoint.0) {
        Ok(datapoint) => datapoint,
        Err(error) => return broken(link, error.to_string()),
    };
    let leaf = merkle::leaf_hash(&bundle.datapoint.0);
    let path: Vec<_> = bundle.path.iter().map(|hash| hash.0).collect();
    let inside = merkle::verify_inclusion(&leaf, bundle.index, u64::from(submission.count), &path, &submission.root.0);
    ensure(inside.is_ok(), link, "the datapoint is not in the tree the submission's signer signed")?;
    Ok(datapoint)
}

struct Walk<'a> {
    evidence: Evidence<'a>,
    root_key: PublicKey,
    delegations: Vec<DelegationStep>,
    known: HashSet<(u64, Name, tlog::Hash)>,
    steps: u32,
}

impl Walk<'_> {
    /// The key by which `actor` signed `envelope`, valid in enrollment state `state` and registered under the root key.
    fn signed_by(&mut self, link: LinkName, actor: &Name, envelope: &Envelope, state: u64) -> Result<PublicKey, Fault> {
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
                let staff = done.command.kind != ActorKind::Participant && !is_pseudonym(actor);
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
    fn authorised<P: Payload>(
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
    fn entitled<P: Payload>(
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
    fn authority(
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

    fn site_open(&mut self, site: &Name, state: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| matches!(fact, Fact::Site { open: true, .. }).then_some(());
        let subject = [Subject::Site(site.clone())];
        self.evidence.fact(LinkName::Site, Service::Enrollment, state, &subject, wanted, "the site was not open")
    }

    fn participant_active(&mut self, participant: &Name, site: &Name, state: u64) -> Result<(), Fault> {
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Participant { site: theirs, withdrawn: None, .. } if theirs == site => Some(()),
            _ => None,
        };
        let subject = [Subject::Participant(participant.clone())];
        let otherwise = "the participant was not enrolled at that site, or had left";
        self.evidence.fact(LinkName::Participant, Service::Enrollment, state, &subject, wanted, otherwise)
    }

    fn consent_in_force(
        &mut self,
        participant: &Name,
        site: &Name,
        state: u64,
    ) -> Result<(Recorded<GiveConsent>, u64), Fault> {
        let link = LinkName::Consent;
        let provision = Provision::DataCollection;
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Consent { provisions } => provisions.get(&provision).filter(|g| g.withdrawn.is_none()).cloned(),
            _ => None,
        };
        let subject = [Subject::Consent(participant.clone())];
        let otherwise = "no consent to data collection was in force";
        let fact = self.evidence.fact(link, Service::Consent, state, &subject, wanted, otherwise)?;
        ensure(fact.given <= state, link, "the consent was given later")?;

        let done = self.evidence.command::<GiveConsent>(link, Service::Consent, fact.given)?;
        let given = &done.command;
        let same = given.participant == *participant
            && given.site == *site
            && given.provisions.contains(&provision)
            && (&given.document, &given.version, &given.language) == (&fact.document, &fact.version, &fact.language);
        ensure(same, link, format!("consent entry {} does not give this consent", fact.given))?;
        let basis = done.entry.basis_in(Service::Enrollment.stream(given.study));
        let enrollment = self.evidence.head(link, Service::Enrollment, basis)?;
        self.signed_by(link, participant, &done.envelope, enrollment)?;
        self.entitled(link, &done.envelope, given, Task::ObtainConsent, site, enrollment, &done.entry)?;
        Ok((done, fact.given))
    }

    fn document(&mut self, given: &Recorded<GiveConsent>, state: u64) -> Result<ConsentClaim, Fault> {
        let link = LinkName::Document;
        let GiveConsent { document, version, language, by, synthetic, .. } = &given.command;
        let wanted = |_: &Subject, fact: &Fact| match fact {
            Fact::Document { content, approval, published } => Some((*content, approval.clone(), *published)),
            _ => None,
        };
        let subject = [Subject::Document(document.clone(), version.clone(), language.clone())];
        let otherwise = "the document was not published";
        let (content, approval, published) =
            self.evidence.fact(link, Service::Consent, state, &subject, wanted, otherwise)?;
        ensure(published < given.entry.number, link, "the document was published after consent was given")?;

        let done = self.evidence.command::<PublishDocument>(link, Service::Consent, published)?;
        let made = &done.command;
        let same = (&made.document, &made.version, &made.language) == (document, version, language)
            && made.content == content
            && made.approval == approval;
        ensure(same, link, format!("consent entry {published} does not publish this document"))?;
        let basis = done.entry.basis_in(Service::Enrollment.stream(made.study));
        let enrollment = self.evidence.head(link, Service::Enrollment, basis)?;
        let everywhere = Name::all_sites();
        self.entitled(link, &done.envelope, made, Task::PublishDocuments, &everywhere, enrollment, &done.entry)?;
        Ok(ConsentClaim {
            document: document.clone(),
            version: version.clone(),
            language: language.clone(),
            content,
            approval: approval.reference,
            obtained_by: by.clone(),
            recorded: given.entry.time,
            synthetic: *synthetic,
        })
    }

    fn step(&mut self, link: LinkName) -> Result<(), Fault> {
        self.steps += 1;
        ensure(self.steps <= MAX_STEPS, link, format!("more than {MAX_STEPS} registrations and delegations"))
    }
}

impl Demand {
    /// The service the part comes from.
    pub fn service(&self) -> Service {
        match self {
            Demand::Entry { service, .. } | Demand::Fact { service, .. } => *service,
        }
    }
}
