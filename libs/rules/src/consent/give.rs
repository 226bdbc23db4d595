//! Giving consent, in every way it can be given.

use super::{
    Changes, DAY_MS, Next, Refusal, Rule, Standing, consents, each_once, earlier, late, malformed, on_newest,
    represents, rules,
};
use seal::{MAX_CLOCK_AHEAD_MS, dsse::Envelope, id::Name, text::Hex};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use vocabulary::{
    authority::{authorise, delegations, is_person, kinds, signing_key, subjects},
    command::{
        ActorKind, Assent, Capacity, GiveConsent, Manner, Offer, Provision, Quiz, Relation, RequestConsent, Task, Terms,
    },
    consent::NotInForce,
    fact::{self, End, Fact, Facts, Given, Until},
    subject::{self, Subject},
};

/// How far off a coming of age may be stated, in milliseconds: a childhood. Until then nobody else gives consent.
const MAX_MINORITY_MS: u64 = 22 * 366 * DAY_MS;

impl Rule for GiveConsent {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::ObtainConsent, &self.site);
        needs.extend(delegations(&self.by, Task::RecordLate, &self.site));
        needs.extend(kinds([&self.by]));
        let who = [subject::participant, subject::matched, subject::same].map(|about| about(&self.participant));
        needs.extend([subject::study(), subject::site(&self.site)]);
        needs.extend(who);
        needs.extend(self.manner.iter().flat_map(|manner| others(&self.participant, manner)));
        needs
    }

    fn needs(&self, enrollment: &Facts) -> Vec<Subject> {
        let document = subject::document(&self.document, &self.version, &self.language);
        let registrations = [&self.participant].into_iter().chain(earlier(enrollment, &self.participant));
        let consent = registrations.map(subject::consent);
        [document, consents(&self.participant)].into_iter().chain(consent).collect()
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let rules = rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ObtainConsent, &self.site, next.time)?;
        late(self, facts, &self.site, next)?;
        if rules == 1 || self.manner.is_none() {
            signing_key(facts, envelope, &self.participant)?;
        }
        if facts.site_of_active(&self.participant) != Some(&self.site) {
            return Err(Refusal::NotEnrolled);
        }
        if !facts.site_is_open(&self.site) {
            return Err(Refusal::SiteNotOpen);
        }
        on_newest(self, facts, &self.participant)?;
        if rules >= 3 && is_held(facts, &self.participant) {
            return Err(Refusal::Held);
        }
        let document = subject::document(&self.document, &self.version, &self.language);
        let Some(Fact::Document(fact::Document { terms, superseded, published_ms, .. })) = facts.find(&document) else {
            return Err(Refusal::DocumentUnknown);
        };
        each_once("provisions", &self.provisions)?;
        let mut standing = Standing::before_giving(facts, &self.participant);
        if rules == 1 {
            if self.manner.is_some() {
                return Err(Refusal::RulesOutdated);
            }
            let given = self.provisions.iter().map(|provision| (provision.clone(), state(self, facts, next)));
            standing.provisions.extend(given);
            return Ok(vec![standing.fact(&self.participant)]);
        }
        if superseded.as_ref().is_some_and(|new| next.time >= new.effective) {
            return Err(Refusal::DocumentSuperseded);
        }
        let (terms, manner) = terms_and_manner(self, terms.as_deref(), next)?;
        if rules >= 3 {
            is_person(facts, &self.by)?;
            in_order(self, terms, *published_ms)?;
        }
        signed(self, manner, terms, (envelope, facts), next)?;
        if matches!(manner.capacity, Capacity::Deferred { .. }) {
            undecided(&standing.provisions)?;
        }
        if rules >= 3 {
            not_of_others(&standing, self, manner, next)?;
        } else {
            not_against(&standing.provisions, manner, next)?;
        }
        decline(&mut standing.provisions, self, manner, terms, next);
        let from = if rules >= 3 { self.time } else { next.time };
        let agreed = agreed(self, terms, manner)?;
        if rules >= 3 {
            remember(&mut standing.declined, self, manner, terms);
            come_of_age(&mut standing, manner, next);
        }
        for offer in agreed {
            let until = until(offer, manner, from);
            if until.is_some_and(|until| rules >= 3 && next.time >= until.time) {
                return Err(NotInForce::PeriodEnded.into()); // a late entry of what is over already
            }
            let given = Given { until, mandatory: offer.mandatory, ..state(self, facts, next) };
            standing.provisions.insert(offer.provision.clone(), given);
        }
        let list = facts.one_more_by(consents(&self.participant), envelope);
        Ok(vec![list, standing.fact(&self.participant)])
    }
}

/// Whether it is still to be said if the participant was registered before: by then it is known what they refused.
fn is_held(facts: &Facts, participant: &Name) -> bool {
    matches!(facts.find(&subject::matched(participant)), Some(Fact::Match { cleared: None, .. }))
}

/// Checks that the document was there to be read, and in use, when consent was signed. Clocks may differ a little.
fn in_order(consent: &GiveConsent, terms: &Terms, published_ms: Option<u64>) -> Result<(), Refusal> {
    let signed_at_most = consent.time.saturating_add(MAX_CLOCK_AHEAD_MS);
    if published_ms.is_none_or(|published| signed_at_most < published) {
        return Err(Refusal::OutOfOrder("its document was published"));
    }
    if signed_at_most < terms.effective { Err(Refusal::DocumentNotEffective) } else { Ok(()) }
}

/// From rules 3 on: checks that nobody consents for the participant against what the participant signed, and that until a
/// minor comes of age the parents alone give.
fn not_of_others(standing: &Standing, consent: &GiveConsent, manner: &Manner, next: Next) -> Result<(), Refusal> {
    let own = matches!(manner.capacity, Capacity::Participant | Capacity::Minor { assent: Assent::Signed, .. });
    let declined = consent.provisions.iter().any(|provision| standing.declined.contains(provision));
    if !own && (declined || standing.provisions.values().any(|state| state.refused)) {
        return Err(NotInForce::Withdrawn.into());
    }
    match (&manner.capacity, standing.majority) {
        (Capacity::Minor { .. }, Some(of_age)) if next.time >= of_age => Err(NotInForce::MajorityReached.into()),
        (Capacity::Minor { majority, .. }, Some(of_age)) if *majority > of_age => {
            malformed("manner.capacity.minor.majority", "later than stated before")
        }
        (Capacity::Minor { .. }, _) | (_, None) => Ok(()),
        (_, Some(of_age)) if next.time < of_age || consent.time < of_age => Err(Refusal::NotOfAge),
        (_, Some(_)) => Ok(()),
    }
}

/// Takes note of what the participant declines with their own key, whether or not it was ever given, and of what is given.
fn remember(declined: &mut BTreeSet<Provision>, consent: &GiveConsent, manner: &Manner, terms: &Terms) {
    declined.retain(|provision| !consent.provisions.contains(provision));
    if manner.capacity == Capacity::Participant {
        let asked = terms.provisions.iter().map(|offer| &offer.provision);
        declined.extend(asked.filter(|provision| !consent.provisions.contains(provision)).cloned());
    }
}

/// Takes note of when a minor comes of age. What somebody else than the parents gave before does not stand any more, nor
/// the grants that rested on it; what the parents gave before ends no later than is stated now, under whichever document.
fn come_of_age(standing: &mut Standing, manner: &Manner, next: Next) {
    let Capacity::Minor { majority, .. } = manner.capacity else { return };
    let first = standing.majority.is_none();
    if first && !standing.provisions.is_empty() {
        standing.emptied = Some(next.number);
    }
    let of_age = standing.majority.map_or(majority, |before| before.min(majority));
    for state in standing.provisions.values_mut().filter(|state| state.withdrawn.is_none()) {
        if first {
            state.withdrawn = Some(next.number);
        } else if state.until.is_none_or(|until| of_age < until.time) {
            state.until = Some(Until { time: of_age, why: End::Majority });
        }
    }
    standing.majority = Some(of_age);
}

/// The facts about those who sign besides the participant and the investigator.
fn others(participant: &Name, manner: &Manner) -> Vec<Subject> {
    let stands = |actor: &Name| subject::representative(participant, actor);
    let mut needs: Vec<Subject> = manner.witness.iter().map(stands).collect();
    match &manner.capacity {
        Capacity::Representative { actor } => needs.push(stands(actor)),
        Capacity::Minor { parents, .. } => needs.extend(parents.iter().map(stands)),
        Capacity::SiteDevice { device, .. } => needs.push(subject::actor(device)),
        Capacity::Participant | Capacity::Deferred { .. } => {}
    }
    needs
}

/// What is known of every provision that is given, besides its own offer.
fn state(consent: &GiveConsent, facts: &Facts, next: Next) -> Given {
    let present = facts.rules() >= Some(3);
    Given {
        given: next.number,
        document: consent.document.clone(),
        version: consent.version.clone(),
        language: consent.language.clone(),
        withdrawn: None,
        until: None,
        mandatory: false,
        refused: false,
        signed: present.then_some(consent.time),
        after: facts.newest(&consents(&consent.participant)).map(Hex::from),
        given_by: if present { given_by(consent) } else { Vec::new() },
    }
}

/// Who gives consent for the participant.
fn given_by(consent: &GiveConsent) -> Vec<Name> {
    match consent.manner.as_ref().map(|manner| &manner.capacity) {
        Some(Capacity::Representative { actor }) => vec![actor.clone()],
        Some(Capacity::Minor { parents, .. }) => parents.clone(),
        _ => Vec::new(),
    }
}

fn terms_and_manner<'a>(
    consent: &'a GiveConsent,
    terms: Option<&'a Terms>,
    next: Next,
) -> Result<(&'a Terms, &'a Manner), Refusal> {
    let terms = terms.ok_or(Refusal::DocumentUnknown)?;
    let Some(manner) = &consent.manner else { return malformed("manner", "required: who consents, and how") };
    if next.time < terms.effective {
        return Err(Refusal::DocumentNotEffective);
    }
    if !terms.sites.is_empty() && !terms.sites.contains(&consent.site) {
        return Err(Refusal::DocumentNotForSite);
    }
    if manner.remote.is_some() && !terms.remote {
        return Err(Refusal::NotAdmitted("consent at a distance"));
    }
    let deferred = matches!(manner.capacity, Capacity::Deferred { .. });
    match &terms.quiz {
        Some(quiz) if !deferred => passed(quiz, manner)?,
        _ if !manner.answers.is_empty() => {
            return malformed("manner.answers", "must be empty: the document has no questions");
        }
        _ => {}
    }
    Ok((terms, manner))
}

/// What the document offers of what is agreed to.
fn agreed<'a>(consent: &GiveConsent, terms: &'a Terms, manner: &Manner) -> Result<Vec<&'a Offer>, Refusal> {
    let offers: Vec<&Offer> =
        terms.provisions.iter().filter(|offer| consent.provisions.contains(&offer.provision)).collect();
    if offers.len() != consent.provisions.len() {
        return Err(Refusal::ProvisionNotOffered);
    }
    if terms.provisions.iter().any(|offer| offer.mandatory && !consent.provisions.contains(&offer.provision)) {
        return Err(Refusal::MandatoryDeclined);
    }
    if matches!(manner.capacity, Capacity::Deferred { .. }) && offers.iter().any(|offer| !offer.mandatory) {
        return Err(Refusal::NotAdmitted("a deferred consent to an optional provision"));
    }
    Ok(offers)
}

/// Before rules 3: checks that nobody consents for the participant against what the participant signed, or beyond their
/// coming of age.
fn not_against(provisions: &BTreeMap<Provision, Given>, manner: &Manner, next: Next) -> Result<(), Refusal> {
    let majority = match &manner.capacity {
        Capacity::Participant | Capacity::SiteDevice { .. } => return Ok(()),
        Capacity::Minor { majority, .. } => Some(*majority),
        Capacity::Representative { .. } | Capacity::Deferred { .. } => None,
    };
    let assents = matches!(&manner.capacity, Capacity::Minor { assent: Assent::Signed, .. });
    if !assents && provisions.values().any(|state| state.refused) {
        return Err(NotInForce::Withdrawn.into());
    }
    let ends = provisions.values().filter_map(|state| state.until).filter(|until| until.why == End::Majority);
    match ends.map(|until| until.time).min() {
        Some(of_age) if next.time >= of_age => Err(NotInForce::MajorityReached.into()),
        Some(of_age) if majority.is_some_and(|stated| stated > of_age) => {
            malformed("manner.capacity.minor.majority", "later than stated before")
        }
        _ => Ok(()),
    }
}

/// A signed form answers every question it asks: what stood under the same document and is not agreed to is withdrawn.
fn decline(
    provisions: &mut BTreeMap<Provision, Given>,
    consent: &GiveConsent,
    manner: &Manner,
    terms: &Terms,
    next: Next,
) {
    let asked = |provision: &Provision| terms.provisions.iter().any(|offer| offer.provision == *provision);
    for (provision, state) in provisions.iter_mut() {
        let declined = asked(provision) && !consent.provisions.contains(provision);
        if declined && state.document == consent.document && state.withdrawn.is_none() {
            state.withdrawn = Some(next.number);
            state.refused = manner.capacity == Capacity::Participant;
        }
    }
}

/// Checks that consent was neither given, withdrawn nor deferred before: it is deferred once, or not at all.
fn undecided(provisions: &BTreeMap<Provision, Given>) -> Result<(), Refusal> {
    if provisions.values().any(|state| state.withdrawn.is_some()) {
        return Err(NotInForce::Withdrawn.into()); // somebody who said no once is not asked for behind their back
    }
    if provisions.is_empty() {
        return Ok(());
    }
    Err(Refusal::NotAdmitted("a deferred consent where consent was given or deferred before"))
}

/// Checks who signed besides the investigator.
fn signed(
    consent: &GiveConsent,
    manner: &Manner,
    terms: &Terms,
    (envelope, facts): (&Envelope, &Facts),
    next: Next,
) -> Result<(), Refusal> {
    let participant = &consent.participant;
    let signs_as = |actor: &Name, relation, what| {
        if !represents(facts, participant, actor, relation, next) {
            return Err(Refusal::RepresentativeUnknown(what));
        }
        signing_key(facts, envelope, actor).map(drop).map_err(Refusal::from)
    };
    match &manner.capacity {
        Capacity::Participant => drop(signing_key(facts, envelope, participant)?),
        Capacity::SiteDevice { device, .. } => {
            let present = facts.rules() >= Some(3);
            if present && !terms.site_device {
                return Err(Refusal::NotAdmitted("consent on a device of the site"));
            }
            match facts.find(&subject::actor(device)) {
                Some(Fact::Actor(fact::Actor { kind: ActorKind::Device, site, .. }))
                    if !present || site.as_ref() == Some(&consent.site) => {}
                _ => return Err(Refusal::DeviceUnknown),
            }
            signing_key(facts, envelope, device)?;
        }
        Capacity::Representative { actor } => {
            if !terms.representative {
                return Err(Refusal::NotAdmitted("consent by a legally authorised representative"));
            }
            signs_as(actor, Relation::LegalRepresentative, "legally authorised representative")?;
        }
        Capacity::Minor { parents, assent, majority } => {
            minor(parents, *majority, (terms, facts), next)?;
            for parent in parents {
                signs_as(parent, Relation::Parent, "parent")?;
            }
            if *assent == Assent::Signed {
                signing_key(facts, envelope, participant)?;
            }
        }
        Capacity::Deferred { deadline, .. } => {
            let Some(longest) = terms.deferral_ms else { return Err(Refusal::NotAdmitted("deferred consent")) };
            let from = if facts.rules() >= Some(3) { consent.time } else { next.time };
            if *deadline <= next.time || *deadline > from.saturating_add(longest) {
                return malformed(
                    "manner.capacity.deferred.deadline",
                    "later than now, and no later than the document admits",
                );
            }
        }
    }
    match &manner.witness {
        Some(witness) => signs_as(witness, Relation::ImpartialWitness, "impartial witness"),
        None => Ok(()),
    }
}

fn minor(parents: &[Name], majority: u64, (terms, facts): (&Terms, &Facts), next: Next) -> Result<(), Refusal> {
    if terms.parents == 0 {
        return Err(Refusal::NotAdmitted("minors"));
    }
    let different: HashSet<&Name> = parents.iter().collect();
    if different.len() != parents.len() || parents.len() < usize::from(terms.parents) || parents.len() > 2 {
        return malformed(
            "manner.capacity.minor.parents",
            "must name as many different parents as the document requires",
        );
    }
    if majority <= next.time {
        return malformed("manner.capacity.minor.majority", "has passed: the participant consents themselves");
    }
    if facts.rules() >= Some(3) && majority > next.time.saturating_add(MAX_MINORITY_MS) {
        return malformed("manner.capacity.minor.majority", "must be at most 22 years from now");
    }
    Ok(())
}

/// Checks the answers to the comprehension questions.
fn passed(quiz: &Quiz, manner: &Manner) -> Result<(), Refusal> {
    let right = score(quiz, manner)?;
    if right < quiz.pass { Err(Refusal::QuizNotPassed { right, needed: quiz.pass }) } else { Ok(()) }
}

/// How many questions were answered rightly.
fn score(quiz: &Quiz, manner: &Manner) -> Result<u32, Refusal> {
    let answered: HashSet<&Name> = manner.answers.iter().map(|answer| &answer.question).collect();
    if answered.len() != quiz.questions.len() || manner.answers.len() != quiz.questions.len() {
        return malformed("manner.answers", "must have one answer to each question of the document");
    }
    let mut right = 0;
    for question in &quiz.questions {
        let answer = manner.answers.iter().find(|answer| answer.question == question.question);
        let Some(answer) = answer else {
            return malformed("manner.answers", "must have one answer to each question of the document");
        };
        right += u32::from(answer.choice == question.right);
    }
    Ok(right)
}

/// When what was agreed to ends by itself; its period counts from `from` (Unix milliseconds).
fn until(offer: &Offer, manner: &Manner, from: u64) -> Option<Until> {
    let period = offer
        .days
        .map(|days| Until { time: from.saturating_add(u64::from(days).saturating_mul(DAY_MS)), why: End::Period });
    let capacity = match manner.capacity {
        Capacity::Minor { majority, .. } => Some(Until { time: majority, why: End::Majority }),
        Capacity::Deferred { deadline, .. } => Some(Until { time: deadline, why: End::Deferral }),
        _ => None,
    };
    period.into_iter().chain(capacity).min_by_key(|until| until.time)
}

impl Rule for RequestConsent {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::ObtainConsent, &self.site);
        needs.extend([subject::study(), subject::participant(&self.participant)]);
        needs
    }

    fn needs(&self, _: &Facts) -> Vec<Subject> {
        vec![consents(&self.participant)]
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        super::present_rules(facts)?;
        authorise(facts, envelope, &self.by, Task::ObtainConsent, &self.site, next.time)?;
        if facts.site_of_active(&self.participant) != Some(&self.site) {
            return Err(Refusal::NotEnrolled);
        }
        Ok(vec![facts.one_more_by(consents(&self.participant), envelope)])
    }
}
