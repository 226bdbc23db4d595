//! Following the journals: where each is known to stand.

use crate::Journals;
use journal::api::parse_head;
use proto::journal::{FollowHeadsRequest, journal_service_client::JournalServiceClient};
use seal::id::{Service, StreamId};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};
use tonic::Request;

const RECONNECT: Duration = Duration::from_millis(200);

/// Where the journals are known to stand.
#[derive(Default)]
pub(crate) struct Known {
    heads: Mutex<HashMap<StreamId, (Service, u64)>>,
    /// How often a recording service was connected to: behind a new connection may be a database that was restored.
    connections: AtomicU64,
    moved: Notify,
}

impl Known {
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

    fn connected(&self, service: Service) {
        if let Ok(mut heads) = self.heads.lock() {
            heads.retain(|_, (of, _)| *of != service); // all of them come anew, but those that were lost
        }
        self.connections.fetch_add(1, Ordering::AcqRel);
    }

    fn learn(&self, service: Service, stream: StreamId, number: u64) {
        if let Ok(mut heads) = self.heads.lock() {
            heads.insert(stream, (service, number));
            self.moved.notify_one();
        }
    }
}

/// Follows a service's journals for good.
pub(crate) async fn follow(service: Service, journals: Journals, known: Arc<Known>) {
    let mut client = JournalServiceClient::new(journals.channel(service));
    loop {
        let request = journals.services.attach(Request::new(FollowHeadsRequest {}));
        if let Ok(heads) = client.follow_heads(request).await {
            known.connected(service);
            let mut heads = heads.into_inner();
            while let Ok(Some(message)) = heads.message().await {
                if let Some(head) = message.head.as_ref().and_then(parse_head) {
                    known.learn(service, head.stream, head.number);
                }
            }
        }
        sleep(RECONNECT).await;
    }
}
