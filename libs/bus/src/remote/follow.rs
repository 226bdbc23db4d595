//! A follower: reads everything of one stream, and knows when it may have missed something.

use super::{Line, stream};
use super::{content::Content, pause::Pause};
use crate::News;
use redis::{RedisError, Value, cmd};
use seal::id::Service;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long one read waits for news, in milliseconds.
const WAIT: u64 = 500;
/// The most entries of one read.
const AT_ONCE: u64 = 256;

/// Follows until nobody listens any more. After any failure all begins anew.
pub(crate) async fn run(line: Arc<Line>, service: Service, news: mpsc::Sender<News>) {
    let mut pause = Pause::new();
    loop {
        let failed = tokio::select! {
            failed = follow(&line, service, &news, &mut pause) => failed,
            () = news.closed() => return,
        };
        if let Err(error) = failed {
            line.failed(&error);
        }
        if news.send(News::Away).await.is_err() {
            return;
        }
        pause.wait().await;
    }
}

async fn follow(line: &Line, service: Service, news: &mpsc::Sender<News>, pause: &mut Pause) -> Result<(), RedisError> {
    let mut connection = line.server.connect().await?;
    let _open = line.counters.connected();
    let stream = stream::heads(service);
    let mut mark = None;
    loop {
        let Some(last) = &mark else {
            mark = Some(stream::mark(&mut connection, &stream).await?);
            line.tell(news, News::Missed).await;
            continue;
        };
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(WAIT).arg("STREAMS").arg(&stream).arg(&last.id);
        let mut pipeline = redis::pipe();
        pipeline.add_command(read).add_command(stream::stands(&stream, last));
        let (read, stands): (Value, Value) = pipeline.query_async(&mut connection).await?;
        pause.reset();
        // Asked after the read: what stands then stood during it.
        if !last.is_in(stands) {
            mark = None;
            continue;
        }
        for entry in stream::read(read) {
            let heard = match entry.content(service) {
                Some(Content::Moved(moved)) => News::Moved(moved),
                Some(Content::Sweep) | None => News::Missed,
            };
            line.tell(news, heard).await;
            mark = Some(entry);
        }
    }
}

impl Line {
    /// Nobody may listen any more; then the follower is about to end.
    async fn tell(&self, news: &mpsc::Sender<News>, heard: News) {
        self.counters.hear(&heard);
        let _nobody_listens = news.send(heard).await;
    }
}
