//! Rows that were sent, and their answers.

use super::{Mapping, Refused, plan::Plan};
use indicatif::ProgressBar;
use proto::capture::{ErrorReason, Refusal, SubmitFormsResponse, submit_forms_response::Outcome};
use seal::id::Name;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tonic::{Status, Streaming};

/// A row that was sent.
pub(super) struct Sent {
    pub(super) row: u64,
    pub(super) line: u64,
    /// The request ids under which it may have been recorded.
    pub(super) ids: [String; 2],
    /// The columns of its values.
    pub(super) items: Vec<String>,
    pub(super) event: Name,
}

impl Sent {
    /// The row as it was refused.
    pub(super) fn refused(&self, refusal: &Refusal, mapping: &Mapping, plan: &Plan) -> Refused {
        let column = refusal.fields.iter().find_map(|fault| mapping.column(&fault.field, &self.items));
        let reason = refusal.reason().as_str_name().trim_start_matches("ERROR_REASON_").to_owned();
        let mut message = match refusal.fields.first() {
            Some(fault) if column.is_some() => fault.description.clone(),
            _ => refusal.message.clone(),
        };
        let other = plan.other_spelling(&self.event).filter(|_| refusal.reason() == ErrorReason::LooksAlike);
        if let Some(row) = other {
            message += &format!(". Row {row} spells it otherwise");
        }
        if refusal.reason() == ErrorReason::FormExists {
            message += ". Imports do not record corrections, which need a reason; the recorded values are unchanged";
        }
        Refused { row: self.row, line: self.line, column, reason, message }
    }
}

/// Whether a row that was refused so may have been recorded all the same, by the same person.
pub(super) fn may_be_recorded(refusal: &Refusal) -> bool {
    matches!(refusal.reason(), ErrorReason::RequestReused | ErrorReason::FormExists)
}

/// The rows that are not answered yet, in their order.
pub(super) type Waiting = Arc<Mutex<VecDeque<Sent>>>;

/// What was answered.
#[derive(Default)]
pub(super) struct Answered {
    pub(super) recorded: u64,
    pub(super) datapoints: u64,
    pub(super) refused: Vec<(Sent, Refusal)>,
}

/// Takes answers until there are no more, or the stream breaks.
pub(super) async fn receive(
    mut answers: Streaming<SubmitFormsResponse>,
    waiting: Waiting,
    bar: ProgressBar,
) -> (Answered, Option<Status>) {
    let mut answered = Answered::default();
    loop {
        let answer = match answers.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return (answered, None),
            Err(status) => return (answered, Some(status)),
        };
        bar.inc(1);
        let sent = waiting.lock().ok().and_then(|mut rows| rows.pop_front());
        match (answer.outcome, sent) {
            (Some(Outcome::Receipt(_)), Some(sent)) => {
                answered.recorded += 1;
                answered.datapoints += sent.items.len() as u64;
            }
            (Some(Outcome::Refusal(refusal)), Some(sent)) => answered.refused.push((sent, refusal)),
            _ => return (answered, Some(Status::internal("an answer to no row"))),
        }
    }
}
