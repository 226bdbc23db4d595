//! The bus on Redis Streams.

mod address;
mod content;
mod follow;
mod outbox;
mod pause;
mod publish;
mod shared;
mod stream;
mod work;

use crate::{ConnectError, Delivery, Group, Job, Moved, News, Trust, figures::Counters};
use address::Server;
pub use address::is_private;
use outbox::{Outbox, Put};
use redis::RedisError;
use seal::id::Service;
use shared::Shared;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};

/// The most journals whose heads wait to be told.
const ROOM: usize = 4_096;
/// The most news that wait for a follower; further ones wait in Redis.
const NEWS: usize = 1_024;

pub(crate) struct Remote {
    line: Arc<Line>,
    /// Ends with the bus.
    _publisher: JoinSet<()>,
}

/// What the tasks of a bus share.
pub(crate) struct Line {
    pub(crate) server: Server,
    pub(crate) counters: Counters,
    /// The connection of short commands.
    pub(crate) shared: Shared,
    instance: String,
    outbox: Mutex<Outbox>,
    waiting: Notify,
}

impl Remote {
    /// Begins to reach Redis, which may be away. Needs a tokio runtime.
    pub(crate) fn start(url: &str, instance: &str, trust: Option<&Trust>) -> Result<Self, ConnectError> {
        let server = Server::parse(url, trust)?;
        let line = Arc::new(Line {
            server,
            counters: Counters::default(),
            shared: Shared::default(),
            instance: instance.to_owned(),
            outbox: Mutex::new(Outbox::new(ROOM)),
            waiting: Notify::new(),
        });
        let mut publisher = JoinSet::new();
        publisher.spawn(publish::run(line.clone()));
        Ok(Self { line, _publisher: publisher })
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.line.counters
    }

    pub(crate) fn queued(&self) -> usize {
        self.line.outbox.lock().map(|outbox| outbox.len()).unwrap_or_default()
    }

    pub(crate) fn publish(&self, moved: Moved) {
        let put = self.line.outbox.lock().map(|mut outbox| outbox.put(moved));
        match put {
            Ok(Put::Coalesced) => self.line.counters.coalesced.add(1),
            Ok(Put::Dropped) => self.line.counters.dropped.add(1),
            Ok(Put::Queued) | Err(_) => {}
        }
        self.line.waiting.notify_one();
    }

    pub(crate) fn follow(&self, service: Service) -> mpsc::Receiver<News> {
        let (news, receiver) = mpsc::channel(NEWS);
        tokio::spawn(follow::run(self.line.clone(), service, news));
        receiver
    }

    pub(crate) fn work(&self, service: Service, group: Group) -> mpsc::Receiver<Job> {
        // Few: what waits for a worker that is busy counts as given to it.
        let (jobs, receiver) = mpsc::channel(work::AT_ONCE);
        tokio::spawn(work::run(self.line.clone(), service, group, jobs));
        receiver
    }

    pub(crate) async fn evaluate(&self, script: &str, key: &str, arguments: &[u64], patience: Duration) -> Option<u64> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(1).arg(key).arg(arguments);
        match timeout(patience, self.line.shared.ask::<u64>(&self.line, &command)).await {
            Ok(answer) => answer.ok(),
            Err(_) => {
                self.line.shared.give_up();
                None
            }
        }
    }

    pub(crate) async fn ack(&self, service: Service, group: Group, delivery: &Delivery) {
        let mut command = redis::cmd("XACK");
        command.arg(stream::heads(service)).arg(group.name).arg(&delivery.id);
        let acknowledged: Result<u64, RedisError> = self.line.shared.ask(&self.line, &command).await;
        if let Err(error) = acknowledged {
            tracing::warn!(kind = ?error.kind(), "a message was not acknowledged and will be given out again");
        }
    }
}
