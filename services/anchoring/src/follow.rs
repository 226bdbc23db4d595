//! Following the journals: where each is known to stand.
//!
//! The bus tells at once that a journal moved; what it lost, the list of the journals finds, which their services are asked
//! for every few seconds, and at once and every second while the bus may lose something.

use crate::{Config, Journals, trace};
use bus::{Bus, Group, Job, Moved};
use messages::parse_head;
use proto::journal::{ListStreamsRequest, journal_service_client::JournalServiceClient};
use seal::{
    entry::Head,
    id::{Service, StreamId},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tonic::{Request, Status};

/// Of all processes, the one that makes blocks takes the news.
const GROUP: Group = Group::named("anchoring");
/// How often the journals are listed while the bus tells all.
const LIST: Duration = Duration::from_secs(5);
/// How soon they are listed again when their service did not answer.
const RETRY: Duration = Duration::from_millis(200);
/// How long a page of the list may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The journals asked for at once.
const PAGE: u32 = 1_000;

/// Where the journals are known to stand.
#[derive(Default)]
pub(crate) struct KnownHeads {
    heads: Mutex<HashMap<StreamId, (Service, u64)>>,
    /// The traces in which what is new was recorded.
    traces: Mutex<HashMap<StreamId, Vec<String>>>,
    /// How often a recording service was connected to: behind a new connection may be a database that was restored.
    connections: AtomicU64,
    moved: Notify,
}

impl KnownHeads {
    /// The number of the last entry of each journal, and whose it is.
    pub(crate) fn heads(&self) -> HashMap<StreamId, (Service, u64)> {
        self.heads.lock().map(|heads| heads.clone()).unwrap_or_default()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// Completes when there is news.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Takes the list of a service's journals for what it is: those that are not on it are lost.
    fn listed(&self, service: Service, found: &[Head]) {
        let Ok(mut heads) = self.heads.lock() else { return };
        let before: HashMap<StreamId, (Service, u64)> = heads.extract_if(|_, (of, _)| *of == service).collect();
        heads.extend(found.iter().map(|head| (head.stream, (service, head.number))));
        if found.iter().any(|head| before.get(&head.stream) != Some(&(service, head.number))) {
            self.moved.notify_one();
        }
    }

    fn connected(&self) {
        self.connections.fetch_add(1, Ordering::AcqRel);
        self.moved.notify_one();
    }

    /// The traces of the news of a journal since they were last asked for.
    pub(crate) fn traces(&self, stream: StreamId) -> Vec<String> {
        self.traces.lock().ok().and_then(|mut traces| traces.remove(&stream)).unwrap_or_default()
    }

    fn traced(&self, moved: &Moved) {
        let (Some(trace), Ok(mut traces)) = (trace::heard(moved), self.traces.lock()) else { return };
        let of_stream = traces.entry(moved.head.stream).or_default();
        if of_stream.len() < trace::MOST {
            of_stream.push(trace);
        }
    }

    /// Takes note of news, which may be late: then it is none.
    pub(crate) fn learn(&self, service: Service, head: &Head) {
        let Ok(mut heads) = self.heads.lock() else { return };
        let known = heads.entry(head.stream).or_insert((service, head.number));
        known.1 = known.1.max(head.number);
        self.moved.notify_one();
    }
}

/// Follows the journals of all services until what it gives is dropped.
pub(crate) fn follow(config: &Config, known: &Arc<KnownHeads>) -> JoinSet<()> {
    let mut following = JoinSet::new();
    for service in Service::ALL {
        following.spawn(follow_one(service, config.bus.clone(), config.journals.clone(), known.clone()));
    }
    following
}

async fn follow_one(service: Service, bus: Bus, journals: Journals, known: Arc<KnownHeads>) {
    let mut work = bus.work(service, GROUP);
    let (mut reached, mut due) = (false, Instant::now());
    loop {
        let job = tokio::select! {
            job = work.next() => job,
            () = sleep_until(due) => Job::Sweep,
        };
        match job {
            Job::Moved(delivery) => {
                known.traced(&delivery.moved);
                known.learn(service, &delivery.moved.head);
                work.ack(&delivery).await;
            }
            Job::Sweep => {
                let listed = list(service, &journals).await;
                due = Instant::now() + if listed.is_ok() { LIST } else { RETRY };
                if listed.is_ok() && !reached {
                    known.connected();
                }
                reached = listed.is_ok();
                if let Ok(heads) = listed {
                    known.listed(service, &heads);
                }
            }
        }
    }
}

/// The heads of all journals of a service.
async fn list(service: Service, journals: &Journals) -> Result<Vec<Head>, Status> {
    let (mut heads, mut page_token) = (Vec::new(), String::new());
    loop {
        let mut client = JournalServiceClient::new(journals.channel(service));
        let request = journals.services.attach(Request::new(ListStreamsRequest { page_size: PAGE, page_token }));
        let asked = timeout(PATIENCE, client.list_streams(request)).await;
        let page = asked.map_err(|_| Status::deadline_exceeded("the list of journals takes too long"))??.into_inner();
        heads.extend(page.heads.iter().filter_map(parse_head));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(heads);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::Hash;

    fn head(stream: u8, number: u64) -> Head {
        Head { stream: StreamId(Hash([stream; 32])), number, hash: Hash::ZERO }
    }

    #[test]
    fn late_news_is_none_and_the_list_is_believed() {
        let known = KnownHeads::default();
        known.learn(Service::Consent, &head(1, 7));
        known.learn(Service::Consent, &head(1, 5));
        known.learn(Service::Capture, &head(2, 3));
        assert_eq!(known.heads()[&head(1, 0).stream], (Service::Consent, 7));
        known.listed(Service::Consent, &[head(3, 1)]);
        assert!(!known.heads().contains_key(&head(1, 0).stream), "a journal that was lost is not known any more");
        assert_eq!(known.heads()[&head(2, 0).stream], (Service::Capture, 3), "another service's journals stay");
        known.listed(Service::Consent, &[head(3, 0)]);
        assert_eq!(known.heads()[&head(3, 0).stream], (Service::Consent, 0), "it was restored to an earlier state");
    }
}
