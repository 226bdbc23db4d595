//! The dashboard and the alerts name what is measured, and everything that is measured; every alert says what to do.

use crate::{collector::Collector, deployment::Told};
use serde_json::Value;
use std::{collections::BTreeSet, fs, io::Write, process::Stdio};
use synthetic::{Study, text_item, value};
use testbed::{judges::python, repository};
use vocabulary::command::FormDef;

fn document(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

/// The names of metrics in a text, without what a histogram's series add.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("trialseal_"));
    ours.map(|word| ["_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word))
        .map(ToOwned::to_owned)
        .collect()
}

/// The metrics of an exposition, by their `# TYPE` lines.
fn exposed(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    types.filter(|name| *name != "target_info").map(ToOwned::to_owned).collect()
}

/// The expressions of all panels.
fn expressions(of: &Value) -> String {
    match of {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("expr", Value::String(expression)) => format!("{expression}\n"),
                _ => expressions(value),
            })
            .collect(),
        Value::Array(all) => all.iter().map(expressions).collect(),
        _ => String::new(),
    }
}

/// The values of a key in `alerts.yaml`.
fn values(key: &str) -> Vec<String> {
    let alerts = document("alerts.yaml");
    let lines = alerts.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix(key));
    lines.map(|rest| rest.trim_start_matches(':').trim().trim_matches('"').to_owned()).collect()
}

/// Each section of the runbook, by its anchor.
fn sections() -> Vec<(String, String)> {
    let (runbook, mut sections) = (document("RUNBOOK.md"), Vec::<(String, String)>::new());
    for line in runbook.lines() {
        match line.strip_prefix("## ").or(line.strip_prefix("### ")) {
            Some(title) => sections.push((title.to_lowercase().replace(' ', "-"), String::new())),
            None => sections.iter_mut().next_back().into_iter().for_each(|(_, text)| *text += &format!("{line}\n")),
        }
    }
    sections
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dashboard_and_alerts_name_is_measured_and_what_is_measured_is_shown() {
    let (_collector, url) = Collector::start().await;
    let mut told = Told::start(&url).await;
    let client = told.client();
    let study = Study::create(&client, "METERS-01").await.unwrap();
    let site = study.open_site(&client, "701", "Synthetic site").await.unwrap();
    let form = FormDef { provision: None, form: "VS".parse().unwrap(), items: vec![text_item("SYSBP").unwrap()] };
    study.define(&client, "1", vec![form]).await.unwrap();
    let participant = study.enrol(&client, &site).await.unwrap();
    study.consent(&client, &participant).await.unwrap();
    let header = study.header(&participant, "VISIT", "VS", 0).unwrap();
    let form = client::sign_form(header, vec![value("SYSBP", "120")], &study.coordinator.key).unwrap();
    client.submit(form).await.unwrap();
    let chained = async || {
        told.metrics()
            .await
            .lines()
            .any(|line| line.starts_with("trialseal_anchoring_checkpoint_wait_seconds"))
            .then_some(())
    };
    crate::deployment::eventually("a block in a checkpoint", chained).await;
    let exposed = exposed(&told.metrics().await);
    let openmetrics =
        told.metrics_as("application/openmetrics-text;version=1.0.0;q=0.7,text/plain;version=0.0.4;q=0.3").await;
    told.stop().await;
    judged(&openmetrics);

    let dashboard = expressions(&serde_json::from_str(&document("dashboard.json")).unwrap());
    let alerts = values("expr").join("\n");
    let named: BTreeSet<String> = metrics_in(&dashboard).union(&metrics_in(&alerts)).cloned().collect();
    let nowhere: Vec<&String> = named.difference(&exposed).collect();
    assert!(nowhere.is_empty(), "named and not measured: {nowhere:?} of {exposed:?}");
    let unseen: Vec<String> = exposed.difference(&metrics_in(&dashboard)).cloned().collect();
    assert!(unseen.is_empty(), "measured and in no panel: {unseen:?}");
}

/// Has somebody else's strict parser read OpenMetrics, and checks names and texts by Prometheus's conventions.
fn judged(answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let mut judge = python("openmetrics.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    judge.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    assert!(output.status.success());
    let families = String::from_utf8(output.stdout).unwrap();
    for family in families.lines().filter(|family| !family.starts_with("target")) {
        let (name, (kind, help)) =
            family.split_once(' ').and_then(|(name, rest)| Some((name, rest.split_once(' ')?))).unwrap();
        assert!(name.starts_with("trialseal_"), "{family}");
        assert!(!name.contains("milliseconds") && !name.contains("percent"), "{family}: base units");
        assert!(help.split(' ').count() >= 3, "{family}: says too little");
        assert_eq!(kind == "histogram" && name.contains("duration"), name.ends_with("duration_seconds"), "{family}");
    }
    assert!(families.lines().count() > 20, "{families}");
}

#[test]
fn every_alert_has_its_section_and_every_section_of_an_alert_its_alert() {
    let (alerts, sections) = (values("alert"), sections());
    assert!(!alerts.is_empty());
    let links = values("runbook_url");
    assert_eq!(alerts.len(), links.len(), "every alert has a link");
    for (alert, link) in alerts.iter().zip(links) {
        let anchor = alert.to_lowercase();
        assert!(link.ends_with(&format!("docs/RUNBOOK.md#{anchor}")), "{alert}: {link}");
        let (_, text) =
            sections.iter().find(|(title, _)| *title == anchor).unwrap_or_else(|| panic!("{alert}: no section"));
        for part in ["Means:", "See:", "Do:"] {
            assert!(text.contains(part), "{alert} does not say {part}");
        }
    }
    let of_alerts = sections.iter().filter(|(title, _)| title.starts_with("trialseal"));
    for (title, _) in of_alerts {
        assert!(alerts.iter().any(|alert| alert.to_lowercase() == *title), "{title} is no alert any more");
    }
    assert_eq!(values("severity").len(), alerts.len(), "every alert says how bad it is");
}
