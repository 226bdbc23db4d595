//! One connection for short commands, made when it is needed and thrown away when it fails.

use super::Line;
use super::address::Connection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// After a failure nobody waits for Redis for this long.
const APART: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    tried: Option<Instant>,
}

impl Shared {
    /// Asks Redis, unless it failed just now.
    pub(crate) async fn ask<T: FromRedisValue>(&self, line: &Arc<Line>, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = match self.connection() {
            Some(connection) => connection,
            None => self.connect(line).await?,
        };
        let answer = command.query_async(&mut connection).await;
        if let Err(error) = &answer
            && !is_refusal(error)
        {
            line.counters.failures.add(1);
            self.set(None);
        }
        answer
    }

    /// Leaves Redis alone for a while: it did not answer in time.
    pub(crate) fn give_up(&self) {
        self.set(None);
    }

    fn connection(&self) -> Option<Connection> {
        self.0.lock().ok().and_then(|state| state.connection.clone())
    }

    fn set(&self, connection: Option<Connection>) {
        if let Ok(mut state) = self.0.lock() {
            *state = State { connection, tried: Some(Instant::now()) };
        }
    }

    /// Makes a connection; goes on with it even if the caller does not wait that long.
    async fn connect(&self, line: &Arc<Line>) -> Result<Connection, RedisError> {
        if !self.may_try() {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        let line = line.clone();
        let made = tokio::spawn(async move {
            let connection = line.server.connect().await.inspect_err(|error| line.failed(error))?;
            line.shared.set(Some(connection.clone()));
            Ok(connection)
        });
        made.await.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?
    }

    /// One attempt at a time.
    fn may_try(&self) -> bool {
        let Ok(mut state) = self.0.lock() else { return false };
        let may = state.tried.is_none_or(|at| at.elapsed() >= APART);
        if may {
            state.tried = Some(Instant::now());
        }
        may
    }
}

/// Whether Redis answered, if only that it will not; a server that is no master any more is not asked again.
fn is_refusal(error: &RedisError) -> bool {
    let elsewhere = [ServerErrorKind::ReadOnly, ServerErrorKind::Moved, ServerErrorKind::ClusterDown];
    matches!(error.kind(), ErrorKind::Server(kind) if !elsewhere.contains(&kind))
}
