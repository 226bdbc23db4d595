//! Enrolment end to end: start-up, screening, limits, one person at two sites, randomisation that can be proven and is
//! concealed, unblinding, the reveal, and the audit of it all.

#![allow(clippy::unwrap_used)]

mod randomisation;
mod screening;
mod start;
mod trial;

use client::{new_uuid, now_ms};
use randomisation::{concealment, randomisation, reveal, unblinding};
use reports::people;
use screening::{one_person_at_two_sites, screening};
use start::start_up;
use synthetic::{Actor, Participant};
use trial::*;
use vocabulary::command::{Collected, EraseParticipant, WithdrawConsent, WithdrawalScope};

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_from_its_start_to_the_reveal() {
    let logs = Logs::capture();
    let trial = Trial::start().await;
    let secret = start_up(&trial).await;
    let unreadable = screening(&trial).await;
    one_person_at_two_sites(&trial).await;
    let participants = randomisation(&trial).await;
    concealment(&trial, &participants).await;
    unblinding(&trial, &participants).await;
    conceals("the log", &logs.text());
    assert!(logs.text().len() > 1_000, "nothing was logged, so nothing was shown");
    delegation_log(&trial).await;
    reveal(&trial, &secret).await;

    let report = trial.audit().await;
    assert!(report.clean, "{:#?}", report.findings);
    assert_eq!(report.allocations, participants.len() as u64);
    let screened = report.screenings;
    erase(&trial, &unreadable).await;
    let report = trial.audit().await;
    assert!(report.clean, "{:#?}", report.findings);
    assert_eq!(report.screenings, screened - 1);
    let (report, judged) = trial.exported().await;
    assert!(report.clean && judged["verified"] == true, "{:#?} {judged}", report.findings);
    let counts = ["entries", "commands", "datapoints"].map(|what| judged["counts"][what].as_u64().unwrap());
    assert_eq!(counts, [report.entries, report.commands, report.datapoints]);
    let Trial { deployment, folder, .. } = trial;
    deployment.stop().await;
    drop(folder);
}

async fn delegation_log(trial: &Trial) {
    let reader = trial.reader(&trial.study.auditor);
    let events = people::delegations(&trial.client, &reader, None).await.unwrap();
    let csv = people::delegation_csv(&events).unwrap();
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), events.len());
    let pharmacist = rows.iter().find(|row| &row[0] == "pharmacist").unwrap();
    assert_eq!((&pharmacist[1], &pharmacist[2], &pharmacist[9]), ("see_allocation", "701", "2026-01-10"));
    let page = people::delegation_page(&trial.study.id.to_string(), &events);
    assert!(page.contains("physician: unblind at site 701"), "{page}");
    let site = people::delegations(&trial.client, &trial.reader(&trial.pharmacist), Some("701")).await.unwrap();
    assert!(site.iter().all(|event| event.site == "701" || event.site == "*"));
    people::delegations(&trial.client, &trial.reader(&trial.pharmacist), None).await.unwrap_err();
    people::delegations(&trial.client, &trial.reader(&trial.pharmacist), Some("702")).await.unwrap_err();
}

/// Withdraws everything and destroys the key of somebody who was screened: their answers and outcomes are gone, the journal still replays.
async fn erase(trial: &Trial, who: &Participant) {
    let (participant, site, provisions) = (who.name.clone(), who.site.clone(), Vec::new());
    let by = Actor { name: who.name.clone(), key: who.key.clone() };
    let (scope, collected) = (Some(WithdrawalScope::Everything), Some(Collected::Kept));
    let withdraw =
        command!(trial.study, by, WithdrawConsent { participant, site, provisions, scope, collected, late: None });
    trial.record(&withdraw, &by).await.unwrap();
    let by = &trial.study.investigator;
    let (participant, site, entries) = (who.name.clone(), who.site.clone(), Vec::new());
    let (order, law) = (name("the participant's request"), name("GDPR 17"));
    let erase = command!(trial.study, by, EraseParticipant { participant, site, entries, order, law });
    trial.record(&erase, by).await.unwrap();
}
