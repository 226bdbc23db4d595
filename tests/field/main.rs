//! What the field brings: tables with columns named twice, subjects who are two participants, rows that contradict one another,
//! names that look alike, blank text, dates as SDTM writes them; and the commands of `trialseal` that take such input.

#![allow(clippy::unwrap_used)]

mod commands;
mod import;
mod order;
mod reads;
#[path = "../support/mod.rs"]
mod support;

use ::import::{Import, Mapping, Report, Subjects};
use client::{ClientError, Reader, SignedForm, sign_form};
use proto::capture as pb;
use seal::{datapoint::Datapoint, id::Name};
use std::path::PathBuf;
use support::World;
use synthetic::{Actor, name, text_item};
use vocabulary::command::{EventDef, FormDef, ItemDef, ItemType, Submission};

/// The mapping of these tables, under version `2` of the forms.
const MAPPING: &str = "forms_version = \"2\"\nsubject = \"SUBJ\"\nform = { constant = \"VS\" }\n\
                       event = { column = \"VISIT\" }\nitems = [\"TEMP\"]\n";

/// A study with forms for vital signs and medication, and the files of an import.
struct Field {
    world: World,
}

impl Field {
    async fn new() -> Self {
        let field = Self { world: World::new().await };
        field.define("2", Vec::new()).await;
        field.subjects(&[("001", 0), ("002", 1)]);
        field.write("mapping.toml", MAPPING);
        field
    }

    /// Defines the forms, and the events if there are any.
    async fn define(&self, version: &str, events: Vec<EventDef>) {
        let dated = ItemDef { kind: ItemType::PartialDatetime, ..text_item("VSDTC").unwrap() };
        let decimal = ItemDef { kind: ItemType::Decimal, max: Some(45.0), ..text_item("TEMP").unwrap() };
        let mandatory = ItemDef { mandatory: true, ..text_item("TERM").unwrap() };
        let vital = vec![
            decimal,
            dated,
            text_item("NOTE").unwrap(),
            text_item("VSTESTCD").unwrap(),
            text_item("VSORRES").unwrap(),
        ];
        let form = |form: &str, items| FormDef { form: name(form).unwrap(), items, provision: None };
        let forms = vec![form("VS", vital), form("CM", vec![mandatory])];
        self.world.study.define_with(&self.world.client, version, forms, events).await.unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.world.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        owner::write(&self.path(file), text.as_bytes()).unwrap(); // keys are among them
    }

    /// Writes the subjects file: each subject is the participant of that number.
    fn subjects(&self, subjects: &[(&str, usize)]) {
        let line = |(subject, number): &(&str, usize)| {
            let participant = &self.world.participants[*number];
            format!("{subject},{},{}\n", participant.name, participant.site)
        };
        let lines: String = subjects.iter().map(line).collect();
        self.write("subjects.csv", &format!("subject,participant,site\n{lines}"));
    }

    /// Imports a table.
    async fn import(&self, table: &str) -> anyhow::Result<Report> {
        self.import_by(table, &self.world.study.coordinator).await
    }

    async fn import_by(&self, table: &str, by: &Actor) -> anyhow::Result<Report> {
        self.write("table.csv", table);
        let mapping = Mapping::read(&self.path("mapping.toml"))?;
        let subjects = Subjects::read(&self.path("subjects.csv"))?;
        let signer = self.world.study.reads(by);
        let (mapping, subjects) = (&mapping, &subjects);
        let import = Import { client: &self.world.client, signer: &signer, mapping, subjects, progress: false };
        import.run(&self.path("table.csv")).await
    }

    fn coordinator(&self) -> Reader {
        self.world.study.reads(&self.world.study.coordinator)
    }

    /// The forms of a participant.
    async fn forms_of(&self, number: usize) -> Vec<pb::Form> {
        let participant = self.world.participants[number].name.to_string();
        let study = self.world.study.id.to_string();
        let request = pb::ListFormsRequest { study, participant, page_size: 500, page_token: String::new() };
        let answer = self.world.client.capture.clone().list_forms(self.coordinator().request(request)).await;
        answer.unwrap().into_inner().forms
    }

    /// The events and first values of a participant's forms, in the order they were recorded.
    async fn recorded(&self, number: usize) -> Vec<(String, String)> {
        let forms = self.forms_of(number).await.into_iter();
        forms.map(|form| (form.instance.unwrap().event, form.values[0].value.clone())).collect()
    }

    /// A header of a first submission for the first participant.
    fn header(&self, event: &str, form: &str) -> Submission {
        let header = self.world.study.header(&self.world.participants[0], event, form, 0).unwrap();
        Submission { forms_version: name("2").unwrap(), ..header }
    }

    fn sign(&self, header: Submission, values: Vec<Datapoint>) -> SignedForm {
        sign_form(header, values, &self.world.study.coordinator.key).unwrap()
    }

    /// Submits a form and gives its entry, or the reason and the field it was refused for.
    async fn submit(&self, header: Submission, values: Vec<Datapoint>) -> Result<u64, (String, String)> {
        match self.world.client.submit(self.sign(header, values)).await {
            Ok(receipt) => Ok(client::entry_number(&receipt).unwrap()),
            Err(error) => Err((error.reason().unwrap_or_default(), field_of(&error))),
        }
    }

    async fn audit(&self) -> audit::Report {
        let report = self.world.audit().await;
        assert!(report.clean, "{:?}", report.findings);
        report
    }
}

fn field_of(error: &ClientError) -> String {
    use tonic_types::StatusExt;
    let ClientError::Refused(status) = error else { return String::new() };
    let fields = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    fields.first().map(|fault| fault.field.clone()).unwrap_or_default()
}

/// The rows that were refused, with their columns and reasons.
fn refused(report: &Report) -> Vec<(u64, &str, &str)> {
    let rows = report.refused.iter();
    rows.map(|row| (row.row, row.column.as_deref().unwrap_or_default(), row.reason.as_str())).collect()
}

fn event(event: &str) -> EventDef {
    EventDef { event: event.parse::<Name>().unwrap(), forms: Vec::new() }
}
