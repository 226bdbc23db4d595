//! News between the processes of a deployment: that a journal has moved. Redis Streams, or in this process.
//!
//! The journals are the truth. What is lost here costs time and nothing else: whoever listens is told that something may
//! have been missed, and reads the journals. A message is the head of a journal and, at most, the trace it belongs to.
//!
//! What this crate is *not*: it reads no journal, and decides nothing.

mod absent;
mod error;
mod figures;
mod local;
mod message;
#[cfg(feature = "redis")]
mod remote;
#[cfg(not(feature = "redis"))]
#[path = "unbuilt.rs"]
mod remote;

pub use error::{ConnectError, Trust};
pub use figures::Figures;
pub use message::{Moved, Traceparent};
pub use remote::is_private;

use figures::Counters;
use local::Local;
use remote::Remote;
use seal::id::Service;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The bus of a deployment, as one process has it. Cheap to clone.
#[derive(Clone)]
pub struct Bus(Arc<Kind>);

enum Kind {
    Absent(Arc<Counters>),
    Local(Local),
    Remote(Remote),
}

/// What a follower hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A journal moved. The heads of a journal may arrive twice and out of order: the greatest number counts.
    Moved(Moved),
    /// From here on everything is heard, but something before may have been missed: at the beginning, after the
    /// connection was lost, after what was on the bus was dropped.
    Missed,
    /// Nothing is heard from here on until `Missed`.
    Away,
}

/// What a worker is given.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// A journal moved. To be acknowledged with [`Work::ack`].
    Moved(Delivery),
    /// News may have been missed: the journals are to be read. Asked for at the beginning, and about every second while
    /// the bus is unavailable.
    Sweep,
}

/// A message that one worker of a group was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub moved: Moved,
    id: String,
}

/// Those who share the messages of a service among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The group's name.
    pub name: &'static str,
    /// A message that was not acknowledged in this time is given to another worker.
    pub idle: Duration,
    /// A message that was given out this often without being acknowledged is set aside.
    pub deliveries: u32,
}

impl Group {
    /// A group whose messages are given to another worker after 10 s, and set aside after five attempts.
    pub const fn named(name: &'static str) -> Self {
        Self { name, idle: Duration::from_secs(10), deliveries: 5 }
    }
}

impl Bus {
    /// A bus within this process.
    pub fn in_process() -> Self {
        Self(Arc::new(Kind::Local(Local::default())))
    }

    /// A bus that carries nothing, for processes that have none between them: followers are told that nothing is heard,
    /// workers to sweep every second.
    pub fn absent() -> Self {
        Self(Arc::new(Kind::Absent(Arc::default())))
    }

    /// A bus on Redis 7 or newer: `redis://`, `rediss://` (TLS), `redis+sentinel://host,host/name`,
    /// `redis+cluster://host,host`. `instance` names this process among those of its service. Does not wait for Redis,
    /// which may be away; needs a tokio runtime.
    pub fn connect(url: &str, instance: &str, trust: Option<&Trust>) -> Result<Self, ConnectError> {
        Remote::start(url, instance, trust).map(|remote| Self(Arc::new(Kind::Remote(remote))))
    }

    /// Tells everybody that a journal moved. Never waits: the newest head of each journal is kept until it could be told.
    pub fn publish(&self, moved: Moved) {
        match &*self.0 {
            Kind::Absent(_) => {}
            Kind::Local(local) => local.publish(moved),
            Kind::Remote(remote) => remote.publish(moved),
        }
    }

    /// Follows the journals of a service: every follower in every process hears everything. Begins with [`News::Missed`].
    pub fn follow(&self, service: Service) -> Following {
        Following(match &*self.0 {
            Kind::Absent(_) => absent::follow(),
            Kind::Local(local) => local.follow(service),
            Kind::Remote(remote) => remote.follow(service),
        })
    }

    /// Works on the journals of a service together with others: each message is given to one worker of the group. Begins
    /// with [`Job::Sweep`].
    pub fn work(&self, service: Service, group: Group) -> Work {
        let jobs = match &*self.0 {
            Kind::Absent(counters) => absent::work(counters.clone()),
            Kind::Local(local) => local.work(service, group),
            Kind::Remote(remote) => remote.work(service, group),
        };
        Work { bus: self.clone(), service, group, jobs }
    }

    /// Whether it carries news within this process only.
    pub fn is_in_process(&self) -> bool {
        matches!(*self.0, Kind::Local(_))
    }

    /// Runs a script over one key in the Redis that the processes of a deployment share. Nothing if there is none, or if it
    /// does not answer within `patience`: then nobody waits for it for a while.
    pub async fn evaluate(&self, script: &str, key: &str, arguments: &[u64], patience: Duration) -> Option<u64> {
        match &*self.0 {
            Kind::Absent(_) | Kind::Local(_) => None,
            Kind::Remote(remote) => remote.evaluate(script, key, arguments, patience).await,
        }
    }

    /// What the bus did so far, and how it is.
    pub fn figures(&self) -> Figures {
        let queued = match &*self.0 {
            Kind::Absent(_) | Kind::Local(_) => 0,
            Kind::Remote(remote) => remote.queued(),
        };
        self.counters().figures(queued)
    }

    fn counters(&self) -> &Counters {
        match &*self.0 {
            Kind::Absent(counters) => counters,
            Kind::Local(local) => local.counters(),
            Kind::Remote(remote) => remote.counters(),
        }
    }
}

/// Hears of the journals of one service.
pub struct Following(mpsc::Receiver<News>);

impl Following {
    /// The next news. Safe to cancel.
    pub async fn next(&mut self) -> News {
        match self.0.recv().await {
            Some(news) => news,
            // Only at the end of the runtime.
            None => std::future::pending().await,
        }
    }
}

/// A worker of a group.
pub struct Work {
    bus: Bus,
    service: Service,
    group: Group,
    jobs: mpsc::Receiver<Job>,
}

impl Work {
    /// The next job. Safe to cancel.
    pub async fn next(&mut self) -> Job {
        match self.jobs.recv().await {
            Some(job) => job,
            // Only at the end of the runtime.
            None => std::future::pending().await,
        }
    }

    /// Says that a message was dealt with. If that cannot be told, the message is given out again later.
    pub async fn ack(&self, delivery: &Delivery) {
        match &*self.bus.0 {
            Kind::Absent(_) => {}
            Kind::Local(local) => local.ack(self.service, self.group, delivery),
            Kind::Remote(remote) => remote.ack(self.service, self.group, delivery).await,
        }
    }
}
