//! Whatever is asked in whatever order, a task is held only by who can trace it to the root, and never for longer.

use crate::*;
use proptest::prelude::*;
use std::collections::HashMap;
use vocabulary::authority::holds;

const ACTORS: [&str; 4] = ["root", "ann", "bob", "cid"];
const SITES: [&str; 3] = ["*", "701", "702"];
const TASKS: [Task; 3] = [Task::RegisterActors, Task::ManageStudy, Task::Capture];

/// What somebody asks for; numbers are places in the lists above.
#[derive(Debug, Clone)]
enum Act {
    Delegate { to: usize, task: usize, site: usize, from: u64, length: u64 },
    End { whose: usize, task: usize, site: usize },
    Rotate,
    Revoke { whose: usize },
    Register,
    Switch { site: usize, open: bool },
}

/// An act, who says they do it, whose key signs, and how much later it is.
#[derive(Debug, Clone)]
struct Step {
    act: Act,
    by: usize,
    signer: usize,
    outdated: bool,
    later: u64,
}

fn acts() -> impl Strategy<Value = Act> {
    let (actor, task, site) = (0..ACTORS.len(), 0..TASKS.len(), 0..SITES.len());
    prop_oneof![
        12 => (actor.clone(), task.clone(), site.clone(), 0_u64..20, 0_u64..40)
            .prop_map(|(to, task, site, from, length)| Act::Delegate { to, task, site, from, length }),
        3 => (actor.clone(), task, site.clone()).prop_map(|(whose, task, site)| Act::End { whose, task, site }),
        1 => Just(Act::Rotate),
        1 => actor.prop_map(|whose| Act::Revoke { whose }),
        1 => Just(Act::Register),
        2 => (site, any::<bool>()).prop_map(|(site, open)| Act::Switch { site, open }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let actor = 0..ACTORS.len();
    let forged = prop::option::weighted(0.1, actor.clone());
    let step = (acts(), actor, forged, prop::bool::weighted(0.1), 0_u64..4)
        .prop_map(|(act, by, forged, outdated, later)| Step { act, by, signer: forged.unwrap_or(by), outdated, later });
    prop::collection::vec(step, 1..80)
}

/// A delegation as the accepted commands tell it, without the facts.
#[derive(Debug, Clone)]
struct Granted {
    number: usize,
    time: u64,
    by: usize,
    period: (u64, u64),
}

/// An actor, a task and a site, by their places in the lists above.
type Place = (usize, usize, usize);

/// What was accepted: entries that granted (or ended: none) a delegation, and the keys of each actor.
#[derive(Default)]
struct Ledger {
    delegations: HashMap<Place, Vec<(usize, Option<Granted>)>>,
    generation: [u8; ACTORS.len()],
    revoked: [bool; ACTORS.len()],
}

impl Ledger {
    /// Whether, before entry `number`, `actor` held the task at the site, at `time` and for all of `period`, and so did
    /// each delegator when they delegated, up to the root.
    fn traces(&self, (actor, task, site): Place, number: usize, time: u64, period: (u64, u64)) -> bool {
        actor == 0
            || [site, 0].into_iter().any(|scope| {
                let events = self.delegations.get(&(actor, task, scope)).map(Vec::as_slice).unwrap_or_default();
                match events.iter().rev().find(|(entry, _)| *entry < number) {
                    Some((_, Some(granted))) => {
                        let (from, until) = granted.period;
                        let covers = from <= time.min(period.0) && until > time && until >= period.1;
                        covers && self.traces((granted.by, task, scope), granted.number, granted.time, granted.period)
                    }
                    _ => false,
                }
            })
    }

    fn record(&mut self, number: usize, time: u64, by: usize, act: &Act) {
        match *act {
            Act::Delegate { to, task, site, from, length } => {
                let granted = Granted { number, time, by, period: (NOW + from, NOW + from + length) };
                self.delegations.entry((to, task, site)).or_default().push((number, Some(granted)));
            }
            Act::End { whose, task, site } => {
                self.delegations.entry((whose, task, site)).or_default().push((number, None));
            }
            Act::Rotate => self.generation[by] += 1,
            Act::Revoke { whose } => self.revoked[whose] = true,
            Act::Register | Act::Switch { .. } => {}
        }
    }
}

fn key_in(actor: usize, generation: u8) -> SecretKey {
    if generation == 0 {
        return key_of(ACTORS[actor]);
    }
    SecretKey::from_seed(&sha256(&[b"later key", &[actor as u8, generation]]).0)
}

fn attempt(study: &mut Study, ledger: &Ledger, step: &Step) -> Result<Changes, Refusal> {
    let by = ACTORS[step.by];
    let generation = ledger.generation[step.signer].saturating_sub(u8::from(step.outdated));
    let signer = key_in(step.signer, generation);
    match step.act {
        Act::Delegate { to, task, site, from, length } => {
            let (actor, task, site, from) = (name(ACTORS[to]), TASKS[task], name(SITES[site]), NOW + from);
            study.run(
                &command!(
                    by,
                    Delegate { actor, task: task.into(), site, from, until: from + length, training: None, seen: None }
                ),
                &[&signer],
            )
        }
        Act::End { whose, task, site } => {
            let (actor, task, site) = (name(ACTORS[whose]), TASKS[task], name(SITES[site]));
            study.run(
                &command!(by, EndDelegation { actor, task, site, reason: name("over"), delegation: None }),
                &[&signer],
            )
        }
        Act::Rotate => {
            let fresh = key_in(step.by, ledger.generation[step.by] + 1);
            study.run(&command!(by, RotateKey { key: fresh.public(), confirmed: None }), &[&signer, &fresh])
        }
        Act::Revoke { whose } => {
            let key = key_in(whose, ledger.generation[whose]).public().id();
            study.run(&command!(by, RevokeKey { key, reason: name("lost") }), &[&signer])
        }
        Act::Register => {
            let fresh = format!("new-{}", study.next.number);
            study.run(&registration(by, &fresh), &[&signer, &key_of(&fresh)])
        }
        Act::Switch { site, open: true } => {
            study.run(&command!(by, ActivateSite { site: name(SITES[site]), reason: None, seen: None }), &[&signer])
        }
        Act::Switch { site, open: false } => {
            study.run(&command!(by, CloseSite { site: name(SITES[site]), reason: None }), &[&signer])
        }
    }
}

/// The task an act takes, and where.
fn takes(act: &Act) -> Option<(usize, usize)> {
    match *act {
        Act::Delegate { task, site, .. } | Act::End { task, site, .. } => Some((task, site)),
        Act::Revoke { .. } | Act::Register => Some((0, 0)),
        Act::Switch { site, .. } => Some((1, site)),
        Act::Rotate => None,
    }
}

proptest! {
    #[test]
    fn a_held_task_traces_to_the_root(steps in steps()) {
        let mut study = Study::new();
        study.register("cid").unwrap();
        study.add_site("702").unwrap();
        let mut ledger = Ledger::default();
        for step in &steps {
            study.next.time += step.later;
            let (number, now) = (study.next.number as usize, study.next.time);
            if attempt(&mut study, &ledger, step).is_ok() {
                let current = step.signer == step.by && !(step.outdated && ledger.generation[step.by] > 0);
                prop_assert!(current && !ledger.revoked[step.by], "{step:?} was accepted under another key");
                let own = match step.act {
                    Act::End { whose, .. } | Act::Revoke { whose } => whose == step.by,
                    _ => false,
                };
                if let Some((task, site)) = takes(&step.act).filter(|_| !own) {
                    let period = match step.act {
                        Act::Delegate { from, length, .. } => (NOW + from, NOW + from + length),
                        _ => (now, now + 1),
                    };
                    let traces = ledger.traces((step.by, task, site), number, now, period);
                    prop_assert!(traces, "{step:?} was accepted without the task for all of the period");
                }
                ledger.record(number, now, step.by, &step.act);
            }
            for (actor, task, site) in places() {
                let held = holds(&study.facts, &name(ACTORS[actor]), TASKS[task], &name(SITES[site]), now).is_ok();
                let traces = ledger.traces((actor, task, site), number + 1, now, (now, now + 1));
                prop_assert_eq!(held, traces, "{} {} {}", ACTORS[actor], TASKS[task], SITES[site]);
            }
        }
    }
}

fn places() -> impl Iterator<Item = Place> {
    let sites = |(actor, task)| (0..SITES.len()).map(move |site| (actor, task, site));
    (0..ACTORS.len()).flat_map(|actor| (0..TASKS.len()).map(move |task| (actor, task))).flat_map(sites)
}
