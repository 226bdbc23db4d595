//! A form instance as it stands, and how each of its items came to stand so.

use seal::{command::Submission, datapoint::Datapoint, entry::Entry};

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
}

/// One change of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The value before; empty for the first.
    pub old: String,
    /// The value after.
    pub new: String,
    /// The place, among the submissions given, of the one that made the change.
    pub by: usize,
}

/// The items of a form instance as they stand after its submissions, in the order they were first captured.
pub fn current(submissions: &[Recorded]) -> Vec<Current> {
    let mut items: Vec<Current> = Vec::new();
    for submission in submissions {
        for datapoint in &submission.datapoints {
            let item = Current { datapoint: datapoint.clone(), entry: submission.entry.number };
            let same = |known: &&mut Current| {
                known.datapoint.item == datapoint.item && known.datapoint.repeat == datapoint.repeat
            };
            match items.iter_mut().find(same) {
                Some(known) => *known = item,
                None => items.push(item),
            }
        }
    }
    items
}

/// The changes of one item, oldest first.
pub fn history(submissions: &[Recorded], item: &str, repeat: &str) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for (by, submission) in submissions.iter().enumerate() {
        let found = submission.datapoints.iter().find(|datapoint| datapoint.item == item && datapoint.repeat == repeat);
        if let Some(datapoint) = found {
            let old = changes.last().map(|change| change.new.clone()).unwrap_or_default();
            changes.push(Change { old, new: datapoint.value.clone(), by });
        }
    }
    changes
}
