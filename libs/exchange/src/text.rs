//! The copy a participant keeps, as plain text: 80 columns, clear words, nothing hidden (ICH E6(R3) section 2.8.7).
//!
//! In English. A column is one Unicode scalar value: scripts whose letters are wider or combine may look uneven.

use crate::{
    plain::line,
    record::{Capacity, Consent, Provision, ProvisionState, Status},
    time::{day, minute},
    wording,
};

/// The widest line, in characters.
pub const WIDTH: usize = 80;

const NOT_STATED: &str = "Not stated here. See the consent form, or ask your study site.";

/// The copy of a consent for its participant.
pub fn copy(consent: &Consent) -> String {
    let mut page = Page::default();
    opening(&mut page, consent);
    answers(&mut page, consent);
    rights(&mut page, consent);
    fingerprints(&mut page, consent);
    page.0
}

fn opening(page: &mut Page, consent: &Consent) {
    page.line("YOUR COPY OF YOUR CONSENT");
    if consent.synthetic {
        page.line("TEST ONLY: this participant is invented.");
    }
    page.heading("The study");
    page.fact("Study", &consent.protocol);
    page.fact("Run by", &names(consent.controllers.iter().map(|party| party.name.as_str())));
    page.fact("Study site", &consent.site);
    page.fact("You are called", &consent.participant);
    page.heading("The consent");
    page.fact("Now", &status(consent));
    page.fact("Agreed by", &agreed_by(consent));
    if !consent.consenters().is_empty() {
        let place = if consent.remote { ", from a distance" } else { "" };
        page.fact("Signed", &format!("{}{place}", minute(consent.signed_ms)));
    }
    let provisional = consent.status == Status::Deferred;
    page.fact(if provisional { "Included by" } else { "Explained by" }, &consent.obtained_by);
    page.fact("Witness", consent.witness.as_deref().unwrap_or("none"));
    if let Some(quiz) = consent.quiz {
        page.fact("Questions", &format!("{} of {} answered right", quiz.right, quiz.questions));
    }
}

fn answers(page: &mut Page, consent: &Consent) {
    let agreed = |p: &&Provision| consent.permits(p);
    let declined = |p: &&Provision| p.state == ProvisionState::Declined;
    let ended = |p: &&Provision| !consent.permits(p) && p.state != ProvisionState::Declined;
    let provisional = consent.status == Status::Deferred;
    page.heading(if provisional { "What happens until you decide" } else { "What you agreed to" });
    page.items(
        consent.provisions.iter().filter(agreed).map(|p| format!("{} {}", wording::clause(p), until(consent, p))),
    );
    page.heading("What you declined");
    page.items(consent.provisions.iter().filter(declined).map(wording::clause));
    page.heading("What has ended");
    page.items(consent.provisions.iter().filter(ended).map(|p| format!("{} {}", wording::clause(p), how_ended(p))));
}

fn rights(page: &mut Page, consent: &Consent) {
    let handling = &consent.handling;
    page.heading("You may withdraw at any time");
    page.paragraph("You need not say why, and your care does not depend on it.");
    page.fact("How", handling.withdrawal.as_deref().unwrap_or(NOT_STATED));
    page.fact(
        "Your data then",
        Some(handling.after_withdrawal.as_str()).filter(|t| !t.is_empty()).unwrap_or(NOT_STATED),
    );
    page.heading("Who to ask");
    page.fact("Study site", handling.contact.as_deref().unwrap_or(NOT_STATED));
    for party in &consent.controllers {
        page.fact("Run by", &format!("{}, {}", party.name, party.contact.as_deref().unwrap_or(NOT_STATED)));
    }
}

fn fingerprints(page: &mut Page, consent: &Consent) {
    let document = &consent.document;
    let title = document.title.as_deref().unwrap_or(&document.id);
    page.heading("How to check this");
    page.fact("Form", &format!("{title}, version {}, language {}", document.version, document.language));
    let approval = &document.approval;
    page.fact("Approved", &format!("by {}, {}, on {}", approval.body, approval.reference, approval.date));
    page.paragraph("Fingerprint (SHA-256) of the form:");
    page.line(&document.content.to_hex());
    page.paragraph(&format!(
        "Entry {} of the study's consent journal, {}:",
        consent.entry,
        minute(consent.recorded_ms)
    ));
    page.line(&consent.entry_hash.to_hex());
}

fn status(consent: &Consent) -> String {
    match (consent.status, &consent.capacity) {
        (Status::Active, _) => "in force".to_owned(),
        (Status::Withdrawn, _) => "withdrawn".to_owned(),
        (Status::Expired, _) => "ended, its time is over".to_owned(),
        (Status::Superseded, _) => "replaced by a later consent".to_owned(),
        (Status::Deferred, Capacity::Deferred { deadline_ms }) => {
            format!("not given yet; you will be asked before {}", minute(*deadline_ms))
        }
        (Status::Deferred, _) => "not given yet".to_owned(),
    }
}

fn agreed_by(consent: &Consent) -> String {
    match &consent.capacity {
        Capacity::Participant => "you".to_owned(),
        Capacity::SiteDevice { .. } => "you, on a device of the study site".to_owned(),
        Capacity::Representative { actor, relation } => format!("{actor} for you ({relation})"),
        Capacity::Minor { parents, assented } => {
            let assent = if *assented { "you agreed too" } else { "you were not asked or did not agree" };
            format!("your parents ({}); {assent}", names(parents.iter().map(String::as_str)))
        }
        Capacity::Deferred { .. } => "nobody yet".to_owned(),
    }
}

fn until(consent: &Consent, provision: &Provision) -> String {
    consent.until(provision).map_or("Without a fixed end.".to_owned(), |ms| format!("Until {}.", day(ms)))
}

fn how_ended(provision: &Provision) -> String {
    let how = match provision.state {
        ProvisionState::Given => return "Ended with the consent.".to_owned(),
        ProvisionState::Withdrawn => "Withdrawn",
        ProvisionState::Declined | ProvisionState::Expired => "Ended",
    };
    provision.until_ms.map_or(format!("{how}."), |ms| format!("{how} on {}.", day(ms)))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Lines of at most [`WIDTH`] characters.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn heading(&mut self, words: &str) {
        self.line("");
        self.line(&words.to_uppercase());
    }

    fn fact(&mut self, name: &str, value: &str) {
        self.wrapped(&format!("{name}: "), value);
    }

    fn paragraph(&mut self, words: &str) {
        self.wrapped("", words);
    }

    fn items(&mut self, items: impl Iterator<Item = String>) {
        let mut any = false;
        for item in items {
            any = true;
            self.wrapped("- ", &item);
        }
        if !any {
            self.line("Nothing.");
        }
    }

    /// Continuation lines are indented, so that no value can look like a line of ours.
    fn wrapped(&mut self, label: &str, words: &str) {
        const INDENT: &str = "    ";
        let mut current = label.to_owned();
        let mut room = WIDTH.saturating_sub(label.chars().count());
        let mut first = true;
        for word in line(words).split_whitespace().flat_map(pieces) {
            let needed = word.chars().count() + usize::from(!first);
            if needed > room {
                self.line(current.trim_end());
                current = INDENT.to_owned();
                room = WIDTH - INDENT.len();
                first = true;
            }
            if !first {
                current.push(' ');
            }
            room = room.saturating_sub(word.chars().count() + usize::from(!first));
            current.push_str(&word);
            first = false;
        }
        self.line(current.trim_end());
    }
}

/// A word in pieces that fit a continuation line.
fn pieces(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters.chunks(WIDTH - 4).map(|piece| piece.iter().collect()).collect()
}
