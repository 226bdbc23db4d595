//! How old the quorum's word is.

use seal::{
    policy::Policy,
    report::{Failure, LinkName, Report},
};
use std::time::Duration;

/// Demands of a verified bundle that the quorum cosigned its checkpoint at most `max_age` before `now`, in POSIX seconds.
pub fn demand_fresh(report: &mut Report, policy: &Policy, max_age: Duration, now: u64) {
    if !report.verified {
        return;
    }
    let Report { claim, erasure, record, .. } = &*report;
    let checkpoint = claim.as_ref().map(|claim| &claim.checkpoint);
    let checkpoint = checkpoint.or_else(|| erasure.as_ref()?.checkpoint.as_ref());
    let checkpoint = checkpoint.or_else(|| record.as_ref()?.checkpoint.as_ref());
    let cosigned_by = checkpoint.into_iter().flat_map(|checkpoint| &checkpoint.cosigned_by).filter_map(|cosigner| {
        let mut witnesses = policy.tlog.witnesses().iter();
        let witness = witnesses.find(|witness| witness.name == cosigner.name)?;
        Some((cosigner.name.clone(), witness.key.clone(), cosigner.time))
    });
    let since = policy.tlog.cosigned_since(&cosigned_by.collect::<Vec<_>>());
    if let Err(reason) = fresh(since, max_age, now) {
        *report = Report {
            verified: false,
            failure: Some(Failure { link: LinkName::Checkpoint, reason }),
            claim: None,
            erasure: None,
            record: None,
            links: std::mem::take(&mut report.links),
        };
    }
}

/// Whether the quorum stands by a checkpoint since at most `max_age` before `now`, both in POSIX seconds; if not, why not.
pub fn fresh(since: Option<u64>, max_age: Duration, now: u64) -> Result<(), String> {
    let Some(since) = since else { return Err("no quorum of witnesses says how old the checkpoint is".to_owned()) };
    let (age, wanted) = (now.saturating_sub(since), max_age.as_secs());
    if age <= wanted {
        Ok(())
    } else {
        Err(format!("the quorum cosigned {age} seconds ago, at most {wanted} are demanded"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{read_policy, verify};
    use std::path::Path;

    #[test]
    fn freshness_is_measured_against_the_quorum_and_needs_one() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(fresh(Some(1_000), hour, 4_600), Ok(()));
        assert_eq!(fresh(Some(5_000), hour, 4_600), Ok(()), "a clock ahead is no old view");
        assert!(fresh(Some(999), hour, 4_600).is_err_and(|reason| reason.contains("3601 seconds ago")));
        assert!(fresh(None, hour, 4_600).is_err());
    }

    #[test]
    fn a_bundle_of_any_age_verifies_unless_a_fresh_one_is_demanded() {
        let vectors = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/vectors"));
        let (policy, _) = read_policy(&vectors.join("policy.txt"), None).unwrap();
        let report = verify(&vectors.join("bundle.trialseal"), &policy).unwrap();
        let cosigned_by = &report.claim.as_ref().unwrap().checkpoint.cosigned_by;
        let latest = cosigned_by.iter().map(|cosigner| cosigner.time).max().unwrap();
        let demanded = |seconds, now| {
            let mut report = report.clone();
            demand_fresh(&mut report, &policy, Duration::from_secs(seconds), now);
            report
        };
        assert_eq!(demanded(3_600, latest + 60), report);
        let stale = demanded(60, latest + 3_600);
        assert!(!stale.verified && stale.claim.is_none(), "{stale:?}");
        assert_eq!(stale.failure.map(|failure| failure.link), Some(LinkName::Checkpoint));
        let none = Policy { tlog: tlog::policy::Policy::parse(&none(&policy)).unwrap(), ..policy.clone() };
        let mut report = report.clone();
        demand_fresh(&mut report, &none, Duration::MAX, latest);
        assert!(!report.verified, "nobody says how old it is");
    }

    /// The logs of a policy, without witnesses.
    fn none(policy: &Policy) -> String {
        let logs = policy.tlog.logs().iter().map(|log| format!("log {}\n", log.key));
        logs.collect::<String>() + "quorum none\n"
    }
}
