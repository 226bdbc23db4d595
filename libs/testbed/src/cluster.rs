//! A deployment of many processes on one machine: PostgreSQL, Redis, an S3-compatible store, two replicas each of
//! enrollment, consent and capture, two of anchoring (one stands by), three witnesses; TLS with client certificates
//! between all of them.

mod member;

pub use member::Member;

use crate::{postgres::Postgres, redis::Redis, s3::S3};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

/// The witnesses' organisations, in the order `trialseal init` takes them.
const WITNESSES: [&str; 3] = ["sponsor", "cro", "regulator"];
/// The services with two replicas each.
const REPLICATED: [&str; 4] = ["enrollment", "consent", "capture", "anchoring"];
/// The databases to migrate, and with which part's tables.
const DATABASES: [&str; 8] =
    ["enrollment", "consent", "capture", "vault", "anchoring", "witness_sponsor", "witness_cro", "witness_regulator"];

/// A running cluster; everything is stopped when it is dropped.
pub struct Cluster {
    /// Keys, certificates, `policy.txt`, `endpoints.json`, `databases.json`, and a log for each process.
    pub folder: PathBuf,
    /// The database server.
    pub postgres: Postgres,
    /// The bus.
    pub redis: Redis,
    /// The object store.
    pub s3: S3,
    /// The processes of Trialseal by name, such as `capture-2` and `witness-cro`.
    pub members: BTreeMap<String, Member>,
}

impl Cluster {
    /// Starts everything with the `trialseal` at `binary`, in a folder that is made.
    pub fn start(binary: &Path, folder: &Path) -> Self {
        Self::start_on(binary, folder, S3::start())
    }

    /// As [`Cluster::start`], on a given object store.
    pub fn start_on(binary: &Path, folder: &Path, s3: S3) -> Self {
        fs::create_dir_all(folder).expect("the cluster's folder");
        let folder = &folder.canonicalize().expect("the folder that was made"); // what is written there names files in it
        let (postgres, redis) = (Postgres::start(), Redis::start().expect("Redis starts"));
        let plan = Plan { binary, folder, addresses: addresses(), postgres: &postgres, redis: &redis, s3: &s3 };
        plan.prepare();
        let members = plan.members();
        let mut cluster = Self { folder: folder.to_owned(), postgres, redis, s3, members };
        cluster.members.values_mut().for_each(Member::spawn);
        cluster.members.values().for_each(Member::wait_until_up);
        cluster
    }

    /// A process by name.
    pub fn member(&mut self, name: &str) -> &mut Member {
        self.members.get_mut(name).unwrap_or_else(|| panic!("no process is called {name}"))
    }
}

/// A free address for each process.
fn addresses() -> BTreeMap<String, SocketAddr> {
    let replicas = REPLICATED.iter().flat_map(|service| [format!("{service}-1"), format!("{service}-2")]);
    let names: Vec<String> = replicas.chain(WITNESSES.iter().map(|name| format!("witness-{name}"))).collect();
    // All are held until all are found, so that no two are the same.
    let held: Vec<TcpListener> =
        names.iter().map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port")).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("a bound port");
    names.into_iter().zip(held.iter().map(address)).collect()
}

struct Plan<'a> {
    binary: &'a Path,
    folder: &'a Path,
    addresses: BTreeMap<String, SocketAddr>,
    postgres: &'a Postgres,
    redis: &'a Redis,
    s3: &'a S3,
}

impl Plan<'_> {
    fn url(&self, name: &str) -> String {
        format!("https://{}", self.addresses[name])
    }

    fn urls(&self, service: &str) -> String {
        format!("{},{}", self.url(&format!("{service}-1")), self.url(&format!("{service}-2")))
    }

    /// Certificates, keys, policy, databases.
    fn prepare(&self) {
        let certificates = self.folder.join("pki");
        run(Command::new(self.binary).arg("pki").arg(&certificates).args([
            "--host",
            "127.0.0.1",
            "--host",
            "localhost",
        ]));
        let mut init = Command::new(self.binary);
        init.arg("init").arg(self.folder);
        for service in REPLICATED {
            init.arg(format!("--{service}")).arg(self.urls(service));
        }
        for name in WITNESSES {
            init.arg("--witness").arg(self.url(&format!("witness-{name}")));
        }
        run(init.arg("--tls-ca").arg(certificates.join("ca.pem")));
        // Tests, demos and benchmarks create studies as they like, each with a root key of its own.
        fs::write(self.folder.join("studies.txt"), "*\n").expect("the list of who may create studies");
        let mut listed = Vec::new();
        for database in DATABASES {
            let (part, url) = (database.split('_').next().unwrap_or(database), self.postgres.url(database));
            run(Command::new(self.binary).args(["migrate", part, "--database", &url]));
            listed.push(format!("  {database:?}: {url:?}"));
        }
        let listed = format!("{{\n{}\n}}\n", listed.join(",\n"));
        fs::write(self.folder.join("databases.json"), listed).expect("the list of databases");
    }

    fn members(&self) -> BTreeMap<String, Member> {
        self.addresses.keys().map(|name| (name.clone(), self.member(name))).collect()
    }

    fn member(&self, name: &str) -> Member {
        let (service, which) = name.split_once('-').expect("service-which");
        let (keys, database) = match service {
            "witness" => (name.to_owned(), format!("witness_{which}")),
            _ => (service.to_owned(), service.to_owned()),
        };
        let address = self.addresses[name];
        let mut flags = vec![service.to_owned()];
        let mut flag = |flag: &str, value: String| flags.extend([format!("--{flag}"), value]);
        let path = |path: PathBuf| path.display().to_string();
        flag("listen", address.to_string());
        flag("instance", name.to_owned());
        flag("keys", path(self.folder.join("keys").join(keys)));
        flag("database", self.postgres.url(&database));
        flag("tls-cert", path(self.folder.join("pki").join(format!("{service}.pem"))));
        flag("tls-key", path(self.folder.join("pki").join(format!("{service}.key"))));
        flag("tls-ca", path(self.folder.join("pki/ca.pem")));
        if service != "witness" {
            flag("redis", self.redis.url());
        }
        if service == "enrollment" {
            flag("studies", path(self.folder.join("studies.txt")));
            flag("studies-per-hour", "0".to_owned());
        }
        if matches!(service, "enrollment" | "capture") {
            flag("vault-database", self.postgres.url("vault"));
        }
        if matches!(service, "consent" | "anchoring") {
            flag("objects", self.s3.url(service));
        }
        if matches!(service, "witness" | "anchoring") {
            flag("policy", path(self.folder.join("policy.txt")));
        }
        let asks: &[&str] = match service {
            "enrollment" => &["consent"],
            "consent" => &["enrollment"],
            "capture" => &["enrollment", "consent"],
            "anchoring" => &["enrollment", "consent", "capture"],
            _ => &[],
        };
        for asked in asks {
            flag(asked, self.urls(asked));
        }
        Member::new(name, address, self.binary, flags, self.s3.variables(), self.folder.join(format!("{name}.log")))
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
