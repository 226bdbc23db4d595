//! What a process tells of itself: logs, traces, metrics.

use anyhow::{Context, Result};
use bus::{Bus, Figures};
use server::{Parts, bind};
use std::{future::pending, net::SocketAddr};
use telemetry::{Figure, Guard, Kind, Service, meters};

/// Starts telemetry, and has calls to others carry traces.
pub fn begin(service: &Service) -> Result<Guard> {
    let guard = telemetry::start(service)?;
    channel::propagate(telemetry::inject);
    channel::on_retry(|| meters().retries.add(1));
    Ok(guard)
}

/// Serves the metrics at `address`, and beside them the health of the port that will serve `parts`.
pub async fn expose(address: SocketAddr, parts: Option<&Parts>) -> Result<()> {
    let probes = match parts {
        Some(parts) => parts.probes().await,
        None => Default::default(),
    };
    let listener = bind(address).await.context("--metrics")?;
    println!("metrics on http://{}/metrics", listener.local_addr()?);
    tokio::spawn(telemetry::expose(listener, probes, pending()));
    Ok(())
}

/// What is measured of the bus: name, unit, what it is, what kind of number, and how it is read.
type Measured = (&'static str, &'static str, &'static str, Kind, fn(&Figures) -> u64);

const BUS: [Measured; 12] = [
    ("trialseal.bus.published", "{message}", "Heads told", Kind::Count, |bus| bus.published),
    ("trialseal.bus.coalesced", "{message}", "Heads replaced before they were told", Kind::Count, |bus| bus.coalesced),
    ("trialseal.bus.dropped", "{message}", "Heads dropped, a sweep in their place", Kind::Count, |bus| bus.dropped),
    ("trialseal.bus.queued", "{message}", "Heads that wait to be told", Kind::State, |bus| bus.queued),
    ("trialseal.bus.heard", "{message}", "Heads heard by followers", Kind::Count, |bus| bus.heard),
    ("trialseal.bus.missed", "{event}", "Times something may have been missed", Kind::Count, |bus| bus.missed),
    ("trialseal.bus.delivered", "{message}", "Heads given to workers", Kind::Count, |bus| bus.delivered),
    ("trialseal.bus.claimed", "{message}", "Heads taken over from workers", Kind::Count, |bus| bus.claimed),
    ("trialseal.bus.poison", "{message}", "Messages set aside", Kind::Count, |bus| bus.poison),
    ("trialseal.bus.failures", "{error}", "Failures of Redis", Kind::Count, |bus| bus.failures),
    ("trialseal.bus.connections", "{connection}", "Connections to Redis", Kind::State, |bus| bus.connections),
    ("trialseal.bus.limited.here", "{call}", "Rate limits decided without Redis", Kind::Count, |bus| bus.limited_here),
];

/// Measures the bus.
pub fn measure(bus: &Bus) {
    for (name, unit, what, kind, read) in BUS {
        let bus = bus.clone();
        telemetry::watch(Figure { name, unit, what, kind }, move || read(&bus.figures()));
    }
}
