//! What a study records in every way it can be recorded, through a running deployment, and the bundles of it.

use super::support::World;
use client::{entry_number, new_key, new_representative, new_uuid, now_ms, sign_form};
use seal::{id::Name, key::SecretKey, sha256};
use std::collections::BTreeMap;
use synthetic::{Actor, Participant, Study, name, offer, terms, text_item, value};
use vocabulary::command::{
    ActorKind, Assent, Capacity, Collected, DocumentVersion, EraseParticipant, FormDef, GiveConsent, Manner, Provision,
    Reconsent, ReconsentMode, RedactValue, RegisterActor, RegisterRepresentative, Relation, Task, Terms,
    WithdrawConsent, WithdrawalScope,
};

const YEAR_MS: u64 = 365 * 86_400_000;

/// Bundles by their names.
pub(crate) type Bundles = BTreeMap<&'static str, Vec<u8>>;

/// Sets up what the scenes need beyond a [`World`], plays them, and fetches the bundle of each.
pub(crate) async fn bundles(world: &World) -> Bundles {
    let scene = Scene { world };
    scene.prepare().await;
    let mut entries = BTreeMap::from([("plain", (world.capture("BASELINE", "120").await, "SYSBP"))]);
    entries.insert("provision-genetics", (scene.genetics().await, "APOE"));
    entries.insert("consent-by-parents-with-assent", (scene.parents().await, "SYSBP"));
    entries.insert("consent-by-representative-with-witness", (scene.representative().await, "SYSBP"));
    entries.insert("consent-on-site-device", (scene.device().await, "SYSBP"));
    entries.insert("consent-deferred", (scene.deferred().await, "SYSBP"));
    entries.insert("consent-withdrawn-later", (scene.withdrawn().await, "SYSBP"));
    entries.insert("value-redacted", (scene.redacted().await, "COMMENT"));
    entries.insert("entry-erased", (scene.erased().await, "SYSBP"));
    entries.insert("document-superseded", (scene.superseded().await, "SYSBP"));
    let mut bundles = Bundles::new();
    for (name, (entry, item)) in entries {
        bundles.insert(name, world.bundle(entry, item).await);
    }
    bundles
}

struct Scene<'a> {
    world: &'a World,
}

/// Who stands for a participant.
struct Representative {
    name: Name,
    key: SecretKey,
}

macro_rules! command {
    ($scene:expr, $by:expr, $command:ident { $($rest:tt)* }) => {
        $command { study: $scene.world.study.id, request: new_uuid().unwrap(), by: $by.clone(), time: now_ms(), $($rest)* }
    };
}

impl Scene<'_> {
    async fn prepare(&self) {
        let World { client, study, .. } = self.world;
        let everywhere = Name::all_sites();
        for (actor, task) in [
            (&study.investigator, Task::Redact),
            (&study.coordinator, Task::Redact),
            (&study.investigator, Task::Erase),
            (&study.coordinator, Task::ObtainConsent),
        ] {
            study.delegate(client, &study.root, actor, task, &everywhere).await.unwrap();
        }
        let form = |form: &str, items: &[&str], provision: Option<&str>| FormDef {
            form: name(form).unwrap(),
            items: items.iter().map(|item| text_item(item).unwrap()).collect(),
            provision: provision.map(|provision| provision.parse().unwrap()),
        };
        let forms = vec![form("VS", &["SYSBP", "DIABP", "COMMENT"], None), form("GENE", &["APOE"], Some("genetics"))];
        study.define(client, "2", forms).await.unwrap();
        let offers = vec![offer("data_collection", true).unwrap(), offer("genetics", false).unwrap()];
        let open = Terms {
            parents: 2,
            representative: true,
            site_device: true,
            deferral_ms: Some(YEAR_MS),
            ..terms(offers).unwrap()
        };
        study.publish(client, "1.1", open).await.unwrap();
    }

    async fn enrol(&self) -> Participant {
        self.world.study.enrol(&self.world.client, &self.world.site).await.unwrap()
    }

    async fn represent(&self, participant: &Participant, relation: Relation) -> Representative {
        let Study { investigator, coordinator, .. } = &self.world.study;
        let representative = Representative { name: new_representative().unwrap(), key: new_key().unwrap() };
        let register = command!(
            self,
            investigator.name,
            RegisterRepresentative {
                participant: participant.name.clone(),
                site: participant.site.clone(),
                actor: representative.name.clone(),
                relation,
                key: representative.key.public(),
                second: Some(coordinator.name.clone()),
                grounds: Some(name("court order 12/2026 (synthetic)").unwrap()),
                until: Some(now_ms() + YEAR_MS),
            }
        );
        let keys = [&investigator.key, &coordinator.key, &representative.key];
        self.world.client.record(&register, &keys).await.unwrap();
        representative
    }

    async fn consent(
        &self,
        participant: &Participant,
        capacity: Capacity,
        witness: Option<&Name>,
        keys: &[&SecretKey],
    ) {
        let study = &self.world.study;
        let consent = study.consent_to(participant, "1.1", vec![Provision::data_collection()]).unwrap();
        let manner = Manner { capacity, witness: witness.cloned(), remote: None, answers: Vec::new() };
        let keys: Vec<&SecretKey> = [&study.investigator.key].into_iter().chain(keys.iter().copied()).collect();
        self.world.client.record(&GiveConsent { manner: Some(manner), ..consent }, &keys).await.unwrap();
    }

    async fn submit(&self, participant: &Participant, form: &str, items: &[(&str, &str)]) -> u64 {
        let study = &self.world.study;
        let mut header = study.header(participant, "BASELINE", form, 0).unwrap();
        header.forms_version = name("2").unwrap();
        header.provision = (form == "GENE").then(|| "genetics".parse().unwrap());
        let values = items.iter().map(|(item, text)| value(item, text)).collect();
        let form = sign_form(header, values, &study.coordinator.key).unwrap();
        entry_number(&self.world.client.submit(form).await.unwrap()).unwrap()
    }

    async fn vital_signs(&self, participant: &Participant) -> u64 {
        self.submit(participant, "VS", &[("SYSBP", "118"), ("DIABP", "76")]).await
    }

    async fn genetics(&self) -> u64 {
        let (study, participant) = (&self.world.study, self.enrol().await);
        let provisions = ["data_collection", "genetics"].map(|provision| provision.parse().unwrap()).to_vec();
        let consent = study.consent_to(&participant, "1.0", provisions).unwrap();
        self.world.client.record(&consent, &[&participant.key, &study.investigator.key]).await.unwrap();
        self.submit(&participant, "GENE", &[("APOE", "e3/e4")]).await
    }

    async fn parents(&self) -> u64 {
        let minor = self.enrol().await;
        let parents = [self.represent(&minor, Relation::Parent).await, self.represent(&minor, Relation::Parent).await];
        let names = parents.iter().map(|parent| parent.name.clone()).collect();
        let capacity = Capacity::Minor { parents: names, assent: Assent::Signed, majority: now_ms() + YEAR_MS };
        self.consent(&minor, capacity, None, &[&parents[0].key, &parents[1].key, &minor.key]).await;
        self.vital_signs(&minor).await
    }

    async fn representative(&self) -> u64 {
        let participant = self.enrol().await;
        let guardian = self.represent(&participant, Relation::LegalRepresentative).await;
        let witness = self.represent(&participant, Relation::ImpartialWitness).await;
        let capacity = Capacity::Representative { actor: guardian.name.clone() };
        self.consent(&participant, capacity, Some(&witness.name), &[&guardian.key, &witness.key]).await;
        self.vital_signs(&participant).await
    }

    async fn device(&self) -> u64 {
        let root = &self.world.study.root;
        let device = Actor { name: name("tablet-701").unwrap(), key: new_key().unwrap() };
        let (actor, key, site) = (device.name.clone(), device.key.public(), Some(self.world.site.clone()));
        let register = command!(self, root.name, RegisterActor { actor, kind: ActorKind::Device, key, site });
        self.world.client.record(&register, &[&root.key, &device.key]).await.unwrap();
        let participant = self.enrol().await;
        let capacity =
            Capacity::SiteDevice { device: device.name.clone(), evidence: sha256(&[b"a drawn signature"]).into() };
        self.consent(&participant, capacity, None, &[&device.key]).await;
        self.vital_signs(&participant).await
    }

    async fn deferred(&self) -> u64 {
        let participant = self.enrol().await;
        let reason = name("unconscious, no relative present (synthetic)").unwrap();
        let capacity = Capacity::Deferred { reason, deadline: now_ms() + YEAR_MS / 2 };
        self.consent(&participant, capacity, None, &[]).await;
        self.vital_signs(&participant).await
    }

    async fn withdraw(&self, participant: &Participant, collected: Collected) {
        let withdraw = command!(
            self,
            participant.name,
            WithdrawConsent {
                participant: participant.name.clone(),
                site: participant.site.clone(),
                provisions: Vec::new(),
                scope: Some(WithdrawalScope::Everything),
                collected: Some(collected),
                late: None,
            }
        );
        self.world.client.record(&withdraw, &[&participant.key]).await.unwrap();
    }

    async fn withdrawn(&self) -> u64 {
        let participant = self.enrol().await;
        self.world.study.consent(&self.world.client, &participant).await.unwrap();
        let entry = self.vital_signs(&participant).await;
        self.withdraw(&participant, Collected::Kept).await;
        entry
    }

    async fn redacted(&self) -> u64 {
        let (study, participant) = (&self.world.study, self.enrol().await);
        study.consent(&self.world.client, &participant).await.unwrap();
        let items = [("SYSBP", "131"), ("DIABP", "85"), ("COMMENT", "her sister A. Example called")];
        let entry = self.submit(&participant, "VS", &items).await;
        let redact = command!(
            self,
            study.investigator.name,
            RedactValue {
                participant: participant.name.clone(),
                site: participant.site.clone(),
                entry,
                index: 2,
                item: name("COMMENT").unwrap(),
                repeat: String::new(),
                reason: name("a name in a comment").unwrap(),
                second: study.coordinator.name.clone(),
            }
        );
        self.world.client.record(&redact, &[&study.investigator.key, &study.coordinator.key]).await.unwrap();
        entry
    }

    async fn erased(&self) -> u64 {
        let (study, participant) = (&self.world.study, self.enrol().await);
        study.consent(&self.world.client, &participant).await.unwrap();
        let entry = self.vital_signs(&participant).await;
        let law = name("GDPR, Art. 17").unwrap();
        self.withdraw(&participant, Collected::Erase(law.clone())).await;
        let erase = command!(
            self,
            study.investigator.name,
            EraseParticipant {
                participant: participant.name.clone(),
                site: participant.site.clone(),
                entries: vec![entry],
                order: name("the participant's request 7 (synthetic)").unwrap(),
                law,
            }
        );
        self.world.client.record(&erase, &[&study.investigator.key]).await.unwrap();
        entry
    }

    /// Version 1.0 is replaced; those who agreed to it are asked anew within a year, and captured meanwhile.
    async fn superseded(&self) -> u64 {
        let World { client, study, participants, .. } = self.world;
        let offers = vec![offer("data_collection", true).unwrap(), offer("genetics", false).unwrap()];
        let replaced = DocumentVersion { version: name("1.0").unwrap(), language: name("en").unwrap() };
        let demand = Reconsent { by: now_ms() + YEAR_MS, meanwhile: ReconsentMode::Warn, then: ReconsentMode::Stop };
        let new = Terms { supersedes: vec![replaced], reconsent: Some(demand), ..terms(offers).unwrap() };
        study.publish(client, "2.0", new).await.unwrap();
        self.vital_signs(&participants[1]).await
    }
}
