//! A study in a [`World`]: who works on it, who takes part, and what they record.

use super::{START_MS, World, key, public, root};
use seal::{
    command::{
        ActorKind, Approval, Capacity, Delegate, EnrolParticipant, EraseParticipant, FormInstance, GiveConsent, Manner,
        Offer, Provision, PublishDocument, RedactValue, RegisterActor, RegisterRepresentative, Relation, RotateKey,
        ScreenParticipant, Submission, Terms,
    },
    datapoint::Datapoint,
    fact::{self, Fact, Given, Period, Superseded, Until},
    id::{Name, Service, Uuid},
    key::{PublicKey, SecretKey},
    sha256,
    subject::{self, Subject},
    task,
};

pub const PARTICIPANT: &str = "P-AAAAAAAAAAAAAAAA";
pub const OTHER: &str = "P-BBBBBBBBBBBBBBBB";
pub const MOTHER: &str = "R-AAAAAAAAAAAAAAAA";
pub const FATHER: &str = "R-BBBBBBBBBBBBBBBB";
pub const GUARDIAN: &str = "R-CCCCCCCCCCCCCCCC";
pub const WITNESS: &str = "R-DDDDDDDDDDDDDDDD";
pub const INVESTIGATOR: &str = "dr-imani";
pub const SECOND: &str = "dr-okoye";
pub const DEVICE: &str = "tablet-7";
const REQUEST: Uuid = Uuid([1; 16]);
const YEAR_MS: u64 = 365 * 86_400_000;

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn provision(text: &str) -> Provision {
    text.parse().unwrap()
}

/// Two values.
pub fn values() -> Vec<Datapoint> {
    [("SYSBP", "120"), ("COMMENT", "told by Ms Example")]
        .map(|(item, value)| Datapoint {
            nonce: [5; 16],
            item: item.to_owned(),
            repeat: String::new(),
            value: value.to_owned(),
            unit: String::new(),
        })
        .to_vec()
}

pub fn offer(text: &str, mandatory: bool) -> Offer {
    Offer { provision: provision(text), mandatory, days: None }
}

/// Terms that admit everybody.
pub fn terms() -> Terms {
    Terms {
        title: name("ICF"),
        sites: Vec::new(),
        effective: START_MS,
        provisions: vec![offer("data_collection", true), offer("genetics", false)],
        quiz: None,
        supersedes: Vec::new(),
        reconsent: None,
        parents: 2,
        representative: true,
        remote: true,
        deferral_ms: Some(YEAR_MS),
        notice: None,
        site_device: false,
    }
}

pub fn manner(capacity: Capacity) -> Manner {
    Manner { capacity, witness: None, remote: None, answers: Vec::new() }
}

/// A consent: what the command says, who signs it besides the investigator, and what the state is said to be.
#[derive(Clone)]
pub struct Consent {
    pub provisions: Vec<Provision>,
    pub manner: Option<Manner>,
    pub signers: Vec<&'static str>,
    pub until: Option<Until>,
    /// The provisions the state holds; those of the command if empty.
    pub stated: Vec<Provision>,
    /// Who held the discussion.
    pub by: &'static str,
    /// From rules 3 on: whether it names no state, as a copy that was kept back.
    pub kept: bool,
    /// From rules 3 on: why it is recorded late.
    pub late: Option<Name>,
    /// From rules 3 on: the majority on record.
    pub majority: Option<u64>,
    /// What the state says otherwise of how it was given.
    pub otherwise: Option<fn(&mut Given)>,
}

impl Consent {
    pub fn by(capacity: Capacity, signers: &[&'static str]) -> Self {
        let provisions = vec![provision("data_collection")];
        Self {
            provisions,
            manner: Some(manner(capacity)),
            signers: signers.to_vec(),
            until: None,
            stated: Vec::new(),
            by: INVESTIGATOR,
            kept: false,
            late: None,
            majority: None,
            otherwise: None,
        }
    }
}

seal::payload! {
    /// A command that no proof leads through: its kind and fields are those of the enrollment journal's first.
    "create-study" CreateStudy {
        /// The protocol's identifier.
        name: Name,
        /// The study's root key.
        root_key: PublicKey,
        /// The rules.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<u32>,
    }
}

seal::payload! {
    /// What a participant signs to withdraw: no proof leads through it either.
    "withdraw-consent" WithdrawConsent {
        /// The participant.
        participant: Name,
        /// Their site.
        site: Name,
        /// What is withdrawn.
        provisions: Vec<Provision>,
    }
}

macro_rules! command {
    ($world:expr, $by:expr, $command:ident { $($rest:tt)* }) => {
        $command {
            study: $world.study,
            request: REQUEST,
            by: name($by),
            time: $world.time + $world.ahead_ms - $world.kept_back_ms,
            $($rest)*
        }
    };
}

impl World {
    /// A study with an investigator who holds every task, a second person who may redact, a device, an open site, two
    /// participants, the first of them screened before, and the first one's representatives.
    pub fn new() -> Self {
        Self::set_up(Self::empty())
    }

    /// The same study under rules 3.
    pub fn third() -> Self {
        Self::of_rules(3)
    }

    /// The same study under these rules, from 3 on.
    pub fn of_rules(rules: u32) -> Self {
        let study = Uuid::of_study(&public("root"), *b"test", rules);
        Self::set_up(Self { study, third: true, ..Self::empty() })
    }

    fn set_up(mut world: Self) -> Self {
        let root_key = public("root");
        let rules = Some(if world.third { 3 } else { 2 });
        let create = command!(world, "root", CreateStudy { name: name("TEST"), root_key, rules });
        let steps = world.third.then_some(0);
        let fact = Fact::Key(fact::Key { actor: name("root"), key: root_key, registered: 0, ended: None, steps });
        world.record(&create, &[&key("root")], vec![(subject::key(root_key.id()), fact)]);
        for (actor, kind) in
            [(INVESTIGATOR, ActorKind::Person), (SECOND, ActorKind::Person), (DEVICE, ActorKind::Device)]
        {
            world.register(actor, kind, kind);
        }
        for task in [task::ENROL, task::OBTAIN_CONSENT, task::CAPTURE, task::REDACT, task::ERASE] {
            world.delegate(INVESTIGATOR, task);
        }
        world.delegate(SECOND, task::REDACT);
        if world.third {
            world.delegate(SECOND, task::OBTAIN_CONSENT);
        }
        world.enrol(
            PARTICIPANT,
            vec![(
                subject::site(&name("701")),
                Fact::Site(fact::Site { open: true, changed: 0, state: None, newest: None }),
            )],
        );
        world.enrol(OTHER, Vec::new());
        for (actor, relation) in [
            (MOTHER, Relation::Parent),
            (FATHER, Relation::Parent),
            (GUARDIAN, Relation::LegalRepresentative),
            (WITNESS, Relation::ImpartialWitness),
        ] {
            world.represent(actor, PARTICIPANT, "701", relation, relation);
        }
        world
    }

    fn keyed(&self, actor: &str, service: Service) -> (Subject, Fact) {
        let (key, registered) = (public(actor), self.next(service));
        let steps = self.third.then_some(1);
        (subject::key(key.id()), Fact::Key(fact::Key { actor: name(actor), key, registered, ended: None, steps }))
    }

    /// Who signs a registration: the registrar, and from rules 3 on who holds the new key too.
    fn signing(&self, registrar: &[&str], new: &str) -> Vec<SecretKey> {
        let new = Some(new).filter(|_| self.third);
        registrar.iter().copied().chain(new).map(key).collect()
    }

    /// Registers an actor as one kind; the state is said to hold another.
    pub fn register(&mut self, actor: &str, kind: ActorKind, stated: ActorKind) -> u64 {
        let registered = self.next(Service::Enrollment);
        let fact = (subject::actor(&name(actor)), Fact::Actor(fact::Actor { kind: stated, registered, site: None }));
        let facts = vec![self.keyed(actor, Service::Enrollment), fact];
        if !self.third {
            return self.register_key(&name(actor), kind, public(actor), facts);
        }
        let site = (kind == ActorKind::Device).then(|| name("701"));
        self.register_of(actor, kind, site, actor)
    }

    /// Registers an actor under rules 3, with the signature of who is said to hold the new key.
    pub fn register_of(&mut self, actor: &str, kind: ActorKind, site: Option<Name>, holder: &str) -> u64 {
        let registered = self.next(Service::Enrollment);
        let fact = (subject::actor(&name(actor)), Fact::Actor(fact::Actor { kind, registered, site: site.clone() }));
        let facts = vec![self.keyed(actor, Service::Enrollment), fact];
        let register = command!(self, "root", RegisterActor { actor: name(actor), kind, key: public(actor), site });
        let keys = self.signing(&["root"], holder);
        self.record(&register, &keys.iter().collect::<Vec<_>>(), facts)
    }

    /// Registers an actor, with what the state is said to hold then.
    pub fn register_key(&mut self, actor: &Name, kind: ActorKind, new: PublicKey, facts: Vec<(Subject, Fact)>) -> u64 {
        let register = command!(self, "root", RegisterActor { actor: actor.clone(), kind, key: new, site: None });
        self.record(&register, &[&key("root")], facts)
    }

    pub fn delegate(&mut self, actor: &str, task: &str) -> u64 {
        if self.third {
            return self.delegate_by("root", &[], (actor, task), None);
        }
        let (site, granted) = (Name::all_sites(), self.next(Service::Enrollment));
        let (from, until) = (START_MS, START_MS + 10 * YEAR_MS);
        let subject = subject::delegation(&name(actor), task, &site);
        let delegate = command!(
            self,
            "root",
            Delegate { actor: name(actor), task: name(task), site, from, until, training: None, seen: None }
        );
        self.record(
            &delegate,
            &[&key("root")],
            vec![(subject, Fact::Delegation(fact::Delegation { granted, from, until, ended: None }))],
        )
    }

    /// Delegates a task under rules 3, which `by` holds from `line`; the state says it was signed after `after`.
    pub fn delegate_by(
        &mut self,
        by: &str,
        line: &[&str],
        (actor, task): (&str, &str),
        after: Option<seal::text::Hex>,
    ) -> u64 {
        let (site, granted) = (Name::all_sites(), self.next(Service::Enrollment));
        let (from, until) = (START_MS, START_MS + 10 * YEAR_MS);
        let subject = subject::delegation(&name(actor), task, &site);
        let delegate = command!(
            self,
            by,
            Delegate { actor: name(actor), task: name(task), site, from, until, training: None, seen: None }
        );
        let line = line.iter().copied().chain([by]).map(name).collect();
        let period = Period { granted, from, until, ended: None, line, steps: 1, after };
        let newest = sha256(&[b"this one"]).into();
        self.record(
            &delegate,
            &[&key(by)],
            vec![(subject, Fact::Delegations(fact::Delegations { periods: vec![period], newest }))],
        )
    }

    fn enrol(&mut self, participant: &str, mut facts: Vec<(Subject, Fact)>) {
        let (site, enrolled) = (name("701"), self.next(Service::Enrollment));
        let fact = Fact::Participant(fact::Participant { site: site.clone(), enrolled, withdrawn: None, stage: None });
        facts.extend([self.keyed(participant, Service::Enrollment), (subject::participant(&name(participant)), fact)]);
        let (key_of, participant) = (public(participant), name(participant));
        let keys = self.signing(&[INVESTIGATOR], participant.as_str());
        let keys: Vec<&SecretKey> = keys.iter().collect();
        if participant.as_str() == PARTICIPANT {
            let screen = command!(
                self,
                INVESTIGATOR,
                ScreenParticipant { participant, site, key: key_of, token: None, late: None }
            );
            self.record(&screen, &keys, facts);
        } else {
            let enrol = command!(self, INVESTIGATOR, EnrolParticipant { participant, site, key: key_of, late: None });
            self.record(&enrol, &keys, facts);
        }
    }

    /// Registers a representative of `of`; the state is said to hold one of the first participant, and so related.
    pub fn represent(&mut self, actor: &str, of: &str, site: &str, relation: Relation, stated: Relation) -> u64 {
        let until = self.third.then_some(START_MS + 10 * YEAR_MS);
        let second = self.third.then_some(SECOND);
        self.represent_with(actor, (of, site), (relation, stated), (second, until))
    }

    /// The same, with the second person who signs, and until when.
    pub fn represent_with(
        &mut self,
        actor: &str,
        (of, site): (&str, &str),
        (relation, stated): (Relation, Relation),
        (second, until): (Option<&str>, Option<u64>),
    ) -> u64 {
        let registered = self.next(Service::Enrollment);
        let register = command!(
            self,
            INVESTIGATOR,
            RegisterRepresentative {
                participant: name(of),
                site: name(site),
                actor: name(actor),
                relation,
                key: public(actor),
                second: second.map(name),
                grounds: until.map(|_| name("court order 12/2026")),
                until,
            }
        );
        let subject = subject::representative(&name(PARTICIPANT), &name(actor));
        let facts = vec![
            self.keyed(actor, Service::Enrollment),
            (subject, Fact::Representative(fact::Representative { relation: stated, registered, until })),
        ];
        let signers: Vec<&str> = [INVESTIGATOR].into_iter().chain(second).collect();
        let keys = self.signing(&signers, actor);
        self.record(&register, &keys.iter().collect::<Vec<_>>(), facts)
    }

    /// Registers a participant, or the witness, once more with one key; the state is said to hold another.
    pub fn register_again(&mut self, actor: &str, named: &str, stated: &str) -> u64 {
        let (registered, key_of) = (self.next(Service::Enrollment), public(named));
        let fact =
            Fact::Key(fact::Key { actor: name(actor), key: public(stated), registered, ended: None, steps: None });
        let facts = vec![(subject::key(public(stated).id()), fact)];
        let (participant, site) = (name(PARTICIPANT), name("701"));
        if actor == PARTICIPANT {
            let screen = command!(
                self,
                INVESTIGATOR,
                ScreenParticipant { participant, site, key: key_of, token: None, late: None }
            );
            return self.record(&screen, &[&key(INVESTIGATOR)], facts);
        }
        let (actor, relation) = (name(actor), Relation::ImpartialWitness);
        let register = command!(
            self,
            INVESTIGATOR,
            RegisterRepresentative {
                participant,
                site,
                actor,
                relation,
                key: key_of,
                second: None,
                grounds: None,
                until: None
            }
        );
        self.record(&register, &[&key(INVESTIGATOR)], facts)
    }

    pub fn publish(&mut self, terms: Option<Terms>) -> u64 {
        self.publish_as(terms, None)
    }

    /// Publishes the document; the state is said to hold it as superseded so.
    pub fn publish_as(&mut self, terms: Option<Terms>, superseded: Option<Superseded>) -> u64 {
        let approval = Approval { reference: name("IRB-1"), date: name("2026-01-15"), body: None };
        let content = sha256(&[b"ICF"]).into();
        let (document, version, language) = (name("ICF"), name("1"), name("en"));
        let published = self.next(Service::Consent);
        let subject = subject::document(&document, &version, &language);
        let fact = Fact::Document(fact::Document {
            content,
            approval: approval.clone(),
            published,
            terms: terms.clone().map(Box::new),
            superseded,
            published_ms: self.third.then_some(self.time + 1_000),
        });
        let publish = command!(self, "root", PublishDocument { document, version, language, content, approval, terms });
        self.record(&publish, &[&key("root")], vec![(subject, fact)])
    }

    pub fn consent(&mut self, consent: &Consent) -> u64 {
        let given = self.next(Service::Consent);
        let newest = self.newest.map(seal::text::Hex);
        let give = command!(
            self,
            consent.by,
            GiveConsent {
                participant: name(PARTICIPANT),
                site: name("701"),
                document: name("ICF"),
                version: name("1"),
                language: name("en"),
                provisions: consent.provisions.clone(),
                synthetic: true,
                manner: consent.manner.clone(),
                seen: newest.filter(|_| !consent.kept),
                late: consent.late.clone(),
            }
        );
        let given_by = match consent.manner.as_ref().map(|manner| &manner.capacity) {
            Some(Capacity::Representative { actor }) => vec![actor.clone()],
            Some(Capacity::Minor { parents, .. }) => parents.clone(),
            _ => Vec::new(),
        };
        let mut state = Given {
            refused: false,
            given,
            document: name("ICF"),
            version: name("1"),
            language: name("en"),
            withdrawn: None,
            until: consent.until,
            mandatory: true,
            signed: self.third.then_some(give.time),
            after: newest,
            given_by: if self.third { given_by } else { Vec::new() },
        };
        consent.otherwise.iter().for_each(|otherwise| otherwise(&mut state));
        let stated = if consent.stated.is_empty() { &consent.provisions } else { &consent.stated };
        let provisions = stated.iter().map(|provision| (provision.clone(), state.clone())).collect();
        let keys: Vec<SecretKey> = [consent.by].iter().chain(&consent.signers).map(|signer| key(signer)).collect();
        let subject = subject::consent(&name(PARTICIPANT));
        let fact =
            Fact::Consent(fact::Consent { provisions, majority: consent.majority, emptied: None, declined: [].into() });
        let number = self.record(&give, &keys.iter().collect::<Vec<_>>(), vec![(subject, fact)]);
        self.newest = self.third.then(|| self.envelope(Service::Consent, number));
        number
    }

    pub fn submit(&mut self, provision: Option<&str>) -> u64 {
        let submission = self.submission(provision);
        self.record(&submission, &[&key(INVESTIGATOR)], Vec::new())
    }

    pub fn submission(&self, of: Option<&str>) -> Submission {
        let form = name("VS");
        let instance =
            FormInstance { participant: name(PARTICIPANT), event: name("V1"), event_repeat: 0, form, form_repeat: 0 };
        command!(
            self,
            INVESTIGATOR,
            Submission {
                site: name("701"),
                instance,
                forms_version: name("1"),
                root: root(&values()),
                count: 2,
                collected: None,
                corrects: None,
                reason: None,
                provision: of.map(provision),
                late: None,
            }
        )
    }

    /// A redaction of the comment in the submission of this number.
    pub fn redaction(&self, entry: u64) -> RedactValue {
        command!(
            self,
            INVESTIGATOR,
            RedactValue {
                participant: name(PARTICIPANT),
                site: name("701"),
                entry,
                index: 1,
                item: name("COMMENT"),
                repeat: String::new(),
                reason: name("a name in a comment"),
                second: name(SECOND),
            }
        )
    }

    pub fn erasure(&self, entries: Vec<u64>) -> EraseParticipant {
        command!(
            self,
            INVESTIGATOR,
            EraseParticipant {
                participant: name(PARTICIPANT),
                site: name("701"),
                entries,
                order: name("the participant's request"),
                law: name("GDPR, Art. 17"),
            }
        )
    }

    /// Replaces the key of `actor` by the key of `new`.
    pub fn rotate(&mut self, actor: &str, new: &str) -> u64 {
        let registered = self.next(Service::Enrollment);
        let rotate = command!(self, actor, RotateKey { key: public(new), confirmed: None });
        let fact = Fact::Key(fact::Key { actor: name(actor), key: public(new), registered, ended: None, steps: None });
        self.record(&rotate, &[&key(actor), &key(new)], vec![(subject::key(public(new).id()), fact)])
    }

    /// Withdraws the consent to `provisions`, given in entry `given`.
    pub fn withdraw(&mut self, provisions: &[Provision], given: u64) -> u64 {
        let withdrawn = Some(self.next(Service::Consent));
        let (document, version, language) = (name("ICF"), name("1"), name("en"));
        let state = Given {
            refused: false,
            given,
            document,
            version,
            language,
            withdrawn,
            until: None,
            mandatory: true,
            signed: None,
            after: None,
            given_by: Vec::new(),
        };
        let stated = provisions.iter().map(|provision| (provision.clone(), state.clone())).collect();
        let withdraw = command!(
            self,
            PARTICIPANT,
            WithdrawConsent { participant: name(PARTICIPANT), site: name("701"), provisions: provisions.to_vec() }
        );
        let fact =
            Fact::Consent(fact::Consent { provisions: stated, majority: None, emptied: None, declined: [].into() });
        let number = self.record(&withdraw, &[&key(PARTICIPANT)], vec![(subject::consent(&name(PARTICIPANT)), fact)]);
        self.newest = self.third.then(|| self.envelope(Service::Consent, number));
        number
    }
}
