//! Whether a consent is in force: one rule, used by the consent service when it decides, by auditors and by the verifier.

use crate::{
    command::ReconsentMode,
    fact::{End, Given, Superseded},
};

/// Why a provision may not be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    /// It was not given.
    #[error("no consent to this was given")]
    Missing,
    /// It was withdrawn.
    #[error("consent to this was withdrawn")]
    Withdrawn,
    /// The period the document states is over.
    #[error("the period for which consent to this was given is over")]
    PeriodEnded,
    /// The participant came of age; what the parents gave has ended.
    #[error("the participant came of age and must consent themselves")]
    MajorityReached,
    /// Consent was deferred in an emergency, and the deadline has passed.
    #[error("the deadline of the deferred consent has passed")]
    DeferralEnded,
    /// A new version of the document demands consent anew.
    #[error("a new version of the consent document demands consent anew")]
    ReconsentRequired,
}

/// A provision that may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InForce {
    /// Until when as things stand, Unix milliseconds, exclusive; nothing: until it is withdrawn.
    pub until: Option<u64>,
    /// By when consent anew is asked for, Unix milliseconds; whoever captures should say so.
    pub reconsent_by: Option<u64>,
}

/// Whether `given`, under a document that was `superseded` so, may be relied on at `time` (Unix milliseconds).
pub fn holds(given: &Given, superseded: Option<&Superseded>, time: u64) -> Result<InForce, NotInForce> {
    if given.withdrawn.is_some() {
        return Err(NotInForce::Withdrawn);
    }
    let mut until = None;
    if let Some(end) = given.until {
        if time >= end.time {
            return Err(match end.why {
                End::Period => NotInForce::PeriodEnded,
                End::Majority => NotInForce::MajorityReached,
                End::Deferral => NotInForce::DeferralEnded,
            });
        }
        until = Some(end.time);
    }
    let Some(Superseded { effective, reconsent: Some(demand), .. }) = superseded else {
        return Ok(InForce { until, reconsent_by: None });
    };
    let stops = |at: u64| {
        at >= *effective && if at < demand.by { demand.meanwhile } else { demand.then } == ReconsentMode::Stop
    };
    if stops(time) {
        return Err(NotInForce::ReconsentRequired);
    }
    let stop = [*effective, demand.by].into_iter().filter(|at| *at > time && stops(*at)).min();
    let until = until.into_iter().chain(stop).min();
    Ok(InForce { until, reconsent_by: (time >= *effective).then_some(demand.by) })
}
