//! What participants ask: what did I agree to, who looked, and can you prove it.

use anyhow::{Context, Result};
use client::{Client, ClientError, Reader};
use proto::consent as pb;
use seal::id::{Name, Service};
use serde::Serialize;
use std::path::Path;
use verify::time;

/// How one provision stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The provision.
    pub provision: String,
    /// Whether it is in force.
    pub in_force: bool,
    /// If it is not: the reason, as in the consent service's `ErrorReason`.
    pub reason: String,
    /// The document it was given under: identifier, version and language.
    pub document: [String; 3],
    /// The entry that gave it.
    pub given: u64,
    /// The entry that withdrew it.
    pub withdrawn: Option<u64>,
    /// Until when it holds, Unix milliseconds.
    pub until: Option<u64>,
    /// By when consent anew is asked for, Unix milliseconds.
    pub reconsent_by: Option<u64>,
}

/// One read.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// The entry that recorded it.
    pub entry: u64,
    /// When, Unix milliseconds.
    pub recorded: u64,
    /// Who read.
    pub by: String,
    /// What the reader signed.
    pub signed: serde_json::Value,
}

/// How a participant's consent stands.
pub async fn standing(client: &Client, reader: &Reader, participant: &Name) -> Result<Vec<Standing>> {
    let request = pb::GetConsentRequest { study: reader.study.to_string(), participant: participant.to_string() };
    let answer = client.consent.clone().get_consent(reader.request(request)).await.map_err(ClientError::from)?;
    let some = |time: u64| Some(time).filter(|time| *time > 0);
    let standing = |state: pb::ProvisionState| Standing {
        in_force: state.in_force,
        reason: state.reason().as_str_name().trim_start_matches("ERROR_REASON_").to_owned(),
        provision: state.provision,
        document: [state.document, state.version, state.language],
        given: state.given,
        withdrawn: state.withdrawn.checked_sub(1),
        until: some(state.until_ms),
        reconsent_by: some(state.reconsent_by_ms),
    };
    Ok(answer.into_inner().provisions.into_iter().map(standing).collect())
}

/// Consents as people read them.
pub fn standing_page(standing: &[Standing]) -> String {
    let mut page = String::new();
    for Standing { provision, in_force, reason, document, given, withdrawn, until, reconsent_by } in standing {
        let state = if *in_force { "in force" } else { reason };
        page += &format!("{provision}: {state}\n  given      under {} in entry {given}\n", document.join(" "));
        page += &withdrawn.map(|entry| format!("  withdrawn  in entry {entry}\n")).unwrap_or_default();
        page += &until.map(|ms| format!("  until      {}\n", time(ms))).unwrap_or_default();
        page += &reconsent_by.map(|ms| format!("  renew by   {}\n", time(ms))).unwrap_or_default();
    }
    if page.is_empty() { "no consent is recorded\n".to_owned() } else { page }
}

/// Who read a participant's data from outside their site: of theirs by name, and of everybody's.
pub async fn accesses(client: &Client, reader: &Reader, participant: &Name) -> Result<Vec<pb::RecordedCommand>> {
    let mut found = Vec::new();
    for participant in [participant.clone(), Name::all_sites()] {
        let mut page_token = String::new();
        loop {
            let (study, participant) = (reader.study.to_string(), participant.to_string());
            let request = pb::ListAccessesRequest { study, participant, page_size: 500, page_token };
            let answer = client.consent.clone().list_accesses(reader.request(request)).await;
            let answer = answer.map_err(ClientError::from)?.into_inner();
            found.extend(answer.accesses);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    found.sort_by_key(|access| access.number);
    Ok(found)
}

/// Reads, as they are shown.
pub fn looks(accesses: &[pb::RecordedCommand]) -> Result<Vec<Look>> {
    let look = |access: &pb::RecordedCommand| {
        let signed = serde_json::from_str(&access.payload).context("a recorded command is not JSON")?;
        Ok(Look { entry: access.number, recorded: access.recorded_ms, by: access.by.clone(), signed })
    };
    accesses.iter().map(look).collect()
}

/// Reads as people read them.
pub fn looks_page(looks: &[Look]) -> String {
    let mut page = String::new();
    for Look { entry, recorded, by, signed } in looks {
        let text = |field: &str| signed.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let item = signed.get("only").map(item);
        let whose = match (text("participant").as_str(), &item) {
            ("*", None) => "everybody's data",
            ("*", Some(_)) => "one value",
            _ => "your data",
        };
        let what = item.unwrap_or_else(|| categories(signed));
        let right = match text("grant").as_str() {
            "" => "by task".to_owned(),
            grant => format!("by your grant {grant}"),
        };
        page += &format!(
            "{}  {by} read {whose}: {what}, for {}, {right} (entry {entry})\n",
            time(*recorded),
            text("purpose")
        );
    }
    if page.is_empty() { "nobody from outside the site read your data\n".to_owned() } else { page }
}

/// The one item a read was of.
fn item(only: &serde_json::Value) -> String {
    let text = |field: &str| only.get(field).and_then(|value| value.as_str()).unwrap_or_default();
    let entry = only.get("entry").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let repeat = Some(text("repeat")).filter(|repeat| !repeat.is_empty());
    let repeat = repeat.map(|repeat| format!(", repeat {repeat},")).unwrap_or_default();
    format!("item {}{repeat} of entry {entry}", text("item"))
}

/// The categories a read was of.
fn categories(signed: &serde_json::Value) -> String {
    let categories = signed.get("categories").and_then(|value| value.as_array());
    let categories: Vec<&str> = categories.into_iter().flatten().filter_map(|value| value.as_str()).collect();
    if categories.is_empty() { "everything".to_owned() } else { categories.join(", ") }
}

/// Writes a proof bundle for each read into a folder, and gives the files' names.
pub async fn prove(
    client: &Client,
    reader: &Reader,
    accesses: &[pb::RecordedCommand],
    folder: &Path,
) -> Result<Vec<String>> {
    owner::make_directory(folder).with_context(|| format!("{}", folder.display()))?;
    let mut files = Vec::with_capacity(accesses.len());
    for access in accesses {
        let of = (Service::Consent, access.number);
        let bundle = client.prove_record(reader.study, of, &access.envelope).await?;
        let file = folder.join(format!("access-{}.trialseal", access.number));
        owner::write(&file, &bundle).with_context(|| format!("{}", file.display()))?;
        files.push(file.display().to_string());
    }
    Ok(files)
}

/// The copy of a consent in a format.
pub async fn copy(
    client: &Client,
    reader: &Reader,
    (participant, entry): (&Name, u64),
    format: pb::CopyFormat,
) -> Result<String> {
    let request = pb::GetConsentCopyRequest {
        study: reader.study.to_string(),
        participant: participant.to_string(),
        entry,
        format: format.into(),
    };
    let answer = client.consent.clone().get_consent_copy(reader.request(request)).await;
    Ok(answer.map_err(ClientError::from)?.into_inner().copy)
}
