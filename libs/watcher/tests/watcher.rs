//! What is watched is read again until it is of use.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::timeout;
use watcher::{Contents, Watched};

#[derive(Debug, thiserror::Error)]
#[error("not yet")]
struct NotYet;

#[tokio::test]
async fn what_is_of_no_use_yet_is_looked_at_until_it_is() {
    let (content, begun, refused) = (Arc::new(Mutex::new("one")), Arc::new(AtomicBool::new(true)), Arc::default());
    let (read, time, count): (_, _, Arc<AtomicUsize>) = (content.clone(), begun.clone(), Arc::clone(&refused));
    let parse = move |contents: &Contents| match time.load(SeqCst) {
        true => Ok(contents[0].clone()),
        false => {
            count.fetch_add(1, SeqCst);
            Err(NotYet)
        }
    };
    let read = move || Ok::<_, NotYet>(vec![read.lock().unwrap().as_bytes().to_vec()].into());
    let watched = Watched::start("a test", Duration::from_millis(5), read, parse).unwrap();
    let mut changed = watched.changed();
    begun.store(false, SeqCst);
    *content.lock().unwrap() = "two";
    while refused.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*watched.current(), b"one", "the last good one stays");
    begun.store(true, SeqCst);
    timeout(Duration::from_secs(60), changed.changed()).await.expect("it was not looked at again").unwrap();
    assert_eq!(*watched.current(), b"two");
}
