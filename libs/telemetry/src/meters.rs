//! What is measured: every instrument, its name and unit, once.

use crate::Waiting;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, MeterProvider, NoopMeterProvider, UpDownCounter},
};
use std::{
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

static STARTED: OnceLock<(Meter, Meters)> = OnceLock::new();
static IDLE: LazyLock<Meters> = LazyLock::new(|| Meters::new(&NoopMeterProvider::new().meter("trialseal")));

/// The instruments of this process; before [`start`](crate::start), ones that record nothing.
pub fn meters() -> &'static Meters {
    STARTED.get().map_or(&*IDLE, |(_, meters)| meters)
}

pub(crate) fn begin(meter: Meter) {
    let meters = Meters::new(&meter);
    let _already_begun = STARTED.set((meter, meters));
}

/// A number that only grows.
pub struct Count(Counter<u64>);

impl Count {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.add(n, &[]);
    }
}

/// Numbers that only grow, one for each word of a small set.
pub struct CountBy(Counter<u64>, &'static str);

impl CountBy {
    /// Counts one more of `word`, which must be from a bounded set, never chosen by a caller.
    pub fn of(&self, word: impl Into<std::borrow::Cow<'static, str>>) {
        self.0.add(1, &[KeyValue::new(self.1, word.into())]);
    }
}

/// A number that rises and falls.
pub struct Level(UpDownCounter<i64>);

impl Level {
    /// Adds `by`, which may be negative.
    pub fn change(&self, by: i64) {
        self.0.add(by, &[]);
    }
}

/// A current value.
pub struct State(Gauge<u64>);

impl State {
    /// Sets the value.
    pub fn set(&self, now: u64) {
        self.0.record(now, &[]);
    }
}

/// A maximum of shares.
pub struct Most(Gauge<f64>, AtomicU64);

impl Most {
    /// Raises the maximum to `percent`, if it is lower.
    pub fn raise(&self, percent: u64) {
        if self.1.fetch_max(percent, Ordering::Relaxed) < percent {
            self.0.record(percent as f64 / 100.0, &[]);
        }
    }
}

/// Current values, one for each word of a small set.
pub struct StateBy(Gauge<u64>, &'static str);

impl StateBy {
    /// Sets the value of `word`.
    pub fn set(&self, word: &'static str, now: u64) {
        self.0.record(now, &[KeyValue::new(self.1, word)]);
    }
}

/// How large things are.
pub struct Size(Histogram<u64>);

impl Size {
    /// Records one of `size`.
    pub fn of(&self, size: usize) {
        self.0.record(size as u64, &[]);
    }
}

/// How long things take, in seconds.
pub struct Span(Histogram<f64>);

impl Span {
    /// Records one that began at `start` and ends now.
    pub fn since(&self, start: Instant) {
        self.0.record(start.elapsed().as_secs_f64(), &[]);
    }
}

/// How long calls take, in seconds, by method and status; attributes as in OpenTelemetry's `rpc.server.duration`.
pub struct Rpc(Histogram<f64>);

impl Rpc {
    /// Records a call of a known method that was answered with a gRPC status code.
    pub fn answered(&self, (service, method): (&'static str, &'static str), code: i32, start: Instant) {
        let attributes = [
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", service),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.grpc.status_code", i64::from(code)),
        ];
        self.0.record(start.elapsed().as_secs_f64(), &attributes);
    }
}

/// Every instrument.
pub struct Meters {
    /// Calls answered.
    pub calls: Rpc,
    /// Calls in progress.
    pub running: Level,
    /// Calls and messages refused, by reason (`error.type`).
    pub refusals: CountBy,
    /// Calls refused because the process is overloaded.
    pub shed: Count,
    /// Calls refused by the rate limit of their caller.
    pub limited: Count,
    /// Panics in any handler or task.
    pub panics: Count,
    /// Whether a check passes, 1 or 0, by check.
    pub ready: StateBy,
    /// Whether a check passes but reports a problem, 1 or 0, by check.
    pub degraded: StateBy,
    /// Submissions recorded.
    pub submissions: Count,
    /// Decisions on consent and authority: from the cache (`hit`) or requested (`miss`).
    pub decisions: CountBy,
    /// Proposals waiting for a journal's writer.
    pub queue: Level,
    /// Entries per commit group.
    pub commit_size: Size,
    /// Time from taking a group's proposals until its entries are durable.
    pub commit: Span,
    /// The largest share of its quota that any study has used since this process started.
    pub quota: Most,
    /// Entries known but not yet in a block.
    pub lag: State,
    /// Blocks covered by the published checkpoint.
    pub chain: State,
    /// How long the newest blocks have been waiting for a checkpoint.
    pub checkpoint: Waiting,
    /// Time since a quorum of witnesses last cosigned.
    pub freshness: Waiting,
    /// How long each witness has been behind what it was asked to cosign.
    pub witness: Waiting,
    /// Requests to witnesses, by outcome.
    pub cosignatures: CountBy,
    /// Forks that this process's witnesses recorded as evidence.
    pub evidence: Level,
    /// Whether this process holds the sequencer's lease: 1, or 0.
    pub lease: State,
    /// Retried calls.
    pub retries: Count,
    /// Failed operations of the object store, by operation.
    pub objects: CountBy,
}

const CALL_SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const ENTRIES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

impl Meters {
    fn new(meter: &Meter) -> Self {
        let calls =
            meter.f64_histogram("trialseal.rpc.server.duration").with_unit("s").with_boundaries(CALL_SECONDS.to_vec());
        let size = meter.u64_histogram("trialseal.journal.commit.size").with_unit("{entry}");
        let commit = meter.f64_histogram("trialseal.journal.commit.duration").with_unit("s");
        Self {
            calls: Rpc(calls.with_description("Time to answer a call, by method and gRPC status code").build()),
            running: level(meter, "trialseal.server.calls", "{call}", "Calls in progress"),
            refusals: by(
                count(meter, "trialseal.refusals", "{refusal}", "Calls and messages refused, by reason"),
                "error.type",
            ),
            shed: Count(count(
                meter,
                "trialseal.server.shed",
                "{call}",
                "Calls refused because the process is overloaded",
            )),
            limited: Count(count(
                meter,
                "trialseal.server.limited",
                "{call}",
                "Calls refused by the rate limit of their caller",
            )),
            panics: Count(count(meter, "trialseal.server.panics", "{panic}", "Panics, each of them a bug")),
            ready: StateBy(
                gauge(meter, "trialseal.server.ready", "{state}", "Health check: 1 passing, 0 failing"),
                "check",
            ),
            degraded: StateBy(
                gauge(
                    meter,
                    "trialseal.server.degraded",
                    "{state}",
                    "Health check: 1 if it passes but reports a problem, 0 otherwise",
                ),
                "check",
            ),
            submissions: Count(count(meter, "trialseal.submissions", "{submission}", "Submissions recorded durably")),
            decisions: by(
                count(
                    meter,
                    "trialseal.decisions",
                    "{decision}",
                    "Consent decisions, from the cache (hit) or requested (miss)",
                ),
                "cache",
            ),
            queue: level(meter, "trialseal.journal.queue", "{proposal}", "Commands waiting for a journal's writer"),
            commit_size: Size(size.with_description("Entries per commit").with_boundaries(ENTRIES.to_vec()).build()),
            commit: Span(
                commit.with_description("Time until a commit is durable").with_boundaries(SECONDS.to_vec()).build(),
            ),
            quota: most(
                meter,
                "trialseal.journal.quota",
                "Largest share of its quota used by any study since the process started",
            ),
            lag: State(zero(gauge(
                meter,
                "trialseal.anchoring.lag",
                "{entry}",
                "Entries not yet in a block of the chain",
            ))),
            chain: State(zero(gauge(
                meter,
                "trialseal.anchoring.size",
                "{block}",
                "Blocks covered by the published checkpoint",
            ))),
            checkpoint: waiting(
                meter,
                "trialseal.anchoring.checkpoint.wait",
                "",
                "Time the newest blocks have been waiting for a checkpoint",
            ),
            freshness: waiting(
                meter,
                "trialseal.anchoring.checkpoint.age",
                "",
                "Time since a quorum of witnesses last cosigned",
            ),
            witness: waiting(
                meter,
                "trialseal.witness.age",
                "witness",
                "Time a witness has been behind what it was asked to cosign",
            ),
            cosignatures: by(
                count(
                    meter,
                    "trialseal.witness.requests",
                    "{request}",
                    "Cosignature requests sent to witnesses, by outcome",
                ),
                "outcome",
            ),
            evidence: level(
                meter,
                "trialseal.witness.forks",
                "{fork}",
                "Forks that this process's witnesses recorded as evidence",
            ),
            lease: State(zero(gauge(
                meter,
                "trialseal.anchoring.lease",
                "{lease}",
                "1 if this process holds the lease to extend the chain, 0 otherwise",
            ))),
            retries: Count(count(meter, "trialseal.client.retries", "{call}", "Retried calls to other services")),
            objects: by(
                count(meter, "trialseal.objects.errors", "{error}", "Failed object store operations, by operation"),
                "operation",
            ),
        }
    }
}

/// Counters are exposed as 0 from the start, so that "never happened" differs from "not measured".
fn count(meter: &Meter, name: &'static str, unit: &'static str, what: &'static str) -> Counter<u64> {
    let counter = meter.u64_counter(name).with_unit(unit).with_description(what).build();
    counter.add(0, &[]);
    counter
}

fn by(counter: Counter<u64>, attribute: &'static str) -> CountBy {
    CountBy(counter, attribute)
}

fn level(meter: &Meter, name: &'static str, unit: &'static str, what: &'static str) -> Level {
    let level = meter.i64_up_down_counter(name).with_unit(unit).with_description(what).build();
    level.add(0, &[]);
    Level(level)
}

fn gauge(meter: &Meter, name: &'static str, unit: &'static str, what: &'static str) -> Gauge<u64> {
    meter.u64_gauge(name).with_unit(unit).with_description(what).build()
}

fn most(meter: &Meter, name: &'static str, what: &'static str) -> Most {
    let gauge = meter.f64_gauge(name).with_unit("1").with_description(what).build();
    gauge.record(0.0, &[]);
    Most(gauge, AtomicU64::new(0))
}

fn zero(gauge: Gauge<u64>) -> Gauge<u64> {
    gauge.record(0, &[]);
    gauge
}

/// With an `attribute`, each wait is labelled with what is waited for; without one there is a single wait.
fn waiting(meter: &Meter, name: &'static str, attribute: &'static str, what: &'static str) -> Waiting {
    let waiting = Waiting::default();
    let observed = waiting.clone();
    let gauge = meter.f64_observable_gauge(name).with_unit("s").with_description(what);
    let _kept_by_the_meter = gauge
        .with_callback(move |gauge| {
            for (what, seconds) in observed.seconds() {
                let named = [KeyValue::new(attribute, what)];
                gauge.observe(seconds, if attribute.is_empty() { &[] } else { &named });
            }
        })
        .build();
    waiting
}

/// What kind of number a [`Figure`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Count,
    /// A current value.
    State,
}

/// A number kept elsewhere, read when the metrics are read.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name, such as `trialseal.bus.poison`.
    pub name: &'static str,
    /// Its unit, such as `{message}`.
    pub unit: &'static str,
    /// Its description.
    pub what: &'static str,
    /// What kind of number.
    pub kind: Kind,
}

/// Exposes a number kept elsewhere; `read` is called whenever the metrics are read.
pub fn watch(figure: Figure, read: impl Fn() -> u64 + Send + Sync + 'static) {
    let Some((meter, _)) = STARTED.get() else { return };
    let Figure { name, unit, what, kind } = figure;
    match kind {
        Kind::Count => {
            let counter = meter.u64_observable_counter(name).with_unit(unit).with_description(what);
            let _kept = counter.with_callback(move |counter| counter.observe(read(), &[])).build();
        }
        Kind::State => {
            let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(what);
            let _kept = gauge.with_callback(move |gauge| gauge.observe(read(), &[])).build();
        }
    }
}
