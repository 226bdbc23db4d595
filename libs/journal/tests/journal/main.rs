//! Journals on a real SQLite file and on a real PostgreSQL, by the same tests: numbers, hashes, receipts, facts and proofs
//! under concurrency, restarts and damage. What replicas, lost connections and restarts do is in `postgres`.

#![allow(clippy::unwrap_used)]

use bus::Bus;
use database::Part;
use futures_util::future::join_all;
use journal::{AppendError, Config, Decision, Journal, Proposal, Quota};
use seal::{
    Hash,
    entry::{self, Entry},
    id::{Service, StreamId, Uuid},
    map::{Memory, Proven},
    receipt::Receipt,
    sha256,
};
use sqlx::Row;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;
use testbed::postgres::Postgres;
use tlog::key::{Algorithm, SignerKey};
use vocabulary::fact;

mod postgres;
mod quota;
mod replaced;

type Refusal = &'static str;
type Facts = Vec<(Hash, Vec<u8>)>;

const ANCHORED_WITHIN_MS: u64 = 60_000;

fn receipt_key() -> SignerKey {
    SignerKey::from_seed("journal.test/receipts", Algorithm::Ed25519, [7; 32]).unwrap()
}

const PART: Part = journal::schema::part("journal");

fn config(database: database::Database) -> Config {
    Config {
        database,
        receipt_key: Arc::new(receipt_key()),
        anchored_within_ms: ANCHORED_WITHIN_MS,
        state_map: true,
        bus: Bus::in_process(),
        service: Service::Capture,
        quota: Quota::NONE,
        in_reserve: &["protecting"],
    }
}

/// A database of its own for each test.
struct Database {
    folder: TempDir,
    url: String,
}

impl Database {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = database::file_url(&folder.path().join("journal.sqlite"));
        Self { folder, url }
    }

    async fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("journal_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self::on(Postgres::shared(), &name).await
    }

    async fn on(server: &Postgres, name: &str) -> Self {
        let url = server.url(name);
        database::migrate(&url, &PART).await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url }
    }

    async fn connect(&self) -> database::Database {
        database::Database::open(&self.url, &PART).await.unwrap()
    }

    async fn open(&self) -> Journal<Refusal> {
        Journal::open(config(self.connect().await))
    }
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($(#[$kind:meta])* $name:ident;)*) => {
        mod on_sqlite {
            $(#[$($kind)*] async fn $name() { super::$name(crate::Database::sqlite()).await; })*
        }
        mod on_postgres {
            $(#[$($kind)*] async fn $name() { super::$name(crate::Database::postgres().await).await; })*
        }
    };
}
pub(crate) use on_both;

on_both! {
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)] concurrent_appends_are_numbered_chained_and_receipted;
    #[tokio::test] what_waits_together_is_committed_together;
    #[tokio::test] rules_of_one_group_see_each_others_facts;
    #[tokio::test] a_refused_proposal_stores_nothing_and_disturbs_nobody;
    #[tokio::test] the_same_request_gets_the_first_receipt_and_another_envelope_is_refused;
    #[tokio::test] of_equal_proposals_exactly_one_is_not_a_repetition;
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)] state_roots_replay_and_every_past_state_is_provable;
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)] a_head_and_the_facts_beside_it_are_of_one_moment;
    #[tokio::test] a_stream_whose_last_entry_is_unreadable_or_elsewhere_is_not_extended_and_others_go_on;
    #[tokio::test] a_stream_whose_last_entry_was_altered_is_not_extended_and_others_go_on;
    #[tokio::test] a_stream_that_lost_what_was_acknowledged_is_not_extended;
    #[tokio::test] a_restart_continues_where_the_journal_stood;
    #[tokio::test] pages_of_entries_are_bounded_in_bytes_and_facts_are_read_from_both_ends;
}

/// A stream of the first writer, so that what waits together is one group on every database.
fn stream(number: u8) -> StreamId {
    let mut streams = (0..=u8::MAX).map(|salt| sha256(&[b"stream", &[number, salt]]));
    StreamId(streams.find(|name| name.0[0] % 4 == 0).unwrap())
}

fn key(number: u64) -> Hash {
    sha256(&[b"key", &number.to_be_bytes()])
}

fn request(number: u64) -> Uuid {
    Uuid::from_content(&sha256(&[b"request", &number.to_be_bytes()]))
}

fn proposal(stream: StreamId, number: u64, envelope: &str, facts: Facts) -> Proposal<Refusal> {
    Proposal {
        stream,
        request: request(number),
        kind: "test",
        envelope: sha256(&[envelope.as_bytes()]),
        stored: envelope.as_bytes().to_vec(),
        basis: Vec::new(),
        reads: Vec::new(),
        rule: Box::new(move |_, _| Ok(Decision { facts, ..Decision::default() })),
    }
}

fn plain(stream: StreamId, number: u64) -> Proposal<Refusal> {
    proposal(stream, number, &format!("envelope {number}"), vec![(key(number % 5), number.to_be_bytes().to_vec())])
}

fn refused(stream: StreamId, number: u64) -> Proposal<Refusal> {
    Proposal { rule: Box::new(|_, _| Err("no")), ..plain(stream, number) }
}

/// Adds one to the number under `key`, as the rule finds it.
fn increment(stream: StreamId, number: u64, key: Hash) -> Proposal<Refusal> {
    Proposal {
        reads: vec![key],
        rule: Box::new(move |found, _| {
            let before = found.0.get(&key).map_or(0, |bytes| u64::from_be_bytes(bytes.as_slice().try_into().unwrap()));
            Ok(Decision { facts: vec![(key, (before + 1).to_be_bytes().to_vec())], ..Decision::default() })
        }),
        ..plain(stream, number)
    }
}

fn entry_of(receipt: &Receipt) -> Entry {
    receipt.verify(&[receipt_key().verifier()]).unwrap().entry
}

/// SplitMix64: small, and the same everywhere for the same seed.
struct Random(u64);

impl Random {
    /// From the seed in `JOURNAL_TEST_SEED`, else from a new one, which is printed.
    fn new() -> Self {
        let mut fresh = [0; 8];
        getrandom::fill(&mut fresh).unwrap();
        let given = std::env::var("JOURNAL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(u64::from_be_bytes(fresh));
        println!("JOURNAL_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The most connections to a database.
const CONNECTIONS: usize = 10;

async fn entries(journal: &Journal<Refusal>, stream: StreamId) -> Vec<Entry> {
    // A read may meet a connection that was cut; whoever reads asks again. Each that was cut is met once.
    let mut stored = journal.reader().entries(stream, 0, 10_000).await;
    for _ in 0..CONNECTIONS {
        if stored.is_err() {
            stored = journal.reader().entries(stream, 0, 10_000).await;
        }
    }
    let stored = stored.unwrap();
    stored.iter().map(|stored| Entry::parse(&stored.entry).unwrap()).collect()
}

/// Checks numbers, times and previous hashes of a whole stream.
async fn assert_chained(journal: &Journal<Refusal>, stream: StreamId, count: usize) {
    let entries = entries(journal, stream).await;
    assert_eq!(entries.len(), count);
    let (mut previous, mut time) = (Hash::ZERO, 0);
    for (entry, number) in entries.iter().zip(0..) {
        assert_eq!((entry.stream, entry.number, entry.previous), (stream, number, previous));
        assert!(entry.time >= time);
        (previous, time) = (entry::hash(&entry.to_bytes()), entry.time);
    }
    let head = journal.reader().head(stream).await.unwrap();
    assert_eq!(head, entries.last().map(Entry::head));
}

async fn concurrent_appends_are_numbered_chained_and_receipted(database: Database) {
    const TASKS: u64 = 500;
    let mut random = Random::new();
    let journal = database.open().await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (journal, to) = (journal.clone(), stream(random.below(3) as u8));
            tokio::spawn(async move { (to, number, journal.append(plain(to, number)).await.unwrap()) })
        })
        .collect();
    let mut counts = HashMap::<StreamId, usize>::new();
    let mut notes = BTreeSet::new();
    for task in tasks {
        let (to, number, receipt) = task.await.unwrap();
        let promise = receipt.verify(&[receipt_key().verifier()]).unwrap();
        assert_eq!(promise.entry.stream, to);
        assert_eq!(promise.entry.envelope, sha256(&[format!("envelope {number}").as_bytes()]));
        assert!(promise.anchored_by >= promise.entry.time + ANCHORED_WITHIN_MS);
        let stored = journal.reader().entry(to, promise.entry.number).await.unwrap();
        assert_eq!(stored.entry, receipt.entry);
        assert_eq!(journal.reader().receipt(to, promise.entry.number).await.unwrap(), receipt);
        let other = SignerKey::from_seed("journal.test/receipts", Algorithm::Ed25519, [8; 32]).unwrap();
        assert!(receipt.verify(&[other.verifier()]).is_err());
        *counts.entry(to).or_default() += 1;
        notes.insert(receipt.note);
    }
    assert_eq!(counts.values().sum::<usize>() as u64, TASKS);
    for (to, count) in counts {
        assert_chained(&journal, to, count).await;
    }
    assert!(notes.len() < TASKS as usize, "no two of {TASKS} concurrent appends shared a commit group");
}

async fn pages_of_entries_are_bounded_in_bytes_and_facts_are_read_from_both_ends(database: Database) {
    let (journal, stream, key) = (database.open().await, stream(1), key(9));
    let sizes = [10, 10, 50, 300, 300, 10, 100, 10];
    for (number, size) in (0..).zip(sizes) {
        let facts = if number % 2 == 0 { vec![(key, vec![u8::try_from(number).unwrap()])] } else { Vec::new() };
        journal.append(proposal(stream, number, &"x".repeat(size), facts)).await.unwrap();
    }
    let (mut pages, mut next) = (Vec::new(), 0);
    loop {
        let page = journal.reader().entries_within(stream, next, 3, 100).await.unwrap();
        let Some(last) = page.last() else { break };
        next = last.number + 1;
        pages.push(page.iter().map(|stored| stored.stored.len()).collect::<Vec<_>>());
    }
    assert_eq!(pages, [vec![10, 10, 50], vec![300], vec![300], vec![10], vec![100], vec![10]]);

    let mut numbers = Vec::new();
    while let Some((number, value)) =
        journal.reader().history_back(stream, &key, numbers.last().copied(), 1).await.unwrap().pop()
    {
        assert_eq!(value, [u8::try_from(number).unwrap()]);
        numbers.push(number);
    }
    assert_eq!(numbers, [6, 4, 2, 0]);
    let forwards = journal.reader().history(stream, &key, Some(0), 2).await.unwrap();
    assert_eq!(forwards.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 4]);
    let none = journal.reader().history_back(self::stream(2), &key, None, 9).await.unwrap();
    assert!(none.is_empty());
}

// On one thread all proposals of a `join_all` wait in the queue before the writer runs: they are one group for certain.
async fn what_waits_together_is_committed_together(database: Database) {
    let journal = database.open().await;
    let receipts = join_all((0..30).map(|number| journal.append(plain(stream((number % 3) as u8), number)))).await;
    let receipts: Vec<Receipt> = receipts.into_iter().map(Result::unwrap).collect();
    for (receipt, place) in receipts.iter().zip(0..) {
        assert_eq!(receipt.note, receipts[0].note);
        assert_eq!(receipt.index, place);
        assert_eq!(entry_of(receipt).number, place / 3);
    }
    let later = journal.append(plain(stream(0), 30)).await.unwrap();
    assert_ne!(later.note, receipts[0].note);
}

async fn rules_of_one_group_see_each_others_facts(database: Database) {
    let journal = database.open().await;
    for round in 0..2 {
        let counted = (0..20).map(|n| journal.append(increment(stream((n % 2) as u8), round * 20 + n, key(0))));
        assert!(join_all(counted).await.iter().all(Result::is_ok));
    }
    for number in 0..2 {
        let (head, facts) = journal.reader().facts(stream(number), &[key(0), key(1)]).await.unwrap();
        assert_eq!(head.unwrap().number, 19);
        assert_eq!(facts, [(key(0), 20_u64.to_be_bytes().to_vec())]);
    }
}

async fn a_refused_proposal_stores_nothing_and_disturbs_nobody(database: Database) {
    let journal = database.open().await;
    let fresh = stream(9);
    let waiting = vec![
        journal.append(plain(stream(0), 0)),
        journal.append(refused(stream(0), 1)),
        journal.append(refused(fresh, 2)),
        journal.append(plain(stream(0), 3)),
    ];
    let answers = join_all(waiting).await;
    assert!(matches!(answers[1], Err(AppendError::Refused("no"))));
    assert!(matches!(answers[2], Err(AppendError::Refused("no"))));
    let (first, last) = (answers[0].as_ref().unwrap(), answers[3].as_ref().unwrap());
    assert_eq!(first.note, last.note, "the refused ones stood between these in the same group");
    assert_eq!((entry_of(first).number, entry_of(last).number), (0, 1));
    assert_chained(&journal, stream(0), 2).await;
    assert_eq!(journal.reader().head(fresh).await.unwrap(), None);
    let asked = [request(0).0, request(1).0, request(3).0];
    let mut recorded = journal.reader().recorded(stream(0), &asked).await.unwrap();
    recorded.sort_by_key(|(_, number)| *number);
    assert_eq!(recorded, [(request(0).0, 0), (request(3).0, 1)]);
    let (_, facts) = journal.reader().facts(stream(0), &[key(1)]).await.unwrap();
    assert_eq!(facts, []);

    // A group of nothing but refusals leaves no trace either, and the same requests may be made good.
    assert!(matches!(journal.append(refused(fresh, 2)).await, Err(AppendError::Refused("no"))));
    assert_eq!(journal.reader().facts(fresh, &[key(2)]).await.unwrap(), (None, Vec::new()));
    assert_eq!(entry_of(&journal.append(plain(fresh, 2)).await.unwrap()).number, 0);
    assert_eq!(entry_of(&journal.append(plain(stream(0), 1)).await.unwrap()).number, 2);
}

async fn the_same_request_gets_the_first_receipt_and_another_envelope_is_refused(database: Database) {
    let journal = database.open().await;
    let other = || proposal(stream(0), 0, "another envelope", Vec::new());
    // Twice in one group, then again in a later one.
    let waiting = vec![
        journal.append(plain(stream(0), 0)),
        journal.append(plain(stream(0), 0)),
        journal.append(other()),
        journal.append(plain(stream(0), 1)),
    ];
    let answers = join_all(waiting).await;
    let first = answers[0].as_ref().unwrap();
    assert_eq!(answers[1].as_ref().unwrap(), first);
    assert!(matches!(answers[2], Err(AppendError::RequestReused)));
    assert_eq!(&journal.append(plain(stream(0), 0)).await.unwrap(), first);
    assert!(matches!(journal.append(other()).await, Err(AppendError::RequestReused)));
    // Request ids belong to a stream.
    assert_eq!(entry_of(&journal.append(plain(stream(1), 0)).await.unwrap()).number, 0);

    drop(journal);
    let journal = database.open().await;
    assert_eq!(&journal.append(plain(stream(0), 0)).await.unwrap(), first);
    assert!(matches!(journal.append(other()).await, Err(AppendError::RequestReused)));
    // Another envelope that its rule refuses is not told that the request is known.
    let hopeless = Proposal { rule: Box::new(|_, _| Err("no")), ..other() };
    assert!(matches!(journal.append(hopeless).await, Err(AppendError::Refused("no"))));
    // Even a rule that would refuse now is not asked again.
    assert_eq!(&journal.append(refused(stream(0), 0)).await.unwrap(), first);
    assert_chained(&journal, stream(0), 2).await;
}

async fn of_equal_proposals_exactly_one_is_not_a_repetition(database: Database) {
    // Two replicas where the database is shared; in both, many at once: within a commit group and across groups.
    let journal = database.open().await;
    let other = if database.url.starts_with("postgres") { database.open().await } else { journal.clone() };
    let at_once = (0..40).map(|place| {
        let journal = if place % 2 == 0 { &journal } else { &other };
        journal.append_noting(plain(stream(0), place / 8))
    });
    let answers: Vec<_> = join_all(at_once).await.into_iter().map(Result::unwrap).collect();
    for equal in answers.chunks(8) {
        assert_eq!(equal.iter().filter(|appended| !appended.repeated).count(), 1);
        assert!(equal.iter().all(|appended| appended.receipt == equal[0].receipt));
    }
    assert!(journal.append_noting(plain(stream(0), 0)).await.unwrap().repeated);
    drop((journal, other));
    let journal = database.open().await;
    assert!(journal.append_noting(plain(stream(0), 0)).await.unwrap().repeated);
    assert!(!journal.append_noting(plain(stream(0), 5)).await.unwrap().repeated);
    assert_chained(&journal, stream(0), 6).await;
}

async fn state_roots_replay_and_every_past_state_is_provable(database: Database) {
    let mut random = Random::new();
    let journal = database.open().await;
    // Key 7 is never set.
    let mut set = HashMap::<(StreamId, u64), Facts>::new();
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let (journal, to) = (journal.clone(), stream(random.below(2) as u8));
            let mut facts = BTreeMap::new();
            for _ in 0..random.below(4) {
                facts.insert(key(random.below(7)), random.below(1_000).to_be_bytes().to_vec());
            }
            let facts: Facts = facts.into_iter().collect();
            tokio::spawn(async move {
                let appended = journal.append(proposal(to, number, &number.to_string(), facts.clone())).await;
                ((to, entry_of(&appended.unwrap()).number), facts)
            })
        })
        .collect();
    for task in tasks {
        let (place, facts) = task.await.unwrap();
        set.insert(place, facts);
    }

    let keys: Vec<Hash> = (0..8).map(key).collect();
    for to in [stream(0), stream(1)] {
        let (mut map, mut state) = (Memory::default(), HashMap::<Hash, (Vec<u8>, [u8; 16])>::new());
        for entry in entries(&journal, to).await {
            for (key, value) in &set[&(to, entry.number)] {
                let salt = fact::salt(&entry.nonce, key);
                map.set(key, &fact::value_hash(&salt, value));
                state.insert(*key, (value.clone(), salt));
            }
            let root = entry.state_root.unwrap();
            assert_eq!(root, map.root(), "entry {}", entry.number);
            let proofs = journal.reader().prove(to, entry.number, &keys).await.unwrap();
            assert_eq!(proofs.len(), keys.len());
            for (proof, key) in proofs.iter().zip(&keys) {
                let fact = proof.fact.as_ref().map(|fact| (fact.bytes.clone(), fact.salt));
                let hash = state.get(key).map(|(bytes, salt)| fact::value_hash(salt, bytes));
                assert_eq!((proof.key, fact), (*key, state.get(key).cloned()));
                assert_eq!(proof.path.proves(key, &root), Some(hash.map_or(Proven::Absent, Proven::Present)));
            }
        }
        let (_, present) = journal.reader().facts(to, &keys).await.unwrap();
        let expected: HashMap<_, _> = state.into_iter().map(|(key, (bytes, _))| (key, bytes)).collect();
        assert_eq!(present.into_iter().collect::<HashMap<_, _>>(), expected);
    }
}

async fn a_head_and_the_facts_beside_it_are_of_one_moment(database: Database) {
    let journal = database.open().await;
    // The fact holds the number of the entry that set it, so the two must always agree.
    let numbered = |number| Proposal {
        rule: Box::new(|_, next: journal::Next| {
            Ok(Decision { facts: vec![(key(0), next.number.to_be_bytes().to_vec())], ..Decision::default() })
        }),
        ..plain(stream(0), number)
    };
    let writer = journal.clone();
    let writing = tokio::spawn(async move {
        for number in 0..200 {
            writer.append(numbered(number)).await.unwrap();
        }
    });
    let mut heads = BTreeSet::new();
    loop {
        let done = writing.is_finished();
        let (head, facts) = journal.reader().facts(stream(0), &[key(0)]).await.unwrap();
        if let Some(head) = head {
            assert_eq!(facts, [(key(0), head.number.to_be_bytes().to_vec())]);
            heads.insert(head.number);
        } else {
            assert_eq!(facts, []);
        }
        if done {
            break;
        }
    }
    writing.await.unwrap();
    assert!(heads.contains(&199), "{heads:?}");
}

/// Changes the bytes of a stream's last entry behind the journal's back.
async fn alter_last_entry(database: &Database, stream: StreamId, alter: impl FnOnce(&mut Vec<u8>)) {
    let database = database.connect().await;
    let found = sqlx::query(
        "SELECT entry.stream AS row, entry.number AS number, entry.bytes AS bytes FROM entry \
         JOIN stream ON stream.id = entry.stream WHERE stream.name = $1 ORDER BY entry.number DESC LIMIT 1",
    )
    .bind(stream.0.0.to_vec())
    .fetch_one(database.pool())
    .await
    .unwrap();
    let mut bytes: Vec<u8> = found.get("bytes");
    alter(&mut bytes);
    let update = sqlx::query("UPDATE entry SET bytes = $1 WHERE stream = $2 AND number = $3");
    let update = update.bind(bytes).bind(found.get::<i64, _>("row")).bind(found.get::<i64, _>("number"));
    update.execute(database.writing()).await.unwrap();
}

/// Flips a bit of an entry, counted from behind its magic line, where its fields stand in the order they are written.
fn flip(bytes: &mut [u8], place: usize) {
    bytes["trialseal/entry@v1 sha256\n".len() + place] ^= 1;
}

type Damage = (&'static str, fn(&mut Vec<u8>));

/// Alters the last entry of a stream in each way; gives the ways that were not refused as broken, and those that kept
/// another stream in the same commit group from being extended.
async fn unnoticed(database: Database, damages: &[Damage]) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut extended, mut disturbing) = (Vec::new(), Vec::new());
    for ((what, alter), place) in damages.iter().zip(0..) {
        let (damaged, other) = (stream(2 * place), stream(2 * place + 1));
        let journal = database.open().await;
        for number in 0..3 {
            journal.append(plain(damaged, number)).await.unwrap();
            journal.append(plain(other, number)).await.unwrap();
        }
        drop(journal);
        alter_last_entry(&database, damaged, alter).await;

        let journal = database.open().await;
        let answers = join_all([journal.append(plain(damaged, 3)), journal.append(plain(other, 3))]).await;
        if !matches!(answers[0], Err(AppendError::Broken)) {
            extended.push(*what);
        }
        if answers[1].is_err() {
            disturbing.push(*what);
            continue;
        }
        assert_eq!(entry_of(&journal.append(plain(other, 4)).await.unwrap()).number, 4, "{what}");
        assert_chained(&journal, other, 5).await;
    }
    (extended, disturbing)
}

async fn a_stream_whose_last_entry_is_unreadable_or_elsewhere_is_not_extended_and_others_go_on(database: Database) {
    let damages: [Damage; 5] = [
        ("cut short", |bytes| bytes.truncate(100)),
        ("emptied", Vec::clear),
        ("a byte more", |bytes| bytes.push(0)),
        ("another stream", |bytes| flip(bytes, 0)),
        ("another number", |bytes| flip(bytes, 39)),
    ];
    assert_eq!(unnoticed(database, &damages).await, (Vec::new(), Vec::new()));
}

async fn a_stream_whose_last_entry_was_altered_is_not_extended_and_others_go_on(database: Database) {
    let damages: [Damage; 4] = [
        ("another entry before", |bytes| flip(bytes, 40)),
        ("another time", |bytes| flip(bytes, 79)),
        ("another nonce", |bytes| flip(bytes, 80)),
        ("another state root", |bytes| {
            let end = bytes.len() - 2; // only the empty basis follows
            bytes[end] ^= 1;
        }),
    ];
    assert_eq!(unnoticed(database, &damages).await, (Vec::new(), Vec::new()));
}

/// As after a fail-over to a copy that lagged behind, or after an old backup was put back under a running service.
async fn a_stream_that_lost_what_was_acknowledged_is_not_extended(database: Database) {
    let journal = database.open().await;
    for number in 0..3 {
        journal.append(plain(stream(0), number)).await.unwrap();
        journal.append(plain(stream(1), number)).await.unwrap();
    }
    let row = "(SELECT id FROM stream ORDER BY id LIMIT 1)";
    for table in ["entry", "request", "fact"] {
        let lose = format!("DELETE FROM {table} WHERE number = 2 AND stream = {row}");
        sqlx::query(sqlx::AssertSqlSafe(lose)).execute(journal.reader().database().writing()).await.unwrap();
    }
    for number in [2, 3] {
        let answer = journal.append(plain(stream(0), number)).await;
        assert!(matches!(answer, Err(AppendError::Broken)), "{answer:?}");
    }
    assert_eq!(entry_of(&journal.append(plain(stream(1), 3)).await.unwrap()).number, 3);
}

async fn a_restart_continues_where_the_journal_stood(database: Database) {
    for run in 0..4 {
        let journal = database.open().await;
        for number in 0..3 {
            let (number, seen) = (run * 3 + number, journal.reader().head(stream(0)).await.unwrap());
            assert_eq!(seen.map(|head| head.number + 1).unwrap_or_default(), number);
            let receipt = journal.append(increment(stream(0), number, key(0))).await.unwrap();
            assert_eq!(entry_of(&receipt).number, number);
        }
        assert_chained(&journal, stream(0), (run as usize + 1) * 3).await;
        let (_, facts) = journal.reader().facts(stream(0), &[key(0)]).await.unwrap();
        assert_eq!(facts, [(key(0), ((run + 1) * 3).to_be_bytes().to_vec())]);
    }
}
