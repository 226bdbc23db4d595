//! Which requests were recorded. A request id may be a function of what was captured, so it is told like a value: to who
//! signed the request, and to who captures or reads at its site.

use super::Inner;
use access::Denied;
use caller::Caller;
use clock::now_ms;
use journal_service::not_read;
use problem::{Problem, study};
use proto::capture as pb;
use seal::{
    dsse::Envelope,
    id::{Name, Service, StreamId, Uuid},
};
use serde::Deserialize;
use std::collections::HashMap;
use vocabulary::command::Task;

/// The most requests asked about at once.
const MAX_REQUESTS: usize = 1_000;
/// Tasks that let their holder know what was recorded at their site.
const KNOWS: [Task; 2] = [Task::Capture, Task::Read];

/// Who signed a request, and where.
#[derive(Deserialize)]
struct Signed {
    by: Name,
    site: Option<Name>,
}

impl Inner {
    pub(super) async fn lookup_receipts(
        &self,
        from: &Caller,
        request: pb::LookupReceiptsRequest,
    ) -> Result<pb::LookupReceiptsResponse, Problem> {
        let study = study(&request.study)?;
        let requests = parse(&request.requests)?;
        let caller = access::actor(from, study, &self.enrollment, now_ms()).await?;
        let stream = Service::Capture.stream(study);
        let (mut sites, mut recorded) = (HashMap::new(), Vec::new());
        for (request, number) in self.store.reader().recorded(stream, &requests).await.map_err(not_read)? {
            let Some(signed) = self.signed(stream, number).await? else { continue };
            if signed.by == caller || self.knows(study, &caller, signed.site, &mut sites).await? {
                recorded.push(pb::RecordedRequest { request: Uuid(request).to_string(), number });
            }
        }
        Ok(pb::LookupReceiptsResponse { recorded })
    }

    /// Who signed an entry's command; nothing if it cannot be opened, as after an erasure.
    async fn signed(&self, stream: StreamId, number: u64) -> Result<Option<Signed>, Problem> {
        let stored = self.store.reader().entry(stream, number).await.map_err(not_read)?;
        if self.store.erased_in(stream, &stored).await?.is_some() {
            return Ok(None); // recorded, even if the key is not destroyed yet
        }
        let content = self.store.open_entry(&stored).await;
        Ok(content.and_then(|content| Envelope::parse(&content.envelope).ok()?.common().ok()))
    }

    /// Whether the caller may know what was recorded at `site`; each site is asked about once.
    async fn knows(
        &self,
        study: Uuid,
        caller: &Name,
        site: Option<Name>,
        sites: &mut HashMap<Name, bool>,
    ) -> Result<bool, Problem> {
        let Some(site) = site else { return Ok(false) };
        if let Some(known) = sites.get(&site) {
            return Ok(*known);
        }
        let held = access::holds_any(caller, study, &KNOWS, &site, &self.enrollment, now_ms()).await;
        let knows = match held {
            Err(Denied::Facts(error)) => return Err(error.into()),
            held => held.is_ok(),
        };
        sites.insert(site, knows);
        Ok(knows)
    }
}

fn parse(requests: &[String]) -> Result<Vec<[u8; 16]>, Problem> {
    if requests.len() > MAX_REQUESTS {
        return Err(Problem::field("MALFORMED", "requests", format!("more than {MAX_REQUESTS}")));
    }
    let parse = |text: &String| text.parse::<Uuid>().map(|uuid| uuid.0);
    let parsed = requests.iter().map(parse).collect::<Result<_, _>>();
    parsed.map_err(|error| Problem::field("MALFORMED", "requests", error.to_string()))
}
