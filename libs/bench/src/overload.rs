//! `trialseal bench overload`: what becomes of a service that is asked for four times what it can sustain.
//!
//! Calls are offered in an open loop: at their times, whatever became of those before. They are sent once each, so that
//! what is counted is the service's doing and not the client's.

mod offer;

use super::{
    cores::Cores,
    running::{memory_mib, processor_seconds},
    trial::Trial,
    up::Up,
};
use anyhow::{Context, Result};
use client::Client;
use offer::{Counted, flat_out, offer};
use serde::Serialize;
use std::{path::Path, time::Duration};

/// How many times what it can sustain is asked for.
const TIMES: f64 = 4.0;
/// What share of the most that is done it can sustain.
const SUSTAINED: f64 = 0.7;
/// Participants the forms are spread over, and the items of each form.
const PARTICIPANTS: usize = 20;
const ITEMS: usize = 5;
/// Connections the calls are spread over, so that none of them is the bottleneck.
const CONNECTIONS: usize = 16;
/// Forms by which it is found how many to sign for the first phase.
const TRIAL: usize = 4_000;
/// The most forms signed for one phase: what is offered ends with them.
const MOST: usize = 200_000;

/// How the service fared.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Forms a second with as many callers as it takes.
    pub peak_per_second: f64,
    /// At a rate it can sustain.
    pub sustained: Phase,
    /// At four times that rate.
    pub overloaded: Phase,
    /// What is done under overload, as a share of the peak.
    pub goodput_ratio: f64,
    /// The same for each second of processor that the service had: what else the machine does takes nothing off it.
    pub goodput_per_processor_ratio: f64,
    /// How much longer half of the accepted calls take under overload.
    pub p50_ratio: f64,
    /// How much longer all but one in a hundred take.
    pub p99_ratio: f64,
    /// Memory of the process, all services and witnesses in it.
    pub memory: Memory,
}

/// What became of the calls of a phase.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Calls begun a second.
    pub offered_per_second: f64,
    /// Calls answered with a receipt a second.
    pub accepted_per_second: f64,
    /// The share refused as too many.
    pub shed: f64,
    /// The share given up because no answer came in time.
    pub late: f64,
    /// The share that failed otherwise.
    pub failed: f64,
    /// Half of the accepted calls took at most this many milliseconds from when they were due.
    pub p50_ms: f64,
    /// All but one in a hundred did.
    pub p99_ms: f64,
}

/// Resident memory, in MiB.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// After the sustained phase.
    pub sustained_mib: f64,
    /// The most ever.
    pub most_mib: f64,
    /// What it may take.
    pub limit_mib: f64,
}

/// Runs a deployment of its own on a folder that is made, and overloads it for `lasting`. Service and callers have a half of
/// the processors each.
pub async fn run(folder: &Path, lasting: Duration, limit_mib: u32) -> Result<Figures> {
    let cores = Cores::shared_out()?;
    let up = Up::start(folder, cores.as_ref()).await?;
    cores.as_ref().map_or(Ok(()), Cores::keep_to_callers)?;
    let clients = (0..CONNECTIONS).map(|_| Client::new(up.endpoints())).collect::<Result<Vec<_>, _>>()?;
    let client = clients.first().context("no connection")?;
    let trial = Trial::set_up(client, "OVERLOAD", ITEMS, PARTICIPANTS).await?;
    let of_phase = |event: &str, rate: f64| {
        let count = (rate * lasting.as_secs_f64()) as usize;
        trial.signed(event, count.clamp(1, MOST))
    };
    let about = flat_out(&clients, trial.signed("TRIAL", TRIAL)?).await;
    // As long as the others: the chain, and the database's own housekeeping, take their part only after a while.
    let forms = of_phase("PEAK", about)?;
    let (count, before) = (forms.len() as f64, processor_seconds(&up.id())?);
    let peak = flat_out(&clients, forms).await;
    let peak_per_processor = count / (processor_seconds(&up.id())? - before);
    let phase = async |event: &str, rate: f64| -> Result<Phase> {
        Ok(Phase::from(offer(&clients, of_phase(event, rate)?, rate).await))
    };
    let sustained = phase("SUSTAINED", peak * SUSTAINED).await?;
    let sustained_mib = memory_mib(&up.id(), "VmRSS")?;
    let before = processor_seconds(&up.id())?;
    let counted = offer(&clients, of_phase("OVERLOADED", peak * SUSTAINED * TIMES)?, peak * SUSTAINED * TIMES).await;
    let overloaded_per_processor = counted.accepted.len() as f64 / (processor_seconds(&up.id())? - before);
    let overloaded = Phase::from(counted);
    let memory = Memory { sustained_mib, most_mib: memory_mib(&up.id(), "VmHWM")?, limit_mib: f64::from(limit_mib) };
    Ok(Figures {
        peak_per_second: peak,
        goodput_ratio: overloaded.accepted_per_second / peak,
        goodput_per_processor_ratio: overloaded_per_processor / peak_per_processor,
        p50_ratio: overloaded.p50_ms / sustained.p50_ms,
        p99_ratio: overloaded.p99_ms / sustained.p99_ms,
        sustained,
        overloaded,
        memory,
    })
}

impl From<Counted> for Phase {
    fn from(counted: Counted) -> Self {
        let Counted { offered, mut accepted, shed, late, failed, offering, lasting } = counted;
        accepted.sort_unstable();
        let at = |share: f64| accepted.get((accepted.len().saturating_sub(1) as f64 * share) as usize).copied();
        let ms = |share: f64| at(share).unwrap_or_default().as_secs_f64() * 1_000.0;
        let share = |count: usize| count as f64 / offered as f64;
        Self {
            offered_per_second: offered as f64 / offering.as_secs_f64(),
            accepted_per_second: accepted.len() as f64 / lasting.as_secs_f64(),
            shed: share(shed),
            late: share(late),
            failed: share(failed),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        }
    }
}

/// Figures as people read them.
pub fn readable(figures: &Figures) -> String {
    let phase = |name: &str, phase: &Phase| {
        format!(
            "  {name:<11} offered {:>6.0}/s   accepted {:>6.0}/s   shed {:.0} %   late {:.1} %   failed {:.1} %   p50 {:.1} \
             ms   p99 {:.1} ms\n",
            phase.offered_per_second,
            phase.accepted_per_second,
            phase.shed * 100.0,
            phase.late * 100.0,
            phase.failed * 100.0,
            phase.p50_ms,
            phase.p99_ms
        )
    };
    format!("  peak {:.0} forms/s of {ITEMS} items\n", figures.peak_per_second)
        + &phase("sustained", &figures.sustained)
        + &phase("overloaded", &figures.overloaded)
        + &format!(
            "  goodput {:.2} of the peak, {:.2} of it for each second of processor   accepted calls take {:.1} times as long (p50), {:.1} (p99)\n  memory {:.0} MiB \
             sustained, {:.0} MiB at most, of {:.0} MiB\n",
            figures.goodput_ratio,
            figures.goodput_per_processor_ratio,
            figures.p50_ratio,
            figures.p99_ratio,
            figures.memory.sustained_mib,
            figures.memory.most_mib,
            figures.memory.limit_mib
        )
}
