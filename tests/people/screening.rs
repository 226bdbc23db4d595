//! Screening, and one person at two sites.

use crate::trial::*;
use client::{new_uuid, now_ms, sign_screening};
use identity::{Attributes, MatchingKey, token};
use proto::enrollment as pb;
use reports::people;
use seal::{datapoint::Datapoint, text::Hex};
use synthetic::{Participant, value};
use vocabulary::{
    command::{ClearMatch, LinkParticipants, Provision, Stage, WithdrawParticipant, WithdrawalReason},
    eligibility::Outcome,
};

/// Outcomes are those of the answers; only the investigator overrides. Gives who failed.
pub(crate) async fn screening(trial: &Trial) -> Participant {
    use Outcome::{Met, NotMet, Undetermined};
    let (coordinator, investigator) = (&trial.study.coordinator, &trial.study.investigator);
    let request = |answers: &[Datapoint]| pb::EvaluateEligibilityRequest {
        study: trial.study.id.to_string(),
        site: "701".to_owned(),
        answers: answers.iter().map(Datapoint::to_bytes).collect(),
    };
    let reader = trial.reader(coordinator);
    let dry = trial.client.enrollment().evaluate_eligibility(reader.request(request(&answers("17", "")))).await;
    let dry = dry.unwrap().into_inner();
    let outcomes: Vec<&str> = dry.outcomes.iter().map(|outcome| outcome.outcome.as_str()).collect();
    assert_eq!((dry.eligible, outcomes), (false, vec!["not_met", "undetermined"]));

    let minor = trial.screen(&trial.sites[0], None).await;
    refused(trial.enter(&minor, Stage::Enrolled).await, "SCREENING_REQUIRED");
    let says = |found| trial.screening(coordinator, &minor, found, None);
    refused(trial.decide(says([Met, NotMet]), answers("17", "false"), coordinator).await, "OUTCOME_MISMATCH");
    let mut signed = sign_screening(says([NotMet, NotMet]), answers("17", "false"), &coordinator.key).unwrap();
    signed.answers.swap(0, 1);
    refused(recorded(trial.client.record_screening(signed).await), "ROOT_MISMATCH");
    let signed = sign_screening(says([NotMet, Undetermined]), vec![value("AGE", "17")], &coordinator.key).unwrap();
    let first = trial.client.record_screening(signed.clone()).await.unwrap();
    assert_eq!(trial.client.record_screening(signed).await.unwrap(), first, "a lost answer is asked for again");
    refused(trial.enter(&minor, Stage::Enrolled).await, "STAGE_NOT_PERMITTED");

    let silent = trial.register(&trial.sites[0], None).await;
    let without = trial.screening(coordinator, &silent, [Met, NotMet], None);
    refused(trial.decide(without, answers("44", "false"), coordinator).await, "CONSENT_MISSING");

    let near = trial.screen(&trial.sites[0], None).await;
    let over = Some("eighteen next week; agreed with the sponsor");
    let by_coordinator = trial.screening(coordinator, &near, [NotMet, NotMet], over);
    refused(trial.decide(by_coordinator, answers("17", "false"), coordinator).await, "DELEGATION_MISSING");
    let by_investigator = trial.screening(investigator, &near, [NotMet, NotMet], over);
    trial.decide(by_investigator, answers("17", "false"), investigator).await.unwrap();
    trial.enter(&near, Stage::Enrolled).await.unwrap();
    minor
}

/// The same person at two sites is found without either learning who it is.
pub(crate) async fn one_person_at_two_sites(trial: &Trial) {
    let (study, coordinator) = (&trial.study, &trial.study.coordinator);
    let mut keys = Vec::new();
    for site in &trial.sites {
        let request = pb::GetMatchingKeyRequest { study: study.id.to_string(), site: site.to_string() };
        let reader = trial.reader(coordinator);
        keys.push(trial.client.enrollment().get_matching_key(reader.request(request)).await.unwrap().into_inner().key);
    }
    assert!(keys[0] == keys[1] && keys[0].len() == 32);
    let request = pb::GetMatchingKeyRequest { study: study.id.to_string(), site: "701".to_owned() };
    let reader = trial.reader(&trial.pharmacist);
    trial.client.enrollment().get_matching_key(reader.request(request)).await.unwrap_err();
    let key = MatchingKey::new(keys[0].clone().try_into().unwrap());
    let person = |given: &str| Attributes {
        given_name: given.to_owned(),
        family_name: "Example".to_owned(),
        birth_date: "1980-02-29".to_owned(),
        national_id: None,
    };
    let token = |given: &str| Some(Hex(token(&key, &person(given)).unwrap()));
    let here = trial.screen(&trial.sites[0], token("Renée")).await;
    let there = trial.register(&trial.sites[1], token("RENEE")).await;
    let rows = people::participants(&trial.client, &trial.reader(coordinator), "702").await.unwrap();
    let told = rows.last().unwrap();
    assert_eq!(told.participant, there.name.as_str());
    assert_eq!(told.r#match, Some(pb::TokenMatch { sites: Vec::new(), cleared: false, earlier: Vec::new() }));
    let resolving = people::participants(&trial.client, &trial.reader(&study.root), "702").await.unwrap();
    let (sites, earlier) = (vec!["701".to_owned()], vec![here.name.to_string()]);
    assert_eq!(resolving.last().unwrap().r#match, Some(pb::TokenMatch { sites, cleared: false, earlier }));
    assert!(!format!("{rows:?}").contains(here.name.as_str()), "the other site's pseudonym is told");

    let consent = async |who: &Participant| {
        let consent = study.consent_to(who, "1.0", vec![Provision::data_collection()]).unwrap();
        recorded(trial.client.record(&consent, &[&who.key, &study.investigator.key]).await)
    };
    refused(consent(&there).await, "DUPLICATE_PARTICIPATION");
    let (root, reason, participant) = (&study.root, name("a namesake"), there.name.clone());
    trial.record(&command!(study, root, ClearMatch { participant, reason }), root).await.unwrap();
    consent(&there).await.unwrap();
    let command = trial.screening(coordinator, &there, [Outcome::Met, Outcome::NotMet], None);
    trial.decide(command, answers("46", "false"), coordinator).await.unwrap();
    trial.enter(&there, Stage::Enrolled).await.unwrap();

    // The first of the two leaves, and takes part again.
    let (participant, site, reason) = (here.name.clone(), here.site.clone(), WithdrawalReason::ParticipantDecision);
    let leave = command!(study, coordinator, WithdrawParticipant { participant, site, reason });
    trial.record(&leave, coordinator).await.unwrap();
    let again = trial.register(&trial.sites[1], token("Renée")).await;
    refused(consent(&again).await, "DUPLICATE_PARTICIPATION");
    let (participant, reason) = (again.name.clone(), name("moved house"));
    let link = |earlier: &Participant| {
        let (participant, earlier, reason) = (participant.clone(), earlier.name.clone(), reason.clone());
        command!(study, root, LinkParticipants { participant, earlier, reason })
    };
    refused(trial.record(&link(&there), root).await, "NOT_THE_SAME");
    trial.record(&link(&here), root).await.unwrap();
    consent(&again).await.unwrap();
}
