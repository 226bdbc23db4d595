//! Values that are no longer there: taken out one by one, or erased with their participant.

use super::{
    authority::{Entitled, Walk},
    evidence::{Fault, Recorded, ensure},
};
use crate::{
    bundle::Bundle,
    command::{EraseParticipant, Payload, RedactValue, Submission},
    id::Service,
    report::{ErasureClaim, Link, LinkName, RedactionClaim},
    task,
};

/// Checks that capture entry `by` takes this value out of the submission in entry `number`.
pub(super) fn redacted(
    walk: &mut Walk<'_>,
    bundle: &Bundle,
    by: u64,
    (submission, number): (&Submission, u64),
    links: &mut Vec<Link>,
) -> Result<RedactionClaim, Fault> {
    let link = LinkName::Redaction;
    let done = walk.evidence.command::<RedactValue>(link, Service::Capture, by)?;
    let RedactValue { participant, site, entry, index, reason, second, by: first, .. } = &done.command;
    let same = (*entry, u64::from(*index)) == (number, bundle.index) && number < by;
    let whose = (participant, site) == (&submission.instance.participant, &submission.site);
    ensure(same && whose, link, format!("capture entry {by} does not take this value out"))?;
    ensure(first != second, link, "both signatures are of one person")?;
    let enrollment = decided_at(walk, link, &done)?;
    let mut person = |actor| {
        let kind = walk.signed_by(link, actor, &done.envelope, enrollment)?.kind;
        let held = walk.authority(link, actor, task::REDACT, site, enrollment, done.entry.time)?;
        Ok(Entitled { actor, kind, held })
    };
    let (one, other) = (person(first)?, person(second)?);
    walk.two_persons(link, &one, &other)?;
    walk.on_time(link, (&done.command, &done.entry), (site, enrollment))?;
    links.push(Link {
        link,
        established: format!("capture entry {by}, signed by {first} and {second}, took the value out"),
    });
    Ok(RedactionClaim {
        entry: by,
        signed: done.command.time,
        recorded: done.entry.time,
        by: first.clone(),
        second: second.clone(),
        reason: reason.clone(),
        item: done.command.item.clone(),
        repeat: done.command.repeat.clone(),
    })
}

/// Checks that capture entry `by` erased the participant whose entry the bundle is about.
pub(super) fn erased(
    walk: &mut Walk<'_>,
    bundle: &Bundle,
    by: u64,
    links: &mut Vec<Link>,
) -> Result<ErasureClaim, Fault> {
    let link = LinkName::Erasure;
    let nothing = bundle.datapoint.0.is_empty() && bundle.path.is_empty() && bundle.index == 0;
    ensure(nothing, link, "a value that was erased is there")?;
    let (entry, _) = walk.evidence.entry(link, Service::Capture, bundle.submission)?;
    ensure(entry.kind == Submission::KIND, link, format!("capture entry {} holds no values", entry.number))?;
    let done = walk.evidence.command::<EraseParticipant>(link, Service::Capture, by)?;
    let EraseParticipant { site, entries, by: actor, participant, order, law, .. } = &done.command;
    let listed = entries.contains(&entry.number) && entry.number < by;
    ensure(listed, link, format!("capture entry {by} does not erase entry {}", entry.number))?;
    let enrollment = decided_at(walk, link, &done)?;
    walk.entitled(link, &done, task::ERASE, site, enrollment)?;
    links.push(Link { link, established: format!("capture entry {by}, signed by {actor}, erased it: {order}") });
    Ok(ErasureClaim {
        study: bundle.study,
        entry: entry.number,
        recorded: entry.time,
        participant: participant.clone(),
        signed: done.command.time,
        erased: done.entry.time,
        erased_in: by,
        rules: walk.rules,
        by: actor.clone(),
        order: order.clone(),
        law: law.clone(),
        delegations: Vec::new(),
        checkpoint: None,
    })
}

/// The enrollment state a command of the capture journal was decided on.
fn decided_at<P: Payload>(walk: &mut Walk<'_>, link: LinkName, done: &Recorded<P>) -> Result<u64, Fault> {
    walk.evidence.head(link, Service::Enrollment, &done.entry)
}
