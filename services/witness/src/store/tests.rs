//! A witness's memory, on SQLite and on PostgreSQL.

use super::*;
use testbed::postgres::Postgres;

/// Runs `check` on SQLite and on PostgreSQL; it gets what two replicas see.
async fn on_both(name: &str, check: impl AsyncFn(Store, Store)) {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared().url(name);
    database::migrate(&postgres, &PART).await.unwrap();
    for url in [database::file_url(&folder.path().join("witness.sqlite")), postgres] {
        let open = async || Store::new(Database::open(&url, &PART).await.unwrap());
        check(open().await, open().await).await;
    }
}

fn checkpoint(size: u64, root: u8) -> Checkpoint {
    Checkpoint { origin: "chain".to_owned(), size, root: Hash([root; 32]), extensions: Vec::new() }
}

#[tokio::test]
async fn of_two_who_advance_from_the_same_checkpoint_one_does() {
    on_both("advance", async |here, there| {
        assert!(here.last("chain").await.unwrap().is_none());
        let (one, other) = (checkpoint(1, 1), checkpoint(1, 2));
        let first = tokio::join!(here.advance(None, &one, "one", "w"), there.advance(None, &other, "other", "w"));
        assert_ne!(first.0.unwrap(), first.1.unwrap());
        for size in 2..20 {
            let before = here.last("chain").await.unwrap().unwrap();
            assert_eq!(before.size, size - 1);
            let (next, fork) = (checkpoint(size, 1), checkpoint(size, 2));
            let outcomes = tokio::join!(
                here.advance(Some(&before), &next, "next", "w"),
                there.advance(Some(&before), &fork, "fork", "w")
            );
            assert_ne!(outcomes.0.unwrap(), outcomes.1.unwrap(), "size {size}");
            assert!(!here.advance(Some(&before), &next, "late", "w").await.unwrap());
            assert!(!here.advance(None, &next, "anew", "w").await.unwrap());
            let (seen, also) =
                (here.last("chain").await.unwrap().unwrap(), there.last("chain").await.unwrap().unwrap());
            assert_eq!((seen.size, seen.root, &seen.note), (also.size, also.root, &also.note));
            assert_eq!((seen.size, seen.note == "next"), (size, seen.root == next.root));
        }
        assert!(here.last("another").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn evidence_is_kept_once_and_within_bounds_for_each_log() {
    on_both("evidence", async |here, there| {
        let fork = |pair| Fork { held: "held", offered: "offered", proof: &[Hash([1; 32])], pair, now_ms: 7 };
        let pair = |number: i64| tlog::sha256(&[&number.to_be_bytes()]);
        let same = fork(pair(0));
        let first = tokio::join!(here.keep_fork("chain", &same), there.keep_fork("chain", &same));
        assert_ne!(first.0.unwrap(), first.1.unwrap());
        for number in 1..MAX_FORKS {
            assert!(here.keep_fork("chain", &fork(pair(number))).await.unwrap());
            assert!(!here.keep_fork("chain", &fork(pair(number))).await.unwrap());
        }
        assert!(!here.keep_fork("chain", &fork(pair(MAX_FORKS))).await.unwrap());
        assert!(here.keep_fork("another", &fork(pair(0))).await.unwrap());
        let kept = crate::evidence::kept(&here.database).await.unwrap();
        assert_eq!(kept.forks.len(), usize::try_from(MAX_FORKS).unwrap() + 1);
        let last = kept.forks.last().unwrap();
        assert_eq!((last.origin.as_str(), last.kept_ms, &last.proof), ("another", 7, &vec![Hash([1; 32])]));
        assert_eq!(here.offered("another").await.unwrap(), ["offered"]);
    })
    .await;
}

#[tokio::test]
async fn of_what_no_proof_reached_the_oldest_go_first_and_what_a_proof_cannot_show_last() {
    on_both("unreached", async |here, _| {
        for number in 0..200 {
            let held = if number < 10 { 8 } else { 9 };
            for _ in 0..2 {
                here.remember(held, &checkpoint(1_000 + number, 1), "note").await.unwrap();
            }
        }
        let count = async || crate::evidence::kept(&here.database).await.unwrap().unreached;
        assert_eq!(count().await, unsigned(MAX_UNREACHED));
        for (number, is_there) in [(0, true), (9, true), (10, false), (100, false), (199, true)] {
            let found = here.unreached("chain", 1_000 + number).await.unwrap();
            assert_eq!(found.len(), usize::from(is_there), "{number}");
        }
        here.forget("chain", 1_199).await.unwrap();
        assert_eq!(count().await, unsigned(MAX_UNREACHED) - 1);
    })
    .await;
}
