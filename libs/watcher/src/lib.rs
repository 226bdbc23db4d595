//! Files that are replaced while in use: read again whenever they change, without a restart.
//!
//! What this crate is *not*: it does not know what the files say. Reading and parsing are given to it.

use arc_swap::ArcSwap;
use std::{
    error::Error,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};
use zeroize::Zeroizing;

/// How often files are looked at again.
pub const POLL: Duration = Duration::from_secs(5);

/// The contents of the files, in a fixed order.
pub type Contents = Zeroizing<Vec<Vec<u8>>>;

/// What files say: read at the start, and again whenever they change. Broken content is logged and the last good one kept.
///
/// The contents are compared, not times or inodes: so a mounted secret whose links are swapped is seen too.
pub struct Watched<T> {
    current: ArcSwap<T>,
    changes: watch::Sender<u64>,
}

/// How the files are read, and what their contents mean.
type Read<E> = Box<dyn Fn() -> Result<Contents, E> + Send + Sync>;
type Parse<T, E> = Box<dyn Fn(&Contents) -> Result<T, E> + Send + Sync>;

struct Source<T, E> {
    what: &'static str,
    read: Read<E>,
    parse: Parse<T, E>,
    hasher: RandomState,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads `what` with `read` and `parse`, now and again every `every`. Needs a tokio runtime; ends with the last handle.
    pub fn start<E: Error + Send + 'static>(
        what: &'static str,
        every: Duration,
        read: impl Fn() -> Result<Contents, E> + Send + Sync + 'static,
        parse: impl Fn(&Contents) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, E> {
        let source = Source { what, read: Box::new(read), parse: Box::new(parse), hasher: RandomState::new() };
        let contents = (source.read)()?;
        let first = (source.parse)(&contents)?;
        let watched = Arc::new(Self { current: ArcSwap::from_pointee(first), changes: watch::Sender::new(0) });
        let seen = source.hasher.hash_one(&*contents);
        tokio::spawn(follow(Arc::downgrade(&watched), Arc::new(source), seen, every));
        Ok(watched)
    }

    /// What the files said last.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Tells every change by counting it.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn replace(&self, value: T) {
        self.current.store(Arc::new(value));
        self.changes.send_modify(|count| *count += 1);
    }
}

async fn follow<T, E>(watched: Weak<Watched<T>>, source: Arc<Source<T, E>>, mut seen: u64, every: Duration)
where
    T: Send + Sync + 'static,
    E: Error + Send + 'static,
{
    let mut refused = None;
    loop {
        sleep(every).await;
        let Some(watched) = watched.upgrade() else { return };
        let reader = source.clone();
        let Ok(looked) = spawn_blocking(move || reader.look(seen)).await else { return };
        match looked {
            Ok(None) => {}
            Ok(Some((found, Ok(value)))) => {
                seen = found;
                watched.replace(value);
                tracing::info!(what = source.what, "read again");
            }
            // What is of no use now may be later, as a certificate whose time begins soon: it is looked at again, and told once.
            Ok(Some((found, Err(error)))) => {
                if refused.replace(found) != Some(found) {
                    tracing::error!(what = source.what, %error, "not usable: the last good ones stay");
                }
            }
            Err(error) => {
                tracing::warn!(what = source.what, %error, "cannot be read: the last good ones stay in use");
            }
        }
    }
}

impl<T, E> Source<T, E> {
    /// What the files say, if it is not what was `seen` last.
    #[allow(clippy::type_complexity)] // unread, unchanged, unusable and new are four different things
    fn look(&self, seen: u64) -> Result<Option<(u64, Result<T, E>)>, E> {
        let contents = (self.read)()?;
        let found = self.hasher.hash_one(&*contents);
        Ok((found != seen).then(|| (found, (self.parse)(&contents))))
    }
}
