//! A model written another way: it remembers what happened and looks it up, where the rules keep states. At every time
//! both say the same of every provision.

use crate::*;
use proptest::prelude::*;
use vocabulary::command::{AccessData, Assent, DocumentVersion, GrantAccess, Reconsent, ReconsentMode};

const OFFERED: [&str; 4] = ["data_collection", "genetics", "biosamples:blood", "recontact"];
/// The versions that are published, each replacing the one before or none.
const VERSIONS: [&str; 4] = ["1", "2", "3", "4"];
/// How long a test runs.
const SPAN: u64 = 40;

#[derive(Debug, Clone, Copy)]
enum By {
    Participant,
    Parent { majority: u64 },
    Nobody { deadline: u64 },
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The next version: effective after so long; whether it replaces the last one, and what it then demands.
    Publish {
        after: u64,
        replaces: bool,
        demand: Option<(u64, bool, bool)>,
    },
    /// Which of the offered provisions, by bits, under which version.
    Give {
        version: usize,
        which: u8,
        by: By,
    },
    Withdraw {
        which: u8,
        scope: Option<WithdrawalScope>,
    },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let demand = prop::option::of((0..SPAN, any::<bool>(), any::<bool>()));
    let by = prop_oneof![
        3 => Just(By::Participant),
        1 => (0..SPAN).prop_map(|majority| By::Parent { majority }),
        1 => (0..SPAN).prop_map(|deadline| By::Nobody { deadline }),
    ];
    let scope = prop::sample::select(vec![
        None,
        Some(WithdrawalScope::FurtherCollection),
        Some(WithdrawalScope::Optional),
        Some(WithdrawalScope::Everything),
    ]);
    prop_oneof![
        2 => (0..12_u64, any::<bool>(), demand)
            .prop_map(|(after, replaces, demand)| Step::Publish { after, replaces, demand }),
        4 => (0..4_usize, 0..16_u8, by).prop_map(|(version, which, by)| Step::Give { version, which: which | 1, by }),
        2 => (0..16_u8, scope).prop_map(|(which, scope)| Step::Withdraw { which, scope }),
        3 => (1..8_u64).prop_map(Step::Wait),
    ]
}

fn picked(which: u8) -> Vec<&'static str> {
    (0..4).filter(|bit| which & (1 << bit) != 0).map(|bit| OFFERED[bit]).collect()
}

/// What happened to a provision.
#[derive(Debug, Clone, Copy)]
enum Event {
    Given { version: usize, ends: Option<(u64, NotInForce)> },
    Withdrawn,
}

#[derive(Debug, Clone, Copy)]
struct Published {
    effective: u64,
    /// By which later version it was replaced.
    replaced: Option<usize>,
    /// What this version demands of those who agreed to the replaced one: by when, and whether capture stops before and
    /// from then on.
    demand: Option<(u64, bool, bool)>,
}

/// All that happened so far.
#[derive(Debug, Default)]
struct Model {
    events: Vec<(&'static str, Event)>,
    versions: Vec<Published>,
}

impl Model {
    fn last(&self, text: &str) -> Option<Event> {
        self.events.iter().rev().find(|(about, _)| *about == text).map(|(_, event)| *event)
    }

    fn stands(&self, text: &str) -> bool {
        matches!(self.last(text), Some(Event::Given { .. }))
    }

    /// The earliest coming of age that what was given last of each provision states.
    fn of_age(&self) -> Option<u64> {
        let given = |text: &&str| {
            self.events.iter().rev().find_map(|(about, event)| match event {
                Event::Given { ends: Some((time, NotInForce::MajorityReached)), .. } if about == text => {
                    Some(Some(*time))
                }
                Event::Given { .. } if about == text => Some(None),
                _ => None,
            })
        };
        OFFERED.iter().filter_map(given).flatten().min()
    }

    /// Whether a provision may be relied on at `time`, as things stand.
    fn relied_on(&self, text: &str, time: u64) -> Result<(), NotInForce> {
        let (version, ends) = match self.last(text) {
            None => return Err(NotInForce::Missing),
            Some(Event::Withdrawn) => return Err(NotInForce::Withdrawn),
            Some(Event::Given { version, ends }) => (version, ends),
        };
        if let Some((end, why)) = ends
            && end <= time
        {
            return Err(why);
        }
        let Some(new) = self.versions[version].replaced.map(|new| self.versions[new]) else { return Ok(()) };
        match new.demand {
            Some((by, before, _)) if new.effective <= time && time < by && before => Err(NotInForce::ReconsentRequired),
            Some((by, _, after)) if new.effective <= time && by <= time && after => Err(NotInForce::ReconsentRequired),
            _ => Ok(()),
        }
    }

    /// Publishing the next version, if there is one left.
    fn publish(&mut self, now: u64, (after, replaces, demand): (u64, bool, Option<(u64, bool, bool)>)) -> Terms {
        let last = self.versions.len().checked_sub(1).filter(|_| replaces);
        let demand = demand.filter(|_| last.is_some()).map(|(by, before, then)| (NOW + by, before, then));
        if let Some(last) = last {
            self.versions[last].replaced = Some(self.versions.len());
        }
        self.versions.push(Published { effective: now + after, replaced: None, demand });
        let mode = |stops| if stops { ReconsentMode::Stop } else { ReconsentMode::Warn };
        Terms {
            effective: now + after,
            supersedes: last
                .map(|last| DocumentVersion { version: name(VERSIONS[last]), language: name("en") })
                .into_iter()
                .collect(),
            reconsent: demand.map(|(by, before, then)| Reconsent { by, meanwhile: mode(before), then: mode(then) }),
            provisions: vec![
                offer("data_collection", true, None),
                offer("genetics", false, Some(1)),
                offer("biosamples:blood", false, None),
                offer("recontact", false, None),
            ],
            deferral_ms: Some(10),
            ..terms()
        }
    }

    /// Gives, if that may be; says whether it did.
    fn give(&mut self, now: u64, version: usize, which: u8, by: By) -> bool {
        let Some(published) = self.versions.get(version) else { return false };
        let replaced = published.replaced.is_some_and(|new| self.versions[new].effective <= now);
        let (end, may) = match by {
            By::Participant => (None, true),
            By::Parent { majority } => {
                // Of age once stated is of age; and no later day is stated afterwards.
                let stated = self.of_age().is_none_or(|of_age| now < of_age && NOW + majority <= of_age);
                (Some((NOW + majority, NotInForce::MajorityReached)), NOW + majority > now && stated)
            }
            By::Nobody { deadline } => {
                let ends = NOW + deadline;
                (
                    Some((ends, NotInForce::DeferralEnded)),
                    ends > now && ends <= now + 10 && which == 1 && self.events.is_empty(),
                )
            }
        };
        let gives = may && published.effective <= now && !replaced;
        if gives {
            // A form answers every question it asks.
            let declined = OFFERED.into_iter().filter(|text| !picked(which).contains(text) && self.stands(text));
            let declined: Vec<_> = declined.map(|text| (text, Event::Withdrawn)).collect();
            self.events.extend(declined);
            for text in picked(which) {
                let period = (text == "genetics").then_some((now + DAY, NotInForce::PeriodEnded));
                let ends = [end, period].into_iter().flatten().min_by_key(|(time, _)| *time);
                self.events.push((text, Event::Given { version, ends }));
            }
        }
        gives
    }

    /// Withdraws, if there is something to; says whether it did.
    fn withdraw(&mut self, which: u8, scope: Option<WithdrawalScope>) -> bool {
        let standing: Vec<&str> = OFFERED.into_iter().filter(|text| self.stands(text)).collect();
        let taken: Vec<&'static str> = match scope {
            None => {
                let listed = picked(which);
                if listed.iter().any(|text| !standing.contains(text)) {
                    return false;
                }
                listed
            }
            Some(WithdrawalScope::FurtherCollection) => {
                standing.into_iter().filter(|text| *text != "recontact").collect()
            }
            Some(WithdrawalScope::Optional) => standing.into_iter().filter(|text| *text != "data_collection").collect(),
            Some(_) => standing,
        };
        self.events.extend(taken.iter().map(|text| (*text, Event::Withdrawn)));
        !taken.is_empty()
    }
}

/// Runs a step in both; whether they agree on what was accepted.
fn agree(study: &mut Study, model: &mut Model, step: Step) -> Result<(), TestCaseError> {
    let now = study.next.time;
    match step {
        Step::Publish { after, replaces, demand } if model.versions.len() < VERSIONS.len() => {
            let version = VERSIONS[model.versions.len()];
            let terms = model.publish(now, (after, replaces, demand));
            prop_assert!(study.publish(version, terms).is_ok());
        }
        Step::Publish { .. } => {}
        Step::Give { version, which, by } => {
            let (capacity, signers) = match by {
                By::Participant => (Capacity::Participant, vec!["ann", PARTICIPANT]),
                By::Parent { majority } => {
                    let (parents, majority) = (vec![name(MOTHER)], NOW + majority);
                    (Capacity::Minor { parents, assent: Assent::Signed, majority }, vec!["ann", MOTHER, PARTICIPANT])
                }
                By::Nobody { deadline } => {
                    (Capacity::Deferred { reason: name("coma"), deadline: NOW + deadline }, vec!["ann"])
                }
            };
            let command = GiveConsent { version: name(VERSIONS[version]), ..giving(&picked(which), capacity) };
            let result = study.run(&command, &signers);
            prop_assert_eq!(result.is_ok(), model.give(now, version, which, by), "{:?}", result);
        }
        Step::Withdraw { which, scope } => {
            let listed = if scope.is_none() { picked(which) } else { Vec::new() };
            let result = study.run(&withdrawing(PARTICIPANT, &listed, scope), &[PARTICIPANT]);
            prop_assert_eq!(result.is_ok(), model.withdraw(which, scope), "{:?}", result);
        }
        Step::Wait(time) => study.next.time += time,
    }
    Ok(())
}

/// Compares rule and model at every time at which something could change.
fn compare(study: &Study, model: &Model) -> Result<(), TestCaseError> {
    let at = |text, time| in_force(&study.facts, &name(PARTICIPANT), &provision(text), time);
    let (now, period) = (study.next.time, NOW + DAY..=NOW + DAY + 400);
    for text in OFFERED {
        let mut changes = Vec::new();
        for time in (now..now + SPAN).chain(period.clone()) {
            let held = at(text, time);
            prop_assert_eq!(held.map(drop), model.relied_on(text, time), "{} at {}", text, time);
            changes.push((time, held));
        }
        for (time, held) in &changes {
            let Ok(InForce { until, .. }) = held else { continue };
            // As things stand it holds to the last millisecond before `until`, and not then.
            let until = until.unwrap_or(u64::MAX);
            prop_assert!(until > *time);
            let before = changes.iter().filter(|(later, _)| (*time..until).contains(later));
            prop_assert!(before.into_iter().all(|(_, held)| held.is_ok()), "{} before {}", text, until);
            prop_assert_eq!(at(text, until - 1).map(drop), Ok(()));
            prop_assert_eq!(at(text, until).is_ok(), until == u64::MAX);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn rules_and_model_agree_at_every_time(steps in prop::collection::vec(step(), 0..30)) {
        let (mut study, mut model) = (Study::under(Some(2)), Model::default());
        for step in steps {
            agree(&mut study, &mut model, step)?;
            compare(&study, &model)?;
        }
    }

    #[test]
    fn a_grant_is_never_used_more_often_than_it_allows(
        uses in prop::option::of(1_u32..6), reads in prop::collection::vec((0_u64..14, any::<bool>()), 0..20),
    ) {
        let mut study = Study::new();
        study.run(&GrantAccess { uses, ..grant::granting() }, &[PARTICIPANT]).unwrap();
        let (mut accepted, mut tried) = (0, 0);
        for (after, lab) in reads {
            study.next.time = NOW + after;
            let by = if lab { "lab" } else { "dora" };
            let access = AccessData {
                categories: provisions(&["genetics"]),
                grant: Some(name("G1")),
                ..read::reading(by)
            };
            tried += u32::from(lab && after < 10);
            accepted += u32::from(study.run(&access, &[by]).is_ok());
            prop_assert_eq!(accepted, tried.min(uses.unwrap_or(u32::MAX)));
        }
    }
}
