//! Consent and representation under rules 3, against a model that remembers what happened and looks it up: what is
//! accepted, what is in force at every time, who speaks for the participant, and who reads on a grant.

mod forms;
mod history;
mod steps;

use crate::*;
use consent::domain::may_read;
use forms::{Form, LONGEST_DEFERRAL, forms};
use grant::{granting, revoking};
use history::{Event, History, Signed, signs_for};
use proptest::prelude::*;
use seal::text::Hex;
use steps::{Deed, PROVISIONS, SPEAKERS, START, Step, Who, many, steps};
use vocabulary::{
    command::{AccessData, Assent, DocumentVersion, GrantAccess, Reconsent, ReconsentMode, RevokeAccess},
    consent::decides_for,
    fact, subject,
};

/// A command that was signed, and what the model knows of it.
#[derive(Clone)]
enum Paper {
    Consent(GiveConsent, Vec<&'static str>, Signed),
    Grant(GrantAccess, &'static str, Signed),
}

/// The rules and the model, side by side.
struct Both {
    study: Study,
    history: History,
    kept: Vec<Paper>,
    requests: u8,
}

impl Both {
    fn new(may_be_late: bool) -> Self {
        let mut study = third::present();
        study.facts = Facts::default();
        study.next = Next { number: 1, time: NOW };
        for (speaker, until) in SPEAKERS {
            let relation = if speaker == LEGAL { Relation::LegalRepresentative } else { Relation::Parent };
            let fact = Fact::Representative(fact::Representative { relation, registered: 4, until: Some(until) });
            study.enroll(subject::representative(&name(PARTICIPANT), &name(speaker)), fact);
        }
        if may_be_late {
            study.delegate("ann", Task::RecordLate, "701", (0, u64::MAX), None);
        }
        let history = History { may_be_late, ..History::default() };
        let mut both = Self { study, history, kept: Vec::new(), requests: 0 };
        both.publish().unwrap();
        both.study.next.time = START;
        both
    }

    /// Publishes the next form, if one is left.
    fn publish(&mut self) -> Result<(), TestCaseError> {
        let (forms, now, next) = (forms(), self.study.next.time, self.history.published.len());
        let Some(Form { names: (document, version), asks, device, replaces, after }) = forms.get(next) else {
            return Ok(());
        };
        let old = replaces.map(|(old, _)| DocumentVersion { version: name(forms[old].names.1), language: name("en") });
        let anew = Reconsent { by: now + after, meanwhile: ReconsentMode::Stop, then: ReconsentMode::Stop };
        let terms = Terms {
            effective: now + after,
            provisions: asks
                .iter()
                .map(|(text, must, days)| offer(text, *must, days.map(|days| days as u32)))
                .collect(),
            supersedes: old.into_iter().collect(),
            reconsent: matches!(replaces, Some((_, true))).then_some(anew),
            deferral_ms: Some(LONGEST_DEFERRAL),
            site_device: *device,
            ..terms()
        };
        let command = PublishDocument { time: now, document: name(document), ..publishing(version, terms) };
        let result = self.study.run(&command, &["root"]);
        prop_assert!(result.is_ok(), "{:?}", result);
        self.history.published.push(now);
        Ok(())
    }

    fn sign(&mut self, deed: Deed, time: u64) -> Paper {
        let deed = deed.among(self.history.published.len());
        let (request, seen) = (self.request(), self.study.newest().map(Hex));
        let signed = Signed { deed, time, seen: self.history.events.len() };
        match deed {
            Deed::Give { who, form, agreed, late } => {
                let (document, version) = forms()[form].names;
                let command = GiveConsent {
                    request,
                    seen,
                    time,
                    document: name(document),
                    version: name(version),
                    late: late.then(|| name("no network at the site")),
                    ..giving(&steps::picked(agreed), capacity(who))
                };
                Paper::Consent(command, signers(who), signed)
            }
            Deed::Grant { by, lasts, uses } => {
                let (grant, from, until) = (name(&format!("G{}", self.requests)), time, time + lasts);
                let command = GrantAccess { by: name(by), request, seen, time, grant, from, until, uses, ..granting() };
                Paper::Grant(GrantAccess { categories: provisions(&["genetics"]), ..command }, by, signed)
            }
        }
    }

    fn record(&mut self, paper: &Paper) -> Result<(), TestCaseError> {
        let (Paper::Consent(.., signed) | Paper::Grant(.., signed)) = *paper;
        let expected = self.history.accepts(signed, self.study.next.time);
        let result = match paper {
            Paper::Consent(command, signers, _) => self.study.run(command, signers),
            Paper::Grant(command, by, _) => self.study.run(command, &[by]),
        };
        if let (Ok(_), Paper::Grant(command, ..)) = (&result, paper) {
            self.history.names.push(command.grant.clone());
        }
        self.agree(&result, expected)
    }

    /// Checks that both accept, or neither.
    fn agree(&mut self, result: &Result<Changes, Refusal>, expected: Option<Event>) -> Result<(), TestCaseError> {
        prop_assert_eq!(result.is_ok(), expected.is_some(), "{:?}, {:?}", result, expected);
        self.history.events.extend(expected);
        Ok(())
    }

    /// An identifier of its own for each request: the same envelope is never recorded twice.
    fn request(&mut self) -> Uuid {
        self.requests += 1;
        Uuid([self.requests; 16])
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (now, request) = (self.study.next.time, self.request());
        match step {
            Step::Sign { deed, clock, record, keep } => {
                let paper = self.sign(deed, now.saturating_add_signed(clock));
                if keep {
                    let copy = self.sign(deed, now.saturating_add_signed(clock));
                    self.kept.push(copy);
                }
                if record { self.record(&paper) } else { Ok(()) }
            }
            Step::Kept(back) => match self.kept.len().checked_sub(back + 1).map(|place| self.kept[place].clone()) {
                Some(paper) => self.record(&paper),
                None => Ok(()),
            },
            Step::Withdraw { by, which, scope, clock, late } => {
                let time = now.saturating_add_signed(clock);
                let listed = if scope.is_none() { steps::picked(which) } else { Vec::new() };
                let late_words = late.then(|| name("found in the post"));
                let command = WithdrawConsent { time, request, late: late_words, ..withdrawing(by, &listed, scope) };
                let result = self.study.run(&command, &[by]);
                let expected = self.history.withdraw(by, (which, scope), (time, late), now);
                self.agree(&result, expected)
            }
            Step::Revoke { by, grant } => {
                let Some((grant, place)) = self.grant(grant) else { return Ok(()) };
                let result =
                    self.study.run(&RevokeAccess { by: name(by), request, time: now, grant, ..revoking() }, &[by]);
                let expected = self.history.revoke(by, place, now);
                self.agree(&result, expected)
            }
            Step::Read { grant, clock } => {
                let Some((grant, place)) = self.grant(grant) else { return Ok(()) };
                let access = AccessData { time: now.saturating_add_signed(clock), ..reads(grant) };
                let result = self.study.run(&access, &["lab"]);
                let expected = self.history.read(place, access.time, now);
                prop_assert_eq!(result.is_ok(), expected, "{:?}", result);
                Ok(())
            }
            Step::Publish => self.publish(),
            Step::Wait(time) => {
                self.study.next.time += time;
                Ok(())
            }
        }
    }

    /// A grant counted from the first: its name, and its place in the history.
    fn grant(&self, number: usize) -> Option<(Name, usize)> {
        Some((self.history.names.get(number)?.clone(), *self.history.grants().get(number)?))
    }

    /// Compares at every time at which something could change.
    fn compare(&self) -> Result<(), TestCaseError> {
        let mut facts = self.study.enrollment.clone();
        facts.extend(self.study.facts.clone());
        let participant = name(PARTICIPANT);
        let stated = match facts.find(&subject::consent(&participant)) {
            Some(Fact::Consent(fact::Consent { majority, .. })) => *majority,
            _ => None,
        };
        prop_assert_eq!(stated, self.history.majority());
        for time in self.history.times(self.study.next.time) {
            for text in PROVISIONS {
                let held = in_force(&facts, &participant, &provision(text), time).map(drop);
                prop_assert_eq!(held, self.history.in_force(text, time), "{} at {}", text, time);
            }
            for actor in [MOTHER, FATHER, LEGAL, WITNESS, "ann"] {
                let speaks = decides_for(&facts, &participant, &name(actor), time);
                prop_assert_eq!(speaks, self.history.speaks(actor, time), "{} at {}", actor, time);
            }
            for (grant, place) in self.history.names.iter().zip(self.history.grants()) {
                let read = may_read(&reads(grant.clone()), &facts, time);
                prop_assert_eq!(read.is_ok(), self.history.readable(place, time), "{:?} at {}", read, time);
                prop_assert_eq!(read == Err(Refusal::GrantEnded), self.history.ended(place));
            }
        }
        Ok(())
    }
}

fn reads(grant: Name) -> AccessData {
    AccessData { grant: Some(grant), categories: provisions(&["genetics"]), ..read::reading("lab") }
}

fn capacity(who: Who) -> Capacity {
    match who {
        Who::Participant => Capacity::Participant,
        Who::Device => Capacity::SiteDevice { device: name("tablet"), evidence: sha256(&[b"drawn"]).into() },
        Who::Guardian => Capacity::Representative { actor: name(LEGAL) },
        Who::Parents { assent, majority, .. } => Capacity::Minor {
            parents: signs_for(who).into_iter().map(name).collect(),
            assent: if assent { Assent::Signed } else { Assent::NotAble(name("too young")) },
            majority,
        },
        Who::Nobody { deadline } => Capacity::Deferred { reason: name("coma"), deadline },
    }
}

fn signers(who: Who) -> Vec<&'static str> {
    let besides = match who {
        Who::Participant | Who::Parents { assent: true, .. } => Some(PARTICIPANT),
        Who::Device => Some("tablet"),
        _ => None,
    };
    ["ann"].into_iter().chain(besides).chain(signs_for(who)).collect()
}

proptest! {
    #![proptest_config(many(1_500))]

    #[test]
    fn rules_3_of_consent_agree_with_a_model(may_be_late in any::<bool>(), steps in steps()) {
        let mut both = Both::new(may_be_late);
        for step in steps {
            let (majority, refused) = (both.history.majority(), PROVISIONS.map(|text| both.history.refused(text)));
            both.take(step)?;
            both.compare()?;
            prop_assert!(majority.is_none() || both.history.majority() <= majority, "a majority moved later");
            for (text, refused) in PROVISIONS.into_iter().zip(refused) {
                let history = &both.history;
                let overridden = refused && !history.refused(text) && !history.agreed_just_now(text);
                prop_assert!(!overridden, "the participant's refusal of {} was overridden", text);
            }
        }
    }
}
