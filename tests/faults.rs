//! Faults at random under load, and the independent checker's word on what was left: nothing acknowledged is lost, twice,
//! missing, forked, or captured without consent.
//!
//! `TRIALSEAL_FAULT_SECONDS` says how long (300 unless set), `TRIALSEAL_FAULT_SEED` makes a run again. See
//! `docs/RELIABILITY.md`.

#![allow(clippy::unwrap_used)]

#[path = "faults/cluster.rs"]
mod cluster;
mod support;

use audit::readable;
use client::{Client, random};
use cluster::{Many, in_own_network};
use export::LiveAudit;
use seal::policy::Policy;
use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};
use support::{
    faults::{Fault, Kind, Target, storm},
    load::{Figures, Load, Plan},
    process::{TRIALSEAL, Up},
    seeded::Seeded,
};
use testbed::judges::python;

/// A number from the environment.
fn from_environment(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn seconds(unless_set: u64) -> Duration {
    Duration::from_secs(from_environment("TRIALSEAL_FAULT_SECONDS").unwrap_or(unless_set))
}

fn seed() -> u64 {
    from_environment("TRIALSEAL_FAULT_SEED").unwrap_or_else(|| u64::from_be_bytes(random().unwrap()))
}

/// Where everything of a run is: a temporary folder, unless `TRIALSEAL_FAULT_FOLDER` names one that is kept.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    if let Some(kept) = env::var_os("TRIALSEAL_FAULT_FOLDER") {
        return (kept.into(), None);
    }
    let temporary = tempfile::tempdir().unwrap();
    (temporary.path().to_owned(), Some(temporary))
}

/// `trialseal up`: one process, killed and stopped.
struct Alone {
    data: PathBuf,
    port: u16,
    up: Option<Up>,
}

impl Alone {
    fn start(data: &Path) -> Self {
        let port = seven_ports();
        Self { data: data.to_owned(), port, up: Some(Up::start_at(data, port)) }
    }
}

impl Target for Alone {
    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Kill, Kind::Kill, Kind::Kill, Kind::Pause]
    }

    fn victims(&self, _: Kind) -> Vec<String> {
        vec!["up".to_owned()]
    }

    fn strike(&mut self, fault: &Fault, _: &mut Seeded) {
        match fault.kind {
            Kind::Pause => self.up.as_ref().unwrap().pause(),
            _ => self.up.take().unwrap().kill(),
        }
    }

    fn mend(&mut self, fault: &Fault) {
        match fault.kind {
            Kind::Pause => self.up.as_ref().unwrap().resume(),
            _ => self.up = Some(Up::start_at(&self.data, self.port)),
        }
    }
}

/// The first of seven ports in a row that are free.
fn seven_ports() -> u16 {
    let mut choices = Seeded::new(u64::from_be_bytes(random().unwrap()), 0);
    loop {
        let first = 20_000 + u16::try_from(choices.below(10_000)).unwrap();
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (first..first + 7).all(free) {
            return first;
        }
    }
}

/// What is judged when the storm is over.
struct Judged<'a> {
    told: &'a Path,
    endpoints: &'a Path,
    policy: &'a Path,
    /// Where what the checker read is kept, if it finds something.
    snapshot: &'a Path,
}

impl Judged<'_> {
    /// The independent checker, on everything that clients were told.
    fn check(&self) {
        let mut checker = python("checker.py");
        checker.arg(self.told).arg("--endpoints").arg(self.endpoints).arg("--policy").arg(self.policy);
        checker.arg("--write").arg(self.snapshot).args(["--patience", "120", "--readable"]);
        let output = checker.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{out}{err}");
        assert!(output.status.success(), "{out}{err}");
    }

    /// Our own audit of every study, which also replays every rule and every state.
    async fn audit(&self, client: &Client, load: &Load) {
        let endpoints = client::Endpoints::read(self.endpoints).unwrap();
        let lines: String = load.studies().map(synthetic::Study::policy_line).collect();
        let policy = format!("{}{lines}", ::verify::read_policy(self.policy, None).unwrap().1);
        let policy = Policy::parse(&policy).unwrap();
        let studies = load.studies().map(synthetic::Study::reader).collect();
        let audit = LiveAudit { client, tiles: &endpoints.anchoring, policy: &policy, studies, progress: false };
        let report = audit.run().await.unwrap();
        println!("{}", readable(&report));
        assert!(report.clean, "{}", readable(&report));
    }
}

/// Only refusals that the rules of the load call for: everything else is a fault of the service. Participants withdraw and consent
/// anew at several clients at once, so that what one signs may be overtaken by another's.
fn only_rules(figures: &Figures) {
    let expected = ["CONSENT_WITHDRAWN", "CONSENT_MISSING", "STATE_CHANGED", "OUT_OF_ORDER"];
    let other: Vec<_> = figures.refused.keys().filter(|reason| !expected.contains(&reason.as_str())).collect();
    assert!(other.is_empty(), "refused for {other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_keeps_its_word_when_it_is_killed_and_stopped() {
    let ((folder, _kept), seed) = (folder(), seed());
    let lasting = seconds(60).min(Duration::from_secs(600));
    let data = folder.join("data");
    let mut alone = Alone::start(&data);
    let client = Client::new(&alone.up.as_ref().unwrap().endpoints).unwrap();
    let told = folder.join("told");
    let plan = Plan { seed, studies: 3, participants: 4, clients: 8, rate: 4.0, lasting };
    let load = Load::set_up(&client, plan, &told).await;
    let storming = tokio::task::spawn_blocking(move || {
        let struck = storm(&mut alone, seed, lasting);
        (alone, struck)
    });
    let figures = load.run(&client).await;
    let (alone, struck) = storming.await.unwrap();
    println!("struck {struck:?}");
    println!("{figures}");
    only_rules(&figures);
    // A process that stands still is most of the time down; three times it was struck at least.
    assert!(struck.values().sum::<u64>() > lasting.as_secs() / 30 && figures.acknowledged > lasting.as_secs());
    let (endpoints, policy) = (data.join("endpoints.json"), data.join("policy.txt"));
    let judged = Judged { told: &told, endpoints: &endpoints, policy: &policy, snapshot: &folder.join("snapshot") };
    judged.check();
    judged.audit(&client, &load).await;
    drop(alone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_its_word_whatever_is_struck() {
    if !in_own_network("a_cluster_keeps_its_word_whatever_is_struck") {
        return; // the run in a network of its own has judged
    }
    let ((folder, _kept), seed, lasting) = (folder(), seed(), seconds(300));
    let (place, told) = (folder.join("cluster"), folder.join("told"));
    let mut many = Many::start(Path::new(TRIALSEAL), &place);
    let (endpoints, policy) = (place.join("endpoints.json"), place.join("policy.txt"));
    let client = Client::new(&client::Endpoints::read(&endpoints).unwrap()).unwrap();
    let plan = Plan { seed, studies: 4, participants: 5, clients: 12, rate: 3.0, lasting };
    let load = Load::set_up(&client, plan, &told).await;
    let storming = tokio::task::spawn_blocking(move || {
        let struck = storm(&mut many, seed, lasting);
        many.calm();
        (many, struck)
    });
    let figures = load.run(&client).await;
    let (many, struck) = storming.await.unwrap();
    println!("struck {struck:?}; ended by themselves {:?}", many.ended);
    println!("{figures}");
    let judged = Judged { told: &told, endpoints: &endpoints, policy: &policy, snapshot: &folder.join("snapshot") };
    judged.check();
    judged.audit(&client, &load).await;
    only_rules(&figures);
    assert!(struck.values().sum::<u64>() > lasting.as_secs() / 20 && figures.acknowledged > lasting.as_secs() * 2);
    drop(many);
}
