//! Where the streams stand, and the news of it.

use crate::Reader;
use bus::{Following, News};
use seal::{entry::Head, id::StreamId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use telemetry::Causes;
use tokio::{
    sync::broadcast,
    time::{MissedTickBehavior, interval},
};

/// How many heads a follower may be behind before it must look for itself.
const NEWS: usize = 1_024;
/// How often the database is asked what other replicas committed.
const SWEEP: Duration = Duration::from_secs(1);
/// The streams asked for at once.
const PAGE: u32 = 1_000;

/// Where the streams of a journal are known to stand. Cheap to clone.
#[derive(Clone)]
pub struct Heads(Arc<Latest>);

struct Latest {
    news: broadcast::Sender<Head>,
    latest: Mutex<HashMap<StreamId, u64>>,
}

impl Heads {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Latest { news: broadcast::channel(NEWS).0, latest: Mutex::default() }))
    }

    /// The news from now on.
    pub fn follow(&self) -> broadcast::Receiver<Head> {
        self.0.news.subscribe()
    }

    /// Takes note of a head. It is news only if it is newer than all before of its stream.
    pub(crate) fn learn(&self, head: Head) {
        let Ok(mut latest) = self.0.latest.lock() else { return };
        if latest.get(&head.stream).is_none_or(|known| *known < head.number) {
            latest.insert(head.stream, head.number);
            let _nobody_follows = self.0.news.send(head); // under the lock, so that news come in order
        }
    }

    fn knows(&self, stream: &StreamId, number: u64) -> bool {
        self.0.latest.lock().is_ok_and(|latest| latest.get(stream).is_some_and(|known| *known >= number))
    }

    /// Learns what other replicas committed, for as long as somebody has the journal open and somebody follows. The
    /// database is asked every second, at once when the bus says that something moved, and when it may have lost
    /// something: what is on the bus is a hint, and never believed.
    pub(crate) fn sweep(&self, reader: Reader, mut following: Following) {
        let known = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut often = interval(SWEEP);
            often.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while Weak::strong_count(&known) > 0 {
                let news = tokio::select! {
                    news = following.next() => news,
                    _ = often.tick() => News::Missed,
                };
                let Some(heads) = known.upgrade().map(Heads) else { return };
                if heads.0.news.receiver_count() == 0 {
                    continue;
                }
                if let Err(error) = heads.hear(&news, &reader).await {
                    tracing::warn!(error = %Causes(&error), "the heads of other replicas cannot be read now");
                }
            }
        });
    }

    async fn hear(&self, news: &News, reader: &Reader) -> Result<(), crate::ReadError> {
        match news {
            News::Moved(moved) => self.look_at(moved.head.stream, moved.head.number, reader).await,
            News::Missed | News::Away => self.look(reader).await,
        }
    }

    async fn look_at(&self, stream: StreamId, number: u64, reader: &Reader) -> Result<(), crate::ReadError> {
        if self.knows(&stream, number) {
            return Ok(());
        }
        match reader.head(stream).await {
            Ok(head) => head.into_iter().for_each(|head| self.learn(head)),
            Err(crate::ReadError::Broken) => {} // said when it is read or extended; the others go on
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn look(&self, reader: &Reader) -> Result<(), crate::ReadError> {
        let mut after = Some(0);
        while let Some(from) = after {
            let (numbers, next) = reader.numbers(from, PAGE).await?;
            for (_, stream, number) in numbers {
                self.look_at(stream, number, reader).await?;
            }
            after = next;
        }
        Ok(())
    }
}
