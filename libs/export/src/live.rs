//! Reading a running deployment, as an auditor.

use crate::progress::Bars;
use anyhow::{Context, Error, Result, bail};
use audit::{Audit, Report, Source, StoredEntry, Wanted};
use client::{Client, ClientError, Reader, now_ms};
use proto::{
    anchoring::GetCheckpointRequest,
    journal::{EntryView, ReadEntriesRequest, ReadEntriesResponse},
};
use seal::{id::Uuid, policy::Policy, receipt::Receipt};
use tlog::note::Note;
use tonic::Code;

/// An audit of running services: what of them, and with whose rights.
pub struct LiveAudit<'a> {
    /// The services.
    pub client: &'a Client,
    /// Where the chain's files are served.
    pub tiles: &'a str,
    /// What is relied on.
    pub policy: &'a Policy,
    /// The studies to replay, each with an actor who holds the task audit there.
    pub studies: Vec<Reader>,
    /// Whether to show progress.
    pub progress: bool,
}

impl LiveAudit<'_> {
    /// Runs the audit. An error means that something could not be read; what is wrong with what was read is a finding.
    pub async fn run(&self) -> Result<Report> {
        self.run_with(&[]).await
    }

    /// Runs the audit, and checks that what these receipts promised is kept.
    pub async fn run_with(&self, receipts: &[Receipt]) -> Result<Report> {
        let source = Live { client: self.client, tiles: self.tiles, readers: &self.studies };
        let studies: Vec<Uuid> = self.studies.iter().map(|reader| reader.study).collect();
        let audit = Audit { policy: self.policy, studies: &studies, receipts, now_ms: now_ms() };
        Ok(audit.run(&source, &Bars::shown(self.progress)).await?)
    }
}

/// Running services.
pub(crate) struct Live<'a> {
    pub(crate) client: &'a Client,
    /// Where the chain's files are served: URLs, comma separated.
    pub(crate) tiles: &'a str,
    /// With whose rights each study is read.
    pub(crate) readers: &'a [Reader],
}

impl Source for Live<'_> {
    type Error = Error;

    async fn checkpoints(&self) -> Result<Vec<String>> {
        let (mut notes, mut at_most) = (Vec::new(), 0);
        loop {
            let answer = match self.client.anchoring.clone().get_checkpoint(GetCheckpointRequest { at_most }).await {
                Ok(answer) => answer.into_inner().checkpoint,
                Err(status) if status.code() == Code::NotFound => return Ok(notes),
                Err(status) => return Err(ClientError::from(status)).context("reading checkpoints"),
            };
            let size =
                Note::parse(answer.as_bytes()).ok().and_then(|note| note.text.lines().nth(1)?.parse::<u64>().ok());
            let size = size.context("a checkpoint cannot be read")?;
            if at_most != 0 && size > at_most {
                bail!("the anchoring service returned a checkpoint that was not requested");
            }
            notes.push(answer);
            if size <= 1 {
                return Ok(notes);
            }
            at_most = size - 1;
        }
    }

    async fn file(&self, name: &str, limit: usize) -> Result<Vec<u8>> {
        Ok(self.client.http.fetch_from(self.tiles, name, limit).await?)
    }

    async fn entries(&self, wanted: Wanted, mut each: impl FnMut(StoredEntry)) -> Result<()> {
        let Wanted { study, service, from, limit, full } = wanted;
        let reader = self.readers.iter().find(|reader| reader.study == study);
        let reader = reader.context("no auditor's key for the study")?;
        let view = if full { EntryView::Full } else { EntryView::Bare };
        let stream = service.stream(study).0.0.to_vec();
        let request = ReadEntriesRequest { stream, from, limit, view: view.into(), study: study.to_string() };
        let reading = || format!("reading the {service} journal");
        let answer = self.client.journal(service).read_entries(reader.request(request)).await;
        let mut messages = match answer {
            Ok(messages) => messages.into_inner(),
            Err(status) => return Err(ClientError::from(status)).with_context(reading),
        };
        loop {
            match messages.message().await {
                Ok(Some(message)) => each(stored(message)),
                Ok(None) => return Ok(()),
                Err(status) if status.code() == Code::NotFound => return Ok(()),
                Err(status) => return Err(ClientError::from(status)).with_context(reading),
            }
        }
    }
}

fn stored(message: ReadEntriesResponse) -> StoredEntry {
    let ReadEntriesResponse { entry, envelope, datapoints, unreadable, redacted, set } = message;
    let set = set.into_iter().map(|fact| (fact.key, fact.fact)).collect();
    StoredEntry { entry, envelope, datapoints, unreadable, redacted, set }
}
