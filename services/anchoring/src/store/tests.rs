//! Blocks and checkpoints, on SQLite and on PostgreSQL.

use super::*;
use crate::{domain::next_block, lease::Token};
use seal::{
    entry::Entry,
    id::{Service, Uuid},
};
use testbed::postgres::Postgres;

/// Runs `check` on SQLite and on PostgreSQL.
async fn on_both(name: &str, check: impl AsyncFn(Store, Token)) {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared().url(name);
    database::migrate(&postgres, &PART).await.unwrap();
    for url in [database::file_url(&folder.path().join("anchoring.sqlite")), postgres] {
        let store = Store::new(Database::open(&url, &PART).await.unwrap());
        let token = store.acquire("test", true).await.unwrap().unwrap();
        check(store, token).await;
    }
}

fn stream(seed: u8) -> StreamId {
    Service::Capture.stream(Uuid::from_random([seed; 16]))
}

/// `count` entries of a journal after `tip`, as a block.
fn block(of: StreamId, tip: &Tip, count: u64) -> (Block, Vec<Hash>) {
    let (mut previous, mut entries) = (tip.entry_hash, Vec::new());
    for number in tip.entry..tip.entry + count {
        let entry = Entry {
            stream: of,
            number,
            previous,
            time: number,
            nonce: [7; 16],
            kind: "submit-form".to_owned(),
            envelope: Hash::ZERO,
            state_root: None,
            basis: Vec::new(),
        };
        entries.push(entry.to_bytes());
        previous = entry::hash(&entry.to_bytes());
    }
    next_block(of, tip, &entries, 1_000).unwrap()
}

#[tokio::test]
async fn blocks_are_read_back_by_place_by_stream_and_by_entry() {
    on_both("blocks", async |store, token| {
        assert_eq!((store.size().await.unwrap(), store.tip(stream(1)).await.unwrap().is_none()), (0, true));
        let first = [block(stream(1), &Tip::START, 3), block(stream(2), &Tip::START, 1)];
        store.add(token, &first).await.unwrap();
        let tip = store.tip(stream(1)).await.unwrap().unwrap();
        assert_eq!((tip.block, tip.entry, tip.entry_hash), (1, 3, first[0].1[2]));
        let second = block(stream(1), &tip, 2);
        store.add(token, std::slice::from_ref(&second)).await.unwrap();

        let all = store.blocks(0, 9).await.unwrap();
        let expected = [&first[0], &first[1], &second].map(|(block, hashes)| (block.to_bytes(), hashes.clone()));
        assert_eq!(all.iter().map(|block| block.place).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(all.iter().map(|block| (block.bytes.clone(), block.hashes.clone())).collect::<Vec<_>>(), expected);
        assert_eq!(store.blocks(1, 2).await.unwrap()[0].bytes, expected[1].0);
        let of_one = store.of_stream(stream(1), 1, 10).await.unwrap();
        assert_eq!(of_one.iter().map(|block| block.place).collect::<Vec<_>>(), [2]);
        for (number, place) in [(0, Some(0)), (2, Some(0)), (3, Some(2)), (4, Some(2)), (5, None)] {
            let holding = store.holding(stream(1), number).await.unwrap();
            assert_eq!(holding.map(|block| block.place), place, "entry {number}");
        }
        let mut streams = store.streams().await.unwrap();
        streams.sort();
        let mut expected = [stream(1), stream(2)];
        expected.sort();
        assert_eq!((streams.as_slice(), store.size().await.unwrap()), (expected.as_slice(), 3));
    })
    .await;
}

#[tokio::test]
async fn blocks_are_added_all_or_none() {
    on_both("all_or_none", async |store, token| {
        let first = block(stream(1), &Tip::START, 3);
        store.add(token, std::slice::from_ref(&first)).await.unwrap();
        // The second of these has a number and entries that are taken.
        let outcome = store.add(token, &[block(stream(2), &Tip::START, 1), block(stream(1), &Tip::START, 2)]).await;
        assert!(matches!(outcome, Err(WriteError::Database(_))), "{outcome:?}");
        assert_eq!((store.size().await.unwrap(), store.tip(stream(2)).await.unwrap().is_none()), (1, true));
        store.add(token, &[block(stream(2), &Tip::START, 1)]).await.unwrap();
        assert_eq!(store.size().await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_latest_checkpoint_of_a_size_is_found() {
    on_both("checkpoints", async |store, token| {
        assert_eq!(store.checkpoint(u64::MAX).await.unwrap(), None);
        for (size, note) in [(3, "three"), (9, "nine"), (3, "three again")] {
            store.publish(token, size, note).await.unwrap();
        }
        for (at_most, found) in
            [(2, None), (3, Some((3, "three again"))), (8, Some((3, "three again"))), (9, Some((9, "nine")))]
        {
            let expected = found.map(|(size, note)| (size, note.to_owned()));
            assert_eq!(store.checkpoint(at_most).await.unwrap(), expected);
        }
    })
    .await;
}
