//! Verifying a proof, offline.

use crate::ClientError;
use seal::{
    policy::Policy,
    report::{Claim, Failure, LinkName},
};

/// Verifies a bundle of a datapoint against a policy, and gives what it proves. It asks nobody: what is believed is the policy's
/// keys alone. [`seal::verify::verify`] reports every link, and verifies bundles of commands and of what was erased too.
///
/// # Errors
///
/// [`ClientError::NotProven`]: a link does not hold, or the bundle is not of a datapoint.
pub fn verify(bundle: &[u8], policy: &Policy) -> Result<Claim, ClientError> {
    let report = seal::verify::verify(bundle, policy);
    let not_a_datapoint = || Failure { link: LinkName::File, reason: "not the bundle of a datapoint".to_owned() };
    match (report.claim, report.failure) {
        (Some(claim), None) if report.verified => Ok(claim),
        (_, failure) => Err(failure.unwrap_or_else(not_a_datapoint).into()),
    }
}
