//! Verifying a bundle: no network, no clock, no server is believed.
//!
//! [`verify`] checks every link. [`walk`] is its first half, up to the study's root key, and says what a bundle still
//! lacks: the service that assembles bundles adds just that, so it can never hand out what the verifier would not accept.

mod anchors;
mod authority;
mod consent;
mod evidence;
mod terms;
mod walk;
mod withheld;

pub use evidence::{Demand, Fault};
pub use walk::{Walked, walk};

use crate::{
    bundle::Bundle,
    policy::Policy,
    report::{Claim, ErasureClaim, Failure, LinkName, Report},
};

/// Verifies the bytes of a bundle file against a policy.
pub fn verify(bytes: &[u8], policy: &Policy) -> Report {
    let mut links = Vec::new();
    match run(bytes, policy, &mut links) {
        Ok((claim, erasure)) => Report { verified: true, links, failure: None, claim, erasure },
        Err(failure) => Report { verified: false, links, failure: Some(failure), claim: None, erasure: None },
    }
}

/// What a bundle proves: of a datapoint, or of an erasure.
type Proof = (Option<Claim>, Option<ErasureClaim>);

fn run(bytes: &[u8], policy: &Policy, links: &mut Vec<crate::report::Link>) -> Result<Proof, Failure> {
    let bundle = Bundle::parse(bytes)?;
    let Some(root_key) = policy.studies.get(&bundle.study) else {
        return Err(Failure {
            link: LinkName::Policy,
            reason: format!("the policy has no line `study {}` with the study's root key", bundle.study),
        });
    };
    let walked = walk(&bundle, root_key, links).map_err(Fault::into_failure)?;
    let checkpoint = anchors::check(&bundle, policy, links)?;
    walked.nothing_left(&bundle)?;
    Ok(walked.claim(checkpoint))
}
