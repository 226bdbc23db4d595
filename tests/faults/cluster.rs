//! A whole cluster as a target: its processes, PostgreSQL, Redis, the object store's disk, links and clocks.

use crate::support::{
    faults::{Fault, Kind, Target},
    seeded::Seeded,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};
use testbed::{cluster::Cluster, judges, packages, postgres::Postgres, redis::Redis, s3::S3};

/// The object store's own disk: small, so that it is filled at once.
const DISK_MEBIBYTES: u32 = 256;
/// Whose clock can be stepped: one replica of each service, so that the other one keeps time.
const CLOCKS: [&str; 5] = ["anchoring-1", "capture-1", "consent-1", "enrollment-1", "witness-cro"];
/// How far a clock jumps, in milliseconds, forwards or back. Sealed times of different services are compared, and
/// what they may differ by is what decisions may not be used for any more: a second.
const STEP_MS: u64 = 900;
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const INSIDE: &str = "TRIALSEAL_FAULT_NETWORK";

/// A running cluster.
pub(crate) struct Many {
    pub(crate) cluster: Cluster,
    clocks: BTreeMap<String, PathBuf>,
    /// Processes that are down on purpose.
    down: BTreeSet<String>,
    /// How often a process ended by itself and was started again, as an orchestrator would.
    pub(crate) ended: BTreeMap<String, u64>,
}

/// Installs what the faults need while there is a network, then runs this test again in a network of its own, where links
/// can be cut and nobody else is struck. True for that second run.
pub(crate) fn in_own_network(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let needed = [("/usr/sbin/iptables", "iptables"), ("/usr/sbin/ip", "iproute2"), (FAKETIME, "faketime")];
    let lacking: Vec<&str> =
        needed.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, name)| *name).collect();
    if !lacking.is_empty() {
        packages::install(&lacking);
    }
    drop((Postgres::start(), Redis::start().unwrap(), S3::start()));
    judges::environment();
    let mut inside = packages::as_root();
    inside.args(["unshare", "--net", "sh", "-c", "ip link set lo up && exec env \"$@\"", "sh"]);
    let ours = |(name, _): &(String, String)| name == "PATH" || name.starts_with("TRIALSEAL_");
    inside.args(env::vars().filter(ours).map(|(name, value)| format!("{name}={value}")));
    inside.arg(format!("{INSIDE}=1")).arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    assert!(inside.status().unwrap().success(), "see above");
    false
}

impl Many {
    /// Starts a cluster in a folder.
    pub(crate) fn start(binary: &Path, folder: &Path) -> Self {
        let mut cluster = Cluster::start_on(binary, folder, S3::on_small_disk(DISK_MEBIBYTES));
        let mut clocks = BTreeMap::new();
        for name in CLOCKS {
            let file = folder.join(format!("{name}.clock"));
            fs::write(&file, "+0\n").unwrap();
            let member = cluster.member(name);
            let variables = [
                ("LD_PRELOAD", FAKETIME.to_owned()),
                ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
                ("FAKETIME_CACHE_DURATION", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ];
            member.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
            member.terminate();
            member.spawn();
            clocks.insert(name.to_owned(), file);
        }
        cluster.members.values().for_each(testbed::cluster::Member::wait_until_up);
        Self { cluster, clocks, down: BTreeSet::new(), ended: BTreeMap::new() }
    }

    /// Brings everything back and waits until it listens.
    pub(crate) fn calm(&mut self) {
        self.down.clear();
        self.tend();
        self.cluster.members.values().for_each(testbed::cluster::Member::wait_until_up);
    }

    /// The port behind a link.
    fn port(&self, link: &str) -> u16 {
        let of = |url: &str| url.rsplit(':').next().and_then(|port| port.split('/').next()?.parse().ok()).unwrap();
        match link {
            "link of postgres" => self.cluster.postgres.port(),
            "link of redis" => self.cluster.redis.port(),
            "link of s3" => of(&self.cluster.s3.endpoint()),
            link => {
                let address: SocketAddr = self.cluster.members[link.trim_start_matches("link of ")].address;
                address.port()
            }
        }
    }

    /// Drops, or no longer drops, what goes to a port and what comes from it.
    fn link(&self, link: &str, rule: &str) {
        for direction in ["--dport", "--sport"] {
            let mut command = Command::new("iptables");
            command.args(["-w", rule, "INPUT", "-p", "tcp", direction, &self.port(link).to_string(), "-j", "DROP"]);
            assert!(command.status().unwrap().success(), "{command:?}");
        }
    }

    fn filler(&self) -> PathBuf {
        self.cluster.s3.disk().join("full")
    }

    fn step(&self, what: &str, step: &str) {
        fs::write(&self.clocks[what.trim_start_matches("clock of ")], format!("{step}\n")).unwrap();
    }
}

impl Target for Many {
    fn kinds(&self) -> Vec<Kind> {
        use Kind::{CutLink, FillObjects, FlushRedis, Kill, KillRedis, Pause, RestartPostgres, StepClock};
        let often = [Kill, Kill, Kill, Pause, Pause, CutLink, CutLink, StepClock];
        [&often[..], &[FlushRedis, KillRedis, RestartPostgres, FillObjects]].concat()
    }

    fn victims(&self, kind: Kind) -> Vec<String> {
        let members = || self.cluster.members.keys();
        match kind {
            Kind::Kill | Kind::Pause => members().cloned().collect(),
            Kind::CutLink => {
                let servers = ["postgres", "redis", "s3"].map(|server| format!("link of {server}"));
                members().map(|name| format!("link of {name}")).chain(servers).collect()
            }
            Kind::StepClock => CLOCKS.map(|name| format!("clock of {name}")).to_vec(),
            Kind::FlushRedis | Kind::KillRedis => vec!["redis".to_owned()],
            Kind::RestartPostgres => vec!["postgres".to_owned()],
            Kind::FillObjects => vec!["disk".to_owned()],
        }
    }

    fn strike(&mut self, fault: &Fault, choices: &mut Seeded) {
        match fault.kind {
            Kind::Kill => {
                self.down.insert(fault.what.clone());
                self.cluster.member(&fault.what).kill();
            }
            Kind::Pause => self.cluster.member(&fault.what).pause(),
            Kind::FlushRedis => self.cluster.redis.flush().unwrap(),
            Kind::KillRedis => self.cluster.redis.kill().unwrap(),
            Kind::RestartPostgres => self.cluster.postgres.stop(),
            Kind::CutLink => self.link(&fault.what, "-I"),
            Kind::FillObjects => fill(&self.filler()),
            Kind::StepClock => {
                let sign = choices.one_of(&["+", "-"]);
                self.step(&fault.what, &format!("{sign}0.{:03}", choices.below(STEP_MS)));
            }
        }
    }

    fn mend(&mut self, fault: &Fault) {
        match fault.kind {
            Kind::Kill => {
                self.down.remove(&fault.what);
                self.cluster.member(&fault.what).spawn();
            }
            Kind::Pause => self.cluster.member(&fault.what).resume(),
            Kind::FlushRedis => {}
            Kind::KillRedis => self.cluster.redis.restart().unwrap(),
            Kind::RestartPostgres => self.cluster.postgres.resume_service(),
            Kind::CutLink => self.link(&fault.what, "-D"),
            Kind::FillObjects => fs::remove_file(self.filler()).unwrap(),
            Kind::StepClock => self.step(&fault.what, "+0"),
        }
    }

    /// Starts again what ended by itself.
    fn tend(&mut self) {
        for (name, member) in &mut self.cluster.members {
            if !self.down.contains(name) && !member.runs() {
                *self.ended.entry(name.clone()).or_default() += 1;
                member.kill();
                member.spawn();
            }
        }
    }
}

/// Writes until the disk is full.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    let zeros = vec![0; 1 << 20];
    let full = loop {
        if let Err(error) = file.write_all(&zeros) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
}
