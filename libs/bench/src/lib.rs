//! `trialseal bench`: how fast this machine captures, with everything on.

pub mod cluster;
mod cores;
pub mod folder;
pub mod overload;
mod running;
mod trial;
mod up;

use anyhow::{Context, Result, bail};
use client::{Client, Endpoints, SignedForm};
use proto::capture::submit_forms_response::Outcome;
use running::processor_seconds;
use serde::Serialize;
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use trial::Trial;

/// Participants the forms are spread over.
const PARTICIPANTS: usize = 20;
/// Forms of as many participants, by which the gate's cost is measured: none of its answers serves twice.
const STRANGERS: usize = 2_000;
/// Submissions the client has under way.
const WINDOW: usize = 256;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Forms captured.
    pub forms: usize,
    /// Items of each.
    pub items: usize,
    /// How long it took.
    pub seconds: f64,
    /// Forms a second.
    pub forms_per_second: f64,
    /// Datapoints a second.
    pub datapoints_per_second: f64,
    /// Half of the forms were answered within this many milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred were.
    pub p99_ms: f64,
    /// Processor seconds of this process (services, witnesses and client) per second.
    pub cores: f64,
    /// Bytes on disk for each datapoint: journal, index, keys and chain.
    pub bytes_per_datapoint: f64,
    /// Forms a second the client signs on all cores, measured before.
    pub signed_per_second: f64,
    /// What deciding on consent and authority costs.
    pub gate: Gate,
}

/// What the gate costs: the same number of forms twice in one run, of one participant each and of a few.
#[derive(Debug, Clone, Serialize)]
pub struct Gate {
    /// Forms captured in each part.
    pub forms: usize,
    /// Forms a second when enrollment and consent are asked anew for every form.
    pub asked_per_second: f64,
    /// Forms a second when their answers are kept for a second, as for participants with several forms.
    pub kept_per_second: f64,
}

/// Captures `forms` forms of `items` items in the deployment at `endpoints`, which runs in this process on the data in `folder`
/// alone.
pub async fn run(endpoints: &Endpoints, folder: &Path, forms: usize, items: usize) -> Result<Figures> {
    let client = Client::new(endpoints)?;
    let trial = Trial::set_up(&client, "BENCH", items, PARTICIPANTS).await?;
    let signing = Instant::now();
    let signed = trial.signed("VISIT 1", forms)?;
    let signed_per_second = forms as f64 / signing.elapsed().as_secs_f64();

    let (bytes_before, cpu_before) = (size(folder)?, processor_seconds("self")?);
    let start = Instant::now();
    let mut latencies = submit(&client, signed).await?;
    let seconds = start.elapsed().as_secs_f64();
    let cores = (processor_seconds("self")? - cpu_before) / seconds;
    let bytes = size(folder)?.saturating_sub(bytes_before);
    let gate = gate(&client, &trial).await?;

    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    let datapoints = (forms * items) as f64;
    Ok(Figures {
        forms,
        items,
        seconds,
        forms_per_second: forms as f64 / seconds,
        datapoints_per_second: datapoints / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        cores,
        bytes_per_datapoint: bytes as f64 / datapoints,
        signed_per_second,
        gate,
    })
}

/// Measures what the gate costs, on forms of the same size in the same deployment.
async fn gate(client: &Client, trial: &Trial) -> Result<Gate> {
    let strangers = trial.enrolled(client, STRANGERS).await?;
    // Everybody's first form also makes their data key: that is not the gate's cost.
    submit(client, trial.signed_for(&strangers, "FIRST", STRANGERS)?).await?;
    let mut rates = [0.0; 2];
    for (rate, (participants, event)) in rates.iter_mut().zip([(&strangers, "ASKED"), (&trial.participants, "KEPT")]) {
        let signed = trial.signed_for(participants, event, STRANGERS)?;
        let start = Instant::now();
        submit(client, signed).await?;
        *rate = STRANGERS as f64 / start.elapsed().as_secs_f64();
    }
    let [asked_per_second, kept_per_second] = rates;
    Ok(Gate { forms: STRANGERS, asked_per_second, kept_per_second })
}

/// Streams the forms and gives the time each took to be answered.
async fn submit(client: &Client, forms: Vec<SignedForm>) -> Result<Vec<Duration>> {
    let (messages, sent) = mpsc::channel(WINDOW);
    let begun = Arc::new(Mutex::new(Vec::with_capacity(forms.len())));
    let (expected, stamps) = (forms.len(), begun.clone());
    tokio::spawn(async move {
        for form in forms {
            let Ok(place) = messages.reserve().await else { return };
            if let Ok(mut stamps) = stamps.lock() {
                stamps.push(Instant::now());
            }
            place.send(form.into_message());
        }
    });
    let answers = client.capture.clone().submit_forms(ReceiverStream::new(sent)).await;
    let mut answers = answers.map_err(client::ClientError::from)?.into_inner();
    let mut latencies = Vec::with_capacity(expected);
    while let Some(answer) = answers.message().await.map_err(client::ClientError::from)? {
        if let Some(Outcome::Refusal(refusal)) = answer.outcome {
            bail!("a form was refused: {}", refusal.message);
        }
        let begun = begun.lock().ok().and_then(|stamps| stamps.get(latencies.len()).copied());
        latencies.push(begun.context("an answer without a question")?.elapsed());
    }
    if latencies.len() == expected { Ok(latencies) } else { bail!("{} of {expected} answered", latencies.len()) }
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

/// Figures as people read them.
pub fn readable(figures: &Figures) -> String {
    format!(
        "  {} forms of {} items in {:.2} s, one client, one stream, {WINDOW} under way\n  \
         {:.0} forms/s   {:.0} datapoints/s\n  latency p50 {:.1} ms   p99 {:.1} ms\n  {:.2} cores busy (services, \
         witnesses and client in one process)\n  {:.0} bytes on disk per datapoint\n  signing beforehand: {:.0} forms/s\n",
        figures.forms,
        figures.items,
        figures.seconds,
        figures.forms_per_second,
        figures.datapoints_per_second,
        figures.p50_ms,
        figures.p99_ms,
        figures.cores,
        figures.bytes_per_datapoint,
        figures.signed_per_second
    ) + &format!(
        "  consent and authority decided for {} forms: without cached answers {:.0} forms/s, with cached answers {:.0} forms/s, \
         ratio {:.2}\n",
        figures.gate.forms,
        figures.gate.asked_per_second,
        figures.gate.kept_per_second,
        figures.gate.kept_per_second / figures.gate.asked_per_second
    )
}
