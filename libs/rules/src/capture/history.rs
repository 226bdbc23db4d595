//! A form instance as it stands, and how each of its items came to stand so. Submissions are folded one at a time, so that
//! what is kept is what stands, however often it was corrected.

use seal::{datapoint::Datapoint, entry::Entry};
use std::collections::HashMap;
use vocabulary::command::Submission;

/// What an item, a list of entries or a mark costs besides its text, in bytes.
const ROW_BYTES: usize = 64;

/// A submission as recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The entry.
    pub entry: Entry,
    /// The signed header.
    pub header: Submission,
    /// The datapoints that are there, in their order.
    pub datapoints: Vec<Datapoint>,
    /// The places of those that were taken out.
    pub redacted: Vec<u32>,
}

/// An item as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The datapoint that set it last.
    pub datapoint: Datapoint,
    /// The number of the entry that did.
    pub entry: u64,
    /// When the data of that entry were collected, as their source states it.
    pub collected: Option<String>,
}

/// A form instance as it stands.
#[derive(Debug, Clone)]
pub struct FormState {
    /// The header of its first submission.
    pub header: Submission,
    /// Its items, in the order they were first captured.
    pub items: Vec<Current>,
    /// The numbers of the entries it is made of, oldest first.
    pub entries: Vec<u64>,
    /// The values that were taken out: their entries and their places there, oldest first.
    pub redacted: Vec<(u64, u32)>,
}

/// Folds the submissions of a form instance into how it stands, newest first: a value is kept if no later one replaced it,
/// so the fold never holds more than the result.
#[derive(Debug, Default)]
pub struct FormFold {
    /// By item and repeat key: how it stands, and where it was captured first as far as is known.
    items: HashMap<(String, String), (Current, (u64, usize))>,
    header: Option<Submission>,
    entries: Vec<u64>,
    redacted: Vec<(u64, u32)>,
    bytes: usize,
}

impl FormFold {
    /// Adds the submission before those that were added.
    pub fn add(&mut self, older: Recorded) {
        let Recorded { entry, header, datapoints, redacted } = older;
        let (number, collected) = (entry.number, &header.collected);
        for (place, datapoint) in datapoints.into_iter().enumerate().rev() {
            let key = (datapoint.item.clone(), datapoint.repeat.clone());
            let first = (number, place);
            self.items.entry(key).and_modify(|known| known.1 = first).or_insert_with(|| {
                self.bytes += ROW_BYTES + text_bytes(&datapoint) + collected.as_ref().map_or(0, String::len);
                (Current { datapoint, entry: number, collected: collected.clone() }, first)
            });
        }
        self.bytes += ROW_BYTES * (1 + redacted.len());
        self.redacted.extend(redacted.into_iter().rev().map(|place| (number, place)));
        self.entries.push(number);
        self.header = Some(header);
    }

    /// About how many bytes the result has so far. It only grows.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How the form instance stands; nothing if there was no submission.
    pub fn finish(mut self) -> Option<FormState> {
        self.entries.reverse();
        self.redacted.reverse();
        let mut items: Vec<_> = self.items.into_values().collect();
        items.sort_unstable_by_key(|(_, first)| *first);
        let items = items.into_iter().map(|(current, _)| current).collect();
        Some(FormState { header: self.header?, items, entries: self.entries, redacted: self.redacted })
    }
}

fn text_bytes(Datapoint { item, repeat, value, unit, .. }: &Datapoint) -> usize {
    item.len() + repeat.len() + value.len() + unit.len()
}

/// How one submission sets an item, if it does.
pub fn sets(submission: Recorded, item: &str, repeat: &str) -> Option<Current> {
    let entry = submission.entry.number;
    let wanted = |datapoint: &Datapoint| datapoint.item == item && datapoint.repeat == repeat;
    let datapoint = submission.datapoints.into_iter().rfind(wanted)?;
    Some(Current { datapoint, entry, collected: submission.header.collected })
}

/// One change of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The value before; empty for the first.
    pub old: String,
    /// The value after.
    pub new: String,
    /// The unit before; empty where there was none.
    pub old_unit: String,
    /// The unit after; empty where there is none.
    pub new_unit: String,
}

/// Folds the submissions of a form instance into the changes of one item, oldest first.
#[derive(Debug)]
pub struct History {
    item: String,
    repeat: String,
    /// The value and its unit.
    before: (String, String),
}

impl History {
    /// Of an item that was never captured.
    pub fn new(item: impl Into<String>, repeat: impl Into<String>) -> Self {
        Self { item: item.into(), repeat: repeat.into(), before: Default::default() }
    }

    /// The change that the next submission made, if it made one.
    pub fn add(&mut self, next: &Recorded) -> Option<Change> {
        let wanted = |datapoint: &&Datapoint| datapoint.item == self.item && datapoint.repeat == self.repeat;
        let found = next.datapoints.iter().find(wanted)?;
        let (new, new_unit) = (found.value.clone(), found.unit.clone());
        let (old, old_unit) = std::mem::replace(&mut self.before, (new.clone(), new_unit.clone()));
        Some(Change { old, new, old_unit, new_unit })
    }
}
