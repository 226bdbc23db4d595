//! Killed with SIGKILL at random moments under load: whatever was acknowledged is there, and history goes on.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Client, SignedForm, entry_number, random, sign_form};
use export::LiveAudit;
use proto::{
    anchoring::{GetCheckpointRequest, GetConsistencyProofRequest},
    journal::{EntryView, ReadEntriesRequest},
};
use seal::{entry::Entry, id::Service, policy::Policy, receipt::Receipt};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use support::process::Up;
use synthetic::{Participant, Study, text_item, value};
use tlog::{Hash, checkpoint::Checkpoint, merkle::verify_consistency};
use vocabulary::command::FormDef;

const KILLS: u64 = 50;
const CLIENTS: usize = 8;

#[derive(Default)]
struct Ledger {
    receipts: BTreeMap<u64, Receipt>,
    unanswered: Vec<SignedForm>,
}

struct Load {
    study: Study,
    participants: Vec<Participant>,
    ledger: Mutex<Ledger>,
    next: AtomicU32,
}

impl Load {
    fn form(&self) -> SignedForm {
        let repeat = self.next.fetch_add(1, Ordering::Relaxed);
        let participant = &self.participants[repeat as usize % self.participants.len()];
        let header = self.study.header(participant, "VISIT", "VS", repeat).unwrap();
        sign_form(header, vec![value("SYSBP", "120"), value("DIABP", "80")], &self.study.coordinator.key).unwrap()
    }

    /// Submits until the service is gone. What was not answered is kept, to be sent again.
    async fn run(self: Arc<Self>, client: Client) {
        loop {
            let form = self.form();
            match client.submit(form.clone()).await {
                Ok(receipt) => self.keep(&receipt),
                Err(_) => return self.ledger.lock().unwrap().unanswered.push(form),
            }
        }
    }

    fn keep(&self, receipt: &Receipt) {
        let number = entry_number(receipt).unwrap();
        let before = self.ledger.lock().unwrap().receipts.insert(number, receipt.clone());
        assert!(before.is_none_or(|before| before.entry == receipt.entry), "entry {number} was promised twice");
    }

    /// Sends again what was not answered: it is recorded once, whether or not it had been.
    async fn send_again(&self, client: &Client) {
        let unanswered = std::mem::take(&mut self.ledger.lock().unwrap().unanswered);
        for form in unanswered {
            self.keep(&client.submit(form).await.unwrap());
        }
    }

    /// Checks that every receipt's entry is in the journal, byte for byte, and that numbers and hashes have no gap.
    async fn check(&self, client: &Client) {
        let reader = self.study.reader();
        let request = ReadEntriesRequest {
            stream: Service::Capture.stream(self.study.id).0.0.to_vec(),
            from: 0,
            limit: 0,
            view: EntryView::Bare.into(),
            study: self.study.id.to_string(),
        };
        let answer = client.journal(Service::Capture).read_entries(reader.request(request)).await;
        let mut messages = answer.unwrap().into_inner();
        let mut entries = Vec::new();
        while let Some(message) = messages.message().await.unwrap() {
            entries.push(message.entry);
        }
        let mut previous = Hash::ZERO;
        for (bytes, number) in entries.iter().zip(0_u64..) {
            let entry = Entry::parse(bytes).unwrap();
            assert_eq!((entry.number, entry.previous), (number, previous));
            previous = seal::entry::hash(bytes);
        }
        let ledger = self.ledger.lock().unwrap();
        for (number, receipt) in &ledger.receipts {
            assert_eq!(entries.get(usize::try_from(*number).unwrap()), Some(&receipt.entry), "entry {number} is lost");
        }
    }
}

async fn set_up(client: &Client) -> Load {
    let study = Study::create(client, "CRASH").await.unwrap();
    let site = study.open_site(client, "701", "Synthetic site").await.unwrap();
    let items = vec![text_item("SYSBP").unwrap(), text_item("DIABP").unwrap()];
    study.define(client, "1", vec![FormDef { provision: None, form: "VS".parse().unwrap(), items }]).await.unwrap();
    let mut participants = Vec::new();
    for _ in 0..4 {
        let participant = study.enrol(client, &site).await.unwrap();
        study.consent(client, &participant).await.unwrap();
        participants.push(participant);
    }
    Load { study, participants, ledger: Mutex::default(), next: AtomicU32::new(0) }
}

async fn published(client: &Client, policy: &Policy) -> Option<Checkpoint> {
    let answer = client.anchoring.clone().get_checkpoint(GetCheckpointRequest { at_most: 0 }).await.ok()?;
    Some(policy.tlog.verify_checkpoint(answer.into_inner().checkpoint.as_bytes()).unwrap().checkpoint)
}

async fn extends(client: &Client, old: &Checkpoint, new: &Checkpoint) {
    let request = GetConsistencyProofRequest { first: old.size, second: new.size };
    let proof = client.anchoring.clone().get_consistency_proof(request).await.unwrap().into_inner();
    let proof: Vec<Hash> = proof.hashes.iter().map(|hash| Hash::from_slice(hash).unwrap()).collect();
    verify_consistency(old.size, new.size, &old.root, &new.root, &proof).unwrap();
}

fn policy(data: &Path, study: &Study) -> Policy {
    let (_, text) = ::verify::read_policy(&data.join("policy.txt"), None).unwrap();
    Policy::parse(&format!("{text}{}", study.policy_line())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let seed = u64::from_be_bytes(random().unwrap());
    println!("seed of the kills: {seed}");
    let data = tempfile::tempdir().unwrap();
    let mut up = Up::start(data.path());
    let load = Arc::new(set_up(&Client::new(&up.endpoints).unwrap()).await);
    let mut last: Option<Checkpoint> = None;
    for kill in 0..KILLS {
        let client = Client::new(&up.endpoints).unwrap();
        let policy = policy(data.path(), &load.study);
        load.send_again(&client).await;
        load.check(&client).await;
        if let (Some(old), Some(new)) = (&last, published(&client, &policy).await) {
            extends(&client, old, &new).await;
        }
        let running: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(load.clone().run(client.clone()))).collect();
        let moment = seal::sha256(&[&seed.to_be_bytes(), &kill.to_be_bytes()]).0;
        let moment = u16::from_be_bytes([moment[0], moment[1]]) % 600; // the random moment itself, nothing waits for it
        tokio::time::sleep(Duration::from_millis(u64::from(moment))).await;
        last = published(&client, &policy).await.or(last);
        up.kill();
        for task in running {
            task.await.unwrap();
        }
        up = Up::start(data.path());
    }
    let client = Client::new(&up.endpoints).unwrap();
    let policy = policy(data.path(), &load.study);
    load.send_again(&client).await;
    load.check(&client).await;
    let count = load.ledger.lock().unwrap().receipts.len();
    println!("{KILLS} kills, {count} receipts, all honoured");
    assert!(count > 500, "only {count} receipts: the kills came before the load");
    for receipt in load.ledger.lock().unwrap().receipts.values() {
        receipt.verify(&policy.receipts).unwrap();
    }
    let tiles = &up.endpoints.anchoring;
    let studies = vec![load.study.reader()];
    let report = LiveAudit { client: &client, tiles, policy: &policy, studies, progress: false }.run().await.unwrap();
    assert!(report.clean, "{}", audit::readable(&report));
    // Every entry is a submission that was acknowledged, the form definitions, or one of a journal with a state.
    assert_eq!(report.entries, count as u64 + 1 + report.state_roots);
    up.kill();
}
