//! Whether a command would be recorded, before anything is kept for it.

use crate::{Rule, Signed, not_recorded};
use clock::now_ms;
use journal::{AppendError, Next, ReadError, Reader};
use journal_service::not_read;
use problem::Problem;
use seal::{
    entry::Head,
    id::{StreamId, Uuid},
};
use vocabulary::{
    fact::{Fact, Facts},
    subject::Subject,
};

/// What was recorded before under the request of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The command itself: the journal answers it with the first receipt, and decides nothing anew.
    Itself,
    /// Another command.
    Another,
}

impl Before {
    /// What was recorded before under the request of `signed`.
    pub async fn find(reader: &Reader, signed: &Signed) -> Result<Self, Problem> {
        let before = reader.envelope_of(signed.stream, signed.request).await.map_err(not_read)?;
        Ok(match before {
            None => Self::Nothing,
            Some(envelope) if envelope == signed.envelope => Self::Itself,
            Some(_) => Self::Another,
        })
    }

    /// Refuses a request that was used for another command. To be asked last: only those who may record the command are
    /// told.
    pub fn must_be_new(self) -> Result<(), Problem> {
        match self {
            Self::Another => Err(not_recorded(AppendError::<Problem>::RequestReused)),
            Self::Nothing | Self::Itself => Ok(()),
        }
    }
}

/// Checks that a command would be recorded now, after `head`, on these facts of its own journal.
pub fn foresee<R: Rule>(rule: R, head: Option<Head>, found: Facts) -> Result<(), R::Refusal> {
    let next = Next { number: head.map_or(0, |head| head.number + 1), time: now_ms() };
    rule.decide(found, next).map(drop)
}

/// The facts about `subjects` in a journal, and the head they hold at.
pub async fn facts(
    reader: &Reader,
    stream: StreamId,
    study: Uuid,
    subjects: &[Subject],
) -> Result<(Option<Head>, Facts), ReadError> {
    let keys: Vec<_> = subjects.iter().map(|subject| subject.map_key(study)).collect();
    let (head, found) = reader.facts(stream, &keys).await?;
    let facts = subjects.iter().zip(&keys).filter_map(|(subject, key)| {
        let (_, bytes) = found.iter().find(|(found, _)| found == key)?;
        Some((subject.clone(), Fact::parse(bytes)?))
    });
    Ok((head, facts.collect()))
}
