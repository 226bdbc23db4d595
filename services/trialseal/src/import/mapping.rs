//! How rows become forms.

use super::{Row, request::Content};
use anyhow::{Context, Result, bail};
use client::{Reader, now_ms};
use csv::StringRecord;
use seal::{
    command::{FormInstance, Submission},
    datapoint::Datapoint,
    id::Name,
    sha256,
};
use serde::Deserialize;
use std::{collections::HashMap, fs, path::Path};

/// A mapping file (TOML).
///
/// ```toml
/// forms_version = "1"                     # the version of the form definitions
/// subject = "USUBJID"                     # the column that names the subject
/// form = { constant = "VS" }              # the form, or { column = "…" }
/// event = { column = "VISIT", empty = "UNSCHEDULED" }
/// repeat = "VSSEQ"                        # optional: the column with the form's repetition, a whole number
/// date = "VSDTC"                          # optional: the column with the date of collection
/// items = ["VSTESTCD", "VSORRES"]         # optional: the columns to capture; all of them unless given
/// [units]                                 # optional: for an item, the column with its unit
/// VSORRES = "VSORRESU"
/// ```
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

/// Which participant, at which site, each subject of the source is.
#[derive(Debug, Clone, Default)]
pub struct Subjects(HashMap<String, (Name, Name)>);

impl Subjects {
    /// Reads a CSV file with the columns `subject`, `participant`, `site`.
    pub fn read(file: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Line {
            subject: String,
            participant: Name,
            site: Name,
        }
        let mut reader = csv::Reader::from_path(file).with_context(|| format!("{}", file.display()))?;
        let mut subjects = HashMap::new();
        for line in reader.deserialize() {
            let Line { subject, participant, site } = line.with_context(|| format!("{}", file.display()))?;
            subjects.insert(subject, (participant, site));
        }
        Ok(Self(subjects))
    }
}

impl FromIterator<(String, (Name, Name))> for Subjects {
    fn from_iter<I: IntoIterator<Item = (String, (Name, Name))>>(subjects: I) -> Self {
        Self(subjects.into_iter().collect())
    }
}

impl Mapping {
    /// Reads a mapping file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    /// Checks that the columns named exist.
    pub(super) fn check(&self, header: &[String]) -> Result<()> {
        let mut named: Vec<&String> = vec![&self.subject];
        named
            .extend(self.repeat.iter().chain(&self.date).chain(self.items.iter().flatten()).chain(self.units.values()));
        named.extend([&self.form, &self.event].into_iter().filter_map(|place| match place {
            Place::Column { column, .. } => Some(column),
            Place::Constant { .. } => None,
        }));
        match named.into_iter().find(|column| !header.contains(column)) {
            Some(column) => bail!("the mapping names the column {column:?}, which the table does not have"),
            None => Ok(()),
        }
    }

    /// A row on its way; on failure what is wrong with it, without its values.
    pub(super) fn row(
        &self,
        (number, record): (u64, &StringRecord),
        header: &[String],
        columns: &HashMap<String, usize>,
        subjects: &Subjects,
        signer: &Reader,
    ) -> Result<Row, String> {
        let cell = |column: &String| columns.get(column).and_then(|place| record.get(*place)).unwrap_or_default();
        let (participant, site) = subjects
            .0
            .get(cell(&self.subject))
            .cloned()
            .ok_or_else(|| format!("{}: the subject is not in the subjects file", self.subject))?;
        let form_repeat = match &self.repeat {
            None => 0,
            Some(column) => cell(column).parse().map_err(|_| format!("{column}: not a whole number"))?,
        };
        let instance = FormInstance {
            participant,
            event: self.event.name(cell)?,
            event_repeat: 0,
            form: self.form.name(cell)?,
            form_repeat,
        };
        let values: Vec<Datapoint> = self
            .items
            .as_deref()
            .unwrap_or(header)
            .iter()
            .filter(|item| !cell(item).is_empty())
            .map(|item| Datapoint {
                nonce: [0; 16],
                item: item.clone(),
                repeat: String::new(),
                value: cell(item).to_owned(),
                unit: self.units.get(item).map(cell).unwrap_or_default().to_owned(),
            })
            .collect();
        if values.is_empty() {
            return Err("the row is empty".to_owned());
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
        Ok(Row { number, header, values, earlier: content.earlier_request() })
    }
}

impl Place {
    fn name<'a>(&self, cell: impl Fn(&String) -> &'a str) -> Result<Name, String> {
        match self {
            Place::Constant { constant } => Ok(constant.clone()),
            Place::Column { column, empty } => match (cell(column), empty) {
                ("", Some(empty)) => Ok(empty.clone()),
                (text, _) => text.parse().map_err(|error| format!("{column}: {error}")),
            },
        }
    }
}
