//! What becomes of a proposal once its group is durable.

use crate::{AppendError, Proposal, Reader, group::Group};
use seal::{Hash, id::StreamId, receipt::Receipt};

/// An accepted proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The receipt of its entry.
    pub receipt: Receipt,
    /// Whether the same envelope had been recorded before: the receipt is the first one. Of equal proposals, however many
    /// arrive at once and at whichever replica, exactly one is not a repetition.
    pub repeated: bool,
}

/// How a proposal was decided.
pub(crate) enum Outcome<E> {
    /// It is the entry at this place of the group.
    Accepted(usize),
    /// It equals the proposal that is the entry at this place of the group.
    RepeatedHere(usize),
    /// It equals the proposal that was recorded earlier.
    Repeated(StreamId, u64),
    /// It is not recorded.
    Refused(AppendError<E>),
}

impl<E> Outcome<E> {
    /// Decides a proposal whose request is known: it must have the same envelope. That the request is known is told of
    /// another one only where it would be recorded otherwise, so that nobody finds out by commands that cost nothing.
    pub(crate) fn known(self, known: &Hash, proposal: Proposal<E>, group: &Group, now: u64) -> Self {
        if *known == proposal.envelope {
            return self;
        }
        Outcome::Refused(group.refusal(proposal, now).map_or(AppendError::RequestReused, AppendError::Refused))
    }

    /// The answer to the caller, given the receipts of the group.
    pub(crate) async fn answer(self, receipts: &[Receipt], reader: &Reader) -> Result<Appended, AppendError<E>> {
        let (receipt, repeated) = match self {
            Outcome::Accepted(place) => (receipts.get(place).cloned(), false),
            Outcome::RepeatedHere(place) => (receipts.get(place).cloned(), true),
            Outcome::Repeated(stream, number) => (reader.receipt(stream, number).await.ok(), true),
            Outcome::Refused(error) => return Err(error),
        };
        receipt.map(|receipt| Appended { receipt, repeated }).ok_or(AppendError::Storage)
    }
}
