//! Tables as they come.

use super::{Field, MAPPING, event, refused};
use client::{Client, new_key};
use import::{EXAMPLE, Import, Mapping, Report, Subjects};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use support::process::TRIALSEAL;
use synthetic::{Actor, name};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::block_in_place,
};
use vocabulary::command::Task;

use super::support;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_columns_that_look_the_same_is_refused_whole() {
    let field = Field::new().await;
    for (header, what) in [
        ("SUBJ,SUBJ,VISIT,TEMP,TEMP", "columns 1 and 2 are both named \"SUBJ\""),
        ("SUBJ,VISIT,TEMP,NOTE,TEMP", "columns 3 and 5 are both named \"TEMP\""),
        ("SUBJ,VISIT,TEMP,Temp,NOTE", "columns 3 and 4 are named"),
        ("SUBJ,VISIT,TEMP,TEMP\u{200b},NOTE", "columns 3 and 4 are named"),
        ("SUBJ,VISIT,TEMP,NOTE,\u{a0}NOTE ", "columns 4 and 5 are named"),
    ] {
        let error = field.import(&format!("{header}\n001,VISIT 1,36.1,39.9,x\n")).await.unwrap_err();
        assert!(format!("{error:#}").contains(what), "{header}: {error:#}");
    }
    assert_eq!(field.recorded(0).await, []);
    // Columns without a name are no columns.
    let report = field.import("\u{feff}SUBJ,VISIT,TEMP,,\n001,VISIT 1,36.1,,\n").await.unwrap();
    assert_eq!((report.recorded, refused(&report)), (1, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_names_each_item_once_and_units_of_what_is_captured() {
    let field = Field::new().await;
    for (mapping, what) in [
        (MAPPING.replace("[\"TEMP\"]", "[\"TEMP\", \"TEMP\"]"), "names the item \"TEMP\" twice"),
        (MAPPING.replace("[\"TEMP\"]", "[\"PULSE\"]"), "names the column \"PULSE\""),
        (format!("{MAPPING}[units]\nNOTE = \"VISIT\"\n"), "a unit for \"NOTE\""),
    ] {
        field.write("mapping.toml", &mapping);
        let error = field.import("SUBJ,VISIT,TEMP,NOTE\n001,VISIT 1,36.1,x\n").await.unwrap_err();
        assert!(format!("{error:#}").contains(what), "{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_who_would_be_two_participants_is_refused() {
    let field = Field::new().await;
    let table = "SUBJ,VISIT,TEMP\n001,VISIT 1,36.6\n";
    for (subjects, what) in [
        (vec![("001", 0), ("001", 1)], "lines 2 and 3: one subject has two participants"),
        (vec![("001", 0), ("002", 0)], "lines 2 and 3: two subjects have the same participant"),
        (vec![("001", 0), ("001\u{200b}", 1)], "lines 2 and 3: two subjects look the same"),
        (vec![("001", 0), ("001 ", 1)], "lines 2 and 3: two subjects look the same"),
        (vec![("001", 0), ("\u{a0}", 1)], "line 3: the subject is blank"),
    ] {
        field.subjects(&subjects);
        let error = field.import(table).await.unwrap_err();
        assert!(format!("{error:#}").contains(what), "{subjects:?}: {error:#}");
    }
    assert_eq!((field.recorded(0).await, field.recorded(1).await), (vec![], vec![]));
    field.subjects(&[("001", 0), ("001", 0), ("002", 1)]); // said twice, and the same
    assert_eq!(field.import(table).await.unwrap().recorded, 1);

    let who = |number: usize| (field.world.participants[number].name.clone(), field.world.site.clone());
    let two: Subjects = [("001".to_owned(), who(0)), ("001".to_owned(), who(1))].into_iter().collect();
    let (mapping, signer) = (Mapping::read(&field.path("mapping.toml")).unwrap(), field.coordinator());
    let import =
        Import { client: &field.world.client, signer: &signer, mapping: &mapping, subjects: &two, progress: false };
    let report = import.run(&field.path("table.csv")).await.unwrap();
    assert_eq!((report.recorded, refused(&report)), (0, vec![(1, "SUBJ", "ROW")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_contradict_one_another_are_not_recorded_and_all_reported() {
    let field = Field::new().await;
    let rows: String = (0..60).map(|day| format!("001,DAY {day:02},36.1\n001,DAY {day:02},36.2\n")).collect();
    let report = field.import(&format!("SUBJ,VISIT,TEMP\n{rows}001,DAY 60,36.3\n")).await.unwrap();
    let all: Vec<u64> = report.refused.iter().map(|row| row.row).collect();
    assert_eq!(all, (1..=120).collect::<Vec<_>>());
    assert!(report.refused.iter().all(|row| row.reason == "ROWS_DIFFER"));
    assert_eq!((report.rows, report.recorded, report.recorded_before), (121, 1, 0));
    assert!(report.refused[0].message.contains("row 2 "), "{}", report.refused[0].message);
    assert!(report.refused[1].message.contains("row 1 "), "{}", report.refused[1].message);
    assert_eq!(field.recorded(0).await, [("DAY 60".to_owned(), "36.3".to_owned())]);
    // A third row that agrees with one of them settles nothing; another participant's row is of another form.
    let table = "SUBJ,VISIT,TEMP\n001,DAY 70,1\n002,DAY 70,2\n001,DAY 70,3\n001,DAY 70,1\n";
    let report = field.import(table).await.unwrap();
    assert_eq!(refused(&report), [(1, "", "ROWS_DIFFER"), (3, "", "ROWS_DIFFER"), (4, "", "ROWS_DIFFER")]);
    assert_eq!(field.recorded(1).await, [("DAY 70".to_owned(), "2".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_row_was_recorded_before_and_is_no_error() {
    let field = Field::new().await;
    let table = "SUBJ,VISIT,TEMP,NOTE\n001,VISIT 1,36.6,a\n002,VISIT 1,99,\n001,VISIT 1,36.6,b\n002,VISIT 1,99,\n";
    let report = field.import(table).await.unwrap();
    // NOTE is not captured, so rows 1 and 3 say the same; rows 2 and 4 are refused alike.
    assert_eq!((report.recorded, report.recorded_before, report.left()), (1, 1, 0));
    assert_eq!(refused(&report), [(2, "TEMP", "VALUE_OUT_OF_RANGE"), (4, "TEMP", "VALUE_OUT_OF_RANGE")]);
    let report = field.import(table).await.unwrap();
    assert_eq!((report.recorded, report.recorded_before, report.refused.len()), (0, 2, 2));
    assert_eq!(field.recorded(0).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_visit_is_refused_whether_or_not_the_study_lists_its_visits() {
    let rows = ["VISIT 1", "Visit 1", "VISIT  1", "VISIT\u{a0}1", "VIS1T 1", "VISIT 1\u{200b}"];
    let table: String = rows.iter().zip(0..).map(|(visit, n)| format!("001,{visit},36.{n}\n")).collect();
    let table = format!("SUBJ,VISIT,TEMP\n{table}");
    let first = [("VISIT 1".to_owned(), "36.0".to_owned())];

    let field = Field::new().await;
    let report = field.import(&table).await.unwrap();
    assert_eq!(refused(&report), (2..=6).map(|row| (row, "VISIT", "LOOKS_ALIKE")).collect::<Vec<_>>());
    assert!(report.refused[0].message.contains("Row 1 spells it otherwise"), "{}", report.refused[0].message);
    assert_eq!(field.recorded(0).await, first);
    // Nor by a table of its own, for anybody: the study has a visit of that name.
    for visit in &rows[1..] {
        let report = field.import(&format!("SUBJ,VISIT,TEMP\n002,{visit},36.1\n")).await.unwrap();
        assert_eq!(refused(&report), [(1, "VISIT", "LOOKS_ALIKE")], "{visit:?}");
    }
    assert_eq!(field.import("SUBJ,VISIT,TEMP\n002,VISIT 1,36.1\n002,VISIT 2,36.1\n").await.unwrap().recorded, 2);

    let field = Field::new().await;
    field.define("3", vec![event("VISIT 1"), event("VISIT 2")]).await;
    field.write("mapping.toml", &MAPPING.replace("\"2\"", "\"3\""));
    for visit in rows[1..].iter().chain(&["VISIT 3"]) {
        let report = field.import(&format!("SUBJ,VISIT,TEMP\n001,{visit},36.1\n")).await.unwrap();
        assert_eq!(refused(&report), [(1, "VISIT", "EVENT_UNKNOWN")], "{visit:?}");
    }
    let misspelt_first = "SUBJ,VISIT,TEMP\n001,Visit 1,36.9\n001,VISIT 1,36.0\n";
    let report = field.import(misspelt_first).await.unwrap();
    assert_eq!((report.recorded, refused(&report)), (1, vec![(1, "VISIT", "EVENT_UNKNOWN")]));
    assert_eq!(field.import(&table).await.unwrap().recorded_before, 1);
    assert_eq!(field.recorded(0).await, first);
    assert_eq!(field.audit().await.remarks, []);

    // What was captured before there was a list does not keep the listed event out.
    field.write("mapping.toml", MAPPING);
    assert_eq!(field.import("SUBJ,VISIT,TEMP\n002,Visit 2,36.1\n").await.unwrap().recorded, 1);
    field.write("mapping.toml", &MAPPING.replace("\"2\"", "\"3\""));
    assert_eq!(field.import("SUBJ,VISIT,TEMP\n002,VISIT 2,36.1\n").await.unwrap().recorded, 1);
    let remarks = field.audit().await.remarks;
    assert!(remarks.len() == 1 && remarks[0].what.contains("spelt otherwise"), "{remarks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_file_overwrites_nothing_and_says_so() {
    let field = Field::new().await;
    field.import("SUBJ,VISIT,TEMP\n001,VISIT 1,37.1\n").await.unwrap();
    let report = field.import("SUBJ,VISIT,TEMP\n001,VISIT 1,37.2\n").await.unwrap();
    assert_eq!((report.recorded, refused(&report)), (0, vec![(1, "", "FORM_EXISTS")]));
    assert!(report.refused[0].message.contains("do not record corrections"), "{}", report.refused[0].message);
    assert_eq!(field.recorded(0).await, [("VISIT 1".to_owned(), "37.1".to_owned())]);
    // What somebody else recorded is not this person's row, even if it says the same.
    let nurse = Actor { name: name("nurse-701").unwrap(), key: new_key().unwrap() };
    let (client, study) = (&field.world.client, &field.world.study);
    study.register(client, &nurse).await.unwrap();
    study.delegate(client, &study.root, &nurse, Task::Capture, &field.world.site).await.unwrap();
    let report = field.import_by("SUBJ,VISIT,TEMP\n001,VISIT 1,37.1\n", &nurse).await.unwrap();
    assert_eq!(refused(&report), [(1, "", "FORM_EXISTS")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_taken_as_sdtm_writes_them_and_kept_as_written() {
    let field = Field::new().await;
    field.write("mapping.toml", &MAPPING.replace("[\"TEMP\"]", "[\"VSDTC\"]\ndate = \"VSDTC\""));
    let good = [
        "2003---15",
        "--12-15",
        "-----T07:15",
        "2003-12-15T-:15",
        "2003-12-01/2003-12-10",
        "2003-12",
        "2003",
        "2003-12-15T13:15:17.123",
        "2003-12-15T13:15+05:30",
    ];
    let bad = ["2003-12-15T24:00", "15DEC2003", "2003--15", "2003-02-30", "2003-12-10/2003-12-01"];
    let rows: String = good.iter().chain(&bad).zip(1..).map(|(date, n)| format!("001,VISIT {n},{date}\n")).collect();
    let report = field.import(&format!("SUBJ,VISIT,VSDTC\n{rows}")).await.unwrap();
    assert_eq!(report.recorded, good.len() as u64, "{:?}", report.refused);
    assert_eq!(refused(&report), (10..=14).map(|row| (row, "VSDTC", "VALUE_WRONG_TYPE")).collect::<Vec<_>>());
    assert_eq!(report.refused[0].line, 11);
    let forms = field.forms_of(0).await;
    let kept: Vec<&str> = forms.iter().map(|form| form.values[0].value.as_str()).collect();
    let collected: Vec<&str> = forms.iter().map(|form| form.collected.as_str()).collect();
    assert_eq!((kept, collected), (good.to_vec(), good.to_vec()));
    field.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_cells_are_empty_and_faults_name_their_column() {
    let field = Field::new().await;
    field.write(
        "mapping.toml",
        &format!(
            "{}[units]\nTEMP = \"UNIT\"\n",
            MAPPING.replace("[\"TEMP\"]", "[\"TEMP\", \"NOTE\"]\nrepeat = \"SEQ\"")
        ),
    );
    let table = "SUBJ,VISIT,SEQ,TEMP,UNIT,NOTE\n\
                 001,VISIT 1,1,36.6,C,\u{a0}\u{200b}\n\
                 001,\u{200b},1,36.6,C,x\n\
                 001,VISIT 1,one,36.6,C,x\n\
                 \u{3000},VISIT 1,2,36.6,C,x\n\
                 001,VISIT 1,3, ,C,\"\n\"\n\
                 001,VISIT 1,4,hot,C,x\n\
                 001,VISIT 1,5,36.6,\u{200b},x\n";
    let report = field.import(table).await.unwrap();
    let expected =
        [(2, "VISIT", "ROW"), (3, "SEQ", "ROW"), (4, "SUBJ", "ROW"), (5, "", "ROW"), (6, "TEMP", "VALUE_WRONG_TYPE")];
    assert_eq!(refused(&report), expected);
    let lines: Vec<u64> = report.refused.iter().map(|row| row.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 8], "a cell of row 5 has two lines");
    let text = report.readable();
    assert!(text.contains("row 6 (line 8), column TEMP: VALUE_WRONG_TYPE"), "{text}");
    assert!(!text.contains("hot"), "{text}");
    let values: Vec<_> = field.forms_of(0).await.into_iter().map(|form| form.values).collect();
    let said = |form: &Vec<proto::capture::ItemValue>| {
        form.iter().map(|v| (v.value.clone(), v.unit.clone())).collect::<Vec<_>>()
    };
    assert_eq!(said(&values[0]), [("36.6".to_owned(), "C".to_owned())]);
    assert_eq!(said(&values[1]), [("36.6".to_owned(), String::new()), ("x".to_owned(), String::new())]);
}

/// The mapping in the README, as it is there, and in the help.
#[tokio::test(flavor = "multi_thread")]
async fn the_mapping_of_the_readme_imports() {
    let readme = fs::read_to_string(support::repository().join("README.md")).unwrap();
    let start = readme.find("```toml\n").unwrap() + "```toml\n".len();
    let mapping = &readme[start..start + readme[start..].find("```").unwrap()];
    assert_eq!(mapping, EXAMPLE);
    let help = Command::new(TRIALSEAL).args(["import", "csv", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("VSORRES = \"VSORRESU\""));
    let field = Field::new().await;
    field.define("1.0", Vec::new()).await;
    field.write("mapping.toml", &mapping.replace("\"1\" ", "\"2\" "));
    let table = "USUBJID,VISIT,VSSEQ,VSDTC,VSTESTCD,VSORRES,VSORRESU\n\
                 001,BASELINE,1,2014-01-16T13:17,TEMP,98.6,F\n001,,2,2014-01,PULSE,61,BEATS/MIN\n";
    let report = field.import(table).await.unwrap();
    assert_eq!((report.recorded, refused(&report)), (2, vec![]));
    let forms = field.forms_of(0).await;
    let result = &forms[0].values[1];
    assert_eq!((result.item.as_str(), result.value.as_str(), result.unit.as_str()), ("VSORRES", "98.6", "F"));
    assert_eq!(forms[1].instance.as_ref().unwrap().event, "NONE");
}

const UNAVAILABLE: &str = "DEPENDENCY_UNAVAILABLE";

impl Field {
    /// Imports a table again and again until every row is recorded; gives how many were recorded here.
    async fn until_all_are_recorded(&self, table: &str) -> u64 {
        let mut recorded = 0;
        loop {
            let report = self.import(table).await.unwrap();
            recorded += report.recorded;
            assert!(report.refused.iter().all(|row| row.reason == UNAVAILABLE), "{:?}", report.refused.first());
            if report.refused.is_empty() {
                return recorded;
            }
        }
    }
}

/// A table of many rows, each of a repetition of its own.
fn many(rows: u32) -> String {
    let rows: String = (0..rows).map(|row| format!("001,VISIT 1,{row},36.6\n")).collect();
    format!("SUBJ,VISIT,SEQ,TEMP\n{rows}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_says_what_was_done_and_goes_on_when_run_again() {
    const ROWS: u32 = 3_000;
    let field = Field::new().await;
    field.write("mapping.toml", &format!("{MAPPING}repeat = \"SEQ\"\n"));
    field.write("table.csv", &many(ROWS));
    field.write("coordinator.key", &field.world.study.coordinator.key.to_secret_text());
    // No more gets through than some rows, until the import was interrupted.
    let mut endpoints: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(field.path("endpoints.json")).unwrap()).unwrap();
    let (held, open) = held(endpoints["capture"].as_str().unwrap(), 300 << 10).await;
    endpoints["capture"] = held.into();
    field.write("held.json", &endpoints.to_string());
    let run = |endpoints: &str| {
        let mut command = Command::new(TRIALSEAL);
        command.args(["import", "csv"]).arg(field.path("table.csv")).args(["--actor", "coordinator-lund", "--json"]);
        command.args(["--study", &field.world.study.id.to_string()]).arg("--key").arg(field.path("coordinator.key"));
        command.arg("--endpoints").arg(field.path(endpoints)).arg("--mapping").arg(field.path("mapping.toml"));
        command.arg("--subjects").arg(field.path("subjects.csv")).env("RUST_LOG", "error");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let mut interrupted = run("held.json");
    while field.forms_of(0).await.is_empty() {}
    Command::new("kill").args(["-INT", &interrupted.id().to_string()]).status().unwrap();
    let mut said = BufReader::new(interrupted.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(block_in_place(|| said.any(|line| line.contains("interrupt again"))));
    open.send(true).unwrap();
    let again = run("endpoints.json"); // at once: the service may still have rows of the first
    let (interrupted, again) = (interrupted.wait_with_output().unwrap(), again.wait_with_output().unwrap());
    let report =
        |output: &std::process::Output| -> serde_json::Value { serde_json::from_slice(&output.stdout).unwrap() };
    let (first, second) = (report(&interrupted), report(&again));
    assert_eq!(interrupted.status.code(), Some(130), "{first}");
    assert_eq!(first["interrupted"], true, "{first}");
    let refused = |report: &serde_json::Value| {
        let rows = report["refused"].as_array().unwrap().iter();
        rows.filter(|row| row["reason"] != UNAVAILABLE).cloned().collect::<Vec<_>>()
    };
    assert_eq!((refused(&first), refused(&second)), (vec![], vec![]));
    let count = |report: &serde_json::Value, what: &str| report[what].as_u64().unwrap();
    let last = field.until_all_are_recorded(&many(ROWS)).await;
    let recorded = count(&first, "recorded") + count(&second, "recorded") + last;
    assert_eq!(recorded, u64::from(ROWS), "{first} {second}");
    assert!(count(&first, "recorded") < u64::from(ROWS), "it was not interrupted: {first}");
}

/// A way to the service at `url` that lets so many bytes through, and the others once it is opened.
async fn held(url: &str, bytes: usize) -> (String, watch::Sender<bool>) {
    let to = url.strip_prefix("http://").unwrap().to_owned();
    let (listener, (open, opened)) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), watch::channel(false));
    let here = format!("http://{}", listener.local_addr().unwrap());
    let passed = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let (to, passed, mut opened) = (to.clone(), passed.clone(), opened.clone());
            tokio::spawn(async move {
                let (mut reading, mut writing) = from.split();
                let mut service = TcpStream::connect(to).await.unwrap();
                let (mut answers, mut requests) = service.split();
                let forward = async {
                    let mut buffer = vec![0; 16 << 10];
                    while let Ok(read @ 1..) = reading.read(&mut buffer).await {
                        let is_held = passed.fetch_add(read, SeqCst) > bytes;
                        if is_held && opened.wait_for(|is_open| *is_open).await.is_err()
                            || requests.write_all(&buffer[..read]).await.is_err()
                        {
                            return;
                        }
                    }
                };
                tokio::select! {
                    () = forward => {}
                    _ended = tokio::io::copy(&mut answers, &mut writing) => {}
                }
            });
        }
    });
    (here, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_import_run_twice_at_once_records_each_row_once() {
    let field = Field::new().await;
    field.write("mapping.toml", &format!("{MAPPING}repeat = \"SEQ\"\n"));
    let table = many(600);
    let (one, other) = tokio::join!(field.import(&table), field.import(&table));
    let (one, other) = (one.unwrap(), other.unwrap());
    // On a machine that is slow enough decisions grow too old; those rows are for a further run, and no row is recorded twice.
    let real =
        |report: &Report| report.refused.iter().filter(|row| row.reason != UNAVAILABLE).cloned().collect::<Vec<_>>();
    assert_eq!((real(&one), real(&other)), (vec![], vec![]));
    let last = field.until_all_are_recorded(&table).await;
    assert_eq!(one.recorded + other.recorded + last, 600);
    assert_eq!((one.left(), other.left()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_stopped_counts_every_row_that_was_sent() {
    let field = Field::new().await;
    field.write("mapping.toml", &format!("{MAPPING}repeat = \"SEQ\"\n"));
    field.write("table.csv", &many(600));
    let mapping = Mapping::read(&field.path("mapping.toml")).unwrap();
    let subjects = Subjects::read(&field.path("subjects.csv")).unwrap();
    let (client, signer): (&Client, _) = (&field.world.client, field.coordinator());
    let import = Import { client, signer: &signer, mapping: &mapping, subjects: &subjects, progress: false };
    let (stop, stopped) = oneshot::channel::<()>();
    drop(stop);
    let report = import.run_until(&field.path("table.csv"), async { drop(stopped.await) }).await.unwrap();
    assert!(report.interrupted && report.left() == 600, "{}", report.summary());
    assert!(report.summary().contains("600 left: run the same command again"), "{}", report.summary());
    assert_eq!(field.until_all_are_recorded(&many(600)).await, 600);
}
