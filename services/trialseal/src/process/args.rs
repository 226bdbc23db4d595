//! The flags of the processes. Each can be set by an environment variable instead.

use super::{Pace, Quotas};
use crate::{deployment::DEFAULT_PORTS, wiring::Peers};
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use journal::Quota;
use server::Limits;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use tls::{Identity, TlsError};

/// A service as a process of its own.
#[derive(Subcommand)]
pub enum Process {
    /// Run the enrollment service: studies, sites, people, participants, allocation.
    Enrollment(Enrollment),
    /// Run the consent service: documents, consents, withdrawals, the access log.
    Consent(Consent),
    /// Run the capture service: forms, corrections, reads.
    Capture(Capture),
    /// Run the anchoring service: blocks, the chain, proofs. Of several replicas one is active, the others stand by.
    Anchoring(Anchoring),
    /// Run a witness, which remembers and cosigns the chain's latest state.
    #[command(skip)] // beside it, the command line has subcommands that prepare one
    Witness(Witness),
}

/// Flags of every service.
#[derive(Args)]
pub(super) struct Common {
    /// The address to listen on, for gRPC and HTTP. Port 0 chooses a free one. Default: loopback, with the service's port as in
    /// `trialseal up`.
    #[arg(long, env = "TRIALSEAL_LISTEN")]
    listen: Option<SocketAddr>,
    /// The address that serves metrics for Prometheus, as plain HTTP under /metrics, and grpc.health.v1 for probes without TLS.
    /// Default: none.
    #[arg(long, env = "TRIALSEAL_METRICS")]
    pub(super) metrics: Option<SocketAddr>,
    /// The service's certificate chain (PEM), reloaded when it changes. Without certificates the service only listens on loopback.
    #[arg(long, env = "TRIALSEAL_TLS_CERT", requires = "tls_key", requires = "tls_ca")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, env = "TRIALSEAL_TLS_KEY", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// The trusted certificate authority (PEM).
    #[arg(long, env = "TRIALSEAL_TLS_CA", requires = "tls_cert")]
    pub(super) tls_ca: Option<PathBuf>,
    /// The folder of the service's keys, as created by `trialseal init`.
    #[arg(long, env = "TRIALSEAL_KEYS")]
    pub(super) keys: PathBuf,
    /// The service's database: sqlite:///path or postgres://user:password@host/name.
    #[arg(long, env = "TRIALSEAL_DATABASE", hide_env_values = true)]
    pub(super) database: String,
    #[command(flatten)]
    pub(super) plain: PlainBackends,
    /// The name of this process among the replicas of its service.
    #[arg(long, env = "TRIALSEAL_INSTANCE", default_value_t = instance())]
    pub(super) instance: String,
    /// The maximum number of concurrent calls. A quarter as many may wait briefly; further calls are refused with a time to retry.
    #[arg(long, env = "TRIALSEAL_CALLS", default_value_t = 512)]
    calls: u16,
    /// The average number of calls per second allowed to each caller, across all replicas of the service; 0: no limit.
    #[arg(long, env = "TRIALSEAL_RATE", default_value_t = 500)]
    pub(super) rate: u32,
    /// For how many seconds new calls are still accepted after health has changed to NOT_SERVING.
    #[arg(long, env = "TRIALSEAL_NOTICE", default_value_t = 0)]
    notice: u16,
    /// For how many seconds running calls may continue when the process is asked to stop.
    #[arg(long, env = "TRIALSEAL_DRAIN", default_value_t = 10)]
    drain: u16,
}

/// Whether connections to databases and Redis must use TLS.
#[derive(Args)]
pub struct PlainBackends {
    /// Allow connections without TLS to PostgreSQL and Redis on other machines. For testing only.
    #[arg(long, env = "TRIALSEAL_PLAIN_BACKENDS")]
    plain_backends: bool,
}

impl PlainBackends {
    /// Fails unless the connection of `flag` is private (TLS, or this machine alone) or plain connections are allowed.
    pub fn check(&self, flag: &str, is_private: bool) -> Result<()> {
        let how = "sslmode=verify-full in the URL of --database, rediss:// for --redis";
        ensure!(is_private || self.plain_backends, "{flag}: TLS is required to reach another machine ({how})");
        Ok(())
    }
}

/// The name of the machine or pod.
fn instance() -> String {
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "trialseal".to_owned())
}

/// Flags of every service but a witness.
#[derive(Args)]
pub(super) struct Shared {
    #[command(flatten)]
    common: Common,
    /// Redis: redis://, rediss://, redis+sentinel://host,host/name or redis+cluster://host,host. Losing its data is harmless.
    #[arg(long, env = "TRIALSEAL_REDIS", hide_env_values = true)]
    pub(super) redis: Option<String>,
    /// A folder of Cedar policies that replace the built-in ones.
    #[arg(long, env = "TRIALSEAL_POLICIES")]
    pub(super) policies: Option<PathBuf>,
    /// The OpenID Connect providers whose tokens are accepted (TOML).
    #[arg(long, env = "TRIALSEAL_OIDC")]
    pub(super) oidc: Option<PathBuf>,
}

/// Flags of `trialseal enrollment`.
#[derive(Args)]
pub struct Enrollment {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    quotas: Quotas,
    /// The file that lists the root keys that may create studies, reloaded when it changes: see `trialseal allow-study`. Default:
    /// nobody may create studies.
    #[arg(long, env = "TRIALSEAL_STUDIES")]
    pub(super) studies: Option<PathBuf>,
    /// How many studies each root key, and each address, may create per hour; 0: no limit.
    #[arg(long, env = "TRIALSEAL_STUDIES_PER_HOUR", default_value_t = 100)]
    pub(super) studies_per_hour: u32,
    /// The database of the participants' keys, shared with capture.
    #[arg(long, env = "TRIALSEAL_VAULT_DATABASE", hide_env_values = true)]
    pub(super) vault_database: String,
    /// Where the consent service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_CONSENT")]
    pub(super) consent: String,
}

/// Flags of `trialseal consent`.
#[derive(Args)]
pub struct Consent {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    quotas: Quotas,
    /// Where the documents' files are kept: file:///folder or s3://bucket/prefix.
    #[arg(long, env = "TRIALSEAL_OBJECTS")]
    pub(super) objects: String,
    /// Where the enrollment service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_ENROLLMENT")]
    pub(super) enrollment: String,
}

/// Flags of `trialseal capture`.
#[derive(Args)]
pub struct Capture {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    quotas: Quotas,
    /// The database of the participants' keys, shared with enrollment.
    #[arg(long, env = "TRIALSEAL_VAULT_DATABASE", hide_env_values = true)]
    pub(super) vault_database: String,
    /// Where the enrollment service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_ENROLLMENT")]
    pub(super) enrollment: String,
    /// Where the consent service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_CONSENT")]
    pub(super) consent: String,
}

/// Flags of `trialseal anchoring`.
#[derive(Args)]
pub struct Anchoring {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    pub(super) pace: Pace,
    /// Where the chain's files are kept: file:///folder or s3://bucket/prefix.
    #[arg(long, env = "TRIALSEAL_OBJECTS")]
    pub(super) objects: String,
    /// The policy file: the chain, its witnesses with their addresses, and the quorum.
    #[arg(long, env = "TRIALSEAL_POLICY")]
    pub(super) policy: PathBuf,
    /// Where the enrollment service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_ENROLLMENT")]
    pub(super) enrollment: String,
    /// Where the consent service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_CONSENT")]
    pub(super) consent: String,
    /// Where the capture service is reached: URLs, comma separated.
    #[arg(long, env = "TRIALSEAL_CAPTURE")]
    pub(super) capture: String,
}

/// Flags of `trialseal witness`.
#[derive(Args)]
pub struct Witness {
    #[command(flatten)]
    common: Common,
    /// The policy file: the chains that it cosigns.
    #[arg(long, env = "TRIALSEAL_POLICY")]
    pub(super) policy: PathBuf,
}

impl Common {
    /// The service's certificate, if it has one.
    pub(super) fn identity(&self) -> Result<Option<Identity>, TlsError> {
        match (&self.tls_cert, &self.tls_key, &self.tls_ca) {
            (Some(certificate), Some(key), Some(ca)) => Identity::watch(certificate, key, ca).map(Some),
            _ => Ok(None),
        }
    }

    /// The limits on calls and on stopping.
    pub(super) fn limits(&self) -> Limits {
        let seconds = |seconds| Duration::from_secs(u64::from(seconds));
        let calls = usize::from(self.calls.max(1));
        Limits { notice: seconds(self.notice), drain: seconds(self.drain), ..Limits::for_calls(calls) }
    }
}

impl Process {
    /// Its name, as that of its subcommand.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Process::Enrollment(_) => "enrollment",
            Process::Consent(_) => "consent",
            Process::Capture(_) => "capture",
            Process::Anchoring(_) => "anchoring",
            Process::Witness(_) => "witness",
        }
    }

    /// The flags that only services have: a witness needs no other service and does not identify its callers.
    pub(super) fn shared(&self) -> Option<&Shared> {
        match self {
            Process::Enrollment(Enrollment { shared, .. })
            | Process::Consent(Consent { shared, .. })
            | Process::Capture(Capture { shared, .. })
            | Process::Anchoring(Anchoring { shared, .. }) => Some(shared),
            Process::Witness(_) => None,
        }
    }

    /// The quota of each study; anchoring and witnesses store nothing of studies.
    pub(super) fn quota(&self) -> Quota {
        match self {
            Process::Enrollment(Enrollment { quotas, .. })
            | Process::Consent(Consent { quotas, .. })
            | Process::Capture(Capture { quotas, .. }) => quotas.quota(),
            Process::Anchoring(_) | Process::Witness(_) => Quota::NONE,
        }
    }

    /// The flags of every service.
    pub(super) fn common(&self) -> &Common {
        match self {
            Process::Witness(Witness { common, .. })
            | Process::Enrollment(Enrollment { shared: Shared { common, .. }, .. })
            | Process::Consent(Consent { shared: Shared { common, .. }, .. })
            | Process::Capture(Capture { shared: Shared { common, .. }, .. })
            | Process::Anchoring(Anchoring { shared: Shared { common, .. }, .. }) => common,
        }
    }

    /// Where it listens.
    pub(super) fn listen(&self) -> SocketAddr {
        let port = DEFAULT_PORTS
            + match self {
                Process::Enrollment(_) => 0,
                Process::Consent(_) => 1,
                Process::Capture(_) => 2,
                Process::Anchoring(_) => 3,
                Process::Witness(_) => 4,
            };
        self.common().listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// The recording services that it calls.
    pub(super) fn peers(&self) -> Peers {
        match self {
            Process::Enrollment(it) => Peers { consent: it.consent.clone(), ..Peers::default() },
            Process::Consent(it) => Peers { enrollment: it.enrollment.clone(), ..Peers::default() },
            Process::Capture(it) => {
                Peers { enrollment: it.enrollment.clone(), consent: it.consent.clone(), ..Peers::default() }
            }
            Process::Anchoring(it) => {
                Peers { enrollment: it.enrollment.clone(), consent: it.consent.clone(), capture: it.capture.clone() }
            }
            Process::Witness(_) => Peers::default(),
        }
    }
}
