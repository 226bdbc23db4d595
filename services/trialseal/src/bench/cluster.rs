//! `trialseal bench cluster`: one process on embedded storage and a cluster, by the same load in one run.

use super::{
    enrolled,
    running::{memory_mib, named, processor_seconds},
    sign, submit,
    up::Up,
};
use crate::{
    prove,
    setup::{Participant, Study, text_item},
};
use anyhow::{Context, Result};
use client::{Client, Endpoints};
use futures_util::future::try_join_all;
use seal::command::FormDef;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

/// Streams at once; with several studies, each is one study's.
const STREAMS: usize = 4;
/// Participants of each study.
const PARTICIPANTS: usize = 10;

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
    /// The same, each stream's forms of a study of its own.
    pub ratio_of_many_studies: f64,
    /// What the cluster's processes took meanwhile; all of PostgreSQL's count as one.
    pub processes: Vec<Process>,
}

/// One deployment under both loads.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Four streams of one study.
    pub one_study: Rate,
    /// Four streams of a study each.
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
/// given, each of one study and of several.
pub async fn run(folder: &Path, cluster: &Path, forms: usize, items: usize) -> Result<Figures> {
    let up = Up::start(folder, None).await?;
    let embedded = side(up.endpoints(), forms, items).await?;
    drop(up);
    let endpoints = prove::endpoints(&cluster.join("endpoints.json"))?;
    let before = taken(cluster)?;
    let measured = side(&endpoints, forms, items).await?;
    let processes = taken(cluster)?.into_iter().map(|(name, (seconds, most_resident_mib))| {
        let began_with = before.get(&name).map_or(0.0, |(seconds, _)| *seconds);
        let processor_ms_per_form = (seconds - began_with) * 1_000.0 / (2 * forms) as f64;
        Process { name, processor_ms_per_form, most_resident_mib }
    });
    Ok(Figures {
        forms,
        items,
        ratio_of_one_study: measured.one_study.forms_per_second / embedded.one_study.forms_per_second,
        ratio_of_many_studies: measured.many_studies.forms_per_second / embedded.many_studies.forms_per_second,
        processes: processes.collect(),
        embedded,
        cluster: measured,
    })
}

async fn side(endpoints: &Endpoints, forms: usize, items: usize) -> Result<Side> {
    let client = Client::new(endpoints)?;
    let names: Vec<String> = (0..items).map(|n| format!("ITEM{n:03}")).collect();
    let mut studies = Vec::new();
    for number in 0..STREAMS {
        studies.push(set_up(&client, number, &names).await?);
    }
    let measure = async |event: &str, studies: &[&(Study, Vec<Participant>)]| {
        let signed = studies.iter().enumerate().map(|(n, (study, participants))| {
            sign(study, participants, &names, (&format!("{event} {n}"), forms / STREAMS))
        });
        let signed = signed.collect::<Result<Vec<_>>>()?;
        let began = Instant::now();
        let latencies = try_join_all(signed.into_iter().map(|forms| submit(&client, forms))).await?.concat();
        Ok::<_, anyhow::Error>(Rate::of(latencies, began.elapsed()))
    };
    let first = studies.first().context("no study")?;
    let one_study = measure("TOGETHER", &[first; STREAMS]).await?;
    let many_studies = measure("APART", &studies.iter().collect::<Vec<_>>()).await?;
    Ok(Side { one_study, many_studies })
}

async fn set_up(client: &Client, number: usize, items: &[String]) -> Result<(Study, Vec<Participant>)> {
    let study = Study::create(client, &format!("BENCH-{number}")).await?;
    let site = study.open_site(client, "701", "Synthetic site").await?;
    let defs = items.iter().map(|item| text_item(item)).collect::<Result<_>>()?;
    study.define(client, "1", vec![FormDef { form: "VS".parse()?, items: defs, provision: None }]).await?;
    let participants = enrolled(client, &study, &site, PARTICIPANTS).await?;
    Ok((study, participants))
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
    format!("  {} forms of {} items in each of four measurements, {STREAMS} streams\n", figures.forms, figures.items)
        + &rate("embedded, one study", &figures.embedded.one_study)
        + &rate("cluster, one study", &figures.cluster.one_study)
        + &rate("embedded, four studies", &figures.embedded.many_studies)
        + &rate("cluster, four studies", &figures.cluster.many_studies)
        + &format!(
            "  cluster to embedded: one study {:.2}, four studies {:.2}\n",
            figures.ratio_of_one_study, figures.ratio_of_many_studies
        )
        + &figures.processes.iter().map(process).collect::<String>()
}
