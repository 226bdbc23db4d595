//! Publishing informed consent forms.

use super::{Changes, DAY_MS, Next, Refusal, Rule, malformed, rules};
use seal::{
    dsse::Envelope,
    id::Name,
    text::{day_of, is_day},
};
use std::collections::HashSet;
use vocabulary::{
    authority::{authorise, subjects},
    command::{DocumentVersion, Offer, PublishDocument, Quiz, Reconsent, ReconsentMode, Task, Terms},
    fact::{self, Fact, Facts, Superseded},
    subject::{self, List, Subject},
};

/// The most provisions, sites, questions, choices or replaced versions of a document.
const MAX_PARTS: usize = 200;
/// The longest question or answer, in bytes.
const MAX_TEXT: usize = 2_048;
/// The most days a provision may hold: a century.
const MAX_DAYS: u32 = 36_525;

impl Rule for PublishDocument {
    fn needs_enrollment(&self, envelope: &Envelope) -> Vec<Subject> {
        let mut needs = subjects(&self.by, envelope.key_ids(), Task::PublishDocuments, &Name::all_sites());
        needs.push(subject::study());
        needs.extend(self.terms.iter().flat_map(|terms| terms.sites.iter().map(subject::site)));
        needs
    }

    fn needs(&self, _: &Facts) -> Vec<Subject> {
        let mut needs = vec![subject(&self.document, &self.version, &self.language), subject::list(&List::Documents)];
        needs.extend(replaced(self).iter().map(|old| subject(&self.document, &old.version, &old.language)));
        needs
    }

    fn decide(&self, envelope: &Envelope, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
        let rules = rules(facts)?;
        authorise(facts, envelope, &self.by, Task::PublishDocuments, &Name::all_sites(), next.time)?;
        if !is_day(self.approval.date.as_str()) {
            return malformed("approval.date", "not a day of the form YYYY-MM-DD");
        }
        let published = subject(&self.document, &self.version, &self.language);
        if facts.find(&published).is_some() {
            return Err(Refusal::DocumentExists);
        }
        let mut changes = Vec::new();
        match (&self.terms, rules) {
            (None, 1) => {}
            (Some(_), 1) => return Err(Refusal::RulesOutdated),
            (None, _) => return malformed("terms", "required: the terms under which the document asks for consent"),
            (Some(terms), _) => {
                if rules < 3 && terms.site_device {
                    return Err(Refusal::RulesOutdated);
                }
                check(self, terms, facts, next)?;
                changes.extend(supersede(&self.document, terms, facts, next)?);
                changes.push(facts.one_more(subject::list(&List::Documents)));
            }
        }
        let fact = Fact::Document(fact::Document {
            content: self.content,
            approval: self.approval.clone(),
            published: next.number,
            terms: self.terms.clone().map(Box::new),
            superseded: None,
            published_ms: (rules >= 3).then_some(next.time),
        });
        changes.push((published, fact));
        Ok(changes)
    }
}

fn subject(document: &Name, version: &Name, language: &Name) -> Subject {
    subject::document(document, version, language)
}

fn replaced(publish: &PublishDocument) -> &[DocumentVersion] {
    publish.terms.as_ref().map_or(&[], |terms| &terms.supersedes)
}

fn check(publish: &PublishDocument, terms: &Terms, facts: &Facts, next: Next) -> Result<(), Refusal> {
    if publish.approval.body.is_none() {
        return malformed("approval.body", "required: the board that approved the document");
    }
    if publish.approval.date.as_str() > day_of(next.time.saturating_add(DAY_MS)).as_str() {
        return malformed("approval.date", "is in the future");
    }
    if !terms.sites.iter().all(|site| facts.find(&subject::site(site)).is_some()) {
        return malformed("terms.sites", "no such site");
    }
    if terms.sites.len() > MAX_PARTS || terms.supersedes.len() > MAX_PARTS {
        return malformed("terms", "more than 200 sites or replaced versions");
    }
    if terms.parents > 2 {
        return malformed("terms.parents", "must be 0, 1 or 2");
    }
    if terms.deferral_ms == Some(0) {
        return malformed("terms.deferral_ms", "must be more than 0, or absent");
    }
    if terms.reconsent.is_some() && terms.supersedes.is_empty() {
        return malformed("terms.reconsent", "allowed only if a version is replaced");
    }
    if terms.notice.as_ref().is_some_and(|notice| notice.storage.len() > MAX_PARTS) {
        return malformed("terms.notice.storage", "more than 200");
    }
    offers(&terms.provisions)?;
    terms.quiz.as_ref().map_or(Ok(()), quiz)
}

/// The replaced versions, marked so.
fn supersede(document: &Name, terms: &Terms, facts: &Facts, next: Next) -> Result<Changes, Refusal> {
    let mut seen = HashSet::new();
    terms
        .supersedes
        .iter()
        .map(|old| {
            let replaced = subject(document, &old.version, &old.language);
            let Some(Fact::Document(fact::Document {
                content,
                approval,
                published,
                terms: theirs,
                superseded,
                published_ms,
            })) = facts.find(&replaced)
            else {
                return Err(Refusal::DocumentUnknown);
            };
            let again = superseded.is_some() && (terms.reconsent.is_none() || terms.effective > next.time);
            if again || !seen.insert(replaced.clone()) {
                return Err(Refusal::DocumentSuperseded);
            }
            let superseded = superseding(superseded.as_ref(), terms, next);
            let fact = Fact::Document(fact::Document {
                content: *content,
                approval: approval.clone(),
                published: *published,
                terms: theirs.clone(),
                superseded: Some(superseded),
                published_ms: *published_ms,
            });
            Ok((replaced, fact))
        })
        .collect()
}

/// The mark of a replaced version. One that was replaced before, without reaching those who agreed to it, may be marked
/// again by a version in use that demands consent anew; of two demands the stricter counts.
fn superseding(before: Option<&Superseded>, terms: &Terms, next: Next) -> Superseded {
    let effective = before.map_or(terms.effective, |before| before.effective.min(terms.effective));
    let demand = |new: &Reconsent| match before.and_then(|before| before.reconsent.as_ref()) {
        None => new.clone(),
        Some(old) => Reconsent {
            by: old.by.min(new.by),
            meanwhile: stricter(old.meanwhile, new.meanwhile),
            then: stricter(old.then, new.then),
        },
    };
    Superseded { by: next.number, effective, reconsent: terms.reconsent.as_ref().map(demand) }
}

fn stricter(one: ReconsentMode, other: ReconsentMode) -> ReconsentMode {
    if one == ReconsentMode::Stop { one } else { other }
}

fn offers(offers: &[Offer]) -> Result<(), Refusal> {
    let names: HashSet<_> = offers.iter().map(|offer| &offer.provision).collect();
    if offers.is_empty() || offers.len() > MAX_PARTS || names.len() != offers.len() {
        return malformed("terms.provisions", "at least one, at most 200, and each at most once");
    }
    if offers.iter().any(|offer| offer.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days))) {
        return malformed("terms.provisions.days", "1 to 36525");
    }
    Ok(())
}

fn quiz(quiz: &Quiz) -> Result<(), Refusal> {
    let names: HashSet<_> = quiz.questions.iter().map(|question| &question.question).collect();
    let count = quiz.questions.len();
    if count == 0 || count > MAX_PARTS || names.len() != count || quiz.pass as usize > count {
        return malformed(
            "terms.quiz",
            "must have 1 to 200 questions with unique names, and require at most all of them to pass",
        );
    }
    let text = |text: &String| (1..=MAX_TEXT).contains(&text.len());
    let good = |question: &vocabulary::command::Question| {
        (2..=MAX_PARTS).contains(&question.choices.len())
            && usize::from(question.right) < question.choices.len()
            && text(&question.text)
            && question.choices.iter().all(text)
    };
    if quiz.questions.iter().all(good) {
        return Ok(());
    }
    malformed(
        "terms.quiz.questions",
        "each must have a text, and 2 to 200 choices of 1 to 2,048 bytes, one of them right",
    )
}
