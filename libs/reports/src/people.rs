//! What inspectors read about people: the delegation log, a site's participants, and how an allocation is checked.

use crate::spreadsheet;
use anyhow::{Context, Result, bail};
use client::{Client, ClientError, Reader};
use jiff::Timestamp;
use proto::enrollment as pb;
use seal::{
    Hash,
    text::{Base64, Hex},
};
use serde::{Deserialize, Serialize};
use vocabulary::allocation::{Disclosure, Scheme, Slot};

const DELEGATION_COLUMNS: [&str; 15] = [
    "actor",
    "task",
    "site",
    "from",
    "until",
    "delegated_by",
    "delegated",
    "delegated_entry",
    "training",
    "training_completed",
    "training_certificate",
    "revoked_by",
    "revoked",
    "revoked_entry",
    "revoked_reason",
];

/// A delegation with its end, if it was ended before its time.
struct Line<'a> {
    granted: &'a pb::DelegationEvent,
    ended: Option<&'a pb::DelegationEvent>,
}

/// Fetches the delegation log in its order; of one site, or whole.
pub async fn delegations(client: &Client, reader: &Reader, site: Option<&str>) -> Result<Vec<pb::DelegationEvent>> {
    let (mut events, mut page_token) = (Vec::new(), String::new());
    loop {
        let (study, site) = (reader.study.to_string(), site.unwrap_or_default().to_owned());
        let request = pb::ListDelegationsRequest { study, site, page_size: 500, page_token };
        let answer = client.enrollment().list_delegations(reader.request(request)).await;
        let answer = answer.map_err(ClientError::from)?.into_inner();
        events.extend(answer.events);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(events);
        }
    }
}

/// Fetches a site's participants in the order they were registered.
pub async fn participants(client: &Client, reader: &Reader, site: &str) -> Result<Vec<pb::ParticipantRow>> {
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let (study, site) = (reader.study.to_string(), site.to_owned());
        let request = pb::ListParticipantsRequest { study, site, page_size: 500, page_token };
        let answer = client.enrollment().list_participants(reader.request(request)).await;
        let answer = answer.map_err(ClientError::from)?.into_inner();
        rows.extend(answer.participants);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(rows);
        }
    }
}

/// Fetches the allocation of a participant, for who may see it.
pub async fn allocation(client: &Client, reader: &Reader, participant: &str) -> Result<pb::GetAllocationResponse> {
    let (study, participant) = (reader.study.to_string(), participant.to_owned());
    let request = pb::GetAllocationRequest { study, participant };
    let answer = client.enrollment().get_allocation(reader.request(request)).await;
    Ok(answer.map_err(ClientError::from)?.into_inner())
}

/// The delegation log as CSV (RFC 4180), a line for each delegation, no cell a formula. Times are UTC (RFC 3339).
pub fn delegation_csv(events: &[pb::DelegationEvent]) -> Result<String> {
    let rows = lines(events).into_iter().map(|Line { granted, ended }| {
        let training = granted.training.clone().unwrap_or_default();
        let (by, revoked) = (act(granted), ended.map(act));
        let entry = |act: &pb::Act| act.entry.to_string();
        [
            granted.actor.clone(),
            granted.task.clone(),
            granted.site.clone(),
            time(granted.from_ms),
            time(granted.until_ms),
            by.by.clone(),
            time(by.recorded_ms),
            entry(&by),
            training.reference,
            training.completed,
            hex(&training.certificate),
            revoked.as_ref().map(|act| act.by.clone()).unwrap_or_default(),
            revoked.as_ref().map(|act| time(act.recorded_ms)).unwrap_or_default(),
            revoked.as_ref().map(entry).unwrap_or_default(),
            revoked.map(|act| act.reason).unwrap_or_default(),
        ]
    });
    spreadsheet::csv(&DELEGATION_COLUMNS, rows)
}

/// The delegation log as a page of text.
pub fn delegation_page(study: &str, events: &[pb::DelegationEvent]) -> String {
    let mut page = format!("DELEGATION LOG of study {study}, times in UTC\n");
    for Line { granted, ended } in lines(events) {
        let (pb::DelegationEvent { actor, task, site, from_ms, until_ms, .. }, by) = (granted, act(granted));
        let site = if site == "*" { "every site".to_owned() } else { format!("site {site}") };
        page += &format!(
            "\n{actor}: {task} at {site}\n  from       {}\n  until      {}\n",
            time(*from_ms),
            time(*until_ms)
        );
        page += &format!("  delegated  {} by {} (entry {})\n", time(by.recorded_ms), by.by, by.entry);
        page += &match &granted.training {
            Some(training) => format!("  training   {}, completed {}\n", training.reference, training.completed),
            None => "  training   no evidence recorded\n".to_owned(),
        };
        if let Some(end) = ended.map(act) {
            page += &format!(
                "  revoked    {} by {}: {} (entry {})\n",
                time(end.recorded_ms),
                end.by,
                end.reason,
                end.entry
            );
        }
    }
    page
}

/// A site's participants as a page of text.
pub fn participants_page(site: &str, rows: &[pb::ParticipantRow]) -> String {
    let mut page = format!("PARTICIPANTS of site {site}, times in UTC\n");
    for row in rows {
        page += &format!("\n{}: {} since {}\n", row.participant, row.stage, time(row.since_ms));
        page += &format!("  registered {}\n", time(row.registered_ms));
        if let Some(pb::ScreeningOutcome { criteria, eligible, overridden }) = &row.screening {
            let outcome = match (eligible, overridden) {
                (true, _) => "every criterion met",
                (false, true) => "not every criterion met, overridden by the investigator",
                (false, false) => "not every criterion met",
            };
            page += &format!("  screening  {outcome} (criteria {criteria})\n");
        }
        if let Some(pb::TokenMatch { sites, cleared, earlier }) = &row.r#match {
            let said = if *cleared { "resolved" } else { "on hold until the study's managers resolve it" };
            let others: Vec<&str> = sites.iter().chain(earlier).map(String::as_str).collect();
            let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
            page += &format!("  registered before{others}: {said}\n");
        }
    }
    page
}

/// A disclosed slot as a file: what is needed to check it offline, except the root, which comes from the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotFile {
    /// The scheme committed to.
    pub scheme: Scheme,
    /// The slot and its path.
    pub disclosure: Disclosure,
}

impl SlotFile {
    /// The file of an answer; minimisation has none.
    pub fn of(answer: &pb::GetAllocationResponse) -> Result<Self> {
        let proof = answer
            .proof
            .as_ref()
            .context("this method has no list: the arm can be proven when the seed is revealed")?;
        let path: Option<Vec<Hex>> = proof.path.iter().map(|hash| Hash::from_slice(hash).map(Hex)).collect();
        let path = path.context("the path does not consist of hashes")?;
        let disclosure = Disclosure { slot: Base64(proof.slot.clone()), place: proof.place, path };
        Ok(Self { scheme: serde_json::from_slice(&proof.scheme)?, disclosure })
    }
}

/// Checks a [`SlotFile`] against the root the study committed to, and gives the slot. Needs no network.
pub fn verify_slot(file: &[u8], root: &Hash) -> Result<Slot> {
    if file.len() > 1 << 20 {
        bail!("larger than 1 MiB, so not a disclosure");
    }
    let SlotFile { scheme, disclosure } = serde_json::from_slice(file).context("not a disclosure")?;
    scheme.check().context("the scheme cannot be used")?;
    Ok(disclosure.verify_for(&scheme, root)?)
}

/// Each delegation with its end: the one an end names, or the last before it of that task to that actor there.
fn lines(events: &[pb::DelegationEvent]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let same =
        |a: &pb::DelegationEvent, b: &pb::DelegationEvent| a.actor == b.actor && a.task == b.task && a.site == b.site;
    for event in events {
        if !event.ended {
            lines.push(Line { granted: event, ended: None });
        } else if let Some(line) = lines.iter_mut().rev().find(|line| {
            same(line.granted, event) && event.delegation.is_none_or(|granted| act(line.granted).entry == granted)
        }) {
            line.ended = Some(event);
        }
    }
    lines
}

fn act(event: &pb::DelegationEvent) -> pb::Act {
    event.act.clone().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    Hash::from_slice(bytes).map(|hash| hash.to_hex()).unwrap_or_default()
}

/// A time in RFC 3339; the number itself where the calendar ends.
fn time(ms: u64) -> String {
    let found = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    found.map_or_else(|| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(entry: u64, ended: bool, reason: &str) -> pb::DelegationEvent {
        pb::DelegationEvent {
            actor: "dr, lee".to_owned(),
            task: "enrol".to_owned(),
            site: "701".to_owned(),
            act: Some(pb::Act { entry, recorded_ms: 1_000, by: "root".to_owned(), reason: reason.to_owned() }),
            ended,
            from_ms: 0,
            until_ms: 86_400_000,
            training: None,
            delegation: None,
        }
    }

    #[test]
    fn an_end_belongs_to_the_delegation_it_names() {
        let this_year = pb::DelegationEvent { delegation: Some(3), ..event(5, true, "on leave") };
        let events = [event(3, false, ""), event(4, false, ""), this_year];
        let ended: Vec<bool> = lines(&events).iter().map(|line| line.ended.is_some()).collect();
        assert_eq!(ended, [true, false]);
    }

    #[test]
    fn an_end_belongs_to_the_last_delegation_before_it() {
        let events = [event(3, false, ""), event(4, true, "on \"leave\""), event(5, false, "")];
        let csv = delegation_csv(&events).unwrap();
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(lines.len(), 4); // a header, two delegations, the end of the last line
        let (from, until) = ("1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z");
        let granted = format!("\"dr, lee\",enrol,701,{from},{until},root,1970-01-01T00:00:01Z");
        assert_eq!(lines[1], format!("{granted},3,,,,root,1970-01-01T00:00:01Z,4,\"on \"\"leave\"\"\""));
        assert_eq!(lines[2], format!("{granted},5,,,,,,,"));
        let page = delegation_page("S", &events);
        assert_eq!(page.matches("dr, lee: enrol at site 701").count(), 2);
        assert_eq!(page.matches("revoked").count(), 1);
    }
}
