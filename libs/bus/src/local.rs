//! The bus within one process.

mod group;

use crate::{Delivery, Group, Job, Moved, News, figures::Counters};
use group::Members;
use seal::id::Service;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc,
};

/// The most messages that wait for a follower. One that is slower is told that it missed some.
const ROOM: usize = 1_024;

pub(crate) struct Local {
    heads: broadcast::Sender<Moved>,
    groups: Mutex<HashMap<(Service, &'static str), Arc<Members>>>,
    counters: Arc<Counters>,
}

impl Default for Local {
    fn default() -> Self {
        let (heads, _) = broadcast::channel(ROOM);
        Self { heads, groups: Mutex::default(), counters: Arc::default() }
    }
}

impl Local {
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn publish(&self, moved: Moved) {
        let groups = self.groups.lock().map(|groups| groups.clone()).unwrap_or_default();
        for ((service, _), members) in groups {
            if service == moved.service {
                members.add(moved.clone());
            }
        }
        self.counters.published.add(1);
        let _nobody_follows = self.heads.send(moved);
    }

    pub(crate) fn follow(&self, service: Service) -> mpsc::Receiver<News> {
        let (news, receiver) = mpsc::channel(ROOM);
        tokio::spawn(forward(self.heads.subscribe(), service, news, self.counters.clone()));
        receiver
    }

    pub(crate) fn work(&self, service: Service, group: Group) -> mpsc::Receiver<Job> {
        // One job at a time: what a worker has not begun is for others to do.
        let (jobs, receiver) = mpsc::channel(1);
        tokio::spawn(self.members(service, group).serve(group, jobs, self.counters.clone()));
        receiver
    }

    pub(crate) fn ack(&self, service: Service, group: Group, delivery: &Delivery) {
        self.members(service, group).ack(&delivery.id);
    }

    fn members(&self, service: Service, group: Group) -> Arc<Members> {
        match self.groups.lock() {
            Ok(mut groups) => groups.entry((service, group.name)).or_default().clone(),
            Err(_) => Arc::default(),
        }
    }
}

async fn forward(
    mut heads: broadcast::Receiver<Moved>,
    service: Service,
    news: mpsc::Sender<News>,
    counters: Arc<Counters>,
) {
    let mut next = Some(News::Missed);
    loop {
        if let Some(news_now) = next.take() {
            counters.hear(&news_now);
            if news.send(news_now).await.is_err() {
                return;
            }
        }
        let heard = tokio::select! {
            heard = heads.recv() => heard,
            () = news.closed() => return,
        };
        next = match heard {
            Ok(moved) if moved.service == service => Some(News::Moved(moved)),
            Ok(_) => None,
            Err(RecvError::Lagged(_)) => Some(News::Missed),
            Err(RecvError::Closed) => return news.closed().await,
        };
    }
}
