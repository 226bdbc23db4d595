//! A journal as it grows.

use crate::{Client, ClientError, Reader};
use proto::journal::{EntryView, ReadEntriesRequest, ReadEntriesResponse};
use seal::{
    Hash,
    entry::{self, Entry},
    id::Service,
};
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Streaming};

/// How long to wait at the end of a journal before it is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// The entries of a journal, each checked to follow the one before: number and hash.
pub struct Following<'a> {
    client: &'a Client,
    reader: &'a Reader,
    service: Service,
    next: u64,
    previous: Option<Hash>,
    open: Option<Streaming<ReadEntriesResponse>>,
}

impl Client {
    /// Follows a study's journal from entry `from` on, for an actor who holds the task audit. Entries name commands by their
    /// hashes and hold no values, so no access is recorded.
    pub fn follow<'a>(&'a self, reader: &'a Reader, service: Service, from: u64) -> Following<'a> {
        Following { client: self, reader, service, next: from, previous: None, open: None }
    }
}

impl Following<'_> {
    /// The next entry, as soon as it is recorded. After an error the next call goes on where this one was.
    ///
    /// # Errors
    ///
    /// The reader may not read the journal, the service cannot be reached, or the journal is not what it was.
    pub async fn next(&mut self) -> Result<Entry, ClientError> {
        loop {
            if let Some(message) = self.message().await? {
                return self.check(&message.entry);
            }
            sleep(AGAIN).await;
        }
    }

    /// The next message; nothing at the end of the journal, or if there is no journal yet.
    async fn message(&mut self) -> Result<Option<ReadEntriesResponse>, ClientError> {
        let answer = match &mut self.open {
            Some(open) => open.message().await,
            None => match self.open().await {
                Ok(open) => self.open.insert(open).message().await,
                Err(status) => Err(status),
            },
        };
        match answer {
            Ok(Some(message)) => return Ok(Some(message)),
            Ok(None) => self.open = None,
            Err(status) => {
                self.open = None;
                if status.code() != Code::NotFound {
                    return Err(status.into());
                }
            }
        }
        Ok(None)
    }

    async fn open(&self) -> Result<Streaming<ReadEntriesResponse>, tonic::Status> {
        let Reader { study, .. } = self.reader;
        let request = ReadEntriesRequest {
            stream: self.service.stream(*study).0.0.to_vec(),
            from: self.next,
            limit: 0,
            view: EntryView::Bare.into(),
            study: study.to_string(),
        };
        Ok(self.client.journal(self.service).read_entries(self.reader.bare_request(request)).await?.into_inner())
    }

    fn check(&mut self, bytes: &[u8]) -> Result<Entry, ClientError> {
        let entry = Entry::parse(bytes).map_err(|_| ClientError::Nonsense("an entry that cannot be read"))?;
        let follows = self.previous.is_none_or(|previous| entry.previous == previous);
        if entry.stream != self.service.stream(self.reader.study) || entry.number != self.next || !follows {
            return Err(ClientError::Broken(self.next));
        }
        (self.next, self.previous) = (entry.number.saturating_add(1), Some(entry::hash(bytes)));
        Ok(entry)
    }
}
