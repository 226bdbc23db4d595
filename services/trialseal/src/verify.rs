//! `trialseal verify`: a bundle against a policy, offline.

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, Unit};
use seal::{bundle::MAX_BUNDLE_BYTES, policy::Policy, report::Report};
use std::{fs, path::Path};

/// Reads a policy file.
pub fn policy(file: &Path) -> Result<Policy> {
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    Policy::parse(&text).with_context(|| format!("{}", file.display()))
}

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

/// A report as people read it.
pub fn readable(report: &Report) -> String {
    let mut text = String::new();
    for link in &report.links {
        text += &format!("  ✓ {:<12} {}\n", link.link.to_string(), link.established);
    }
    if let Some(failure) = &report.failure {
        text += &format!("  ✗ {:<12} {}\nNOT VERIFIED\n", failure.link.to_string(), failure.reason);
    }
    let Some(claim) = &report.claim else { return text };
    text += &format!("VERIFIED: {} = {:?}", claim.item, claim.value);
    if !claim.unit.is_empty() {
        text += &format!(" {}", claim.unit);
    }
    text += &format!(
        "\n  participant  {}, site {}, {} / {}\n  signed by    {} at {}, recorded at {} as capture entry {}\n",
        claim.participant,
        claim.site,
        claim.event,
        claim.form,
        claim.signed_by,
        time(claim.signed),
        time(claim.recorded),
        claim.entry
    );
    if let (Some(corrects), Some(reason)) = (claim.corrects, &claim.reason) {
        text += &format!("  corrects     entry {corrects}: {reason}\n");
    }
    let consent = &claim.consent;
    text += &format!(
        "  consent      {} version {} ({}), obtained by {} at {}{}\n",
        consent.document,
        consent.version,
        consent.language,
        consent.obtained_by,
        time(consent.recorded),
        if consent.synthetic { ", SYNTHETIC" } else { "" }
    );
    for step in &claim.delegations {
        text += &format!(
            "  delegated    {} at {} to {} by {} at {}\n",
            step.task,
            step.site,
            step.actor,
            step.delegated_by,
            time(step.recorded)
        );
    }
    for cosigner in &claim.checkpoint.cosigned_by {
        text += &format!("  witnessed    by {} at {}\n", cosigner.name, time(cosigner.time.saturating_mul(1_000)));
    }
    text
}

/// Unix milliseconds as people read them, in UTC.
pub fn time(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.and_then(|time| time.round(Unit::Second).ok()).map_or_else(|| "?".to_owned(), |time| time.to_string())
}
