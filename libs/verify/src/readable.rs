//! A report as people read it.

use jiff::{Timestamp, Unit};
use seal::report::{
    CheckpointClaim, Claim, ConsentClaim, Cosigner, DelegationStep, ErasureClaim, RecordClaim, RedactionClaim, Report,
};

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
mod tests {
    use super::*;
    use seal::report::{Failure, LinkName};

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
