//! A study in which there is something of everything, and callers who may not know of it.

use crate::support::World;
use client::{Reader, entry_number, new_key, new_representative, new_uuid, now_ms, sign_form};
use proto::{consent::CopyFormat, journal::ReadEntriesRequest};
use seal::{
    allocation::{Arm, Factor, Method, Scheme, Secret, commitment},
    command::{
        ActorKind, AddArm, CommitAllocation, Delegate, EndDelegation, FormDef, GrantAccess, Provision, Randomise,
        RedactValue, RegisterActor, RegisterRepresentative, Relation, RevokeKey, Task,
    },
    dsse::Envelope,
    id::{Name, Service, Uuid},
    key::SecretKey,
};
use std::collections::BTreeMap;
use trialseal::setup::{Actor, Participant, Study, name, text_item, value};

macro_rules! command {
    ($study:expr, $by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type { study: $study.id, request: new_uuid().unwrap(), by: $by.clone(), time: now_ms(), $($field $(: $value)?),* }
    };
}

/// Somebody who asks.
pub(crate) struct Asker {
    /// What they are, in words.
    pub(crate) kind: &'static str,
    pub(crate) name: Name,
    pub(crate) key: SecretKey,
    /// Whether they show who they are when they read.
    pub(crate) shows: bool,
    /// Whether they are an actor of the study with a valid key.
    pub(crate) of_study: bool,
    /// The site where they hold tasks.
    pub(crate) holds_at: Option<Name>,
    /// A participant of whom they may know.
    pub(crate) knows: Option<(Name, Name)>,
}

/// What there is.
pub(crate) struct Trial {
    pub(crate) world: World,
    pub(crate) representative: Actor,
    pub(crate) device: Actor,
    pub(crate) redacted: u64,
    pub(crate) captured: u64,
    pub(crate) consented: u64,
    pub(crate) delegated: u64,
    pub(crate) secret: Secret,
    pub(crate) commitment: seal::text::Hex,
    pub(crate) askers: Vec<Asker>,
    /// A consent as another system states it (FHIR R4).
    pub(crate) resource: Vec<u8>,
    /// The last request that each service recorded.
    pub(crate) recorded: BTreeMap<&'static str, Uuid>,
}

/// The tasks of somebody who works at a site.
const WORK: [Task; 9] = [
    Task::Enrol,
    Task::ObtainConsent,
    Task::Capture,
    Task::Read,
    Task::SeeAllocation,
    Task::Unblind,
    Task::Redact,
    Task::Erase,
    Task::RecordLate,
];

pub(crate) fn actor(text: &str) -> Actor {
    Actor { name: name(text).unwrap(), key: new_key().unwrap() }
}

pub(crate) fn scheme() -> Scheme {
    let arms = ["verum", "placebo"].map(|arm| Arm { arm: name(arm).unwrap(), weight: 1 }).to_vec();
    let factors = vec![Factor { factor: name("sex").unwrap(), levels: vec![name("f").unwrap(), name("m").unwrap()] }];
    Scheme { arms, factors, method: Method::PermutedBlocks { slots: 8 } }
}

/// Registers an actor with all the work of a site, and gives the entries that delegated it.
async fn worker(world: &World, who: &Actor, site: &Name) -> Vec<(Task, u64)> {
    let study = &world.study;
    study.register(&world.client, who).await.unwrap();
    let mut delegated = Vec::new();
    for task in WORK {
        let (from, until) = (now_ms() - 3_600_000, now_ms() + 86_400_000);
        let (actor, site, training, seen) = (who.name.clone(), site.clone(), None, None);
        let delegate = command!(study, study.root.name, Delegate { actor, task, site, from, until, training, seen });
        let receipt = world.client.record(&delegate, &[&study.root.key]).await.unwrap();
        delegated.push((task, entry_number(&receipt).unwrap()));
    }
    delegated
}

async fn represent(world: &World, participant: &Participant, second: &Actor) -> Actor {
    let by = &world.study.investigator;
    let found = Actor { name: new_representative().unwrap(), key: new_key().unwrap() };
    let command = command!(
        world.study,
        by.name,
        RegisterRepresentative {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            actor: found.name.clone(),
            relation: Relation::LegalRepresentative,
            key: found.key.public(),
            second: Some(second.name.clone()),
            grounds: Some(name("a court's order (synthetic)").unwrap()),
            until: Some(now_ms() + 86_400_000),
        }
    );
    world.client.record(&command, &[&by.key, &second.key, &found.key]).await.unwrap();
    found
}

async fn grant(world: &World, participant: &Participant, grant: &str, grantee: &Actor) {
    let command = command!(
        world.study,
        participant.name,
        GrantAccess {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            grant: name(grant).unwrap(),
            grantee: grantee.name.clone(),
            categories: vec![Provision::data_collection()],
            purpose: name("research").unwrap(),
            from: now_ms() - 1_000,
            until: now_ms() + 86_400_000,
            uses: None,
            seen: None,
        }
    );
    world.client.record(&command, &[&participant.key]).await.unwrap();
}

impl Trial {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let study = &world.study;
        let forms =
            vec![FormDef { provision: None, form: name("VITALS").unwrap(), items: vec![text_item("SYSBP").unwrap()] }];
        study.define(&world.client, "forms-1", forms).await.unwrap();
        let captured = world.capture("BASELINE", "120").await;
        let mut header = study.header(&world.participants[0], "VISIT-2", "VITALS", 0).unwrap();
        header.forms_version = name("forms-1").unwrap();
        let form = sign_form(header, vec![value("SYSBP", "121")], &study.coordinator.key).unwrap();
        let redacted = entry_number(&world.client.submit(form).await.unwrap()).unwrap();
        let (secret, commitment) = randomise(&world).await;
        let site = world.site.clone();
        let (nurse, left, past) = (actor("nurse-of-701"), actor("somebody-who-left"), actor("somebody-of-before"));
        let colleague = actor("colleague-of-701");
        let nurses = worker(&world, &nurse, &site).await;
        worker(&world, &colleague, &site).await;
        worker(&world, &left, &site).await;
        for (task, entry) in worker(&world, &past, &site).await {
            let (actor, site, delegation) = (past.name.clone(), site.clone(), Some(entry));
            let reason = name("moved").unwrap();
            let end = command!(study, study.root.name, EndDelegation { actor, task, site, delegation, reason });
            world.client.record(&end, &[&study.root.key]).await.unwrap();
        }
        let revoke =
            command!(study, study.root.name, RevokeKey { key: left.key.public().id(), reason: name("left").unwrap() });
        world.client.record(&revoke, &[&study.root.key]).await.unwrap();
        let elsewhere = study.open_site(&world.client, "702", "Another site (synthetic)").await.unwrap();
        let other = actor("nurse-of-702");
        worker(&world, &other, &elsewhere).await;
        let theirs = study.enrol(&world.client, &elsewhere).await.unwrap();
        study.consent(&world.client, &theirs).await.unwrap();
        let device = actor("tablet-of-701");
        let register = command!(
            study,
            study.root.name,
            RegisterActor {
                actor: device.name.clone(),
                kind: ActorKind::Device,
                key: device.key.public(),
                site: Some(site.clone()),
            }
        );
        world.client.record(&register, &[&study.root.key, &device.key]).await.unwrap();
        let representative = represent(&world, &world.participants[0], &nurse).await;
        let of_another = represent(&world, &world.participants[1], &nurse).await;
        let (grantee, idle) = (actor("researcher-of-b"), actor("somebody-idle"));
        study.register(&world.client, &grantee).await.unwrap();
        study.register(&world.client, &idle).await.unwrap();
        grant(&world, &world.participants[0], "grant-of-a", &study.investigator).await;
        grant(&world, &world.participants[1], "grant-of-b", &grantee).await;
        redact(&world, redacted, (&colleague, &nurse)).await;
        let outside = Study::create(&world.client, "ANOTHER").await.unwrap();

        let asker = |kind, actor: &Actor| Asker {
            kind,
            name: actor.name.clone(),
            key: actor.key.clone(),
            shows: true,
            of_study: true,
            holds_at: None,
            knows: None,
        };
        let b = &world.participants[1];
        let second = Actor { name: b.name.clone(), key: b.key.clone() };
        let knows_b = Some((b.name.clone(), b.site.clone()));
        let askers = vec![
            Asker { shows: false, of_study: false, ..asker("nobody", &actor("nobody-at-all")) },
            Asker { of_study: false, ..asker("a key registered nowhere", &actor("a-stranger")) },
            Asker { of_study: false, ..asker("an actor of another study", &outside.coordinator) },
            Asker { of_study: false, ..asker("an actor whose key was revoked", &left) },
            asker("an actor without any task", &idle),
            asker("an actor whose tasks at the site have ended", &past),
            Asker {
                holds_at: Some(elsewhere.clone()),
                knows: Some((theirs.name.clone(), elsewhere)),
                ..asker("an actor with tasks at another site", &other)
            },
            Asker { knows: knows_b.clone(), ..asker("another participant", &second) },
            Asker { knows: knows_b, ..asker("a representative of another participant", &of_another) },
            asker("somebody to whom another participant granted access", &grantee),
        ];
        let (delegated, consented) = (nurses[2].1, 0);
        let recorded = BTreeMap::new();
        let mut trial = Self {
            world,
            representative,
            device,
            redacted,
            captured,
            consented,
            delegated,
            secret,
            commitment,
            askers,
            resource: Vec::new(),
            recorded,
        };
        trial.remember().await;
        trial.resource = trial.copy().await;
        trial
    }

    /// Looks up what was recorded, as an auditor does.
    async fn remember(&mut self) {
        for service in Service::ALL {
            let entries = self.journal(service, true).await;
            let first = self.world.participants[0].name.to_string();
            for (number, envelope) in entries.iter().enumerate() {
                #[derive(serde::Deserialize)]
                struct Said {
                    request: Uuid,
                    participant: Option<String>,
                }
                let Ok(said) = Envelope::parse(envelope).and_then(|found| found.common::<Said>()) else { continue };
                let kind = Envelope::parse(envelope).unwrap().payload_type().to_owned();
                if kind.contains("give-consent") && said.participant == Some(first.clone()) {
                    self.consented = number as u64;
                }
                self.recorded.insert(service.name(), said.request);
            }
        }
    }

    /// The participant's own copy of their consent.
    async fn copy(&self) -> Vec<u8> {
        let Participant { name, key, .. } = &self.world.participants[0];
        let own = self.world.study.reads(&Actor { name: name.clone(), key: key.clone() });
        let of = (name, self.consented);
        trialseal::participant::copy(&self.world.client, &own, of, CopyFormat::FhirR4).await.unwrap().into_bytes()
    }

    /// The entries of a journal, with their envelopes if `full`; nothing is recorded by looking at them bare.
    pub(crate) async fn journal(&self, service: Service, full: bool) -> Vec<Vec<u8>> {
        let study = &self.world.study;
        let reader: Reader = if full { study.reader() } else { study.reads(&study.auditor) };
        let request = ReadEntriesRequest {
            stream: service.stream(study.id).0.0.to_vec(),
            from: 0,
            limit: 0,
            view: if full { 2 } else { 1 },
            study: study.id.to_string(),
        };
        let mut entries =
            self.world.client.journal(service).read_entries(reader.request(request)).await.unwrap().into_inner();
        let mut found = Vec::new();
        while let Some(entry) = entries.message().await.unwrap() {
            found.push(entry.envelope);
        }
        found
    }

    /// How much every service recorded.
    pub(crate) async fn lengths(&self) -> Vec<usize> {
        let mut lengths = Vec::new();
        for service in Service::ALL {
            lengths.push(self.journal(service, false).await.len());
        }
        lengths
    }
}

async fn randomise(world: &World) -> (Secret, seal::text::Hex) {
    let study = &world.study;
    let root = &study.root;
    for arm in ["verum", "placebo"] {
        let add = command!(study, root.name, AddArm { arm: name(arm).unwrap(), title: name("An arm").unwrap() });
        world.client.record(&add, &[&root.key]).await.unwrap();
    }
    let secret = Secret { seed: client::random().unwrap(), block_sizes: vec![2, 4] };
    let list = allocation::List::generate(&scheme(), &secret).unwrap().root();
    let committed = commitment(&scheme(), &secret).into();
    let commit = command!(
        study,
        root.name,
        CommitAllocation {
            allocation: name("allocation-1").unwrap(),
            scheme: scheme(),
            commitment: committed,
            root: Some(list.into()),
        }
    );
    world.client.commit_allocation(&commit, &secret, &[&root.key]).await.unwrap();
    let (by, participant) = (&study.investigator, &world.participants[0]);
    let randomise = command!(
        study,
        by.name,
        Randomise {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            allocation: name("allocation-1").unwrap(),
            levels: vec![name("f").unwrap()],
        }
    );
    world.client.record(&randomise, &[&by.key]).await.unwrap();
    (secret, committed)
}

async fn redact(world: &World, entry: u64, (by, second): (&Actor, &Actor)) {
    let (study, participant) = (&world.study, &world.participants[0]);
    let redact = command!(
        study,
        by.name,
        RedactValue {
            participant: participant.name.clone(),
            site: participant.site.clone(),
            entry,
            index: 0,
            item: name("SYSBP").unwrap(),
            repeat: String::new(),
            reason: name("of somebody else (synthetic)").unwrap(),
            second: second.name.clone(),
        }
    );
    world.client.record(&redact, &[&by.key, &second.key]).await.unwrap();
}
