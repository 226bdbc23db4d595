//! What a process tells of itself: logs, traces, metrics.

use anyhow::{Context, Result};
use bus::{Bus, Figures};
use rate_limits::RateLimits;
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

const BUS: [Measured; 11] = [
    ("trialseal.bus.published", "{message}", "Journal heads published", Kind::Count, |bus| bus.published),
    (
        "trialseal.bus.coalesced",
        "{message}",
        "Journal heads replaced by newer ones before they were published",
        Kind::Count,
        |bus| bus.coalesced,
    ),
    (
        "trialseal.bus.dropped",
        "{message}",
        "Journal heads dropped because the queue was full; the journals are polled instead",
        Kind::Count,
        |bus| bus.dropped,
    ),
    ("trialseal.bus.queued", "{message}", "Journal heads waiting to be published", Kind::State, |bus| bus.queued),
    ("trialseal.bus.heard", "{message}", "Journal heads received", Kind::Count, |bus| bus.heard),
    (
        "trialseal.bus.missed",
        "{event}",
        "Times that messages may have been missed and the journals were polled instead",
        Kind::Count,
        |bus| bus.missed,
    ),
    ("trialseal.bus.delivered", "{message}", "Journal heads delivered to workers", Kind::Count, |bus| bus.delivered),
    (
        "trialseal.bus.claimed",
        "{message}",
        "Journal heads taken over from workers that did not acknowledge them",
        Kind::Count,
        |bus| bus.claimed,
    ),
    (
        "trialseal.bus.poison",
        "{message}",
        "Messages set aside because they could not be read or processed",
        Kind::Count,
        |bus| bus.poison,
    ),
    ("trialseal.bus.failures", "{error}", "Failed Redis connections and commands", Kind::Count, |bus| bus.failures),
    ("trialseal.bus.connections", "{connection}", "Open connections to Redis", Kind::State, |bus| bus.connections),
];

/// Measures the bus, and how callers are limited, if they are.
pub fn measure(bus: &Bus, limits: Option<&RateLimits>) {
    for (name, unit, what, kind, read) in BUS {
        let bus = bus.clone();
        telemetry::watch(Figure { name, unit, what, kind }, move || read(&bus.figures()));
    }
    let limited_here = Figure {
        name: "trialseal.bus.limited.here",
        unit: "{call}",
        what: "Rate limit decisions made by this process alone because Redis did not answer",
        kind: Kind::Count,
    };
    let limits = limits.cloned();
    telemetry::watch(limited_here, move || limits.as_ref().map_or(0, RateLimits::decided_here));
}
