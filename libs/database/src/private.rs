//! Whether what passes between a process and its database is for them alone.

use crate::{Dialect, OpenError};
use sqlx::sqlite::SqliteConnectOptions;
use std::{io, path::Path};

/// Whether nobody on the way can read or change what passes: the database is a file, on this machine, or reached by TLS
/// with its certificate checked (`sslmode=verify-full` or `verify-ca`, in the URL or as `PGSSLMODE`).
pub fn is_private(url: &str) -> bool {
    match Dialect::of(url) {
        Some(Dialect::Sqlite) => true,
        Some(Dialect::Postgres) => server::is_private(url),
        None => false,
    }
}

/// Makes the file of a SQLite database, if the URL says that it may be made, so that only its owner reads it, and narrows
/// one that is open to others. SQLite gives the same mode to the files it makes beside it (`-wal`, `-shm`).
pub(crate) fn keep_file(url: &str) -> Result<(), OpenError> {
    let options: SqliteConnectOptions = url.parse().map_err(OpenError::Url)?;
    let file = options.get_filename();
    if url.contains(":memory:") || url.contains("mode=memory") || url.contains("mode=ro") {
        return Ok(());
    }
    let kept = match url.contains("mode=rwc") {
        true => owner::file(file),
        false => owner::narrow(file),
    };
    kept.and_then(|()| ["-wal", "-shm"].iter().try_for_each(|end| narrow_beside(file, end))).map_err(OpenError::File)
}

fn narrow_beside(file: &Path, end: &str) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    match owner::narrow(Path::new(&name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        narrowed => narrowed,
    }
}

#[cfg(feature = "postgres")]
mod server {
    //! A PostgreSQL server, and what lies on the way to it.

    use sqlx::postgres::{PgConnectOptions, PgSslMode};
    use std::{net::IpAddr, path::Path};

    pub(super) fn is_private(url: &str) -> bool {
        url.parse().is_ok_and(|options| is_checked(&options) || is_here(&options))
    }

    fn is_checked(options: &PgConnectOptions) -> bool {
        matches!(options.get_ssl_mode(), PgSslMode::VerifyFull | PgSslMode::VerifyCa)
    }

    fn is_here(options: &PgConnectOptions) -> bool {
        let host = options.get_host().trim_matches(['[', ']']);
        let is_loopback =
            || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical().is_loopback());
        options.get_socket().is_some() || Path::new(host).is_absolute() || is_loopback()
    }
}

#[cfg(not(feature = "postgres"))]
mod server {
    //! No server: nothing passes.

    pub(super) fn is_private(_: &str) -> bool {
        true
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn in_the_clear_is_private_on_this_machine_only() {
        for url in [
            "sqlite:///var/lib/capture.sqlite",
            "postgres://user@localhost/capture",
            "postgres://user:word@127.0.0.1:5432/capture",
            "postgresql://user@[::1]/capture?sslmode=disable",
            "postgres://user@db.example/capture?sslmode=verify-full",
            "postgres://user@192.0.2.1/capture?sslmode=verify-ca&sslrootcert=/etc/ca.pem",
            "postgres:///capture?host=/var/run/postgresql",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "postgres://user@db.example/capture",
            "postgres://user@192.0.2.1/capture?sslmode=prefer",
            "postgres://user@db.example/capture?sslmode=require",
            "postgres://user@localhost/capture?host=db.example",
            "postgres://user@localhost.example/capture",
            "mysql://user@localhost/capture",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
