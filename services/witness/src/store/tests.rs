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
        let first = tokio::join!(here.advance(None, &one, "one"), there.advance(None, &other, "other"));
        assert_ne!(first.0.unwrap(), first.1.unwrap());
        for size in 2..20 {
            let before = here.last("chain").await.unwrap().unwrap();
            assert_eq!(before.size, size - 1);
            let (next, fork) = (checkpoint(size, 1), checkpoint(size, 2));
            let outcomes =
                tokio::join!(here.advance(Some(&before), &next, "next"), there.advance(Some(&before), &fork, "fork"));
            assert_ne!(outcomes.0.unwrap(), outcomes.1.unwrap(), "size {size}");
            assert!(!here.advance(Some(&before), &next, "late").await.unwrap());
            assert!(!here.advance(None, &next, "anew").await.unwrap());
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
async fn evidence_is_kept_within_bounds() {
    on_both("evidence", async |here, _| {
        here.keep_evidence("chain", "held", "offered").await.unwrap();
        let kept: (String, String) =
            sqlx::query_as("SELECT held, offered FROM evidence").fetch_one(here.database.pool()).await.unwrap();
        assert_eq!(kept, ("held".to_owned(), "offered".to_owned()));
        let many = "INSERT INTO evidence (origin, held, offered) \
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) SELECT 'c', 'h', 'o' FROM n";
        sqlx::query(many).execute(here.database.writing()).await.unwrap();
        here.keep_evidence("chain", "held", "too many").await.unwrap();
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM evidence").fetch_one(here.database.pool()).await.unwrap();
        assert_eq!(count, MAX_EVIDENCE);
    })
    .await;
}
