//! Start-up: arms, criteria, the commitment.

use crate::trial::*;
use client::{new_key, new_uuid, now_ms};
use seal::{
    id::{Name, Uuid},
    key::SecretKey,
};
use synthetic::{Actor, Study};
use vocabulary::{
    allocation::{Secret, commitment},
    command::{AddArm, CommitAllocation, CreateStudy},
};

/// Arms, a limit, criteria, the commitment.
pub(crate) async fn start_up(trial: &Trial) -> Secret {
    let (study, root) = (&trial.study, &trial.study.root);
    let key = new_key().unwrap();
    let first = Study { id: new_uuid().unwrap(), root: Actor { name: Name::root(), key }, ..other_names() };
    let (title, root_key) = (name("OLD"), first.root.key.public());
    let outdated = command!(first, first.root, CreateStudy { name: title, root_key, rules: None, tokens: false });
    refused(trial.record(&outdated, &first.root).await, "RULES_OUTDATED");
    for arm in ARMS {
        trial.record(&command!(study, root, AddArm { arm: name(arm), title: name("An arm") }), root).await.unwrap();
    }
    let mut wrong = definition(study);
    wrong.criteria[0].expression = "AGE >= 'eighteen'".to_owned();
    refused(trial.record(&wrong, root).await, "CRITERIA_INVALID");
    trial.record(&definition(study), root).await.unwrap();
    refused(recorded(study.enrol(&trial.client, &trial.sites[0]).await.map_err(downcast)), "SCREENING_REQUIRED");

    let (secret, by) = (secret(), &trial.statistician);
    let root = Some(allocation::List::generate(&scheme(), &secret).unwrap().root().into());
    let (allocation, commitment) = (name("main"), commitment(&scheme(), &secret).into());
    let commit = command!(study, by, CommitAllocation { allocation, scheme: scheme(), commitment, root });
    let other = self::secret();
    refused(recorded(trial.client.commit_allocation(&commit, &other, &[&by.key]).await), "COMMITMENT_MISMATCH");
    let by_pharmacist = CommitAllocation { by: trial.pharmacist.name.clone(), ..commit.clone() };
    let keys: [&SecretKey; 1] = [&trial.pharmacist.key];
    refused(recorded(trial.client.commit_allocation(&by_pharmacist, &secret, &keys).await), "DELEGATION_MISSING");
    let first = trial.client.commit_allocation(&commit, &secret, &[&by.key]).await.unwrap();
    let again = trial.client.commit_allocation(&commit, &secret, &[&by.key]).await.unwrap();
    assert_eq!(first, again, "a lost answer is asked for again");
    secret
}

pub(crate) fn downcast(error: anyhow::Error) -> client::ClientError {
    error.downcast().unwrap()
}

/// The rest of a study that is never created.
pub(crate) fn other_names() -> Study {
    let actor = |text: &str| Actor { name: name(text), key: new_key().unwrap() };
    let (investigator, coordinator, auditor) = (actor("a"), actor("b"), actor("c"));
    Study { id: Uuid([0; 16]), root: actor("root"), investigator, coordinator, auditor }
}
