//! How rows become forms.

use super::{Row, request::Content, subjects::Subjects};
use anyhow::{Context, Result, bail};
use client::{Reader, now_ms};
use csv::StringRecord;
use seal::{datapoint::Datapoint, id::Name, sha256, text::is_blank};
use serde::Deserialize;
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};
use vocabulary::command::{FormInstance, Submission};

/// An example of a mapping file with every key there is.
pub const EXAMPLE: &str = r#"forms_version = "1"                                    # the version of the form definitions
subject = "USUBJID"                                    # column, looked up in the subjects file: subject,participant,site
form = { constant = "VS" }                             # or { column = "…" }
event = { column = "VISIT", empty = "NONE" }           # rows without a visit belong to the event NONE
repeat = "VSSEQ"                                       # optional column: the form's repetition, a whole number
date = "VSDTC"                                         # optional column: when the data were collected
items = ["VSTESTCD", "VSORRES"]                        # the columns to capture, items of the form; all columns unless given
[units]                                                # optional: for an item, the column with its unit
VSORRES = "VSORRESU"
"#;

/// A mapping file (TOML), such as [`EXAMPLE`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The version of the form definitions.
    pub forms_version: Name,
    /// The column that names the subject.
    pub subject: String,
    /// The form.
    pub form: Place,
    /// The study event.
    pub event: Place,
    /// The column with the form's repetition.
    #[serde(default)]
    pub repeat: Option<String>,
    /// The column with the date of collection.
    #[serde(default)]
    pub date: Option<String>,
    /// The columns to capture.
    #[serde(default)]
    pub items: Option<Vec<String>>,
    /// For an item, the column with its unit.
    #[serde(default)]
    pub units: HashMap<String, String>,
}

/// Where a name comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Place {
    /// The same for every row.
    Constant {
        /// The name.
        constant: Name,
    },
    /// A column.
    Column {
        /// The column.
        column: String,
        /// The name where the column is empty; without it such a row is refused.
        #[serde(default)]
        empty: Option<Name>,
    },
}

/// Why a row is not sent, without its values.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) column: Option<String>,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Fault {
    fn of_row(message: &str) -> Self {
        Self { column: None, reason: "ROW", message: message.to_owned() }
    }

    fn in_column(column: &str, message: impl Into<String>) -> Self {
        Self { column: Some(column.to_owned()), reason: "ROW", message: message.into() }
    }
}

impl Mapping {
    /// Reads a mapping file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    /// Checks that the columns named exist, and that no column is captured twice.
    pub(super) fn check(&self, header: &[String]) -> Result<()> {
        let mut named: Vec<&String> = vec![&self.subject];
        named
            .extend(self.repeat.iter().chain(&self.date).chain(self.items.iter().flatten()).chain(self.units.values()));
        named.extend([&self.form, &self.event].into_iter().filter_map(Place::column));
        if let Some(column) = named.into_iter().find(|column| !header.contains(column)) {
            bail!("the mapping names the column {column:?}, which the table does not have");
        }
        let mut seen = HashSet::new();
        if let Some(item) = self.items.iter().flatten().find(|item| !seen.insert(*item)) {
            bail!("the mapping names the item {item:?} twice");
        }
        match self.units.keys().find(|item| !self.items.as_deref().unwrap_or(header).contains(item)) {
            Some(item) => bail!("the mapping names a unit for {item:?}, which is not captured"),
            None => Ok(()),
        }
    }

    /// The column in which the field of a refusal is, where it is in one; `items` are the columns of the row's values.
    pub(super) fn column(&self, field: &str, items: &[String]) -> Option<String> {
        match field {
            "envelope.payload.instance.event" => self.event.column().cloned(),
            "envelope.payload.instance.form" => self.form.column().cloned(),
            "envelope.payload.collected" => self.date.clone(),
            _ => {
                let (of, part) = field.strip_prefix("datapoints[")?.split_once(']')?;
                let item = of.parse().ok().and_then(|place: usize| items.get(place)).cloned();
                let item = item.unwrap_or_else(|| of.to_owned());
                if part == ".unit" { self.units.get(&item).cloned() } else { Some(item) }
            }
        }
    }

    /// A row on its way.
    pub(super) fn row(
        &self,
        (number, record): (u64, &StringRecord),
        header: &[String],
        columns: &HashMap<String, usize>,
        subjects: &Subjects,
        signer: &Reader,
    ) -> Result<Row, Fault> {
        let cell = |column: &String| {
            let found = columns.get(column).and_then(|place| record.get(*place)).unwrap_or_default();
            if is_blank(found) { "" } else { found }
        };
        if self.items.is_none() && header.iter().zip(record).any(|(column, cell)| is_blank(column) && !is_blank(cell)) {
            return Err(Fault::of_row("a cell is in a column without a name"));
        }
        let (instance, site) = self.instance(cell, subjects)?;
        let values = self.values(cell, header);
        if values.is_empty() {
            return Err(Fault::of_row("the row is empty"));
        }
        let collected = self.date.as_ref().map(cell).filter(|date| !date.is_empty()).map(str::to_owned);
        let content = Content::new(signer.study, (&site, &instance, collected.as_deref()), &values);
        let header = Submission {
            study: signer.study,
            request: content.request(signer),
            by: signer.actor.clone(),
            time: now_ms(),
            site,
            instance,
            forms_version: self.forms_version.clone(),
            root: sha256(&[]).into(),
            count: 0,
            collected,
            corrects: None,
            reason: None,
            provision: None,
            late: None,
        };
        let line = record.position().map_or(0, csv::Position::line);
        let (content, earlier) = (content.hash(), content.earlier_request());
        Ok(Row { number, line, header, values, content, earlier })
    }

    /// The form instance of a row, and its site.
    fn instance<'a>(
        &self,
        cell: impl Fn(&String) -> &'a str + Copy,
        subjects: &Subjects,
    ) -> Result<(FormInstance, Name), Fault> {
        let found = subjects.find(cell(&self.subject));
        let (participant, site) = found.map_err(|why| Fault::in_column(&self.subject, why))?;
        let form_repeat = match &self.repeat {
            None => 0,
            Some(column) => cell(column).parse().map_err(|_| Fault::in_column(column, "not a whole number"))?,
        };
        let (event, form) = (self.event.name(cell)?, self.form.name(cell)?);
        Ok((FormInstance { participant, event, event_repeat: 0, form, form_repeat }, site))
    }

    /// The values of a row: of the columns to capture those that are not empty.
    fn values<'a>(&self, cell: impl Fn(&String) -> &'a str + Copy, header: &[String]) -> Vec<Datapoint> {
        let items = self.items.as_deref().unwrap_or(header).iter().filter(|item| !cell(item).is_empty());
        let value = |item: &String| Datapoint {
            nonce: [0; 16],
            item: item.clone(),
            repeat: String::new(),
            value: cell(item).to_owned(),
            unit: self.units.get(item).map(cell).unwrap_or_default().to_owned(),
        };
        items.map(value).collect()
    }
}

impl Place {
    /// The column it comes from, if it does.
    pub(super) fn column(&self) -> Option<&String> {
        match self {
            Place::Column { column, .. } => Some(column),
            Place::Constant { .. } => None,
        }
    }

    fn name<'a>(&self, cell: impl Fn(&String) -> &'a str) -> Result<Name, Fault> {
        match self {
            Place::Constant { constant } => Ok(constant.clone()),
            Place::Column { column, empty } => match (cell(column), empty) {
                ("", Some(empty)) => Ok(empty.clone()),
                ("", None) => Err(Fault::in_column(column, "blank")),
                (text, _) => {
                    text.parse().map_err(|error: seal::id::IdError| Fault::in_column(column, error.to_string()))
                }
            },
        }
    }
}
