//! Collecting the parts of a bundle: the verifier's own walk says what is lacking, and just that is fetched.
//!
//! The walk runs once, on a thread of its own, and stops when nobody waits for it any more. What it asks for is fetched here,
//! within the bounds of a bundle, and charged to the caller as it is fetched: giving up in the middle saves nothing.

use crate::turns::Turn;
use problem::Problem;
use seal::{
    bundle::{Bundle, EntryPart, MAX_BUNDLE_BYTES, MAX_PARTS},
    id::Uuid,
    key::PublicKey,
    report::Failure,
    verify::{Demand, Fault, Part, complete},
};
use std::future::Future;
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};
use tonic::{Code, Status};

/// For so many parts that were fetched the caller is charged one call more.
const PARTS_OF_A_CALL: usize = 16;
/// What a hash takes in a bundle: 64 hexadecimal digits, quotes and a comma.
const HASH_BYTES: usize = 67;

/// Where parts come from, and who pays for them.
pub(crate) trait Source: Sync {
    /// Fetches a part of a study's bundle.
    fn fetch(&self, study: Uuid, demand: Demand) -> impl Future<Output = Result<Part, Status>> + Send;

    /// Charges the caller one call more.
    fn charge(&self) -> impl Future<Output = ()> + Send;
}

/// Completes a bundle up to the study's root key.
pub(crate) async fn collect(
    source: &impl Source,
    bundle: Bundle,
    root_key: PublicKey,
    turn: Turn,
) -> Result<Bundle, Status> {
    let study = bundle.study;
    let (ask, mut asked) = mpsc::channel::<(Demand, oneshot::Sender<Part>)>(1);
    let walk = spawn_blocking(move || {
        let _until_it_ends = turn;
        let mut supplier = |demand: &Demand| {
            let (answer, answered) = oneshot::channel();
            ask.blocking_send((demand.clone(), answer)).ok()?;
            answered.blocking_recv().ok()
        };
        complete(bundle, &root_key, &mut supplier)
    });
    let mut taken = Taken::default();
    while let Some((demand, answer)) = asked.recv().await {
        let part = source.fetch(study, demand).await?;
        if !taken.add(&part) {
            return Err(not_provable("it rests on more than a bundle holds"));
        }
        if taken.parts.is_multiple_of(PARTS_OF_A_CALL) {
            source.charge().await;
        }
        let _it_still_waits = answer.send(part);
    }
    match walk.await.map_err(|_| Status::internal("a proof failed"))? {
        Ok(bundle) => Ok(bundle),
        Err(Fault::TooLong(Failure { reason, .. })) => Err(not_provable(&reason)),
        Err(fault) => {
            tracing::error!(link = %fault.into_failure().link, "a bundle cannot be proven from what is stored");
            Err(damaged())
        }
    }
}

/// What was fetched so far.
#[derive(Default)]
struct Taken {
    parts: usize,
    bytes: usize,
}

impl Taken {
    /// Adds a part; false once there is more than any bundle holds. [`written`] is exact about what a bundle holds: an entry
    /// that is fetched again, with its envelope, counts twice here.
    fn add(&mut self, part: &Part) -> bool {
        let base64 = |bytes: usize| bytes.div_ceil(3) * 4;
        self.parts += 1;
        self.bytes += match part {
            Part::Entry(EntryPart { entry, envelope: None, .. }) => base64(entry.0.len()),
            Part::Entry(EntryPart { envelope: Some(envelope), .. }) => base64(envelope.0.len()),
            Part::Fact(part) => base64(part.fact.0.len()) + part.siblings.len() * HASH_BYTES,
        };
        self.parts <= 2 * MAX_PARTS && self.bytes <= MAX_BUNDLE_BYTES
    }
}

/// The bundle's bytes, if a verifier would read as many.
pub(crate) fn written(bundle: &Bundle) -> Result<Vec<u8>, Status> {
    let parts = [bundle.entries.len(), bundle.facts.len(), bundle.blocks.len()];
    let bytes = bundle.to_bytes();
    if bytes.len() > MAX_BUNDLE_BYTES || parts.iter().any(|count| *count > MAX_PARTS) {
        return Err(not_provable("it rests on more than a bundle holds"));
    }
    Ok(bytes)
}

fn not_provable(why: &str) -> Status {
    let what = format!("no bundle can prove this: {why}");
    Problem::new(Code::FailedPrecondition, "NOT_PROVABLE", what).into()
}

pub(crate) fn damaged() -> Status {
    Problem::new(Code::DataLoss, "STREAM_BROKEN", "the stored data does not prove this: run an audit").into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
