//! A study in which there is something of everything, and callers who may not know of it.

use crate::{
    people::{Asker, Staff, askers, command, grant, represent},
    support::World,
};
use client::{Reader, entry_number, sign_form};
use proto::{consent::CopyFormat, journal::ReadEntriesRequest};
use seal::{
    dsse::Envelope,
    id::{Service, Uuid},
};
use std::collections::BTreeMap;
use synthetic::{Actor, Participant, name, text_item, value};
use vocabulary::{
    allocation::{Arm, Factor, Method, Scheme, Secret, commitment},
    command::{AddArm, CommitAllocation, FormDef, Randomise, RedactValue},
};

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

pub(crate) fn scheme() -> Scheme {
    let arms = ["verum", "placebo"].map(|arm| Arm { arm: name(arm).unwrap(), weight: 1 }).to_vec();
    let factors = vec![Factor { factor: name("sex").unwrap(), levels: vec![name("f").unwrap(), name("m").unwrap()] }];
    Scheme { arms, factors, method: Method::PermutedBlocks { slots: 8 } }
}

impl Trial {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let (captured, redacted) = capture(&world).await;
        let (secret, commitment) = randomise(&world).await;
        let staff = Staff::new(&world).await;
        let representative = represent(&world, &world.participants[0], &staff.nurse).await;
        grant(&world, &world.participants[0], "grant-of-a", &world.study.investigator).await;
        redact(&world, redacted, (&staff.colleague, &staff.nurse)).await;
        let askers = askers(&world, &staff).await;
        let Staff { device, delegated, .. } = staff;
        let (consented, resource, recorded) = (0, Vec::new(), BTreeMap::new());
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
            resource,
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
        reports::participant::copy(&self.world.client, &own, of, CopyFormat::FhirR4).await.unwrap().into_bytes()
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

/// The entries of two forms of the first participant.
async fn capture(world: &World) -> (u64, u64) {
    let study = &world.study;
    let items = vec![text_item("SYSBP").unwrap()];
    let form = FormDef { provision: None, form: name("VITALS").unwrap(), items };
    study.define(&world.client, "forms-1", vec![form]).await.unwrap();
    let first = world.capture("BASELINE", "120").await;
    let mut header = study.header(&world.participants[0], "VISIT-2", "VITALS", 0).unwrap();
    header.forms_version = name("forms-1").unwrap();
    let form = sign_form(header, vec![value("SYSBP", "121")], &study.coordinator.key).unwrap();
    (first, entry_number(&world.client.submit(form).await.unwrap()).unwrap())
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
