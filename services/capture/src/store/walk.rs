//! Opening the submissions of a form instance one at a time.
//!
//! Invariant: a submission is open only while its reader has a place, and there are [`PLACES`]: however many read at once, and
//! however often a form was corrected, so many submissions are in memory and no more.

use super::{Store, StoreError, damaged};
use crate::domain::{Current, FormFold, FormState, Recorded, sets};
use seal::{
    Hash,
    id::{Service, StreamId, Uuid},
};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vocabulary::command::{FormInstance, Provision};

/// The most sealed submissions that are open at once. While one is opened it is in memory up to three times, of 5 MiB each
/// at most: 120 MiB for all.
pub(crate) const PLACES: usize = 8;
/// The most bytes of a form instance as it stands. No single submission has more.
const MAX_FORM_BYTES: usize = 4 << 20;
/// Numbers of entries read at once.
const NUMBERS: u32 = 500;

/// The places for submissions that are open. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    #[cfg(test)]
    most: Arc<std::sync::atomic::AtomicUsize>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(PLACES)),
            #[cfg(test)]
            most: Arc::default(),
        }
    }

    /// Waits for a place, in line. A call whose deadline passes meanwhile is given up, and with it its wait.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let place = self.free.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        #[cfg(test)]
        self.most.fetch_max(PLACES - self.free.available_permits(), std::sync::atomic::Ordering::Relaxed);
        Ok(place)
    }

    /// The most places that were ever taken at once.
    #[cfg(test)]
    pub(crate) fn most(&self) -> usize {
        self.most.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A submission that is open, and its place.
pub(crate) struct Open {
    pub(crate) recorded: Recorded,
    _place: OwnedSemaphorePermit,
}

/// Which way a walk goes.
#[derive(Clone, Copy)]
enum Way {
    Oldest,
    Newest,
}

/// The submissions of a form instance, opened one after the other.
pub(crate) struct Walk<'a> {
    store: &'a Store,
    stream: StreamId,
    key: Hash,
    instance: &'a FormInstance,
    way: Way,
    numbers: VecDeque<u64>,
    reached: Option<u64>,
    ended: bool,
}

impl Walk<'_> {
    /// The next submission.
    pub(crate) async fn next(&mut self) -> Result<Option<Open>, StoreError> {
        if self.numbers.is_empty() && !self.ended {
            let reader = &self.store.reader;
            let found = match self.way {
                Way::Oldest => reader.history(self.stream, &self.key, self.reached, NUMBERS).await?,
                Way::Newest => reader.history_back(self.stream, &self.key, self.reached, NUMBERS).await?,
            };
            self.ended = found.len() < NUMBERS as usize;
            self.numbers = found.into_iter().map(|(number, _)| number).collect();
            self.reached = self.numbers.back().copied();
        }
        let Some(number) = self.numbers.pop_front() else { return Ok(None) };
        let open = self.store.open_submission(self.stream, number).await?;
        if open.recorded.header.instance != *self.instance {
            return Err(damaged());
        }
        Ok(Some(open))
    }
}

/// What a form instance amounts to.
pub(crate) enum Folded {
    /// Nothing that may be seen.
    Nothing,
    /// How it stands.
    Whole(Box<FormState>),
    /// More than is answered at once.
    TooLarge,
}

impl Store {
    /// One submission, open until it is dropped.
    pub(crate) async fn open_submission(&self, stream: StreamId, number: u64) -> Result<Open, StoreError> {
        let place = self.places.take().await?;
        let (recorded, ..) = self.read_submission(stream, number).await?;
        Ok(Open { recorded, _place: place })
    }

    /// The submissions of a form instance from entry `from` on, oldest first.
    pub(crate) fn oldest<'a>(&'a self, study: Uuid, instance: &'a FormInstance, from: u64) -> Walk<'a> {
        self.walk(study, instance, Way::Oldest, from.checked_sub(1))
    }

    fn walk<'a>(&'a self, study: Uuid, instance: &'a FormInstance, way: Way, reached: Option<u64>) -> Walk<'a> {
        let (stream, key) = (Service::Capture.stream(study), self.keys(study, instance).instance);
        Walk { store: self, stream, key, instance, way, numbers: VecDeque::new(), reached, ended: false }
    }

    /// How a form instance stands by the submissions that rest on what `covers` says.
    pub(crate) async fn form(
        &self,
        study: Uuid,
        instance: &FormInstance,
        covers: impl Fn(&Provision) -> bool,
    ) -> Result<Folded, StoreError> {
        let mut walk = self.walk(study, instance, Way::Newest, None);
        let mut fold = FormFold::default();
        while let Some(Open { recorded, _place }) = walk.next().await? {
            if covers(&recorded.header.rests_on()) {
                fold.add(recorded);
            }
            if fold.bytes() > MAX_FORM_BYTES {
                return Ok(Folded::TooLarge);
            }
        }
        Ok(fold.finish().map_or(Folded::Nothing, |form| Folded::Whole(Box::new(form))))
    }

    /// How one item stands; opens no submission before the one that set it.
    pub(crate) async fn item(
        &self,
        study: Uuid,
        instance: &FormInstance,
        item: &str,
        repeat: &str,
        covers: impl Fn(&Provision) -> bool,
    ) -> Result<Option<Current>, StoreError> {
        let mut walk = self.walk(study, instance, Way::Newest, None);
        while let Some(Open { recorded, _place }) = walk.next().await? {
            if covers(&recorded.header.rests_on())
                && let Some(current) = sets(recorded, item, repeat)
            {
                return Ok(Some(current));
            }
        }
        Ok(None)
    }
}
