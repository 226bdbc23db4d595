//! Where Redis is, and how it is reached.

use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError, TlsCertificates, TlsMode,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use std::{fs, io, net::IpAddr, path::PathBuf, time::Duration};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take; longer than a read waits for news.
const ANSWER: Duration = Duration::from_millis(1_500);

/// Why a bus cannot be on that address.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It does not begin with `redis://`, `rediss://`, or either with `+sentinel` or `+cluster` in its scheme.
    #[error("the scheme of the Redis address is none of redis, rediss, redis+sentinel, redis+cluster")]
    Scheme,
    /// `redis+sentinel://host,host/name` lacks the name of the master.
    #[error("the Redis address does not name the sentinels' master")]
    MasterMissing,
    /// A host, a port, a database number or a certificate cannot be read.
    #[error("the Redis address or its certificates cannot be read")]
    Unreadable(#[source] RedisError),
    /// A file of certificates cannot be read.
    #[error("a file of certificates for Redis cannot be read")]
    File(#[source] io::Error),
}

/// What TLS connections to Redis trust and show: PEM files, read anew for every connection.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The certificates of the authority; without it the machine's own are trusted.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The Redis of a deployment.
pub(crate) struct Server {
    url: Zeroizing<String>,
    trust: Option<Trust>,
}

/// Whether nobody on the way to the Redis at `url` can read or change what passes: TLS, or this machine alone.
pub fn is_private(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let base = scheme.split_once('+').map_or(scheme, |(base, _)| base);
    let rest = if scheme.ends_with("+sentinel") { rest.split('/').next().unwrap_or_default() } else { rest };
    let is_here = |url: &String| {
        url.as_str().into_connection_info().is_ok_and(|info| match info.addr() {
            ConnectionAddr::Tcp(host, _) => {
                let host = host.trim_matches(['[', ']']);
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical().is_loopback())
            }
            ConnectionAddr::Unix(_) => true,
            _ => false,
        })
    };
    base == "rediss" || hosts(base, rest).iter().all(is_here)
}

/// What makes connections to it.
enum Maker {
    One(Box<Client>),
    Sentinel(Box<SentinelClient>),
    Cluster(Box<ClusterClient>),
}

/// A connection to it.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// Reads an address.
    pub(crate) fn parse(url: &str, trust: Option<&Trust>) -> Result<Self, ConnectError> {
        let server = Self { url: url.to_owned().into(), trust: trust.cloned() };
        server.maker().map(|_| server)
    }

    /// A new connection, to the master of the moment, by the certificates of the moment.
    pub(crate) async fn connect(&self) -> Result<Connection, RedisError> {
        match timeout(CONNECT, self.reach()).await {
            Ok(connection) => connection,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    async fn reach(&self) -> Result<Connection, RedisError> {
        let client = match self.maker()? {
            Maker::One(client) => *client,
            Maker::Sentinel(mut sentinel) => sentinel.async_get_client().await?,
            Maker::Cluster(cluster) => return cluster.get_async_connection().await.map(Connection::Cluster),
        };
        let rules =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        client.get_multiplexed_async_connection_with_config(&rules).await.map(Connection::One)
    }

    fn maker(&self) -> Result<Maker, ConnectError> {
        let (scheme, rest) = self.url.split_once("://").ok_or(ConnectError::Scheme)?;
        let (base, kind) = scheme.split_once('+').unwrap_or((scheme, "one"));
        let trust = self.trust.as_ref().filter(|_| base == "rediss");
        let certificates = trust.map(certificates).transpose().map_err(ConnectError::File)?;
        let made = match (base, kind) {
            ("redis" | "rediss", "one") => one(&self.url, certificates),
            ("redis" | "rediss", "cluster") => cluster(&hosts(base, rest), certificates),
            ("redis" | "rediss", "sentinel") => {
                let (rest, name) = rest.split_once('/').ok_or(ConnectError::MasterMissing)?;
                let name = Some(name.trim_end_matches('/')).filter(|name| !name.is_empty());
                sentinel(&hosts(base, rest), name.ok_or(ConnectError::MasterMissing)?, certificates)
            }
            _ => return Err(ConnectError::Scheme),
        };
        made.map_err(ConnectError::Unreadable)
    }
}

impl From<ConnectError> for RedisError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unreadable(source) => source,
            ConnectError::File(source) => source.into(),
            ConnectError::Scheme | ConnectError::MasterMissing => {
                (ErrorKind::InvalidClientConfig, "the address cannot be read").into()
            }
        }
    }
}

fn certificates(trust: &Trust) -> io::Result<TlsCertificates> {
    let root_cert = trust.ca.as_deref().map(fs::read).transpose()?;
    let client_tls = match &trust.identity {
        Some((certificate, key)) => {
            Some(ClientTlsConfig { client_cert: fs::read(certificate)?, client_key: fs::read(key)? })
        }
        None => None,
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

/// One address for each host, all with the user and password that stand before the first.
fn hosts(scheme: &str, rest: &str) -> Vec<String> {
    let (user, hosts) = rest.rsplit_once('@').map_or(("", rest), |(user, hosts)| (user, hosts));
    let at = if user.is_empty() { "" } else { "@" };
    hosts.trim_end_matches('/').split(',').map(|host| format!("{scheme}://{user}{at}{host}")).collect()
}

fn one(url: &str, certificates: Option<TlsCertificates>) -> Result<Maker, RedisError> {
    Ok(Maker::One(Box::new(match certificates {
        Some(certificates) => Client::build_with_tls(url, certificates)?,
        None => Client::open(url)?,
    })))
}

fn cluster(urls: &[String], certificates: Option<TlsCertificates>) -> Result<Maker, RedisError> {
    // No retries: after any failure the connection is made anew, and followers are told.
    let mut builder = ClusterClientBuilder::new(urls.iter().map(String::as_str)).retries(0);
    builder = builder.connection_timeout(CONNECT).response_timeout(ANSWER).overall_response_timeout(Some(ANSWER));
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build().map(|client| Maker::Cluster(Box::new(client)))
}

fn sentinel(urls: &[String], name: &str, certificates: Option<TlsCertificates>) -> Result<Maker, RedisError> {
    let infos: Vec<ConnectionInfo> =
        urls.iter().map(|url| url.as_str().into_connection_info()).collect::<Result<_, _>>()?;
    let addresses: Vec<ConnectionAddr> = infos.iter().map(|info| info.addr().clone()).collect();
    let secure = addresses.iter().any(|address| matches!(address, ConnectionAddr::TcpTls { .. }));
    let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?;
    if secure {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.set_client_to_sentinel_certificates(certificates.clone());
        builder = builder.set_client_to_redis_certificates(certificates);
    }
    let settings = infos.first().map(ConnectionInfo::redis_settings);
    if let Some(user) = settings.and_then(|settings| settings.username()) {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.and_then(|settings| settings.password()) {
        builder = builder.set_client_to_redis_password(password);
    }
    Ok(Maker::Sentinel(Box::new(builder.build()?)))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a redis::Cmd) -> redis::RedisFuture<'a, redis::Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> redis::RedisFuture<'a, Vec<redis::Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn in_the_clear_is_private_on_this_machine_only() {
        for url in [
            "redis://localhost",
            "redis://user:word@127.0.0.1:6379/2",
            "redis://[::1]:6379",
            "redis+cluster://127.0.0.1:7000,127.0.0.1:7001",
            "redis+sentinel://127.0.0.1:26379,localhost:26380/primary",
            "rediss://redis.example",
            "rediss+cluster://one.example,other.example",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "redis://redis:6379",
            "redis://user:word@192.0.2.1",
            "redis+cluster://127.0.0.1:7000,192.0.2.1:7001",
            "redis+sentinel://127.0.0.1:26379,sentinel.example/primary",
            "nothing",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }

    fn maker(url: &str) -> Result<Maker, ConnectError> {
        Server::parse(url, None)?.maker()
    }

    #[test]
    fn addresses_of_every_kind_are_read() {
        for url in ["redis://127.0.0.1:1", "redis://:secret@h/2", "rediss://h:1", "redis+sentinel://u:p@h:1,i:2/name"] {
            assert!(!matches!(maker(url).unwrap(), Maker::Cluster(_)), "{url}");
        }
        assert!(matches!(maker("redis+cluster://:secret@h:1,i:2").unwrap(), Maker::Cluster(_)));
        assert!(matches!(maker("rediss+sentinel://h:1,i:2/name").unwrap(), Maker::Sentinel(_)));
    }

    #[test]
    fn other_addresses_are_refused_without_being_repeated() {
        for url in
            ["", "h:1", "http://h", "redis+other://h", "redis+sentinel://h", "redis+sentinel://h/", "redis://:pw@h:x"]
        {
            let error = maker(url).err().unwrap();
            assert!(!error.to_string().contains("pw"), "{url}");
        }
    }

    #[test]
    fn every_host_gets_the_password() {
        assert_eq!(hosts("redis", ":p%40@h:1,i:2"), ["redis://:p%40@h:1", "redis://:p%40@i:2"]);
        assert_eq!(hosts("redis", "h"), ["redis://h"]);
    }
}
