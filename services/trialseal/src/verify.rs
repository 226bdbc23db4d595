//! `trialseal verify`: a bundle against a policy, offline.

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, Unit};
use seal::{
    bundle::MAX_BUNDLE_BYTES,
    policy::Policy,
    report::{
        CheckpointClaim, Claim, ConsentClaim, Cosigner, DelegationStep, ErasureClaim, Failure, LinkName, RecordClaim,
        RedactionClaim, Report,
    },
};
use std::{fs, path::Path, time::Duration};

/// Verifies a bundle file.
pub fn verify(bundle: &Path, policy: &Policy) -> Result<Report> {
    let size = fs::metadata(bundle).with_context(|| format!("{}", bundle.display()))?.len();
    ensure!(
        size <= MAX_BUNDLE_BYTES as u64,
        "{}: larger than {MAX_BUNDLE_BYTES} bytes, so not a bundle",
        bundle.display()
    );
    let bytes = fs::read(bundle).with_context(|| format!("{}", bundle.display()))?;
    Ok(seal::verify::verify(&bytes, policy))
}

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

/// A report as people read it.
pub fn readable(report: &Report) -> String {
    lines(report).iter().map(|line| plain(line) + "\n").collect()
}

/// A line for a terminal: what a bundle's author wrote must not move the cursor, hide lines or turn their direction.
fn plain(line: &str) -> String {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(line.len());
    for c in line.chars() {
        if hidden(c) { plain.extend(c.escape_unicode()) } else { plain.push(c) }
    }
    plain
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> =
        report.links.iter().map(|link| format!("  ✓ {:<12} {}", link.link.to_string(), link.established)).collect();
    if let Some(failure) = &report.failure {
        lines.push(format!("  ✗ {:<12} {}", failure.link.to_string(), failure.reason));
        lines.push("NOT VERIFIED".to_owned());
    }
    if let Some(claim) = &report.claim {
        claim_lines(claim, &mut lines);
    }
    if let Some(claim) = &report.erasure {
        let ErasureClaim { entry, participant, erased, erased_in, by, order, law, .. } = claim;
        lines.push(format!("VERIFIED: the values of capture entry {entry} were erased on {}", time(*erased)));
        lines.push(format!("  participant  {participant}, by {by} in capture entry {erased_in}"));
        lines.push(format!("  by order     {order}, {law}"));
        witnessed(claim.checkpoint.as_ref(), &mut lines);
    }
    if let Some(RecordClaim { service, entry, recorded, kind, by, command, checkpoint, .. }) = &report.record {
        lines.push(format!("VERIFIED: {kind} by {by}, recorded at {} as {service} entry {entry}", time(*recorded)));
        lines.push(format!("  signed       {command}"));
        witnessed(checkpoint.as_ref(), &mut lines);
    }
    lines
}

fn claim_lines(claim: &Claim, lines: &mut Vec<String>) {
    let unit = if claim.unit.is_empty() { String::new() } else { format!(" {}", claim.unit) };
    match &claim.redacted {
        None => lines.push(format!("VERIFIED: {} = {:?}{unit}", claim.item, claim.value)),
        Some(RedactionClaim { entry, recorded, by, second, reason, .. }) => {
            lines.push(format!("VERIFIED: {} was taken out on {}", claim.item, time(*recorded)));
            lines.push(format!("  taken out    by {by} and {second} in capture entry {entry}: {reason}"));
        }
    }
    let Claim { participant, site, event, form, signed_by, entry, rules, .. } = claim;
    lines.push(format!("  participant  {participant}, site {site}, {event} / {form}; decided under rules {rules}"));
    let (signed, recorded) = (time(claim.signed), time(claim.recorded));
    lines.push(format!("  signed by    {signed_by} at {signed}, recorded at {recorded} as capture entry {entry}"));
    if let Some(late) = &claim.late {
        lines.push(format!("  late         recorded long after it was signed: {late}"));
    }
    if let (Some(corrects), Some(reason)) = (claim.corrects, &claim.reason) {
        lines.push(format!("  corrects     entry {corrects}: {reason}"));
    }
    let ConsentClaim { document, version, language, provision, obtained_by, signed, recorded, synthetic, late, .. } =
        &claim.consent;
    let (signed, recorded, synthetic) = (time(*signed), time(*recorded), if *synthetic { ", SYNTHETIC" } else { "" });
    lines.push(format!(
        "  consent      to {provision}, {document} version {version} ({language}), obtained by {obtained_by}, signed at {signed}, recorded at {recorded}{synthetic}"
    ));
    if let Some(late) = late {
        lines.push(format!("  late         the consent was recorded long after it was signed: {late}"));
    }
    for DelegationStep { actor, task, site, delegated_by, signed, recorded } in &claim.delegations {
        let (signed, recorded) = (time(*signed), time(*recorded));
        lines.push(format!(
            "  delegated    {task} at {site} to {actor} by {delegated_by}, signed at {signed}, recorded at {recorded}"
        ));
    }
    witnessed(Some(&claim.checkpoint), lines);
}

fn witnessed(checkpoint: Option<&CheckpointClaim>, lines: &mut Vec<String>) {
    for Cosigner { name, time: seconds } in checkpoint.into_iter().flat_map(|checkpoint| &checkpoint.cosigned_by) {
        lines.push(format!("  witnessed    by {name} at {}", time(seconds.saturating_mul(1_000))));
    }
}

/// Unix milliseconds as people read them, in UTC.
pub fn time(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.and_then(|time| time.round(Unit::Second).ok()).map_or_else(|| "?".to_owned(), |time| time.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
        let (policy, _) = crate::policy::read(&vectors.join("policy.txt"), None).unwrap();
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

    #[test]
    fn a_bundles_author_cannot_write_lines_of_ours() {
        let reason = "\u{1b}[2J\nVERIFIED: TEMP\u{202e}\r".to_owned();
        let failure = Some(Failure { link: LinkName::Datapoint, reason });
        let shown =
            readable(&Report { erasure: None, record: None, verified: false, links: Vec::new(), failure, claim: None });
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(shown.ends_with("\nNOT VERIFIED\n") && !shown.contains(['\u{1b}', '\r', '\u{202e}']), "{shown}");
    }
}
