//! `trialseal bench cluster`: one process on embedded storage and a cluster, by the same load in one run.

use super::{
    running::{memory_mib, named, processor_seconds},
    submit,
    trial::Trial,
    up::Up,
};
use anyhow::{Context, Result};
use client::{Client, Endpoints, SignedForm};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use serde::Serialize;
use sqlx::{AnyPool, any::install_default_drivers};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Streams at once.
const STREAMS: usize = 4;
/// How many studies many are: so many that forms of one rarely meet in a commit or a block.
const STUDIES: usize = 200;
/// Participants of each study.
const PARTICIPANTS: usize = 4;
/// A chain that did not grow for so long does not.
const SETTLED: Duration = Duration::from_secs(1);
/// Studies set up at once.
const AT_ONCE: usize = 16;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Forms captured in each of the four measurements.
    pub forms: usize,
    /// Items of each.
    pub items: usize,
    /// One process, SQLite, no TLS.
    pub embedded: Side,
    /// The cluster: two capture replicas, PostgreSQL, mutual TLS.
    pub cluster: Side,
    /// The cluster's forms a second for each of the embedded one's, all forms of one study.
    pub ratio_of_one_study: f64,
    /// The same, forms of many studies in turn.
    pub ratio_of_many_studies: f64,
    /// Blocks of the cluster's chain that the forms of many studies came into.
    pub blocks: u64,
    /// So many a second, until the last was on the chain.
    pub blocks_per_second: f64,
    /// What the cluster's processes took meanwhile; all of PostgreSQL's count as one.
    pub processes: Vec<Process>,
    /// Bytes that each of the cluster's databases grew by for each datapoint.
    pub bytes_per_datapoint: BTreeMap<String, f64>,
}

/// One deployment under both loads.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Four streams of one study.
    pub one_study: Rate,
    /// Four streams of two hundred studies.
    pub many_studies: Rate,
}

/// How fast it was.
#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    /// Forms a second.
    pub forms_per_second: f64,
    /// Half of the forms were answered within this many milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred were.
    pub p99_ms: f64,
}

/// What a process took.
#[derive(Debug, Clone, Serialize)]
pub struct Process {
    /// Its name in the cluster.
    pub name: String,
    /// Milliseconds of processor time for each form.
    pub processor_ms_per_form: f64,
    /// The most memory it ever had resident, in MiB.
    pub most_resident_mib: f64,
}

/// Captures `forms` forms of `items` items four times: in a fresh deployment in `folder` and in the cluster whose folder is
/// given, each of one study and of many.
pub async fn run(folder: &Path, cluster: &Path, forms: usize, items: usize) -> Result<Figures> {
    let up = Up::start(folder, None).await?;
    let client = Client::new(up.endpoints())?;
    let studies = set_up_all(&client, items).await?;
    let one_study = captured(&client, &studies[..1], forms).await?;
    let embedded = Side { one_study, many_studies: captured(&client, &studies, forms).await? };
    drop((client, up));

    let databases = databases(cluster).await?;
    let file = cluster.join("endpoints.json");
    let client = Client::new(&Endpoints::read(&file).with_context(|| format!("{}", file.display()))?)?;
    let studies = set_up_all(&client, items).await?;
    let (taken_before, bytes_before) = (taken(cluster)?, sizes(&databases).await?);
    let one_study = captured(&client, &studies[..1], forms).await?;
    let anchoring = databases.get("anchoring").context("databases.json: no anchoring")?;
    let (blocks_before, began) = (settled(anchoring).await?, Instant::now());
    let measured = Side { one_study, many_studies: captured(&client, &studies, forms).await? };
    let blocks = settled(anchoring).await? - blocks_before;
    let blocks_per_second = blocks as f64 / (began.elapsed() - SETTLED).as_secs_f64();

    let bytes_per_datapoint = sizes(&databases).await?.into_iter().map(|(name, bytes)| {
        let before = bytes_before.get(&name).copied().unwrap_or_default();
        (name, bytes.saturating_sub(before) as f64 / (2 * forms * items) as f64)
    });
    let processes = taken(cluster)?.into_iter().map(|(name, (seconds, most_resident_mib))| {
        let before = taken_before.get(&name).map_or(0.0, |(seconds, _)| *seconds);
        Process { name, processor_ms_per_form: (seconds - before) * 1_000.0 / (2 * forms) as f64, most_resident_mib }
    });
    Ok(Figures {
        forms,
        items,
        ratio_of_one_study: measured.one_study.forms_per_second / embedded.one_study.forms_per_second,
        ratio_of_many_studies: measured.many_studies.forms_per_second / embedded.many_studies.forms_per_second,
        blocks,
        blocks_per_second,
        processes: processes.collect(),
        bytes_per_datapoint: bytes_per_datapoint.collect(),
        embedded,
        cluster: measured,
    })
}

/// Captures forms of the studies in turn, in several streams at once.
async fn captured(client: &Client, studies: &[Trial], forms: usize) -> Result<Rate> {
    let mut streams = Vec::new();
    for stream in 0..STREAMS {
        let theirs: Vec<&Trial> = match studies {
            [one] => vec![one],
            many => many.iter().skip(stream).step_by(STREAMS).collect(),
        };
        let (event, each) = (format!("{} OF {}", stream, studies.len()), (forms / STREAMS).div_ceil(theirs.len()));
        let signed = theirs.iter().map(|trial| trial.signed(&event, each));
        streams.push(in_turn(signed.collect::<Result<_>>()?));
    }
    let began = Instant::now();
    let latencies = try_join_all(streams.into_iter().map(|forms| submit(client, forms))).await?.concat();
    Ok(Rate::of(latencies, began.elapsed()))
}

/// The first of each, then the second of each …
fn in_turn(forms: Vec<Vec<SignedForm>>) -> Vec<SignedForm> {
    let mut turns: Vec<_> = forms.into_iter().map(Vec::into_iter).collect();
    let mut merged = Vec::new();
    loop {
        let before = merged.len();
        merged.extend(turns.iter_mut().filter_map(Iterator::next));
        if merged.len() == before {
            return merged;
        }
    }
}

async fn set_up_all(client: &Client, items: usize) -> Result<Vec<Trial>> {
    let set_up = async |number| Trial::set_up(client, &format!("BENCH-{number}"), items, PARTICIPANTS).await;
    stream::iter(0..STUDIES).map(set_up).buffer_unordered(AT_ONCE).try_collect().await
}

/// The cluster's databases by name.
async fn databases(cluster: &Path) -> Result<BTreeMap<String, AnyPool>> {
    let file = cluster.join("databases.json");
    let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    let urls: BTreeMap<String, String> = serde_json::from_str(&text)?;
    install_default_drivers();
    urls.into_iter().map(|(name, url)| Ok((name, AnyPool::connect_lazy(&url)?))).collect()
}

async fn sizes(databases: &BTreeMap<String, AnyPool>) -> Result<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    for (name, pool) in databases {
        let size: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(pool).await?;
        sizes.insert(name.clone(), u64::try_from(size)?);
    }
    Ok(sizes)
}

impl Rate {
    fn of(mut latencies: Vec<Duration>, lasting: Duration) -> Self {
        latencies.sort_unstable();
        let last = latencies.len().saturating_sub(1) as f64;
        let at = |share: f64| latencies.get((last * share) as usize).map_or(0.0, Duration::as_secs_f64) * 1_000.0;
        let forms_per_second = latencies.len() as f64 / lasting.as_secs_f64();
        Self { forms_per_second, p50_ms: at(0.5), p99_ms: at(0.99) }
    }
}

/// Processor seconds and the most memory, in MiB, of the processes of the cluster in `folder` and of PostgreSQL.
fn taken(folder: &Path) -> Result<BTreeMap<String, (f64, f64)>> {
    let folder = folder.display().to_string();
    let processes = named(|arguments| {
        if arguments.first().is_some_and(|program| program.starts_with("postgres:") || program.ends_with("/postgres")) {
            return Some("postgres".to_owned());
        }
        let is_ours = arguments.iter().any(|argument| argument.starts_with(&folder));
        let place = arguments.iter().position(|argument| *argument == "--instance").filter(|_| is_ours)?;
        arguments.get(place + 1).map(|name| (*name).to_owned())
    });
    let mut taken = BTreeMap::<String, (f64, f64)>::new();
    for (name, process) in processes? {
        let (seconds, most) = taken.entry(name).or_default();
        *seconds += processor_seconds(&process)?;
        *most = most.max(memory_mib(&process, "VmHWM")?);
    }
    Ok(taken)
}

/// The number of blocks on the chain once it does not grow any more.
async fn settled(anchoring: &AnyPool) -> Result<u64> {
    let mut blocks = 0;
    loop {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM block").fetch_one(anchoring).await?;
        if count == blocks {
            return Ok(u64::try_from(count)?);
        }
        blocks = count;
        sleep(SETTLED).await;
    }
}

/// Figures as people read them.
pub fn readable(figures: &Figures) -> String {
    let rate = |name: &str, rate: &Rate| {
        let Rate { forms_per_second, p50_ms, p99_ms } = rate;
        format!("  {name:<24} {forms_per_second:>7.0} forms/s   p50 {p50_ms:>6.1} ms   p99 {p99_ms:>6.1} ms\n")
    };
    let process = |process: &Process| {
        let Process { name, processor_ms_per_form, most_resident_mib } = process;
        format!(
            "  {name:<24} {processor_ms_per_form:>7.3} ms of processor per form   {most_resident_mib:>5.0} MiB at most\n"
        )
    };
    let bytes = |(name, bytes): (&String, &f64)| format!("  {name:<24} {bytes:>7.1} bytes per datapoint\n");
    format!("  {} forms of {} items in each of four measurements, {STREAMS} streams\n", figures.forms, figures.items)
        + &rate("embedded, one study", &figures.embedded.one_study)
        + &rate("cluster, one study", &figures.cluster.one_study)
        + &rate("embedded, many studies", &figures.embedded.many_studies)
        + &rate("cluster, many studies", &figures.cluster.many_studies)
        + &format!(
            "  cluster to embedded: one study {:.2}, many studies {:.2}\n  {} blocks of many studies, {:.0} blocks/s\n",
            figures.ratio_of_one_study, figures.ratio_of_many_studies, figures.blocks, figures.blocks_per_second
        )
        + &figures.processes.iter().map(process).collect::<String>()
        + &figures.bytes_per_datapoint.iter().map(bytes).collect::<String>()
}
