//! Randomisation, who sees it, and the reveal.

use crate::trial::*;
use client::{new_key, new_pseudonym, new_uuid, now_ms};
use proto::enrollment as pb;
use reports::people::{self, SlotFile, verify_slot};
use synthetic::Participant;
use vocabulary::{
    allocation::Secret,
    command::{RevealAllocation, SetCap, Stage, State, Unblind},
    eligibility::Outcome,
};

/// Enrols up to the limit and randomises until a stratum is full.
pub(crate) async fn randomisation(trial: &Trial) -> Vec<Participant> {
    let (study, root) = (&trial.study, &trial.study.root);
    let mut participants = Vec::new();
    for _ in 0..=SLOTS {
        participants.push(trial.enrol().await);
    }
    let cap = SLOTS + 2; // with the one enrolled on an override
    trial
        .record(
            &command!(
                study,
                root,
                SetCap { site: name("701"), participants: cap, withdrawal_frees: false, seen: None }
            ),
            root,
        )
        .await
        .unwrap();
    let late = trial.screen(&trial.sites[0], None).await;
    let (by, met) = (&study.coordinator, [Outcome::Met, Outcome::NotMet]);
    trial.decide(trial.screening(by, &late, met, None), answers("50", "false"), by).await.unwrap();
    refused(trial.enter(&late, Stage::Enrolled).await, "CAP_REACHED");
    refused(trial.randomise(&late, "f").await, "STAGE_NOT_PERMITTED");
    let spare = participants.pop().unwrap();
    for participant in &participants {
        trial.randomise(participant, "f").await.unwrap();
    }
    refused(trial.randomise(&spare, "f").await, "STRATUM_EXHAUSTED");
    trial.randomise(&spare, "m").await.unwrap();
    participants.push(spare);
    participants
}

/// The pharmacist reads and proves each arm; nobody else learns any.
pub(crate) async fn concealment(trial: &Trial, participants: &[Participant]) {
    let coordinator = trial.reader(&trial.study.coordinator);
    let study = trial.study.id.to_string();
    let mut enrollment = trial.client.enrollment();
    let whole = enrollment
        .get_study(coordinator.request(pb::GetStudyRequest { study: study.clone(), ..Default::default() }))
        .await
        .unwrap();
    let whole = whole.into_inner();
    assert_eq!((whole.state.as_str(), whole.sites.len(), whole.arms.len()), ("open", 2, 2));
    assert_eq!(whole.sites[0].enrolment, Some(pb::Enrolment { enrolled: u64::from(SLOTS) + 2, cap: Some(SLOTS + 2) }));
    let root = tlog::Hash::from_slice(&whole.allocations[0].root).unwrap();
    assert_eq!(whole.allocations[0].randomised, participants.len() as u64);

    let mut given = Vec::new();
    for participant in participants {
        let answer = trial.arm(&trial.pharmacist, participant).await.unwrap();
        let file = serde_json::to_vec(&SlotFile::of(&answer).unwrap()).unwrap();
        let slot = verify_slot(&file, &root).unwrap();
        assert_eq!(slot.arm.as_str(), answer.arm);
        let [one, other] = ARMS.map(str::as_bytes);
        let swapped = if answer.arm == ARMS[0] { (one, other) } else { (other, one) };
        let mut forged = SlotFile::of(&answer).unwrap();
        forged.disclosure.slot.0 = slot_with(&forged.disclosure.slot.0, swapped);
        verify_slot(&serde_json::to_vec(&forged).unwrap(), &root).unwrap_err();
        verify_slot(&file, &tlog::sha256(&[b"another root"])).unwrap_err();
        given.push(answer.arm);
    }
    let verum = given[..SLOTS as usize].iter().filter(|arm| *arm == ARMS[0]).count();
    // A last block of four that is cut to two may hold one arm twice.
    assert!((3..=5).contains(&verum), "{verum} of {SLOTS} in one arm");

    // Blinded roles: the same answer whether or not there is an allocation, and no arm in any answer.
    let unknown = Participant { name: new_pseudonym().unwrap(), site: name("701"), key: new_key().unwrap() };
    for actor in [&trial.study.coordinator, &trial.study.investigator, &trial.study.auditor, &trial.physician] {
        let nothing = trial.arm(actor, &unknown).await.unwrap_err();
        for participant in participants {
            assert_eq!(trial.arm(actor, participant).await.unwrap_err(), nothing);
        }
        conceals("a refusal", &nothing);
    }
    let rows = people::participants(&trial.client, &coordinator, "701").await.unwrap();
    conceals("the list of participants", &format!("{rows:?}"));
    conceals("its page", &people::participants_page("701", &rows));
    for participant in participants {
        let request = pb::GetParticipantRequest { study: study.clone(), participant: participant.name.to_string() };
        let answer = enrollment.get_participant(coordinator.request(request)).await.unwrap().into_inner();
        let stages: Vec<&str> = answer.stages.iter().map(|entered| entered.stage.as_str()).collect();
        assert_eq!(stages, ["screened", "eligible", "enrolled", "randomised"]);
        conceals("a participant's way", &format!("{answer:?}"));
    }
}

/// A slot's bytes with one arm's name replaced by the other's, lengths made right.
pub(crate) fn slot_with(slot: &[u8], (is, becomes): (&[u8], &[u8])) -> Vec<u8> {
    let kept = slot.len() - is.len() - 4;
    let length = u32::try_from(becomes.len()).unwrap().to_be_bytes();
    [&slot[..kept], &length, becomes].concat()
}

/// The physician unblinds one participant, and sees that one alone.
pub(crate) async fn unblinding(trial: &Trial, participants: &[Participant]) {
    let (by, who) = (&trial.physician, &participants[0]);
    let (participant, site, notified) = (who.name.clone(), who.site.clone(), vec![name("sponsor medical monitor")]);
    let unblind = command!(trial.study, by, Unblind { participant, site, reason: "overdose".to_owned(), notified });
    let by_coordinator = Unblind { by: trial.study.coordinator.name.clone(), ..unblind.clone() };
    refused(trial.record(&by_coordinator, &trial.study.coordinator).await, "DELEGATION_MISSING");
    trial.record(&unblind, by).await.unwrap();
    let arm = trial.arm(by, who).await.unwrap().arm;
    assert_eq!(arm, trial.arm(&trial.pharmacist, who).await.unwrap().arm);
    trial.arm(by, &participants[1]).await.unwrap_err();
    trial.arm(&trial.study.coordinator, who).await.unwrap_err();
    let study = trial.study.id.to_string();
    let request = pb::GetParticipantRequest { study, participant: who.name.to_string() };
    let reader = trial.reader(&trial.study.coordinator);
    let answer = trial.client.enrollment().get_participant(reader.request(request)).await.unwrap().into_inner();
    assert_eq!(answer.unblinded[0].by, "physician");
    assert_eq!(answer.unblinded[0].reason, "overdose");
}

/// Once the study is paused the seed is public, and only the one committed to.
pub(crate) async fn reveal(trial: &Trial, secret: &Secret) {
    let by = &trial.statistician;
    let revealing = |secret: &Secret| {
        let (allocation, seed) = (name("main"), tlog::Hash(secret.seed).into());
        let block_sizes = secret.block_sizes.clone();
        command!(trial.study, by, RevealAllocation { allocation, seed, block_sizes })
    };
    refused(trial.record(&revealing(secret), by).await, "REVEAL_TOO_EARLY");
    trial.set_state(State::Paused).await;
    refused(trial.record(&revealing(&self::secret()), by).await, "COMMITMENT_MISMATCH");
    trial.record(&revealing(secret), by).await.unwrap();
}
