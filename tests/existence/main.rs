//! Whether something exists is told only to those who may see it: for every method of the descriptors and every kind of
//! caller without the right, a request that names something which exists is answered as one that names something of the
//! same form which does not, and neither leaves a trace.

#![allow(clippy::unwrap_used)]

mod answers;
mod commands;
mod exceptions;
mod leaves;
mod people;
mod probe;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod trial;
mod wire;

use exceptions::EXCEPTIONS;
use probe::Probe;
use std::collections::BTreeSet;
use trial::Trial;
use wire::described;

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_is_answered_as_what_does_not_to_who_may_not_know() {
    let trial = Trial::new().await;
    let (types, methods) = described(&trial.world.deployment);
    let mut told = Vec::new();
    let mut needed = BTreeSet::new();
    let before = trial.lengths().await;
    for method in &methods {
        let mut probe = Probe::new(&trial, &types, method);
        for asker in &trial.askers {
            probe.asks(asker).await;
        }
        probe.claims().await;
        told.extend(probe.told);
        needed.extend(probe.needed);
        let after = trial.lengths().await;
        assert_eq!(before, after, "{} recorded something for somebody without the right", method.name);
    }
    assert!(told.is_empty(), "{} differences:\n{}", told.len(), told.join("\n"));
    for (place, exception) in EXCEPTIONS.iter().enumerate() {
        assert!(needed.contains(&place), "not needed any more: {}", exception.why);
    }
}
