//! Faults at random from a seed: what is struck, how, and for how long.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part; a test may panic

use super::seeded::Seeded;
use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a process stands still: longer than any lease, cache or deadline.
const STANDSTILL: Duration = Duration::from_secs(20);
/// At most so many at the same time: more, and nothing is left that could go on.
const AT_ONCE: usize = 3;
const LOOK: Duration = Duration::from_millis(50);

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL; it is started again after a while.
    Kill,
    /// SIGSTOP, and SIGCONT after 20 seconds.
    Pause,
    /// Redis forgets everything.
    FlushRedis,
    /// Redis ends at once, and is started again empty.
    KillRedis,
    /// PostgreSQL ends every session, stops, and is started again.
    RestartPostgres,
    /// Nothing reaches a server any more, and nothing it answers arrives; connections are not told.
    CutLink,
    /// The object store's disk is full for a while.
    FillObjects,
    /// A process's clock jumps.
    StepClock,
}

/// One that was struck.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: Kind,
    pub what: String,
    pub lasting: Duration,
}

/// Something that can be struck, and is brought back.
pub trait Target {
    /// What can happen to it.
    fn kinds(&self) -> Vec<Kind>;

    /// What a kind of fault can strike.
    fn victims(&self, kind: Kind) -> Vec<String>;

    /// Strikes.
    fn strike(&mut self, fault: &Fault, choices: &mut Seeded);

    /// Undoes it.
    fn mend(&mut self, fault: &Fault);

    /// Looks after what nobody struck.
    fn tend(&mut self) {}
}

/// Strikes a target until the time is over, undoes everything, and counts what it did.
pub fn storm(target: &mut impl Target, seed: u64, lasting: Duration) -> BTreeMap<Kind, u64> {
    println!("seed of the faults: {seed}");
    let (begun, mut choices) = (Instant::now(), Seeded::new(seed, 0));
    let (mut ongoing, mut struck) = (Vec::<(Instant, Fault)>::new(), BTreeMap::new());
    let mut next = begun + Duration::from_secs(2);
    while begun.elapsed() < lasting {
        sleep(LOOK); // the faults have a rhythm of their own; nothing is waited for
        mend_due(target, &mut ongoing, Instant::now());
        target.tend();
        if Instant::now() < next || ongoing.len() >= AT_ONCE {
            continue;
        }
        next = Instant::now() + Duration::from_millis(1_000 + choices.below(5_000));
        if let Some(fault) = choose(target, &ongoing, &mut choices) {
            println!(
                "{:>6.1} s  {:?} {} for {:?}",
                begun.elapsed().as_secs_f64(),
                fault.kind,
                fault.what,
                fault.lasting
            );
            target.strike(&fault, &mut choices);
            *struck.entry(fault.kind).or_default() += 1;
            ongoing.push((Instant::now() + fault.lasting, fault));
        }
    }
    for (_, fault) in ongoing.drain(..) {
        target.mend(&fault);
    }
    struck
}

fn mend_due(target: &mut impl Target, ongoing: &mut Vec<(Instant, Fault)>, now: Instant) {
    ongoing.retain(|(until, fault)| {
        let due = *until <= now;
        if due {
            target.mend(fault);
        }
        !due
    });
}

/// A fault that strikes what no other one strikes now.
fn choose(target: &impl Target, ongoing: &[(Instant, Fault)], choices: &mut Seeded) -> Option<Fault> {
    let kind = *choices.one_of(&target.kinds());
    // Behind a cut link a server cannot be struck otherwise either: the harness reaches it by the same link.
    let server = |what: &str| what.trim_start_matches("link of ").to_owned();
    let busy = |what: &String| ongoing.iter().any(|(_, fault)| server(&fault.what) == server(what));
    let victims: Vec<String> = target.victims(kind).into_iter().filter(|what| !busy(what)).collect();
    let millis = |least: u64, more: u64, choices: &mut Seeded| Duration::from_millis(least + choices.below(more));
    if victims.is_empty() {
        return None;
    }
    let what = choices.one_of(&victims).clone();
    let lasting = match kind {
        Kind::Kill => millis(100, 4_000, choices),
        Kind::Pause => STANDSTILL,
        Kind::KillRedis | Kind::RestartPostgres => millis(500, 4_000, choices),
        Kind::CutLink | Kind::FillObjects | Kind::StepClock => millis(3_000, 12_000, choices),
        Kind::FlushRedis => Duration::ZERO,
    };
    Some(Fault { kind, what, lasting })
}
