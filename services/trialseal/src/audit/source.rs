//! Where an audit reads from: running services, or the files of an export.

use anyhow::{Context, Result, bail};
use client::{Client, ClientError, Reader};
use proto::{
    anchoring::GetCheckpointRequest,
    journal::{EntryView, ReadEntriesRequest, ReadEntriesResponse},
};
use seal::id::{Service, Uuid};
use tlog::note::Note;
use tonic::Code;

/// Which entries of a journal are read, and how much of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The study.
    pub(crate) study: Uuid,
    /// Whose journal of it.
    pub(crate) service: Service,
    /// The number of the first entry.
    pub(crate) from: u64,
    /// The most entries; 0: all.
    pub(crate) limit: u64,
    /// Whether envelopes and values are read too.
    pub(crate) full: bool,
}

/// Where an audit reads from. Nothing that it gives is believed.
pub(crate) trait Source {
    /// All published checkpoints, the latest first.
    async fn checkpoints(&self) -> Result<Vec<String>>;

    /// A file of the chain, of at most `limit` bytes.
    async fn file(&self, name: &str, limit: usize) -> Result<Vec<u8>>;

    /// Gives `each` the entries in their order. There are none of a journal that does not exist.
    async fn entries(&self, wanted: Wanted, each: impl FnMut(ReadEntriesResponse)) -> Result<()>;
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

    async fn entries(&self, wanted: Wanted, mut each: impl FnMut(ReadEntriesResponse)) -> Result<()> {
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
                Ok(Some(message)) => each(message),
                Ok(None) => return Ok(()),
                Err(status) if status.code() == Code::NotFound => return Ok(()),
                Err(status) => return Err(ClientError::from(status)).with_context(reading),
            }
        }
    }
}
