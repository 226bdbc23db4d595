//! What is slow or away holds up neither the lease nor the rest.

use super::*;
use crate::{Journals, PART, Pace};
use bus::Bus;
use caller::ServiceToken;
use channel::{Channel, Settings, http::Http};
use database::Database;
use objects::Objects;
use seal::{
    Hash,
    entry::Head,
    id::{Service, Uuid},
};
use sqlx::Row;
use std::{net::TcpListener, path::Path, time::Duration};
use testbed::postgres::Postgres;
use tlog::{
    key::{Algorithm, SignerKey},
    policy::Policy,
};

/// A channel to a port where nobody listens.
fn nobody() -> Channel {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Channel::new(&format!("http://{free}"), None, Settings { attempts: 1, ..Settings::default() }).unwrap()
}

/// An instance whose journals are all away.
fn config(instance: &str, database: Database, folder: &Path) -> Config {
    let chain_key = SignerKey::from_seed("chain.example", Algorithm::Ed25519, [7; 32]).unwrap();
    Config {
        database,
        chain: Objects::folder(&folder.join("chain")).unwrap(),
        policy: Policy::parse(&format!("log {}\nquorum none\n", chain_key.verifier())).unwrap(),
        chain_key,
        chain_key_ml_dsa: None,
        pace: Pace { interval: Duration::from_millis(20), ..Pace::default() },
        instance: instance.to_owned(),
        journals: Journals {
            enrollment: nobody(),
            consent: nobody(),
            capture: nobody(),
            services: ServiceToken::new(&[7; 32]),
        },
        http: Http::new(None).unwrap(),
        bus: Bus::absent(),
    }
}

fn store_and_tiles(config: &Config) -> (Store, Tiles) {
    let store = Store::new(config.database.clone());
    (store.clone(), Tiles::new(config.chain.clone(), store))
}

/// Who holds the lease, and until when by the database's clock; nothing if nobody had it yet.
async fn lease(database: &Database) -> Option<(String, i64)> {
    let row = sqlx::query("SELECT holder, until FROM lease").fetch_optional(database.pool()).await.unwrap()?;
    Some((row.get(0), row.get(1)))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_is_kept_while_the_chain_is_taken_up_however_long_that_takes() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let url = postgres.url("anchoring");
    database::migrate(&url, &PART).await.unwrap();
    let open = async || Database::open(&url, &PART).await.unwrap();
    let database = open().await;

    let mut held_up = database.begin().await.unwrap();
    for sql in ["SET LOCAL idle_in_transaction_session_timeout = 0", "LOCK TABLE checkpoint IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(sql).execute(&mut *held_up).await.unwrap();
    }
    let mut began = None;
    for instance in ["first", "second"] {
        let config = config(instance, open().await, folder.path());
        let (store, tiles) = store_and_tiles(&config);
        tokio::spawn(sequence(store, tiles, State::new(), config, watch::Sender::new(None)));
        while began.is_none() {
            began = lease(&database).await;
        }
    }
    let (first, until) = began.unwrap();
    assert_eq!(first, "first");
    let longer_than_it_lasts = until + i64::try_from(lease::LASTS.as_millis()).unwrap();
    loop {
        let (holder, until) = lease(&database).await.unwrap();
        assert_eq!(holder, "first", "it was taken over from a process that only waits for its database");
        if until > longer_than_it_lasts {
            break;
        }
        sleep(Duration::from_millis(50)).await; // between two questions; a lease kept for long is what is waited for
    }
    held_up.roll_back().await;
}

#[tokio::test]
async fn of_a_service_that_is_away_one_journal_is_asked_for_in_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open_file(&folder.path().join("anchoring.sqlite"), &PART).await.unwrap();
    let config = config("test", database, folder.path());
    let (store, tiles) = store_and_tiles(&config);
    let token = store.acquire("test", true).await.unwrap().unwrap();
    let chain = Chain::open(store.clone(), token, tiles, &config).await.unwrap();
    let mut term = Term::new(chain, store, token, &config.journals, &State::new(), &watch::Sender::new(None));
    for seed in 0..5 {
        for service in [Service::Consent, Service::Capture] {
            let stream = service.stream(Uuid::from_random([seed; 16]));
            term.known.learn(service, &Head { stream, number: 0, hash: Hash::ZERO });
        }
    }
    term.make_blocks().await;
    let asked = [&config.journals.enrollment, &config.journals.consent, &config.journals.capture];
    assert_eq!(asked.map(|journal| journal.counts().calls), [0, 1, 1]);
}
