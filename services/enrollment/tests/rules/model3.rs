//! Delegations under rules 3, against a model that reads a log from the beginning: who holds what at every time, from
//! whom, how long a proof of it is, and who is independent of whom.

mod log;

use crate::*;
use log::{Entry, Log, Place, Signed, What, places};
use proptest::prelude::*;
use seal::{moment::MAX_AGE_MS, text::Hex};
use vocabulary::{
    authority::{Held, MAX_BYTES_OF_RIGHT, MAX_STEPS_OF_RIGHT, holds, steps_of, two_persons},
    command::Confirmation,
    subject::{self, Subject},
};

const PEOPLE: [&str; 5] = ["root", "ann", "bob", "eve", "cid"];
const SITES: [&str; 2] = ["*", "701"];
const TASKS: [Task; 2] = [Task::RegisterActors, Task::Capture];
const HOUR: u64 = 3_600_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Signs; records it at once, keeps a copy, or both. The period begins so many hours from now and lasts so many.
    Delegate {
        by: usize,
        to: Place,
        from: i64,
        lasts: u64,
        record: bool,
        keep: bool,
    },
    /// Records a copy that was kept, counted from the newest.
    Kept(usize),
    /// Ends a delegation, counted from the newest of all.
    End {
        by: usize,
        back: usize,
    },
    /// A new key, confirmed by a registrar or by the old one.
    Rotate {
        of: usize,
        confirmed: Option<usize>,
    },
    Revoke {
        by: usize,
        of: usize,
    },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    // Most is done by the first of the list, so that something comes of it.
    let person = || prop_oneof![3 => Just(0_usize), 4 => Just(1), 3 => Just(2), 2 => Just(3), 1 => Just(4)];
    let place = (1..PEOPLE.len(), 0..TASKS.len(), 0..SITES.len());
    let from = prop::sample::select(vec![-1_i64, 0, 0, 0, 4, 8, 20]);
    let lasts = prop::sample::select(vec![0_u64, 4, 8, 8, 16, 30, 90]);
    prop_oneof![
        12 => (person(), place, from, lasts, prop::bool::weighted(0.8), prop::bool::weighted(0.3))
            .prop_map(|(by, to, from, lasts, record, keep)| Step::Delegate { by, to, from, lasts, record, keep }),
        2 => (0..3_usize).prop_map(Step::Kept),
        2 => (person(), 0..6_usize).prop_map(|(by, back)| Step::End { by, back }),
        2 => (person(), prop::option::of(person())).prop_map(|(of, confirmed)| Step::Rotate { of, confirmed }),
        1 => (person(), person()).prop_map(|(by, of)| Step::Revoke { by, of }),
        3 => prop::sample::select(vec![1_u64, 4, 8, 24]).prop_map(Step::Wait),
    ]
}

/// A person's key, counted from the first.
fn key_in(of: usize, which: usize) -> SecretKey {
    if which == 0 { key_of(PEOPLE[of]) } else { SecretKey::from_seed(&sha256(&[&[of as u8, which as u8]]).0) }
}

/// The rules and the model, side by side.
struct Both {
    study: Study,
    log: Log,
    kept: Vec<(Delegate, Signed)>,
    requests: u8,
}

impl Both {
    fn new() -> Self {
        let mut study = Study::third();
        study.register("cid").unwrap();
        study.next = Next { number: 1_000_000, time: 100 * HOUR };
        Self { study, log: Log::default(), kept: Vec::new(), requests: 0 }
    }

    fn keys(&self, of: usize) -> SecretKey {
        key_in(of, self.log.keys(of))
    }

    fn subject((actor, task, site): Place) -> Subject {
        subject::delegation(&name(PEOPLE[actor]), TASKS[task].name(), &name(SITES[site]))
    }

    fn sign(&mut self, by: usize, place: Place, period: (u64, u64)) -> (Delegate, Signed) {
        self.requests = self.requests.wrapping_add(1);
        let (actor, task, site) = (name(PEOPLE[place.0]), TASKS[place.1], name(SITES[place.2]));
        let (time, (from, until)) = (self.study.next.time, period);
        let seen = self.study.facts.newest(&Self::subject(place)).map(Hex);
        let command =
            command!(PEOPLE[by], Delegate { actor, task: task.into(), site, from, until, training: None, seen });
        let command = Delegate { request: Uuid([self.requests; 16]), time, ..command };
        let seen = self.log.newest(place);
        (command, Signed { by, key: self.log.keys(by), place, period, time, seen })
    }

    /// Whether a delegation is accepted now: by a valid key, in time, on what is newest, of what is held throughout.
    fn accepts(&self, signed: Signed) -> bool {
        let Next { number, time } = self.study.next;
        let (from, until) = signed.period;
        let valid = self.log.key(signed.by) == Some(signed.key);
        let timely = time <= signed.time + MAX_AGE_MS && self.log.newest(signed.place) == signed.seen;
        let sound = signed.by != signed.place.0 && from < until && time < until;
        let may = signed.by == 0 || self.log.throughout(signed, time, number).is_some();
        let fits = self.log.steps((number, time, signed)) <= MAX_STEPS_OF_RIGHT;
        valid && timely && sound && may && fits
    }

    fn record(&mut self, command: &Delegate, signed: Signed) -> Result<(), TestCaseError> {
        let expected = self.accepts(signed);
        let result = self.study.run(command, &[&key_in(signed.by, signed.key)]);
        if result == Err(Refusal::TooManyDelegations) {
            let periods = self.log.periods(signed.place, u64::MAX);
            prop_assert!(periods.len() > 5, "so few periods do not fit: {}", periods.len());
            return Ok(());
        }
        self.agree(&result, expected.then_some(What::Delegated(signed)))
    }

    fn agree(&mut self, result: &Result<Changes, Refusal>, expected: Option<What>) -> Result<(), TestCaseError> {
        prop_assert_eq!(result.is_ok(), expected.is_some(), "{:?}, {:?}", result, expected);
        let (number, time) = (self.study.next.number - u64::from(result.is_ok()), self.study.next.time);
        self.log.0.extend(expected.map(|what| Entry { number, time, what }));
        Ok(())
    }

    /// Whether somebody may do a task now, with a valid key.
    fn may(&self, by: usize, task: usize, site: usize) -> bool {
        self.log.key(by).is_some()
            && (by == 0 || self.log.held((by, task, site), self.study.next.time, u64::MAX).is_some())
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        let now = self.study.next.time;
        match step {
            Step::Delegate { by, to, from, lasts, record, keep } => {
                let from = now.saturating_add_signed(from * HOUR as i64);
                let period = (from, from + lasts * HOUR);
                let (command, signed) = self.sign(by, to, period);
                if keep {
                    let copy = self.sign(by, to, period);
                    self.kept.push(copy);
                }
                if record { self.record(&command, signed) } else { Ok(()) }
            }
            Step::Kept(back) => match self.kept.len().checked_sub(back + 1).map(|place| self.kept[place].clone()) {
                Some((command, signed)) => self.record(&command, signed),
                None => Ok(()),
            },
            Step::End { by, back } => self.end(by, back),
            Step::Rotate { of, confirmed } => self.rotate(of, confirmed),
            Step::Revoke { by, of } => {
                let revoked = self.keys(of).public().id();
                let command = command!(PEOPLE[by], RevokeKey { key: revoked, reason: name("lost") });
                let result = self.study.run(&RevokeKey { time: now, ..command }, &[&self.keys(by)]);
                let may = of != 0 && self.log.key(of).is_some() && (of == by || self.may(by, 0, 0));
                self.agree(&result, may.then_some(What::Revoked { of }))
            }
            Step::Wait(hours) => {
                self.study.next.time += hours * HOUR;
                Ok(())
            }
        }
    }

    fn end(&mut self, by: usize, back: usize) -> Result<(), TestCaseError> {
        let now = self.study.next.time;
        let found = self.log.0.iter().rev().filter_map(|entry| match entry.what {
            What::Delegated(signed) => Some((entry.number, signed.place, signed.period.1)),
            _ => None,
        });
        let Some((which, place, until)) = found.into_iter().nth(back) else { return Ok(()) };
        let (actor, task, site) = (name(PEOPLE[place.0]), TASKS[place.1], name(SITES[place.2]));
        let delegation = Some(which);
        let command = command!(PEOPLE[by], EndDelegation { actor, task, site, reason: name("over"), delegation });
        let result = self.study.run(&EndDelegation { time: now, ..command }, &[&self.keys(by)]);
        let may = self.log.key(by).is_some() && (by == place.0 || self.may(by, place.1, place.2));
        let there = self.log.periods(place, u64::MAX).iter().any(|(number, ..)| *number == which);
        let over = until <= now; // may be left out of the fact already: nothing rests on it
        let ends = may && there && (!over || result.is_ok());
        self.agree(&result, ends.then_some(What::Ended { place, which }))
    }

    fn rotate(&mut self, of: usize, confirmed: Option<usize>) -> Result<(), TestCaseError> {
        let (old, fresh) = (self.keys(of), key_in(of, self.log.keys(of) + 1));
        let by = confirmed.map(|by| self.keys(by));
        let confirmation = confirmed.map(|by| Confirmation { by: name(PEOPLE[by]), kind: ActorKind::Person });
        let command = command!(PEOPLE[of], RotateKey { key: fresh.public(), confirmed: confirmation });
        let signers: Vec<&SecretKey> =
            [&old, &fresh].into_iter().chain(by.as_ref().filter(|_| confirmed != Some(of))).collect();
        let result = self.study.run(&RotateKey { time: self.study.next.time, ..command }, &signers);
        let vouches = confirmed.is_none_or(|by| by != of && self.may(by, 0, 0));
        let what = What::Key { of, by: confirmed.unwrap_or(of) };
        let Next { number, time } = self.study.next;
        let with = Log(self.log.0.iter().copied().chain([Entry { number, time, what }]).collect());
        let may =
            of != 0 && self.log.key(of).is_some() && vouches && with.key_steps(of, u64::MAX) <= MAX_STEPS_OF_RIGHT;
        self.agree(&result, may.then_some(what))
    }

    /// Compares at every time at which something could change.
    fn compare(&self) -> Result<(), TestCaseError> {
        let facts = &self.study.facts;
        for of in 1..PEOPLE.len() {
            prop_assert_eq!(steps_of(facts, &self.keys(of).public()), self.log.key_steps(of, u64::MAX));
        }
        for time in self.log.times(self.study.next.time) {
            let mut all: Vec<(usize, Held, Vec<usize>)> = Vec::new();
            for (actor, task, site) in places() {
                let found = holds(facts, &name(PEOPLE[actor]), TASKS[task], &name(SITES[site]), time).ok();
                let model = self.log.held((actor, task, site), time, u64::MAX);
                prop_assert_eq!(found.is_some(), actor == 0 || model.is_some(), "{} at {}", PEOPLE[actor], time);
                let line: Vec<usize> = model.map(|model| self.log.line(model)).unwrap_or_default();
                let Some(held) = found else { continue };
                let names: Vec<Name> = line.iter().map(|who| name(PEOPLE[*who])).collect();
                prop_assert_eq!(&held.line, &names);
                prop_assert_eq!(held.steps, model.map_or(0, |model| self.log.steps(model)));
                prop_assert!(held.steps <= MAX_STEPS_OF_RIGHT);
                all.push((actor, held, line));
            }
            for (one, held, line) in &all {
                for (other, theirs, their_line) in &all {
                    let apart = one != other && !line.contains(other) && !their_line.contains(one);
                    let pair = ((&name(PEOPLE[*one]), held), (&name(PEOPLE[*other]), theirs));
                    prop_assert_eq!(two_persons(facts, pair.0, pair.1).is_ok(), apart, "{:?}", pair);
                }
            }
        }
        for place in places() {
            let size = facts.find(&Self::subject(place)).map_or(0, |fact| fact.to_bytes().len());
            prop_assert!(size <= MAX_BYTES_OF_RIGHT, "a fact of {} bytes", size);
        }
        Ok(())
    }
}

/// So many cases, unless the environment says how many.
fn many(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { ProptestConfig { cases, ..default } }
}

proptest! {
    #![proptest_config(many(600))]

    #[test]
    fn rules_3_of_delegation_agree_with_a_log_read_from_the_beginning(
        rotations in prop_oneof![4 => Just(0), 1 => 20..30_usize], steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut both = Both::new();
        let rotate = Step::Rotate { of: 1, confirmed: None };
        for step in std::iter::repeat_n(rotate, rotations).chain(steps) {
            both.take(step)?;
            both.compare()?;
        }
    }
}
