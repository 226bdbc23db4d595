//! All of the CDISC pilot study: imported under synthetic consents, audited, proven.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Client, Reader, random};
use export::LiveAudit;
use import::{Import, Mapping, Subjects};
use proto::journal::{EntryView, ReadEntriesRequest};
use seal::{
    datapoint::Datapoint,
    dsse::Envelope,
    id::{Name, Service},
    policy::Policy,
};
use std::{collections::BTreeMap, fs::File, io::Read, path::Path};
use synthetic::{Study, text_item};
use trialseal::deployment::Deployment;
use vocabulary::command::{FormDef, Submission};

/// File, form, event, column of the repeat, column of the date.
const DOMAINS: [(&str, &str, &str, Option<&str>, &str); 8] = [
    ("dm", "DM", r#"{ constant = "DEMOGRAPHICS" }"#, None, "DMDTC"),
    ("sv", "SV", r#"{ column = "VISIT" }"#, None, "SVSTDTC"),
    ("vs", "VS", r#"{ column = "VISIT", empty = "NONE" }"#, Some("VSSEQ"), "VSDTC"),
    ("ae", "AE", r#"{ constant = "ADVERSE EVENTS" }"#, Some("AESEQ"), "AEDTC"),
    ("ex", "EX", r#"{ column = "VISIT", empty = "NONE" }"#, Some("EXSEQ"), "EXSTDTC"),
    ("ds", "DS", r#"{ column = "VISIT", empty = "NONE" }"#, Some("DSSEQ"), "DSDTC"),
    ("sc", "SC", r#"{ constant = "SUBJECT CHARACTERISTICS" }"#, Some("SCSEQ"), "SCDTC"),
    ("lbch", "LB", r#"{ column = "VISIT", empty = "NONE" }"#, Some("LBSEQ"), "LBDTC"),
];

struct Table {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

fn read(file: &Path) -> Table {
    let mut text = String::new();
    zstd::Decoder::new(File::open(file).unwrap()).unwrap().read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    Table { header, rows: reader.records().collect::<Result<_, _>>().unwrap() }
}

/// The cells that are not empty, by form and row: what has to be captured, no more and no less.
fn cells(table: &Table) -> Vec<BTreeMap<String, String>> {
    let row = |record: &csv::StringRecord| {
        let cells = table.header.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(column, cell)| (column.clone(), cell.to_owned())).collect()
    };
    table.rows.iter().map(row).collect()
}

async fn set_up(client: &Client, tables: &[Table]) -> (Study, Subjects) {
    let study = Study::create(client, "CDISCPILOT01").await.unwrap();
    let forms = DOMAINS.iter().zip(tables).map(|((_, form, ..), table)| FormDef {
        provision: None,
        form: form.parse().unwrap(),
        items: table.header.iter().map(|column| text_item(column).unwrap()).collect(),
    });
    study.define(client, "1", forms.collect()).await.unwrap();
    let demographics = cells(&tables[0]);
    let mut sites: Vec<&String> = demographics.iter().map(|row| &row["SITEID"]).collect();
    sites.sort();
    sites.dedup();
    assert_eq!(sites.len(), 17);
    for site in sites {
        study.open_site(client, site, "pilot site").await.unwrap();
    }
    let mut enrolled = Vec::new();
    for row in demographics {
        let site: Name = row["SITEID"].parse().unwrap();
        let participant = study.enrol(client, &site).await.unwrap();
        study.consent(client, &participant).await.unwrap();
        enrolled.push((row["USUBJID"].clone(), (participant.name, site)));
    }
    assert_eq!(enrolled.len(), 306);
    (study, enrolled.into_iter().collect())
}

/// What the journal holds of every submission: form and cells, each row once.
async fn captured(
    client: &Client,
    reader: &Reader,
) -> (Vec<(u64, Vec<Datapoint>)>, BTreeMap<String, Vec<BTreeMap<String, String>>>) {
    let request = ReadEntriesRequest {
        stream: Service::Capture.stream(reader.study).0.0.to_vec(),
        from: 0,
        limit: 0,
        view: EntryView::Full.into(),
        study: reader.study.to_string(),
    };
    let mut entries =
        client.journal(Service::Capture).read_entries(reader.request(request)).await.unwrap().into_inner();
    let (mut forms, mut by_form) = (Vec::new(), BTreeMap::<String, Vec<_>>::new());
    while let Some(message) = entries.message().await.unwrap() {
        let entry = seal::entry::Entry::parse(&message.entry).unwrap();
        if message.datapoints.is_empty() {
            continue; // the form definitions
        }
        let header: Submission = Envelope::parse(&message.envelope).unwrap().payload().unwrap();
        let datapoints: Vec<Datapoint> =
            message.datapoints.iter().map(|bytes| Datapoint::parse(bytes).unwrap()).collect();
        let cells = datapoints.iter().map(|datapoint| (datapoint.item.clone(), datapoint.value.clone())).collect();
        by_form.entry(header.instance.form.to_string()).or_default().push(cells);
        forms.push((entry.number, datapoints));
    }
    (forms, by_form)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pilot_study_is_imported_whole_audited_and_proven() {
    let Some(data) = support::real_data() else {
        println!("the real data is not beside the repository: nothing to import");
        return;
    };
    let tables: Vec<Table> =
        DOMAINS.iter().map(|(file, ..)| read(&data.join(format!("cdiscpilot01/{file}.csv.zst")))).collect();
    let folder = tempfile::tempdir().unwrap();
    let deployment = Deployment::start(&folder.path().join("data"), 0).await.unwrap();
    let client = Client::new(&deployment.endpoints).unwrap();
    let (study, subjects) = set_up(&client, &tables).await;
    let signer = Reader {
        access: None,
        study: study.id,
        actor: study.coordinator.name.clone(),
        key: study.coordinator.key.clone(),
    };

    let (mut rows, mut datapoints) = (0, 0);
    for (file, form, event, repeat, date) in DOMAINS {
        let repeat = repeat.map(|column| format!("repeat = {column:?}\n")).unwrap_or_default();
        let mapping = folder.path().join(format!("{file}.toml"));
        let text = format!(
            "forms_version = \"1\"\nsubject = \"USUBJID\"\nform = {{ constant = {form:?} }}\nevent = {event}\n{repeat}date = {date:?}\n"
        );
        std::fs::write(&mapping, text).unwrap();
        let mapping = Mapping::read(&mapping).unwrap();
        let import =
            Import { client: &client, signer: &signer, mapping: &mapping, subjects: &subjects, progress: false };
        let table = data.join(format!("cdiscpilot01/{file}.csv.zst"));
        let report = import.run(&table).await.unwrap();
        assert_eq!(report.refused, vec![], "{file}");
        assert_eq!((report.recorded, report.recorded_before), (report.rows, 0), "{file}");
        println!("{file}: {} rows, {} datapoints", report.recorded, report.datapoints);
        rows += report.recorded;
        datapoints += report.datapoints;
        if file == "ae" {
            let again = import.run(&table).await.unwrap();
            assert_eq!((again.recorded, again.recorded_before, again.refused), (0, report.rows, vec![]));
        }
    }
    let expected: Vec<_> = tables.iter().map(cells).collect();
    assert_eq!(rows, tables.iter().map(|table| table.rows.len() as u64).sum::<u64>());
    assert_eq!(datapoints, expected.iter().flatten().map(|row| row.len() as u64).sum::<u64>());
    assert!(rows > 66_000 && datapoints > 1_400_000, "{rows} rows, {datapoints} datapoints");

    let (forms, mut by_form) = captured(&client, &study.reader()).await;
    for ((_, form, ..), mut expected) in DOMAINS.iter().zip(expected) {
        let mut found = by_form.remove(*form).unwrap();
        expected.sort();
        found.sort();
        assert!(found == expected, "{form}: the journal holds other cells than the table");
    }

    let policy = Policy::parse(&format!("{}{}", deployment.policy, study.policy_line())).unwrap();
    // The last entry's bundle exists once everything before it is on the chain, too.
    let last = forms.last().unwrap();
    client.prove(&study.reads(&study.coordinator), last.0, &last.1[0].item, "").await.unwrap();
    let tiles = &deployment.endpoints.anchoring;
    let audit = LiveAudit { client: &client, tiles, policy: &policy, studies: vec![study.reader()], progress: false };
    let report = audit.run().await.unwrap();
    println!("{}", audit::readable(&report));
    assert!(report.clean);
    assert_eq!((report.datapoints, report.waiting), (datapoints, 0));

    let seed = u64::from_be_bytes(random().unwrap());
    println!("seed of the random datapoints: {seed}");
    let (client, policy, forms, reader) = (&client, &policy, &forms, &study.reader());
    for round in 0..1_000_u64 {
        let pick = seal::sha256(&[&seed.to_be_bytes(), &round.to_be_bytes()]).0;
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
        let (entry, datapoints) = &forms[number(&pick[..4]) % forms.len()];
        let datapoint = &datapoints[number(&pick[4..8]) % datapoints.len()];
        let bundle = client.prove(reader, *entry, &datapoint.item, "").await.unwrap();
        let report = seal::verify::verify(&bundle, policy);
        assert!(report.verified, "entry {entry}, {}: {:?}", datapoint.item, report.failure);
        let claim = report.claim.unwrap();
        assert_eq!((&claim.item, &claim.value), (&datapoint.item, &datapoint.value));
        assert!(claim.consent.synthetic);
    }
    deployment.stop().await;
}
