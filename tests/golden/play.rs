//! A study in which everything is recorded that can be, played once, so that every later program finds it on disk.

use super::{
    kept::{Kept, Receipts},
    study::bundles,
    support::{World, receipts::Told},
};
use client::{Access, Reader, new_key, new_pseudonym, new_uuid, now_ms, random, sign_form, sign_screening};
use proto::capture::{FormInstance, GetFormRequest};
use seal::{
    dsse,
    id::{Name, Service},
    receipt::Receipt,
};
use std::{fs, path::Path};
use synthetic::{Actor, Participant, name, text_item, value};
use vocabulary::{
    allocation::{Arm, Factor, Method, Scheme, Secret, commitment},
    command::{
        AddArm, CommitAllocation, DefineCriteria, Delegate, GrantAccess, ItemDef, ItemType, Provision, Randomise,
        RecordScreening, RecordStage, ScreenParticipant, Stage, Task, Training,
    },
    eligibility::{Criterion, CriterionKind, CriterionOutcome, Outcome},
};

/// When the delegations end: in 2126, long after the last program that reads them.
const FAR_MS: u64 = 4_922_208_000_000;
const EVENT: &str = "WEEK 8";
const VALUE: &str = "127";

/// A command with the fields all have, and its own.
macro_rules! command {
    ($world:expr, $by:expr, $type:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $type {
            study: $world.study.id,
            request: new_uuid().unwrap(),
            by: $by.clone(),
            time: now_ms(),
            $($field $(: $value)?),*
        }
    };
}

/// Plays the study and writes what is kept of it into a folder.
pub(crate) async fn play(world: &World, kept_in: &Path) {
    let bundles = bundles(world).await;
    let mut play = Play { world, enrollment: Vec::new(), consent: Vec::new(), capture: Vec::new() };
    play.lasting().await;
    play.captures().await;
    play.reads().await;
    play.trial().await;
    for name in ["plain", "value-redacted", "entry-erased", "consent-withdrawn-later"] {
        fs::write(kept_in.join(format!("{name}.trialseal")), &bundles[name]).unwrap();
    }
    let report = world.audit().await;
    assert!(report.clean && report.screenings == 1 && report.erased == 1 && report.redacted == 1, "{report:?}");
    // The audit's own reads are on record too: what follows them is waited for, so that nothing waits for the chain.
    let (receipt, envelope) = play.delegate(&world.study.auditor, Task::Read, Name::all_sites()).await;
    play.on_the_chain(Service::Enrollment, &receipt, &envelope).await;
    play.reconsent().await;
    let mut kept = Kept::of(&world.study, &world.site, &world.participants, EVENT, VALUE);
    kept.entries = report.entries;
    kept.receipts = vec![
        Receipts { service: Service::Enrollment, receipts: play.enrollment },
        Receipts { service: Service::Consent, receipts: play.consent },
        Receipts { service: Service::Capture, receipts: play.capture },
    ];
    kept.write(kept_in);
    fs::write(kept_in.join("policy.txt"), world.policy_text()).unwrap();
}

struct Play<'a> {
    world: &'a World,
    enrollment: Vec<Told>,
    consent: Vec<Told>,
    capture: Vec<Told>,
}

fn n(text: &str) -> Name {
    name(text).unwrap()
}

impl Play<'_> {
    /// Delegations that later programs act under.
    async fn lasting(&mut self) {
        let study = &self.world.study;
        let here = [Task::Enrol, Task::ObtainConsent, Task::Capture, Task::Read];
        self.delegate(&study.auditor, Task::Audit, Name::all_sites()).await;
        for task in here {
            for actor in [&study.investigator, &study.coordinator] {
                self.delegate(actor, task, self.world.site.clone()).await;
            }
        }
    }

    async fn delegate(&mut self, to: &Actor, task: Task, site: Name) -> (Receipt, Vec<u8>) {
        let root = &self.world.study.root;
        let (reference, completed) = (n("ICH-GCP E6(R3) certificate (synthetic)"), n("2026-01-10"));
        let training = Some(Training { reference, completed, certificate: None });
        let actor = to.name.clone();
        let from = now_ms();
        let command = command!(
            self.world,
            root.name,
            Delegate { actor, task: task.into(), site, from, until: FAR_MS, training, seen: None }
        );
        let receipt = self.world.client.record(&command, &[&root.key]).await.unwrap();
        self.enrollment.push(Told::from(&receipt));
        (receipt, dsse::sign(&command, &[&root.key]))
    }

    /// The first participant agrees to the version that superseded the one they had agreed to.
    async fn reconsent(&mut self) {
        let World { study, participants, client, .. } = self.world;
        let consent = study.consent_to(&participants[0], "2.0", vec![Provision::data_collection()]).unwrap();
        let keys = [&participants[0].key, &study.investigator.key];
        let receipt = client.record(&consent, &keys).await.unwrap();
        self.consent.push(Told::from(&receipt));
        self.on_the_chain(Service::Consent, &receipt, &dsse::sign(&consent, &keys)).await;
    }

    /// Waits until a command, and so every one before it in its journal, is on the chain.
    async fn on_the_chain(&self, service: Service, receipt: &Receipt, envelope: &[u8]) {
        let of = (service, client::entry_number(receipt).unwrap());
        self.world.client.prove_record(self.world.study.id, of, envelope).await.unwrap();
    }

    /// A form and its correction.
    async fn captures(&mut self) {
        let first = self.submit("128", None).await;
        let corrected = self.submit(VALUE, client::entry_number(&first)).await;
        self.world.bundle(client::entry_number(&corrected).unwrap(), "SYSBP").await;
        self.capture.extend([Told::from(&first), Told::from(&corrected)]);
    }

    async fn submit(&self, pressure: &str, corrects: Option<u64>) -> Receipt {
        let World { study, participants, client, .. } = self.world;
        let mut header = study.header(&participants[0], EVENT, "VS", 0).unwrap();
        (header.corrects, header.reason) = (corrects, corrects.map(|_| "misread".to_owned()));
        let form = sign_form(header, vec![value("SYSBP", pressure), value("DIABP", "82")], &study.coordinator.key);
        client.submit(form.unwrap()).await.unwrap()
    }

    /// A participant lets somebody read, who does.
    async fn reads(&mut self) {
        let World { study, participants, client, site, .. } = self.world;
        let who = &participants[0];
        let researcher = Actor { name: n("researcher-okafor"), key: new_key().unwrap() };
        study.register(client, &researcher).await.unwrap();
        let (participant, site, grant, grantee) = (who.name.clone(), site.clone(), n("g1"), researcher.name.clone());
        let (categories, purpose) = (vec![Provision::data_collection()], n("research"));
        let (from, until, uses) = (now_ms() - 1_000, FAR_MS, Some(9));
        let give = command!(
            self.world,
            who.name,
            GrantAccess { participant, site, grant, grantee, categories, purpose, from, until, uses, seen: None }
        );
        let receipt = client.record(&give, &[&who.key]).await.unwrap();
        self.consent.push(Told::from(&receipt));
        let GrantAccess { participant, site, categories, purpose, grant, .. } = give;
        let access = Access { participant, site, categories, purpose, grant: Some(grant), only: None };
        let reader = Reader { access: Some(access), ..study.reads(&researcher) };
        let instance = FormInstance {
            participant: who.name.to_string(),
            event: EVENT.to_owned(),
            event_repeat: 0,
            form: "VS".to_owned(),
            form_repeat: 0,
        };
        let request = GetFormRequest { study: study.id.to_string(), instance: Some(instance) };
        client.capture.clone().get_form(reader.request(request)).await.unwrap();
    }

    /// Arms, criteria, an allocation nobody can change any more, and a participant who is screened and randomised.
    async fn trial(&mut self) {
        let World { study, client, .. } = self.world;
        let root = &study.root;
        for arm in ["verum", "placebo"] {
            let command = command!(self.world, root.name, AddArm { arm: n(arm), title: n("An arm (synthetic)") });
            client.record(&command, &[&root.key]).await.unwrap();
        }
        client.record(&self.criteria(), &[&root.key]).await.unwrap();
        self.commit().await;
        let participant = self.screened().await;
        let (who, site) = (participant.name.clone(), participant.site.clone());
        let by = &study.coordinator;
        let (stage, reason) = (Stage::Enrolled, n("as planned"));
        let enter =
            command!(self.world, by.name, RecordStage { participant: who.clone(), site: site.clone(), stage, reason });
        client.record(&enter, &[&by.key]).await.unwrap();
        let (allocation, levels) = (n("main"), vec![n("f")]);
        let randomise = command!(self.world, by.name, Randomise { participant: who, site, allocation, levels });
        let receipt = client.record(&randomise, &[&by.key]).await.unwrap();
        self.enrollment.push(Told::from(&receipt));
    }

    fn criteria(&self) -> DefineCriteria {
        let item = ItemDef { kind: ItemType::Integer, mandatory: true, ..text_item("AGE").unwrap() };
        let (kind, text, expression) = (CriterionKind::Inclusion, "Adults".to_owned(), "AGE >= 18".to_owned());
        let criteria = vec![Criterion { criterion: n("INCL01"), kind, text, expression }];
        let root = &self.world.study.root.name;
        command!(self.world, root, DefineCriteria { version: n("1"), protocol: n("1.0"), items: vec![item], criteria })
    }

    async fn commit(&mut self) {
        let World { study, client, .. } = self.world;
        let by = Actor { name: n("statistician"), key: new_key().unwrap() };
        study.register(client, &by).await.unwrap();
        study.delegate(client, &study.root, &by, Task::ManageAllocation, &Name::all_sites()).await.unwrap();
        let arms = ["verum", "placebo"].map(|arm| Arm { arm: n(arm), weight: 1 }).to_vec();
        let factors = vec![Factor { factor: n("sex"), levels: vec![n("f"), n("m")] }];
        let scheme = Scheme { arms, factors, method: Method::PermutedBlocks { slots: 8 } };
        let secret = Secret { seed: random().unwrap(), block_sizes: vec![2, 4] };
        let root = Some(allocation::List::generate(&scheme, &secret).unwrap().root().into());
        let (allocation, commitment) = (n("main"), commitment(&scheme, &secret).into());
        let command = command!(self.world, by.name, CommitAllocation { allocation, scheme, commitment, root });
        let receipt = client.commit_allocation(&command, &secret, &[&by.key]).await.unwrap();
        self.enrollment.push(Told::from(&receipt));
    }

    async fn screened(&mut self) -> Participant {
        let World { study, client, site, .. } = self.world;
        let (by, key) = (&study.coordinator, new_key().unwrap());
        let participant = Participant { name: new_pseudonym().unwrap(), site: site.clone(), key };
        let (who, public) = (participant.name.clone(), participant.key.public());
        let screen = command!(
            self.world,
            by.name,
            ScreenParticipant { participant: who.clone(), site: site.clone(), key: public, token: None, late: None }
        );
        client.record(&screen, &[&by.key, &participant.key]).await.unwrap();
        let consent = study.consent_to(&participant, "2.0", vec![Provision::data_collection()]).unwrap();
        client.record(&consent, &[&participant.key, &study.investigator.key]).await.unwrap();
        let outcomes = vec![CriterionOutcome { criterion: n("INCL01"), outcome: Outcome::Met }];
        let (criteria, root, site) = (n("1"), seal::sha256(&[]).into(), site.clone());
        let command = command!(
            self.world,
            by.name,
            RecordScreening { participant: who, site, criteria, root, count: 0, outcomes, overridden: None }
        );
        let signed = sign_screening(command, vec![value("AGE", "44")], &by.key).unwrap();
        let receipt = client.record_screening(signed).await.unwrap();
        self.enrollment.push(Told::from(&receipt));
        participant
    }
}
