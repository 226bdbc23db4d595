//! A worker of a consumer group.

use super::{Line, stream};
use crate::{Delivery, Group, Job, absent::SWEEP, address::Connection, message::Content, pause::Pause};
use redis::{RedisError, Value, cmd};
use seal::id::Service;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

/// The most jobs that wait for one worker.
pub(crate) const AT_ONCE: usize = 16;
/// How long one read waits for news.
const WAIT: Duration = Duration::from_millis(500);
/// Before every message.
const FIRST: &str = "0-0";
/// A worker that was not seen for this time, in milliseconds, and owes nothing, is forgotten: names come and go.
const FORGOTTEN: u64 = 3_600_000;

/// Works until nobody takes jobs any more. After any failure all begins anew, with a sweep.
pub(crate) async fn run(line: Arc<Line>, service: Service, group: Group, jobs: mpsc::Sender<Job>) {
    let (mut pause, away) = (Pause::new(), AtomicBool::new(false));
    let mut worker = Worker {
        line: &line,
        service,
        group,
        jobs: &jobs,
        stream: stream::heads(service),
        scanned: FIRST.to_owned(),
        away: &away,
    };
    let working = async {
        loop {
            if let Err(error) = worker.work(&mut pause).await {
                line.failed(&error);
            }
            away.store(true, Relaxed);
            pause.wait().await;
        }
    };
    tokio::select! {
        () = working => {}
        () = sweep(&line, &away, &jobs) => {}
        () = jobs.closed() => {}
    }
}

/// While there is no news the journals are read instead.
async fn sweep(line: &Line, away: &AtomicBool, jobs: &mpsc::Sender<Job>) {
    loop {
        sleep(SWEEP).await;
        if away.load(Relaxed) && jobs.try_send(Job::Sweep).is_ok() {
            line.counters.missed.add(1);
        }
    }
}

struct Worker<'a> {
    line: &'a Line,
    service: Service,
    group: Group,
    jobs: &'a mpsc::Sender<Job>,
    stream: String,
    /// How far the unacknowledged messages were looked through.
    scanned: String,
    /// Whether no news come because Redis failed.
    away: &'a AtomicBool,
}

impl Worker<'_> {
    async fn work(&mut self, pause: &mut Pause) -> Result<(), RedisError> {
        let mut connection = self.line.server.connect().await?;
        let _open = self.line.counters.connected();
        let mut mark = self.begin(&mut connection).await?;
        let mut claimed = Instant::now();
        loop {
            if claimed.elapsed() >= self.group.idle / 2 {
                self.claim(&mut connection).await?;
                self.forget(&mut connection).await?;
                claimed = Instant::now();
            }
            let mut pipeline = redis::pipe();
            pipeline.add_command(self.read()).add_command(stream::stands(&self.stream, &mark));
            let (read, stands): (Value, Value) = pipeline.query_async(&mut connection).await?;
            pause.reset();
            let entries = stream::read(read);
            if !mark.is_in(stands) {
                mark = stream::mark(&mut connection, &self.stream).await?;
                self.sweep().await;
            } else if let Some(last) = entries.last() {
                mark = last.clone();
            }
            for entry in entries {
                self.give(&mut connection, entry).await?;
            }
        }
    }

    /// Makes the group if it is not there, and asks for a sweep.
    async fn begin(&self, connection: &mut Connection) -> Result<stream::Entry, RedisError> {
        let mark = stream::mark(connection, &self.stream).await?;
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(&self.stream).arg(self.group.name).arg(&mark.id);
        match create.query_async(connection).await {
            Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
            Err(_) | Ok(()) => {}
        }
        self.sweep().await;
        self.away.store(false, Relaxed);
        Ok(mark)
    }

    fn read(&self) -> redis::Cmd {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(self.group.name).arg(&self.line.instance).arg("COUNT").arg(AT_ONCE);
        let wait = WAIT.min(self.group.idle / 2).max(Duration::from_millis(1));
        read.arg("BLOCK").arg(wait.as_millis() as u64).arg("STREAMS").arg(&self.stream).arg(">");
        read
    }

    async fn give(&self, connection: &mut Connection, entry: stream::Entry) -> Result<(), RedisError> {
        match entry.content(self.service) {
            Some(Content::Moved(moved)) => {
                self.line.counters.delivered.add(1);
                self.send(Job::Moved(Delivery { moved, id: entry.id })).await;
            }
            Some(Content::Sweep) => {
                self.sweep().await;
                self.ack(&entry.id).query_async::<()>(connection).await?;
            }
            None => {
                self.set_aside(connection, &entry, "it cannot be read").await?;
                self.sweep().await;
            }
        }
        Ok(())
    }

    /// Takes over what others, or this worker before it was started again, did not acknowledge in time.
    async fn claim(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(&self.stream).arg(self.group.name).arg(&self.line.instance);
        claim.arg(self.group.idle.as_millis() as u64).arg(&self.scanned).arg("COUNT").arg(AT_ONCE);
        let (next, claimed, lost): (String, Value, Vec<String>) = claim.query_async(connection).await?;
        self.scanned = next;
        if !lost.is_empty() {
            self.sweep().await;
        }
        let claimed = stream::entries(claimed);
        let (Some(first), Some(last)) = (claimed.first(), claimed.last()) else { return Ok(()) };
        let deliveries = self.deliveries(connection, &first.id, &last.id).await?;
        for entry in claimed {
            if deliveries.get(&entry.id).is_some_and(|often| *often > u64::from(self.group.deliveries)) {
                self.set_aside(connection, &entry, "no worker could process it").await?;
            } else {
                self.line.counters.claimed.add(1);
                self.give(connection, entry).await?;
            }
        }
        Ok(())
    }

    /// How often this worker's messages were given out.
    async fn deliveries(
        &self,
        connection: &mut Connection,
        first: &str,
        last: &str,
    ) -> Result<HashMap<String, u64>, RedisError> {
        let mut pending = cmd("XPENDING");
        pending.arg(&self.stream).arg(self.group.name).arg(first).arg(last).arg(1_000).arg(&self.line.instance);
        let pending: Vec<(String, Value, Value, u64)> = pending.query_async(connection).await?;
        Ok(pending.into_iter().map(|(id, _, _, often)| (id, often)).collect())
    }

    /// Moves a message to where such messages are kept, for people to look at.
    async fn set_aside(
        &self,
        connection: &mut Connection,
        entry: &stream::Entry,
        why: &'static str,
    ) -> Result<(), RedisError> {
        let (pairs, _) = entry.fields.as_chunks::<2>();
        let mut fields = vec![(b"id".to_vec(), entry.id.clone().into_bytes())];
        fields.push((b"group".to_vec(), self.group.name.as_bytes().to_vec()));
        fields.extend(pairs.iter().map(|[name, value]| (name.clone(), value.clone())));
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.add_command(stream::add(&stream::dead(self.service), &fields)).ignore();
        pipeline.add_command(self.ack(&entry.id)).ignore();
        pipeline.query_async::<()>(connection).await?;
        self.line.counters.poison.add(1);
        tracing::error!(service = %self.service, group = self.group.name, id = entry.id, why, "a message was set aside");
        Ok(())
    }

    fn ack(&self, id: &str) -> redis::Cmd {
        let mut ack = cmd("XACK");
        ack.arg(&self.stream).arg(self.group.name).arg(id);
        ack
    }

    /// Forgets workers that are long gone.
    async fn forget(&self, connection: &mut Connection) -> Result<(), RedisError> {
        let consumers: Vec<HashMap<String, Value>> =
            cmd("XINFO").arg("CONSUMERS").arg(&self.stream).arg(self.group.name).query_async(connection).await?;
        for consumer in consumers {
            let number = |key: &str| match consumer.get(key) {
                Some(Value::Int(number)) => u64::try_from(*number).ok(),
                _ => None,
            };
            if let (Some(0), Some(FORGOTTEN..), Some(Value::BulkString(name))) =
                (number("pending"), number("idle"), consumer.get("name"))
            {
                let mut forget = cmd("XGROUP");
                forget.arg("DELCONSUMER").arg(&self.stream).arg(self.group.name).arg(name);
                forget.query_async::<()>(connection).await?;
            }
        }
        Ok(())
    }

    async fn sweep(&self) {
        self.line.counters.missed.add(1);
        self.send(Job::Sweep).await;
    }

    /// Nobody may take jobs any more; then the worker is about to end.
    async fn send(&self, job: Job) {
        let _nobody_works = self.jobs.send(job).await;
    }
}
