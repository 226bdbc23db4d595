//! `trialseal import csv`: a table, one row one form instance.
//!
//! A row's request id is derived from its content and the importer's key, so the same person can run the same import again
//! at any time: rows recorded before are recognised and left alone, also after an interruption. So are rows that they
//! imported with earlier programs, which derived the id from the content alone.
//!
//! A table is read to its end before anything is sent. Rows are recorded in their order; rows that contradict one another are
//! not recorded at all.

mod mapping;
mod plan;
mod report;
mod request;
mod sent;
mod subjects;
mod table;

pub use mapping::{EXAMPLE, Mapping, Place};
pub use report::{Refused, Report};
pub use subjects::Subjects;

use anyhow::{Context, Result, anyhow};
use client::{Client, Reader, SignedForm, sign_form};
use indicatif::{ProgressBar, ProgressStyle};
use mapping::Fault;
use plan::{Plan, Rows};
use proto::capture::{LookupReceiptsRequest, SubmitFormsRequest};
use rayon::prelude::*;
use seal::{id::Uuid, sha256};
use sent::{Sent, Waiting};
use std::{
    collections::{HashMap, HashSet},
    future::pending,
    path::Path,
    pin::{Pin, pin},
};
use table::Table;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vocabulary::command::Submission;

/// Rows signed and looked up at once: two ids each, of the thousand that may be asked about.
const CHUNK: usize = 500;

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
    /// The line of the file it begins at.
    line: u64,
    header: Submission,
    values: Vec<seal::datapoint::Datapoint>,
    /// What tells it from other rows of its form instance.
    content: [u8; 16],
    /// The request id that earlier programs gave it.
    earlier: Uuid,
}

impl Row {
    /// The request ids under which it may have been recorded.
    fn ids(&self) -> [String; 2] {
        [self.header.request, self.earlier].map(|id| id.to_string())
    }

    /// What tells its form instance from others.
    fn form_hash(&self) -> [u8; 16] {
        short(format!("{:?}", self.header.instance).as_bytes())
    }

    fn sent(&self) -> Sent {
        let items = self.values.iter().map(|value| value.item.clone()).collect();
        let event = self.header.instance.event.clone();
        Sent { row: self.number, line: self.line, ids: self.ids(), items, event }
    }
}

/// The first half of SHA-256.
fn short(bytes: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&sha256(&[bytes]).0[..16]);
    half
}

/// Where signed rows go, and what is known of them until they are answered.
struct Outlet<'a> {
    messages: mpsc::Sender<SubmitFormsRequest>,
    waiting: Waiting,
    bar: &'a ProgressBar,
}

/// A table with its columns.
struct Columns {
    header: Vec<String>,
    places: HashMap<String, usize>,
}

impl Import<'_> {
    /// Imports a file. It is read to its end once before anything is sent, so a truncated file imports nothing.
    ///
    /// # Errors
    ///
    /// The table or its columns cannot be used: nothing was sent. Or a service cannot be reached any more: the error says what was
    /// done until then.
    pub async fn run(&self, file: &Path) -> Result<Report> {
        self.run_until(file, pending()).await
    }

    /// The same, but sends nothing further once `stop` is ready. The report tells what became of what had been sent.
    pub async fn run_until(&self, file: &Path, stop: impl Future<Output = ()>) -> Result<Report> {
        let (rows, plan) = self.plan(file)?;
        let bar = self.bar(rows, file);
        let mut report = Report { rows, ..Report::default() };
        let (messages, sent) = mpsc::channel(2 * CHUNK);
        let mut capture = self.client.capture.clone();
        let answers = capture.submit_forms(ReceiverStream::new(sent)).await;
        let answers = answers.map_err(client::ClientError::from)?.into_inner();
        let outlet = Outlet { messages, waiting: Waiting::default(), bar: &bar };
        let receiver = tokio::spawn(sent::receive(answers, outlet.waiting.clone(), bar.clone()));
        let sending = self.send(Table::open(file)?, &plan, &outlet, pin!(stop), &mut report).await;
        drop(outlet);
        let (answered, broken) = receiver.await?;
        bar.finish_and_clear();
        report.recorded = answered.recorded;
        report.datapoints = answered.datapoints;
        self.judge(answered.refused, &plan, &mut report).await?;
        repeat_outcomes(&plan, &mut report);
        report.refused.sort_by_key(|refused| refused.row);
        let failed = sending.and(broken.map_or(Ok(()), |status| Err(client::ClientError::from(status).into())));
        failed.with_context(|| report.summary())?;
        Ok(report)
    }

    /// Reads a table to its end: how many rows it has, and what they are to one another.
    fn plan(&self, file: &Path) -> Result<(u64, Plan)> {
        let mut table = Table::open(file)?;
        let columns = self.columns(&mut table)?;
        let (mut count, mut rows) = (0, Rows::default());
        while let Some((number, record)) = table.next()? {
            count = number;
            if let Ok(row) = self.row(&columns, number, &record) {
                rows.add(&row);
            }
        }
        Ok((count, rows.plan()))
    }

    fn columns(&self, table: &mut Table) -> Result<Columns> {
        let header = table.header()?;
        self.mapping.check(&header).with_context(|| table.name())?;
        let places = header.iter().cloned().zip(0..).collect();
        Ok(Columns { header, places })
    }

    fn row(&self, columns: &Columns, number: u64, record: &csv::StringRecord) -> Result<Row, Fault> {
        self.mapping.row((number, record), &columns.header, &columns.places, self.subjects, self.signer)
    }

    async fn send(
        &self,
        mut table: Table,
        plan: &Plan,
        outlet: &Outlet<'_>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        report: &mut Report,
    ) -> Result<()> {
        let columns = self.columns(&mut table)?;
        loop {
            let (rows, ended) = self.chunk(&mut table, &columns, plan, outlet, report)?;
            let signing = self.sign_new(rows, outlet, report);
            let signed = tokio::select! {
                biased;
                () = &mut stop => { report.interrupted = true; return Ok(()) }
                signed = signing => signed?,
            };
            for (sent, form) in signed {
                // In line before it is sent: its answer may be there at once.
                outlet.waiting.lock().map_err(|_| anyhow!("the import was interrupted"))?.push_back(sent);
                let gone = tokio::select! {
                    biased;
                    gone = outlet.messages.send(form.into_message()) => gone.is_err(),
                    () = &mut stop => { report.interrupted = true; return Ok(()) }
                };
                if gone {
                    return Ok(()); // the receiver says why
                }
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// The next rows to send, and whether they are the last; the others of the table until then are reported.
    fn chunk(
        &self,
        table: &mut Table,
        columns: &Columns,
        plan: &Plan,
        outlet: &Outlet<'_>,
        report: &mut Report,
    ) -> Result<(Vec<Row>, bool)> {
        let mut rows = Vec::with_capacity(CHUNK);
        while rows.len() < CHUNK {
            let Some((number, record)) = table.next()? else { return Ok((rows, true)) };
            let line = record.position().map_or(0, csv::Position::line);
            let fault = match (plan.refused.get(&number), self.row(columns, number, &record)) {
                (Some(fault), _) => fault.clone(),
                (None, Err(fault)) => fault,
                (None, Ok(row)) => {
                    if !plan.repeated.contains_key(&number) {
                        rows.push(row);
                    }
                    continue;
                }
            };
            outlet.bar.inc(1);
            let Fault { column, reason, message } = fault;
            report.refused.push(Refused { row: number, line, column, reason: reason.to_owned(), message });
        }
        Ok((rows, false))
    }

    /// Signs those rows that were not recorded before.
    async fn sign_new(
        &self,
        mut rows: Vec<Row>,
        outlet: &Outlet<'_>,
        report: &mut Report,
    ) -> Result<Vec<(Sent, SignedForm)>> {
        let before = self.recorded(rows.iter().flat_map(Row::ids).collect()).await?;
        let read = rows.len();
        rows.retain(|row| row.ids().iter().all(|id| !before.contains(id)));
        report.recorded_before += (read - rows.len()) as u64;
        outlet.bar.inc((read - rows.len()) as u64);
        let key = self.signer.key.clone();
        let signed = tokio::task::spawn_blocking(move || {
            let sign = |row: Row| Ok((row.sent(), sign_form(row.header, row.values, &key)?));
            rows.into_par_iter().map(sign).collect::<Result<Vec<_>>>()
        });
        signed.await?
    }

    /// Which of these requests were recorded.
    async fn recorded(&self, requests: Vec<String>) -> Result<HashSet<String>> {
        if requests.is_empty() {
            return Ok(HashSet::new());
        }
        let request = LookupReceiptsRequest { study: self.signer.study.to_string(), requests };
        let answer = self.client.capture.clone().lookup_receipts(self.signer.request(request)).await;
        let recorded = answer.map_err(client::ClientError::from)?.into_inner().recorded;
        Ok(recorded.into_iter().map(|recorded| recorded.request).collect())
    }

    /// Reports refusals. A row that was recorded by an earlier run after this one looked it up was recorded before: that
    /// run was interrupted, and the service still had its rows.
    async fn judge(
        &self,
        refused: Vec<(Sent, proto::capture::Refusal)>,
        plan: &Plan,
        report: &mut Report,
    ) -> Result<()> {
        for refused in refused.chunks(CHUNK) {
            let doubtful = refused.iter().filter(|(_, refusal)| sent::may_be_recorded(refusal));
            let before = self.recorded(doubtful.flat_map(|(sent, _)| sent.ids.clone()).collect()).await?;
            for (sent, refusal) in refused {
                if sent.ids.iter().any(|id| before.contains(id)) {
                    report.recorded_before += 1;
                } else {
                    report.refused.push(sent.refused(refusal, self.mapping, plan));
                }
            }
        }
        Ok(())
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

/// Rows that say what an earlier row says were recorded before, or refused, as that one was.
fn repeat_outcomes(plan: &Plan, report: &mut Report) {
    if report.interrupted {
        return; // what became of the first is not known of all
    }
    let refused: HashMap<u64, usize> = report.refused.iter().map(|refused| refused.row).zip(0..).collect();
    for (row, first) in &plan.repeated {
        match refused.get(first).map(|place| report.refused[*place].clone()) {
            None => report.recorded_before += 1,
            Some(refused) => {
                let message = format!("repeats row {first}, which was refused: {}", refused.message);
                report.refused.push(Refused { row: *row, message, ..refused });
            }
        }
    }
}
