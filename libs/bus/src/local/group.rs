//! A group of workers within one process.

use super::ROOM;
use crate::{Delivery, Group, Job, Moved, figures::Counters};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout},
};

/// What the workers of a group share.
#[derive(Default)]
pub(crate) struct Members {
    messages: Mutex<Messages>,
    changed: Notify,
}

#[derive(Default)]
struct Messages {
    next: u64,
    ready: VecDeque<Message>,
    given: HashMap<String, (Message, Instant)>,
    dropped: bool,
}

#[derive(Clone)]
struct Message {
    id: String,
    moved: Moved,
    deliveries: u32,
}

impl Members {
    pub(crate) fn add(&self, moved: Moved) {
        if let Ok(mut messages) = self.messages.lock() {
            messages.next += 1;
            if messages.ready.len() >= ROOM {
                messages.ready.pop_front();
                messages.dropped = true;
            }
            let id = messages.next.to_string();
            messages.ready.push_back(Message { id, moved, deliveries: 0 });
        }
        self.changed.notify_one();
    }

    pub(crate) fn ack(&self, id: &str) {
        if let Ok(mut messages) = self.messages.lock() {
            messages.given.remove(id);
        }
    }

    /// Gives jobs to one worker for as long as it takes them.
    pub(crate) async fn serve(self: Arc<Self>, group: Group, jobs: mpsc::Sender<Job>, counters: Arc<Counters>) {
        counters.missed.add(1);
        if jobs.send(Job::Sweep).await.is_err() {
            return;
        }
        while let Ok(place) = jobs.reserve().await {
            let job = loop {
                if let Some(job) = self.take(group, &counters) {
                    break job;
                }
                tokio::select! {
                    _ = timeout(self.patience(group), self.changed.notified()) => {}
                    () = jobs.closed() => return,
                }
            };
            place.send(job);
            // A notification wakes one worker: there may be work for another.
            self.changed.notify_one();
        }
    }

    fn take(&self, group: Group, counters: &Counters) -> Option<Job> {
        let mut messages = self.messages.lock().ok()?;
        if std::mem::take(&mut messages.dropped) {
            counters.missed.add(1);
            return Some(Job::Sweep);
        }
        messages.claim(group, counters);
        let mut message = messages.ready.pop_front()?;
        message.deliveries += 1;
        counters.delivered.add(1);
        let delivery = Delivery { moved: message.moved.clone(), id: message.id.clone() };
        messages.given.insert(message.id.clone(), (message, Instant::now()));
        Some(Job::Moved(delivery))
    }

    /// How long until somebody may have kept a message for too long.
    fn patience(&self, group: Group) -> Duration {
        let oldest = self.messages.lock().ok().and_then(|messages| messages.given.values().map(|(_, at)| *at).min());
        oldest.map_or(group.idle, |oldest| group.idle.saturating_sub(oldest.elapsed())).max(Duration::from_millis(1))
    }
}

impl Messages {
    /// Takes back what was kept for too long, and sets aside what was given out too often.
    fn claim(&mut self, group: Group, counters: &Counters) {
        let late = |at: &Instant| at.elapsed() >= group.idle;
        let late: Vec<String> = self.given.iter().filter(|(_, (_, at))| late(at)).map(|(id, _)| id.clone()).collect();
        for (message, _) in late.iter().filter_map(|id| self.given.remove(id)).collect::<Vec<_>>() {
            if message.deliveries >= group.deliveries {
                counters.poison.add(1);
                tracing::error!(group = group.name, id = message.id, stream = %message.moved.head.stream, "a message was set aside: no worker could process it");
            } else {
                counters.claimed.add(1);
                self.ready.push_front(message);
            }
        }
    }
}
