//! Reads of forms over a real journal and vault, with submissions that nobody had to authorise.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::{
    domain::Refused,
    store::{PLACES, mark},
};
use database::Database;
use journal::{Decision, Journal, Proposal};
use record::PAGE_BYTES;
use seal::{
    datapoint::{self, Datapoint},
    dsse,
    key::SecretKey,
    sha256,
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tlog::key::{Algorithm, SignerKey};
use vault::{MasterKey, Vault};
use vocabulary::command::Payload;

const STUDY: Uuid = Uuid([9; 16]);
/// As long as a value may be.
const LONG: usize = 64 << 10;

/// A journal and a vault with submissions that nobody had to authorise.
struct World {
    journal: Journal<Refused>,
    store: Store,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = async |part: &database::Part| {
            Database::open_file(&folder.path().join(format!("{}.sqlite", part.name)), part).await.unwrap()
        };
        let key = SignerKey::from_seed("capture.test/receipts", Algorithm::Ed25519, [7; 32]).unwrap();
        let journal = Journal::open(journal::Config {
            database: open(&crate::PART).await,
            receipt_key: Arc::new(key),
            anchored_within_ms: 60_000,
            state_map: false,
            bus: bus::Bus::in_process(),
            service: Service::Capture,
            quota: journal::Quota::NONE,
            in_reserve: &[],
        });
        let vault = Vault::open(open(&vault::PART).await, MasterKey::new([3; 32]));
        let store = Store::new(journal.reader().clone(), vault);
        Self { journal, store, _folder: folder }
    }

    /// Records a submission of items, repeat keys and values; gives its number.
    async fn submit(&self, instance: &FormInstance, values: &[(&str, &str, String)], corrects: Option<u64>) -> u64 {
        let datapoint = |(item, repeat, value): &(&str, &str, String)| {
            let (item, repeat) = ((*item).to_owned(), (*repeat).to_owned());
            Datapoint { nonce: [7; 16], item, repeat, value: value.clone(), unit: String::new() }.to_bytes()
        };
        let datapoints: Vec<Vec<u8>> = values.iter().map(datapoint).collect();
        let header = Submission {
            provision: None,
            study: STUDY,
            request: Uuid(
                sha256(&[&datapoints.concat(), format!("{instance:?} {corrects:?}").as_bytes()]).0[..16]
                    .try_into()
                    .unwrap(),
            ),
            by: "ann".parse().unwrap(),
            time: 1_000_000,
            site: "701".parse().unwrap(),
            instance: instance.clone(),
            forms_version: "1".parse().unwrap(),
            root: datapoint::root(&datapoints).into(),
            count: u32::try_from(datapoints.len()).unwrap(),
            collected: None,
            corrects,
            reason: corrects.map(|_| "misread".to_owned()),
            late: None,
        };
        let envelope = dsse::sign(&header, &[&SecretKey::from_seed(&[1; 32])]);
        let hash = sha256(&[&envelope]);
        let keys = self.store.keys(STUDY, instance);
        let stored = self.store.seal(&keys.participant, &hash, &envelope, &datapoints).await.unwrap();
        let proposal = Proposal {
            stream: Service::Capture.stream(STUDY),
            request: header.request,
            kind: Submission::KIND,
            envelope: hash,
            stored,
            basis: Vec::new(),
            reads: Vec::new(),
            rule: Box::new(move |_, next| {
                let mark = mark(corrects.is_none(), next.number);
                Ok(Decision {
                    facts: vec![(keys.instance, Vec::new()), (keys.participant, mark)],
                    ..Decision::default()
                })
            }),
        };
        seal::entry::Entry::parse(&self.journal.append(proposal).await.unwrap().entry).unwrap().number
    }

    /// A form instance whose item `NOTE` was corrected again and again, each time with a value of its own.
    async fn corrected(&self, repeat: u32, corrections: usize, length: usize) -> FormInstance {
        let instance = instance(repeat);
        let mut latest = None;
        for number in 0..=corrections {
            let value = format!("{number:08}{}", "x".repeat(length - 8));
            latest = Some(self.submit(&instance, &[("NOTE", "", value)], latest).await);
        }
        instance
    }

    async fn all_forms(&self, size: u32) -> Vec<pb::ListFormsResponse> {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let page = Page::parse(size, &token).unwrap();
            let page = forms(&self.store, STUDY, &participant(), page, |_| true).await.unwrap();
            token.clone_from(&page.next_page_token);
            pages.push(page);
            if token.is_empty() {
                return pages;
            }
        }
    }

    async fn changes(
        &self,
        instance: &FormInstance,
        size: u32,
        token: &str,
    ) -> Result<pb::GetItemHistoryResponse, Problem> {
        let page = Page::parse(size, token).unwrap();
        changes(&self.store, STUDY, instance, History::new("NOTE", ""), page, |_| true).await
    }
}

fn participant() -> Name {
    "P-ABCDEFGHIJKLMNOP".parse().unwrap()
}

fn instance(form_repeat: u32) -> FormInstance {
    let (event, form) = ("BASELINE".parse().unwrap(), "VS".parse().unwrap());
    FormInstance { participant: participant(), event, event_repeat: 0, form, form_repeat }
}

#[tokio::test]
async fn a_form_with_two_hundred_corrections_is_read_with_one_submission_in_memory() {
    let world = World::new().await;
    let instance = world.corrected(0, 200, LONG).await;
    let Folded::Whole(form) = world.store.form(STUDY, &instance, |_| true).await.unwrap() else { panic!("no form") };
    assert_eq!((form.items.len(), form.entries.len()), (1, 201));
    assert!(form.items[0].datapoint.value.starts_with("00000200"));
    assert_eq!(world.store.places().most(), 1);

    let item = world.store.item(STUDY, &instance, "NOTE", "", |_| true).await.unwrap().unwrap();
    assert_eq!(item, form.items[0]);
    assert_eq!(world.all_forms(0).await.concat_forms().len(), 1);
    let mut changed = 0;
    let mut token = String::new();
    loop {
        let page = world.changes(&instance, 500, &token).await.unwrap();
        changed += page.changes.len();
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(changed, 201);
    assert_eq!(world.store.places().most(), 1, "the other reads hold no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_read_at_once_only_so_many_submissions_are_in_memory() {
    let world = World::new().await;
    let instance = world.corrected(0, 20, LONG).await;
    let read = || world.store.form(STUDY, &instance, |_| true);
    for form in futures_util::future::join_all((0..4 * PLACES).map(|_| read())).await {
        assert!(matches!(form.unwrap(), Folded::Whole(_)));
    }
    assert!(world.store.places().most() <= PLACES, "{}", world.store.places().most());
}

#[tokio::test]
async fn a_read_that_waits_for_a_place_is_given_up_with_its_call() {
    let world = World::new().await;
    let instance = world.corrected(0, 1, 100).await;
    let mut taken = Vec::new();
    for _ in 0..PLACES {
        taken.push(world.store.places().take().await.unwrap());
    }
    let read = || world.store.form(STUDY, &instance, |_| true);
    assert!(tokio::time::timeout(Duration::from_millis(1), read()).await.is_err(), "it waits");
    taken.pop();
    assert!(matches!(read().await.unwrap(), Folded::Whole(_)), "the one that was given up holds no place");
}

trait Forms {
    fn concat_forms(self) -> Vec<pb::Form>;
}

impl Forms for Vec<pb::ListFormsResponse> {
    fn concat_forms(self) -> Vec<pb::Form> {
        self.into_iter().flat_map(|page| page.forms).collect()
    }
}

#[tokio::test]
async fn pages_of_forms_have_every_form_once_within_their_bytes() {
    use prost::Message;
    let world = World::new().await;
    for repeat in 0..24 {
        world.corrected(repeat, 2, LONG).await;
    }
    let large = instance(24);
    let items: Vec<String> = (0..20).map(|item| format!("I{item}")).collect();
    let values: Vec<_> = items.iter().map(|item| (item.as_str(), "", "x".repeat(LONG))).collect();
    world.submit(&large, &values, None).await;
    world.corrected(25, 0, 100).await;
    for size in [0, 7, 500] {
        let pages = world.all_forms(size).await;
        for page in &pages {
            assert!(page.encoded_len() <= PAGE_BYTES + 1_024 || page.forms.len() == 1, "{}", page.encoded_len());
        }
        let repeats = pages.concat_forms().into_iter().map(|form| form.instance.unwrap().form_repeat);
        assert_eq!(repeats.collect::<Vec<_>>(), (0..26).collect::<Vec<_>>());
    }
    assert_eq!(world.store.places().most(), 1);
}

#[tokio::test]
async fn pages_of_an_items_history_have_every_change_once() {
    let world = World::new().await;
    let instance = world.corrected(0, 40, LONG).await;
    world.submit(&instance, &[("OTHER", "", "1".to_owned())], Some(40)).await;
    for size in [0, 1, 7, 500] {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = world.changes(&instance, size, &token).await.unwrap();
            let bytes: usize = page.changes.iter().map(|change| change.old_value.len() + change.new_value.len()).sum();
            assert!(bytes <= PAGE_BYTES);
            found.extend(page.changes);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let numbers: Vec<u64> = found.iter().map(|change| change.entry).collect();
        assert_eq!(numbers, (0..=40).collect::<Vec<_>>());
        let mut before = String::new();
        for change in found {
            assert!(change.old_value == before && change.new_value.starts_with(&format!("{:08}", change.entry)));
            before = change.new_value;
        }
    }
    for forged in ["41", "42", "999"] {
        let refused = world.changes(&instance, 0, forged).await;
        assert!(
            refused.as_ref().is_ok_and(|page| page.changes.is_empty()) || refused.unwrap_err().reason == "MALFORMED"
        );
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_is_read_item_by_item() {
    let world = World::new().await;
    let instance = instance(0);
    let keys: Vec<String> = (0..70).map(|repeat| repeat.to_string()).collect();
    let mut latest = None;
    for repeat in &keys {
        latest = Some(world.submit(&instance, &[("NOTE", repeat, repeat.repeat(LONG / 2))], latest).await);
    }
    for repeat in &keys {
        let clear = [("NOTE", repeat.as_str(), String::new())];
        let form = world.store.form(STUDY, &instance, |_| true).await.unwrap();
        let too_large = matches!(form, Folded::TooLarge);
        let listed = world.all_forms(0).await.concat_forms();
        assert_eq!(listed.iter().map(|form| form.too_large).collect::<Vec<_>>(), [too_large]);
        let item = world.store.item(STUDY, &instance, "NOTE", repeat, |_| true).await.unwrap().unwrap();
        assert_eq!(item.datapoint.value, repeat.repeat(LONG / 2));
        if !too_large {
            break;
        }
        latest = Some(world.submit(&instance, &clear, latest).await);
    }
    let form = world.store.form(STUDY, &instance, |_| true).await.unwrap();
    assert!(matches!(form, Folded::Whole(_)), "what was corrected away takes no space");
    assert!(latest > Some(69), "it was too large before");
}
