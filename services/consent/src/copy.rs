//! The copy of a consent, for people and for other systems; and reading theirs.

use exchange::{
    Consent,
    fhir::{self, RequestStatus, Requested, Standing, State},
    iso27560,
    record::{Approval, Capacity, Document, Handling, Party, Provision, ProvisionState, Quiz, Status},
    text,
};
use problem::Problem;
use proto::consent::{self as pb, CopyFormat};
use seal::{Hash, entry::Entry, id::Name};
use std::{collections::HashMap, mem};
use vocabulary::{
    command::{self, Assent, GiveConsent, Terms},
    consent::{self, NotInForce},
    fact::{self, Fact, Facts, Given, Superseded},
};

/// The name of FHIR R4 as the source of a request.
pub(crate) const FHIR_R4: &str = "fhir-r4";

/// The copy in words.
pub(crate) fn words(consent: &Consent) -> String {
    text::copy(consent)
}

/// The consent receipt.
pub(crate) fn receipt(consent: &Consent, now: u64) -> String {
    iso27560::receipt(consent, now).to_string()
}

/// The copy in a format.
pub(crate) fn formatted(consent: &Consent, format: CopyFormat, now: u64) -> String {
    match format {
        CopyFormat::Unspecified => words(consent),
        CopyFormat::Iso27560Record => iso27560::record(consent).to_string(),
        CopyFormat::Iso27560Receipt => receipt(consent, now),
        CopyFormat::FhirR4 => fhir::r4(consent).to_string(),
        CopyFormat::FhirR5 => fhir::r5(consent).to_string(),
    }
}

/// A consent as its copies state it: what was signed, and what of it stands at `now`. `recorded` tells when the entries
/// that withdrew parts of it were recorded. Nothing if what is recorded does
/// not fit together.
pub(crate) fn consent(
    given: &GiveConsent,
    entry: &Entry,
    document: Option<&Fact>,
    facts: &Facts,
    protocol: &Name,
    now: u64,
    recorded: &HashMap<u64, u64>,
) -> Option<Consent> {
    let Some(Fact::Document(fact::Document { content, approval, terms, superseded, .. })) = document else {
        return None;
    };
    let (terms, manner) = (terms.as_deref()?, given.manner.as_ref()?);
    let notice = terms.notice.as_ref();
    let provisions: Vec<Provision> = terms
        .provisions
        .iter()
        .map(|offer| provision(given, entry, offer, facts, superseded.as_ref(), now, recorded))
        .collect();
    let right = |quiz: &command::Quiz| {
        let right = |question: &&command::Question| {
            manner.answers.iter().any(|a| a.question == question.question && a.choice == question.right)
        };
        let questions = u32::try_from(quiz.questions.len()).unwrap_or(u32::MAX);
        Quiz { right: u32::try_from(quiz.questions.iter().filter(right).count()).unwrap_or(u32::MAX), questions }
    };
    let text = |name: &Name| name.to_string();
    Some(Consent {
        study: given.study.to_string(),
        protocol: protocol.to_string(),
        participant: given.participant.to_string(),
        site: given.site.to_string(),
        signed_ms: given.time,
        recorded_ms: entry.time,
        status: status(given, &provisions, superseded.as_ref(), now),
        document: Document {
            id: given.document.to_string(),
            version: given.version.to_string(),
            language: given.language.to_string(),
            title: Some(terms.title.to_string()),
            content: content.0,
            approval: Approval {
                body: approval.body.as_ref().map(text).unwrap_or_default(),
                reference: approval.reference.to_string(),
                date: approval.date.to_string(),
            },
        },
        capacity: capacity(&manner.capacity),
        witness: manner.witness.as_ref().map(text),
        remote: manner.remote.is_some(),
        obtained_by: given.by.to_string(),
        provisions,
        quiz: terms.quiz.as_ref().filter(|_| !manner.answers.is_empty()).map(right),
        entry: entry.number,
        entry_hash: entry.head().hash,
        controllers: notice.map(party).into_iter().collect(),
        handling: handling(terms),
        synthetic: given.synthetic,
    })
}

fn provision(
    signed: &GiveConsent,
    entry: &Entry,
    offer: &command::Offer,
    facts: &Facts,
    superseded: Option<&Superseded>,
    now: u64,
    recorded: &HashMap<u64, u64>,
) -> Provision {
    let made = |state, until_ms, given_entry, withdrawn_entry| Provision {
        name: offer.provision.to_string(),
        mandatory: offer.mandatory,
        state,
        from_ms: entry.time,
        until_ms,
        given_entry,
        withdrawn_entry,
    };
    if !signed.provisions.contains(&offer.provision) {
        return made(ProvisionState::Declined, None, None, None);
    }
    let given = consent::given(facts, &signed.participant, &offer.provision);
    let Some(given @ Given { until, withdrawn, .. }) = given.filter(|given| given.given == entry.number) else {
        return made(ProvisionState::Expired, None, Some(entry.number), None); // a later consent took its place
    };
    let state = match consent::holds(given, superseded, now) {
        Err(NotInForce::Withdrawn) => ProvisionState::Withdrawn,
        Ok(_) | Err(NotInForce::ReconsentRequired) => ProvisionState::Given,
        Err(_) => ProvisionState::Expired,
    };
    let ended = withdrawn.and_then(|number| recorded.get(&number).copied());
    made(state, ended.or(until.map(|until| until.time)), Some(given.given), *withdrawn)
}

fn status(given: &GiveConsent, provisions: &[Provision], superseded: Option<&Superseded>, now: u64) -> Status {
    let deferred = matches!(given.manner.as_ref().map(|m| &m.capacity), Some(command::Capacity::Deferred { .. }));
    let has = |state| provisions.iter().any(|provision| provision.state == state);
    match (has(ProvisionState::Given), has(ProvisionState::Withdrawn)) {
        (true, _) if deferred => Status::Deferred,
        (true, _) if superseded.is_some_and(|new| now >= new.effective) => Status::Superseded,
        (true, _) => Status::Active,
        (false, true) => Status::Withdrawn,
        (false, false) => Status::Expired,
    }
}

fn capacity(capacity: &command::Capacity) -> Capacity {
    match capacity {
        command::Capacity::Participant => Capacity::Participant,
        command::Capacity::SiteDevice { evidence, .. } => Capacity::SiteDevice { evidence: evidence.0 },
        command::Capacity::Representative { actor } => Capacity::Representative {
            actor: actor.to_string(),
            relation: "legally authorised representative".to_owned(),
        },
        command::Capacity::Minor { parents, assent, .. } => Capacity::Minor {
            parents: parents.iter().map(ToString::to_string).collect(),
            assented: *assent == Assent::Signed,
        },
        command::Capacity::Deferred { deadline, .. } => Capacity::Deferred { deadline_ms: *deadline },
    }
}

fn party(notice: &command::Notice) -> Party {
    let contact = notice.contact.as_ref().map(ToString::to_string);
    Party { name: notice.controller.to_string(), address: None, contact }
}

fn handling(terms: &Terms) -> Handling {
    let kept = "What was collected until then is kept, as 21 CFR 312.62(b) requires of trial records, unless the law \
                that applies demands that it be erased. Nothing further is collected.";
    let notice = terms.notice.as_ref();
    let said = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
    Handling {
        after_withdrawal: kept.to_owned(),
        withdrawal: None,
        contact: notice.and_then(|notice| said(&notice.contact)),
        storage_locations: notice.iter().flat_map(|n| n.storage.iter().map(ToString::to_string)).collect(),
        retention: notice.and_then(|notice| said(&notice.retention)),
        jurisdiction: notice.and_then(|notice| said(&notice.jurisdiction)),
        lawful_basis: notice.and_then(|notice| said(&notice.lawful_basis)),
    }
}

/// What another system's consent states, as it stands at one time.
pub(crate) struct Read {
    pub(crate) content: Hash,
    /// What it permits at that time.
    pub(crate) provisions: Vec<command::Provision>,
    /// Every provision that it names.
    pub(crate) stated: Vec<(command::Provision, Standing)>,
    pub(crate) unmapped: Vec<String>,
    pub(crate) status: String,
    /// Whether it was in force before and will not be again.
    pub(crate) ended: bool,
}

/// Reads a FHIR R4 consent, as it stands at `now` (Unix milliseconds).
pub(crate) fn read_fhir(resource: &[u8], now: u64) -> Result<Read, Problem> {
    let mut request =
        fhir::import_r4(resource).map_err(|error| Problem::field("MALFORMED", "resource", error.to_string()))?;
    if !matches!(request.status, RequestStatus::Active | RequestStatus::Draft | RequestStatus::Proposed) {
        return Err(Problem::field("MALFORMED", "resource.status", "the resource says that the consent has ended"));
    }
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let known = |standing: Standing| Some((standing.provision.parse().ok()?, standing));
    let standings = request.standings(now);
    let ended = request.has_ended(&standings, now);
    let stated: Vec<(command::Provision, Standing)> = standings.into_iter().filter_map(known).collect();
    let permitted = stated.iter().filter(|(_, standing)| standing.state == State::Permitted);
    let mut provisions: Vec<command::Provision> = permitted.map(|(provision, _)| provision.clone()).collect();
    provisions.sort_unstable();
    let mut unmapped = mem::take(&mut request.unmapped);
    unmapped.extend(request.provisions.iter().filter_map(not_taken_over));
    Ok(Read { content: request.content, provisions, stated, unmapped, status: request.status.code().to_owned(), ended })
}

/// What of a rule is not taken over, besides what the import lists: a name that is none of our provisions, or a period.
fn not_taken_over(rule: &Requested) -> Option<String> {
    match &rule.provision {
        Some(name) => name.parse::<command::Provision>().is_err().then(|| rule.path.clone()),
        None => rule.period.as_ref().filter(|_| !rule.period_counts()).map(|_| format!("{}.period", rule.path)),
    }
}

/// One provision of a resource, as `ReadConsent` states it.
pub(crate) fn stated((provision, standing): (command::Provision, Standing)) -> pb::StatedProvision {
    let state = match standing.state {
        State::Permitted => pb::StatedProvisionState::Permitted,
        State::NotYet => pb::StatedProvisionState::NotYet,
        State::Ended => pb::StatedProvisionState::Ended,
        State::NotPermitted => pb::StatedProvisionState::NotPermitted,
        State::NotActive => pb::StatedProvisionState::NotActive,
    };
    pb::StatedProvision {
        provision: provision.to_string(),
        state: state.into(),
        from_ms: standing.from_ms,
        until_ms: standing.until_ms,
        rules: standing.rules,
    }
}
