//! `trialseal import csv`: a table, one row one form instance.
//!
//! A row's request id is derived from its content and the importer's key, so the same person can run the same import again
//! at any time: rows recorded before are recognised and left alone, also after an interruption. So are rows that they
//! imported with earlier programs, which derived the id from the content alone.

mod mapping;
mod request;
mod table;

pub use mapping::{Mapping, Place, Subjects};

use anyhow::{Context, Result, anyhow};
use client::{Client, Reader, SignedForm, sign_form};
use indicatif::{ProgressBar, ProgressStyle};
use proto::capture::{LookupReceiptsRequest, SubmitFormsRequest, submit_forms_response::Outcome};
use rayon::prelude::*;
use seal::{command::Submission, id::Uuid};
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, Mutex},
};
use table::Table;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Rows signed and looked up at once: two ids each, of the thousand that may be asked about.
const CHUNK: usize = 500;

/// A row that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The row, from 1, not counting the header.
    pub row: u64,
    /// The reason, as in the capture service's `ErrorReason`; `ROW` if the row itself cannot be used.
    pub reason: String,
    /// What is wrong and what to do, without values.
    pub message: String,
}

/// What became of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows in the table.
    pub rows: u64,
    /// Rows recorded by this run.
    pub recorded: u64,
    /// Rows that were recorded before.
    pub recorded_before: u64,
    /// Datapoints recorded by this run.
    pub datapoints: u64,
    /// Rows that were refused.
    pub refused: Vec<Refused>,
}

/// An import: whose rights, which rules.
pub struct Import<'a> {
    /// The services.
    pub client: &'a Client,
    /// Who signs every row.
    pub signer: &'a Reader,
    /// How rows become forms.
    pub mapping: &'a Mapping,
    /// Which participants the subjects are.
    pub subjects: &'a Subjects,
    /// Whether to show progress.
    pub progress: bool,
}

/// A row on its way.
struct Row {
    number: u64,
    header: Submission,
    values: Vec<seal::datapoint::Datapoint>,
    /// The request id that earlier programs gave it.
    earlier: Uuid,
}

impl Row {
    /// The request ids under which it may have been recorded.
    fn ids(&self) -> [String; 2] {
        [self.header.request, self.earlier].map(|id| id.to_string())
    }
}

type Waiting = Arc<Mutex<VecDeque<(u64, u64)>>>;

impl Import<'_> {
    /// Imports a file. It is read to its end once before anything is sent, so a truncated file imports nothing.
    pub async fn run(&self, file: &Path) -> Result<Report> {
        let rows = Table::open(file)?.count()?;
        let bar = self.bar(rows, file);
        let mut report = Report { rows, ..Report::default() };
        let (messages, sent) = mpsc::channel::<SubmitFormsRequest>(2 * CHUNK);
        let waiting = Waiting::default();
        let mut capture = self.client.capture.clone();
        let answers = capture.submit_forms(ReceiverStream::new(sent)).await;
        let mut answers = answers.map_err(client::ClientError::from)?.into_inner();

        let (receiving, bar_of_answers) = (waiting.clone(), bar.clone());
        let receiver = tokio::spawn(async move {
            let mut part = Report::default();
            while let Some(answer) = answers.message().await? {
                let row = receiving.lock().ok().and_then(|mut rows| rows.pop_front());
                let (row, datapoints) = row.unwrap_or_default();
                bar_of_answers.inc(1);
                match answer.outcome {
                    Some(Outcome::Receipt(_)) => {
                        part.recorded += 1;
                        part.datapoints += datapoints;
                    }
                    Some(Outcome::Refusal(refusal)) => {
                        let reason = refusal.reason().as_str_name().trim_start_matches("ERROR_REASON_").to_owned();
                        part.refused.push(Refused { row, reason, message: refusal.message });
                    }
                    None => {}
                }
            }
            Ok::<_, tonic::Status>(part)
        });
        let sent = self.send(Table::open(file)?, &messages, &waiting, &bar, &mut report).await;
        drop(messages);
        let part = receiver.await?.map_err(client::ClientError::from).context("run the same command again to go on")?;
        sent?;
        bar.finish_and_clear();
        report.recorded += part.recorded;
        report.datapoints += part.datapoints;
        report.refused.extend(part.refused);
        report.refused.sort_by_key(|refused| refused.row);
        Ok(report)
    }

    async fn send(
        &self,
        mut table: Table,
        messages: &mpsc::Sender<SubmitFormsRequest>,
        waiting: &Waiting,
        bar: &ProgressBar,
        report: &mut Report,
    ) -> Result<()> {
        let header = table.header()?;
        self.mapping.check(&header).with_context(|| table.name())?;
        let columns: HashMap<String, usize> = header.iter().cloned().zip(0..).collect();
        loop {
            let mut rows = Vec::with_capacity(CHUNK);
            while rows.len() < CHUNK {
                let Some((number, record)) = table.next()? else { break };
                match self.mapping.row((number, &record), &header, &columns, self.subjects, self.signer) {
                    Ok(row) => rows.push(row),
                    Err(message) => {
                        bar.inc(1);
                        report.refused.push(Refused { row: number, reason: "ROW".to_owned(), message });
                    }
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
            let before = self.recorded(&rows).await?;
            let read = rows.len();
            rows.retain(|row| row.ids().iter().all(|id| !before.contains(id)));
            report.recorded_before += (read - rows.len()) as u64;
            bar.inc((read - rows.len()) as u64);
            for (row, datapoints, form) in self.sign(rows).await? {
                waiting.lock().map_err(|_| anyhow!("the import was interrupted"))?.push_back((row, datapoints));
                if messages.send(form.into_message()).await.is_err() {
                    return Ok(()); // the receiver says why
                }
            }
        }
    }

    async fn sign(&self, rows: Vec<Row>) -> Result<Vec<(u64, u64, SignedForm)>> {
        let key = self.signer.key.clone();
        let signed = tokio::task::spawn_blocking(move || {
            rows.into_par_iter()
                .map(|row| {
                    let datapoints = row.values.len() as u64;
                    Ok((row.number, datapoints, sign_form(row.header, row.values, &key)?))
                })
                .collect::<Result<Vec<_>>>()
        });
        signed.await?
    }

    async fn recorded(&self, rows: &[Row]) -> Result<HashSet<String>> {
        let requests = rows.iter().flat_map(Row::ids).collect();
        let request = LookupReceiptsRequest { study: self.signer.study.to_string(), requests };
        let answer = self.client.capture.clone().lookup_receipts(self.signer.request(request)).await;
        let recorded = answer.map_err(client::ClientError::from)?.into_inner().recorded;
        Ok(recorded.into_iter().map(|recorded| recorded.request).collect())
    }

    fn bar(&self, rows: u64, file: &Path) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("  {msg} {bar:30} {pos}/{len} rows, {per_sec}, {eta} left");
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ProgressBar::new(rows).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(name)
    }
}
