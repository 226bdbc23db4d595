//! Tells what waits, for as long as it takes.

use super::{Line, stream};
use crate::{address::Connection, message::SWEEP, outbox::Batch, pause::Pause};
use redis::RedisError;
use std::sync::Arc;

/// Runs until it is stopped.
pub(crate) async fn run(line: Arc<Line>) {
    let (mut connection, mut pause) = (None, Pause::new());
    loop {
        let batch = line.outbox.lock().ok().and_then(|mut outbox| outbox.take());
        let Some(batch) = batch else {
            line.waiting.notified().await;
            continue;
        };
        match tell(&line, &mut connection, &batch).await {
            Ok(()) => {
                line.counters.published.add(batch.heads.len());
                pause.reset();
            }
            Err(error) => {
                connection = None;
                line.failed(&error);
                let dropped = line.outbox.lock().map(|mut outbox| outbox.put_back(batch)).unwrap_or_default();
                line.counters.dropped.add(dropped);
                pause.wait().await;
            }
        }
    }
}

async fn tell(line: &Line, connection: &mut Option<Connection>, batch: &Batch) -> Result<(), RedisError> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(line.server.connect().await?),
    };
    let stream = stream::heads(batch.service);
    let mut pipeline = redis::pipe();
    if batch.missed {
        pipeline.add_command(stream::add(&stream, &stream::unique(&SWEEP))).ignore();
    }
    for moved in &batch.heads {
        pipeline.add_command(stream::add(&stream, &stream::unique(&moved.fields()))).ignore();
    }
    pipeline.query_async(connection).await
}

impl Line {
    /// Counts a failure and reports it, without addresses.
    pub(crate) fn failed(&self, error: &RedisError) {
        self.counters.failures.add(1);
        tracing::warn!(kind = ?error.kind(), code = error.code(), "the bus is unavailable");
    }
}
