//! What the rows of a table are to one another: looked at before any of them is sent.
//!
//! Of a row it keeps two hashes and its number, about 100 bytes.

use super::{Row, mapping::Fault};
use rules::capture::alike;
use seal::id::Name;
use std::collections::{HashMap, hash_map::Entry};

/// The most other rows that are named.
const NAMED: usize = 5;

/// A row among those of its form instance.
struct Same {
    content: [u8; 16],
    row: u64,
    /// Further rows, and whether they say the same.
    more: Vec<(u64, bool)>,
}

/// What is known of the rows so far.
#[derive(Default)]
pub(super) struct Rows {
    forms: HashMap<[u8; 16], Same>,
    events: Spellings,
}

/// Study events, by what those that look the same have in common: each spelling, and its first row.
type Spellings = HashMap<String, Vec<(Name, u64)>>;

/// What is to be done about rows for the sake of others.
#[derive(Default)]
pub(super) struct Plan {
    /// Rows that are not sent.
    pub(super) refused: HashMap<u64, Fault>,
    /// Rows that say what an earlier row says.
    pub(super) repeated: HashMap<u64, u64>,
    events: Spellings,
}

impl Plan {
    /// The first row whose event looks like this one and is spelt otherwise.
    pub(super) fn other_spelling(&self, event: &Name) -> Option<u64> {
        let spellings = self.events.get(&alike(event.as_str()))?;
        spellings.iter().find(|(spelt, _)| spelt != event).map(|(_, row)| *row)
    }
}

impl Rows {
    /// Adds the next row.
    pub(super) fn add(&mut self, row: &Row) {
        let event = &row.header.instance.event;
        let spellings = self.events.entry(alike(event.as_str())).or_default();
        if spellings.iter().all(|(spelt, _)| spelt != event) {
            spellings.push((event.clone(), row.number));
        }
        match self.forms.entry(row.form_hash()) {
            Entry::Vacant(place) => {
                place.insert(Same { content: row.content, row: row.number, more: Vec::new() });
            }
            Entry::Occupied(mut known) => {
                let same = known.get().content == row.content;
                known.get_mut().more.push((row.number, same));
            }
        }
    }

    /// What is to be done.
    pub(super) fn plan(self) -> Plan {
        let mut plan = Plan { events: self.events, ..Plan::default() };
        for Same { row, more, .. } in self.forms.into_values() {
            if more.iter().all(|(_, same)| *same) {
                plan.repeated.extend(more.into_iter().map(|(again, _)| (again, row)));
                continue;
            }
            let all: Vec<u64> = std::iter::once(row).chain(more.into_iter().map(|(row, _)| row)).collect();
            for row in &all {
                plan.refused.insert(*row, differing(*row, &all));
            }
        }
        plan
    }
}

fn differing(row: u64, all: &[u64]) -> Fault {
    let others: Vec<String> = all.iter().filter(|other| **other != row).take(NAMED).map(u64::to_string).collect();
    let more = if all.len() > NAMED + 1 { " and more" } else { "" };
    let message = format!(
        "contradicts row {}{more} about the same form instance; none of these rows is imported",
        others.join(", ")
    );
    Fault { column: None, reason: "ROWS_DIFFER", message }
}
