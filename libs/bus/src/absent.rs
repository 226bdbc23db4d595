//! No bus at all.

use crate::{Job, News, figures::Counters};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// How often workers are asked to sweep, here and while Redis is away.
pub(crate) const SWEEP: Duration = Duration::from_secs(1);

pub(crate) fn follow() -> mpsc::Receiver<News> {
    let (news, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _nobody_follows = news.send(News::Away).await;
        news.closed().await;
    });
    receiver
}

pub(crate) fn work(counters: Arc<Counters>) -> mpsc::Receiver<Job> {
    let (jobs, receiver) = mpsc::channel(1);
    tokio::spawn(sweep(jobs, counters));
    receiver
}

async fn sweep(jobs: mpsc::Sender<Job>, counters: Arc<Counters>) {
    let mut often = interval(SWEEP);
    often.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        often.tick().await;
        counters.missed.add(1);
        if jobs.send(Job::Sweep).await.is_err() {
            return;
        }
    }
}
