//! Links 1 and 2 and the basis: from the datapoint through its signer, its consent and their delegations to the study's
//! root key.

use super::{
    authority::Walk,
    check,
    evidence::{Evidence, Fault, Recorded, broken, ensure},
    parts::Supplier,
    withheld,
};
use crate::{
    bundle::{Bundle, Withheld},
    command::{RULES, Submission},
    datapoint::Datapoint,
    dsse::AnyCommand,
    entry::Entry,
    id::Service,
    key::PublicKey,
    moment,
    report::{
        CheckpointClaim, Claim, ConsentClaim, DelegationStep, ErasureClaim, Failure, Link, LinkName, RecordClaim,
        RedactionClaim, Report,
    },
    task,
};
use tlog::{Hash, merkle};

/// A walk that reached the root key everywhere.
pub struct Walked<'a> {
    evidence: Evidence<'a>,
    delegations: Vec<DelegationStep>,
    found: Found,
}

/// What a walk ended at.
enum Found {
    /// A datapoint, or what is left of it.
    Datapoint(Box<Proven>),
    /// An entry whose values were erased.
    Erased(Box<ErasureClaim>),
    /// A command.
    Recorded(Box<RecordClaim>),
}

struct Proven {
    submission: Submission,
    entry: Entry,
    datapoint: Datapoint,
    redacted: Option<RedactionClaim>,
    key: PublicKey,
    consent: ConsentClaim,
    rules: u32,
}

impl Walked<'_> {
    /// Checks that the bundle holds nothing the walk did not need.
    pub(super) fn nothing_left(&self) -> Result<(), Failure> {
        self.evidence.nothing_left()
    }

    /// The hash of the entry at this place of the bundle, if the walk came by it.
    pub(super) fn hash_of(&self, place: usize) -> Option<Hash> {
        self.evidence.hash_of(place)
    }

    /// Adds what is proven to a report.
    pub(super) fn report(self, checkpoint: CheckpointClaim, report: &mut Report) {
        let (delegations, checkpoint) = (self.delegations, checkpoint);
        match self.found {
            Found::Datapoint(proven) => report.claim = Some(proven.claim(delegations, checkpoint)),
            Found::Erased(claim) => {
                report.erasure = Some(ErasureClaim { delegations, checkpoint: Some(checkpoint), ..*claim });
            }
            Found::Recorded(claim) => report.record = Some(RecordClaim { checkpoint: Some(checkpoint), ..*claim }),
        }
    }
}

impl Proven {
    fn claim(self, delegations: Vec<DelegationStep>, checkpoint: CheckpointClaim) -> Claim {
        let Proven { submission: command, entry, datapoint, redacted, key, consent, rules } = self;
        Claim {
            study: command.study,
            participant: command.instance.participant,
            site: command.site,
            event: command.instance.event,
            event_repeat: command.instance.event_repeat,
            form: command.instance.form,
            form_repeat: command.instance.form_repeat,
            item: datapoint.item,
            repeat: datapoint.repeat,
            value: datapoint.value,
            unit: datapoint.unit,
            redacted,
            collected: command.collected,
            corrects: command.corrects,
            reason: command.reason,
            signed_by: command.by,
            key,
            signed: command.time,
            late: command.late,
            entry: entry.number,
            recorded: entry.time,
            rules,
            consent,
            delegations,
            checkpoint,
        }
    }
}

/// Walks from the datapoint to the root key. `links` receives what was established, also when the walk stops early.
pub fn walk<'a>(bundle: &'a Bundle, root_key: &PublicKey, links: &mut Vec<Link>) -> Result<Walked<'a>, Fault> {
    reached(Evidence::new(bundle), bundle, root_key, links)
}

/// Walks like [`walk`], asks `supplier` for each part that is lacking when it is needed, and gives the bundle with these
/// parts added; blocks and checkpoint are left as they are. The walk never starts again: what it costs grows with the
/// number of parts, each of which is checked once.
pub fn complete<'a>(mut bundle: Bundle, root_key: &PublicKey, supplier: &'a mut Supplier<'a>) -> Result<Bundle, Fault> {
    let evidence = Evidence::supplied(&mut bundle, supplier);
    let walked = reached(evidence, &bundle, root_key, &mut Vec::new())?;
    (bundle.entries, bundle.facts) = walked.evidence.into_parts();
    Ok(bundle)
}

fn reached<'a>(
    evidence: Evidence<'a>,
    bundle: &Bundle,
    root_key: &PublicKey,
    links: &mut Vec<Link>,
) -> Result<Walked<'a>, Fault> {
    let rules = bundle.study.rules(root_key);
    ensure(rules <= Some(RULES), LinkName::Policy, "the study is under later rules than this verifier knows")?;
    let mut walk = Walk::new(evidence, *root_key, rules);
    let found = match (bundle.record, &bundle.withheld) {
        (Some(service), None) => Found::Recorded(Box::new(recorded(&mut walk, bundle, service, links)?)),
        (Some(_), Some(_)) => return broken(LinkName::Submission, "a command as such has no value to withhold"),
        (None, Some(Withheld::Erased { entry })) => {
            Found::Erased(Box::new(withheld::erased(&mut walk, bundle, *entry, links)?))
        }
        (None, _) => Found::Datapoint(Box::new(proven(&mut walk, bundle, links)?)),
    };
    let Walk { evidence, delegations, .. } = walk;
    Ok(Walked { evidence, delegations, found })
}

fn proven(walk: &mut Walk<'_>, bundle: &Bundle, links: &mut Vec<Link>) -> Result<Proven, Fault> {
    let mut holds = |link, established: String| links.push(Link { link, established });
    let Recorded { entry, envelope, command } =
        walk.evidence.command::<Submission>(LinkName::Submission, Service::Capture, bundle.submission)?;
    let (datapoint, leaf) = leaf(bundle)?;
    inside(bundle, &leaf, &command)?;
    let what = datapoint.as_ref().map_or("a value that was taken out", |datapoint| datapoint.item.as_str());
    holds(
        LinkName::Datapoint,
        format!("item {what} is datapoint {} of the submission's {}", bundle.index, command.count),
    );

    let enrollment = walk.evidence.head(LinkName::Submission, Service::Enrollment, &entry)?;
    let consent = walk.evidence.head(LinkName::Submission, Service::Consent, &entry)?;
    let at = format!("capture entry {}, decided at enrollment {enrollment} and consent {consent}", entry.number);
    holds(LinkName::Submission, at);

    let key = walk.signed_by(LinkName::Signer, &command.by, &envelope, enrollment)?.key;
    walk.on_time(LinkName::Signer, (&command, &entry), (&command.site, enrollment))?;
    holds(LinkName::Signer, format!("signed by {} with {key}, valid at that moment", command.by));

    walk.authority(LinkName::Delegation, &command.by, task::CAPTURE, &command.site, enrollment, entry.time)?;
    holds(LinkName::Delegation, format!("{} held the task capture at site {}", command.by, command.site));

    walk.site_open(&command.site, enrollment)?;
    holds(LinkName::Site, format!("site {} was open", command.site));

    let participant = &command.instance.participant;
    walk.participant_active(participant, &command.site, enrollment)?;
    holds(LinkName::Participant, format!("{participant} was enrolled at site {} and had not left", command.site));

    let provision = command.rests_on();
    let given = walk.consent_given(participant, &command.site, &provision, (consent, entry.time))?;
    holds(LinkName::Consent, given.established(participant));
    let consent = walk.document(&given, consent, entry.time)?;
    holds(
        LinkName::Document,
        format!(
            "{} version {} ({}), approval {}",
            consent.document, consent.version, consent.language, consent.approval
        ),
    );
    let redacted = match &bundle.withheld {
        Some(Withheld::Redacted { entry: by, .. }) => {
            Some(withheld::redacted(walk, bundle, *by, (&command, entry.number), links)?)
        }
        _ => None,
    };
    let datapoint = datapoint.unwrap_or_else(|| taken_out(redacted.as_ref()));
    // Before rules 3 the second rules are told from the first by what a consent says.
    let rules = walk.rules.unwrap_or(if given.has_manner() { 2 } else { 1 });
    Ok(Proven { submission: command, entry, datapoint, redacted, key, consent, rules })
}

/// Walks from a command to the key of who signed it.
fn recorded(
    walk: &mut Walk<'_>,
    bundle: &Bundle,
    service: Service,
    links: &mut Vec<Link>,
) -> Result<RecordClaim, Fault> {
    let link = LinkName::Submission;
    let nothing = bundle.datapoint.0.is_empty() && bundle.path.is_empty() && bundle.index == 0;
    ensure(nothing, LinkName::Datapoint, "a bundle about a command holds a datapoint")?;
    let (entry, envelope, command) = walk.evidence.any_command(link, service, bundle.submission)?;
    let AnyCommand { by, time: signed, text: command, .. } = command;
    links.push(Link { link, established: format!("{service} entry {} records this {}", entry.number, entry.kind) });
    let state = match service {
        Service::Enrollment => walk.evidence.before(link, service, &entry)?,
        Service::Consent | Service::Capture => walk.evidence.head(link, Service::Enrollment, &entry)?,
    };
    let key = walk.signed_by(LinkName::Signer, &by, &envelope, state)?.key;
    links
        .push(Link { link: LinkName::Signer, established: format!("signed by {by} with {key}, valid at that moment") });
    let timely = signed.is_some_and(|signed| moment::within(signed, entry.time, moment::MAX_LATE_AGE_MS).is_ok());
    ensure(timely || !walk.third, LinkName::Signer, "the command was not recorded in time")?;
    Ok(RecordClaim {
        study: bundle.study,
        service,
        entry: entry.number,
        signed,
        recorded: entry.time,
        kind: entry.kind,
        by,
        key,
        command,
        rules: walk.rules,
        checkpoint: None,
    })
}

/// The datapoint, if it was not taken out, and its leaf hash.
fn leaf(bundle: &Bundle) -> Result<(Option<Datapoint>, Hash), Fault> {
    if let Some(Withheld::Redacted { leaf, .. }) = &bundle.withheld {
        let empty = bundle.datapoint.0.is_empty();
        return ensure(empty, LinkName::Redaction, "a value that was taken out is there").map(|()| (None, leaf.0));
    }
    match Datapoint::parse(&bundle.datapoint.0) {
        Ok(datapoint) => Ok((Some(datapoint), merkle::leaf_hash(&bundle.datapoint.0))),
        Err(error) => broken(LinkName::Datapoint, error.to_string()),
    }
}

fn inside(bundle: &Bundle, leaf: &Hash, submission: &Submission) -> Result<(), Fault> {
    let inside = check::included(leaf, (bundle.index, u64::from(submission.count)), &bundle.path, &submission.root.0);
    ensure(inside, LinkName::Datapoint, "the datapoint is not in the tree the submission's signer signed")
}

/// What a claim says of a value that was taken out: item and repeat key are those its redaction states.
fn taken_out(redacted: Option<&RedactionClaim>) -> Datapoint {
    let (item, repeat) = redacted.map(|claim| (claim.item.to_string(), claim.repeat.clone())).unwrap_or_default();
    Datapoint { nonce: [0; 16], item, repeat, value: String::new(), unit: String::new() }
}
