//! Verifying a bundle: no network, no clock, no server is believed.
//!
//! [`verify`] checks every link. [`walk`] is its first half, up to the study's root key. [`complete`] is the same walk for
//! the service that assembles bundles: it adds what the walk lacks and nothing else, so it can never hand out what the
//! verifier would not accept.

mod anchors;
mod authority;
mod check;
mod consent;
#[cfg(test)]
pub(crate) mod counted;
mod evidence;
mod parts;
mod terms;
#[cfg(test)]
mod third;
mod walk;
mod withheld;

pub use authority::MAX_STEPS_BEFORE;
pub use evidence::Fault;
pub use parts::{Demand, Part, Supplier};
pub use walk::{Walked, complete, walk};

use crate::{
    bundle::Bundle,
    policy::Policy,
    report::{Failure, LinkName, Report},
};

/// Verifies the bytes of a bundle file against a policy.
pub fn verify(bytes: &[u8], policy: &Policy) -> Report {
    let mut report =
        Report { verified: false, links: Vec::new(), failure: None, claim: None, erasure: None, record: None };
    match run(bytes, policy, &mut report) {
        Ok(()) => report.verified = true,
        Err(failure) => report.failure = Some(failure),
    }
    report
}

fn run(bytes: &[u8], policy: &Policy, report: &mut Report) -> Result<(), Failure> {
    let bundle = Bundle::parse(bytes)?;
    let Some(root_key) = policy.studies.get(&bundle.study) else {
        return Err(Failure {
            link: LinkName::Policy,
            reason: format!("the policy has no line `study {}` with the study's root key", bundle.study),
        });
    };
    let walked = walk(&bundle, root_key, &mut report.links).map_err(Fault::into_failure)?;
    let checkpoint = anchors::check(&bundle, &walked, policy, &mut report.links)?;
    walked.nothing_left()?;
    walked.report(checkpoint, report);
    Ok(())
}
