//! Why there is no connection to Redis, and whom one trusts.

use std::{io, path::PathBuf};

/// Why a bus cannot be on that address.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// This program has no Redis.
    #[error("Redis needs a program built with the feature `redis`: `cargo build --features redis`")]
    NotBuiltIn,
    /// It does not begin with `redis://`, `rediss://`, or either with `+sentinel` or `+cluster` in its scheme.
    #[error("the scheme of the Redis address is none of redis, rediss, redis+sentinel, redis+cluster")]
    Scheme,
    /// `redis+sentinel://host,host/name` lacks the name of the master.
    #[error("the Redis address names no master for the sentinels")]
    MasterMissing,
    /// A host, a port, a database number or a certificate cannot be read.
    #[cfg(feature = "redis")]
    #[error("the Redis address or its certificates cannot be read")]
    Unreadable(#[source] redis::RedisError),
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
