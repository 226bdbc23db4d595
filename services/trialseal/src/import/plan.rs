//! What the rows of a table are to one another: looked at before any of them is sent.
//!
//! Of a row it keeps two hashes and its number, about 100 bytes.

use super::{Row, mapping::Fault};
use capture::domain::alike;
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
    /// Study events, by what those that look the same have in common: the first spelling, and its row.
    events: HashMap<String, (Name, u64)>,
    refused: HashMap<u64, Fault>,
}

/// What is to be done about rows for the sake of others.
#[derive(Default)]
pub(super) struct Plan {
    /// Rows that are not sent.
    pub(super) refused: HashMap<u64, Fault>,
    /// Rows that say what an earlier row says.
    pub(super) repeated: HashMap<u64, u64>,
}

impl Rows {
    /// Adds the next row, whose event is in `column`.
    pub(super) fn add(&mut self, row: &Row, column: Option<&str>) {
        let event = &row.header.instance.event;
        let (spelt, first) = self.events.entry(alike(event.as_str())).or_insert_with(|| (event.clone(), row.number));
        if spelt != event {
            let message = format!("looks like the event of row {first} and is spelt otherwise");
            self.refused
                .insert(row.number, Fault { column: column.map(str::to_owned), reason: "LOOKS_ALIKE", message });
            return;
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
        let mut plan = Plan { refused: self.refused, repeated: HashMap::new() };
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
        "not the only row of its form instance: row {}{more} says something else; none of them is imported",
        others.join(", ")
    );
    Fault { column: None, reason: "ROWS_DIFFER", message }
}
