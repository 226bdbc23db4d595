//! Signed commands in which everything that is named exists.

use crate::{
    requests::{Names, Question},
    trial::scheme,
    wire::{Method, hex},
};
use client::now_ms;
use seal::{datapoint, sha256};
use serde_json::json;
use synthetic::value;

impl Names<'_> {
    pub(crate) fn command(&self, method: &Method) -> Option<Vec<Question>> {
        let found = self.study(method).or_else(|| self.actors(method)).or_else(|| self.people(method));
        let found = found.or_else(|| self.allocation(method)).or_else(|| self.documents(method));
        found.or_else(|| self.consent(method)).or_else(|| self.capture(method))
    }

    fn study(&self, method: &Method) -> Option<Vec<Question>> {
        let (site, soon) = (self.site, now_ms() + 3_600_000);
        let approval = json!({ "reference": "IRB-1", "date": "2026-01-15", "body": "A board" });
        Some(match method.name.as_str() {
            // Whoever creates a study shows that its root key is theirs: the key is the asker's own.
            "CreateStudy" => Question::signed(json!({ "name": "NEW", "root_key": "own", "rules": 3 })),
            "AddProtocolVersion" => Question::signed(json!({
                "version": "1.0", "document": hex(&sha256(&[b"synthetic protocol 1.0"]).0), "effective": soon,
                "amends": "1.0", "approval": approval,
            })),
            "AddSite" => Question::signed(json!({ "site": site, "title": "A site" })),
            "ActivateSite" | "CloseSite" | "PauseSite" => Question::signed(json!({ "site": site, "reason": "why" })),
            "SetStudyState" => Question::signed(json!({ "state": "paused", "reason": "why" })),
            "AddArm" => Question::signed(json!({ "arm": "verum", "title": "An arm" })),
            "RecordSiteApproval" => Question::signed(json!({ "site": site, "protocol": "1.0", "approval": approval })),
            "SetCap" => Question::signed(json!({ "site": site, "participants": 10 })),
            "DefineCriteria" => Question::signed(json!({
                "version": "criteria-1", "protocol": "1.0",
                "items": [{ "item": "AGE", "type": "integer", "mandatory": true }],
                "criteria": [{ "criterion": "INCL01", "kind": "inclusion", "text": "Adults", "expression": "AGE >= 18" }],
            })),
            _ => return None,
        })
    }

    fn actors(&self, method: &Method) -> Option<Vec<Question>> {
        let (site, soon) = (self.site, now_ms() + 3_600_000);
        let study = &self.trial.world.study;
        Some(match method.name.as_str() {
            "RegisterActor" => Question::signed(json!({
                "actor": self.trial.device.name, "kind": "device", "key": self.trial.device.key.public(), "site": site,
            })),
            "RotateKey" => Question::signed(json!({
                "key": study.investigator.key.public(), "confirmed": { "by": "root", "kind": "person" },
            })),
            "RevokeKey" => Question::signed(json!({ "key": study.investigator.key.public().id(), "reason": "why" })),
            "Delegate" => Question::signed(json!({
                "actor": study.coordinator.name, "task": "capture", "site": site, "from": now_ms(), "until": soon,
                "training": { "reference": "GCP", "completed": "2026-01-10" },
            })),
            "EndDelegation" => Question::signed(json!({
                "actor": "nurse-of-701", "task": "capture", "site": site, "delegation": self.trial.delegated,
                "reason": "why",
            })),
            _ => return None,
        })
    }

    fn people(&self, method: &Method) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        let key = trial.world.participants[0].key.public();
        Some(match method.name.as_str() {
            "EnrolParticipant" => Question::signed(json!({ "participant": participant, "site": site, "key": key })),
            "ScreenParticipant" => Question::signed(json!({
                "participant": participant, "site": site, "key": key, "token": hex(&[9; 32]),
            })),
            "WithdrawParticipant" => Question::signed(json!({
                "participant": participant, "site": site, "reason": "participant_decision",
            })),
            "ClearMatch" => Question::signed(json!({ "participant": participant, "reason": "why" })),
            "LinkParticipants" => Question::signed(json!({
                "participant": participant, "earlier": trial.world.participants[1].name, "reason": "why",
            })),
            "RecordScreening" => {
                let answers = [value("AGE", "40").to_bytes()];
                Question::attached(
                    json!({
                        "participant": participant, "site": site, "criteria": "criteria-1",
                        "root": hex(&datapoint::root(&answers).0), "count": 1,
                        "outcomes": [{ "criterion": "INCL01", "outcome": "met" }],
                    }),
                    json!({ "answers": [hex(&answers[0])] }),
                )
            }
            "RecordStage" => Question::signed(json!({
                "participant": participant, "site": site, "stage": "active", "reason": "why",
            })),
            "RegisterRepresentative" => Question::signed(json!({
                "participant": participant, "site": site, "actor": trial.representative.name,
                "relation": "legal_representative", "key": trial.representative.key.public(), "second": "nurse-of-701",
                "grounds": "why", "until": now_ms() + 86_400_000,
            })),
            "EndRepresentation" => Question::signed(json!({
                "participant": participant, "site": site, "actor": trial.representative.name, "reason": "of age",
            })),
            _ => return None,
        })
    }

    fn allocation(&self, method: &Method) -> Option<Vec<Question>> {
        let Self { participant, site, .. } = self;
        Some(match method.name.as_str() {
            "CommitAllocation" => Question::attached(
                json!({
                    "allocation": "allocation-1", "scheme": scheme(), "commitment": self.trial.commitment,
                    "root": hex(&[7; 32]),
                }),
                json!({ "secret": hex(&serde_json::to_vec(&self.trial.secret).unwrap()) }),
            ),
            "RevealAllocation" => Question::signed(json!({
                "allocation": "allocation-1", "seed": hex(&self.trial.secret.seed), "block_sizes": [2, 4],
            })),
            "Randomise" => Question::signed(json!({
                "participant": participant, "site": site, "allocation": "allocation-1", "levels": ["f"],
            })),
            "Unblind" => Question::signed(json!({
                "participant": participant, "site": site, "reason": "why", "notified": ["investigator"],
            })),
            _ => return None,
        })
    }

    fn documents(&self, method: &Method) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        Some(match method.name.as_str() {
            "PublishDocument" => {
                let file = b"Synthetic informed consent form, version 1.0.\n";
                let terms = synthetic::terms(vec![synthetic::offer("data_collection", true).unwrap()]);
                Question::attached(
                    json!({
                        "document": "ICF", "version": "1.0", "language": "en", "content": hex(&sha256(&[file]).0),
                        "approval": { "reference": "IRB-1", "date": "2026-01-15", "body": "A board" },
                        "terms": terms.unwrap(),
                    }),
                    json!({ "file": "" }),
                )
            }
            "RequestConsent" => Question::attached(
                json!({
                    "participant": participant, "site": site, "source": "fhir-r4", "content": hex(&sha256(&[&trial.resource]).0),
                    "provisions": ["data_collection"],
                }),
                json!({ "resource": hex(&trial.resource) }),
            )
            .into_iter()
            .map(|question| Question { own: &["content"], ..question }) // the hash of what comes with it
            .collect(),
            _ => return None,
        })
    }

    fn consent(&self, method: &Method) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        let soon = now_ms() + 3_600_000;
        Some(match method.name.as_str() {
            "GiveConsent" => Question::signed(json!({
                "participant": participant, "site": site, "document": "ICF", "version": "1.0", "language": "en",
                "provisions": ["data_collection"], "synthetic": true,
                "manner": { "capacity": { "representative": { "actor": trial.representative.name } } },
            })),
            "WithdrawConsent" => Question::signed(json!({
                "participant": participant, "site": site, "provisions": [], "scope": "everything", "collected": "kept",
            })),
            "GrantAccess" => Question::signed(json!({
                "participant": participant, "site": site, "grant": "grant-of-a",
                "grantee": trial.world.study.investigator.name, "categories": ["data_collection"], "purpose": "research",
                "from": now_ms(), "until": soon,
            })),
            "RevokeAccess" => {
                Question::signed(json!({ "participant": participant, "site": site, "grant": "grant-of-a" }))
            }
            "AccessData" => {
                let with = |grant: Option<&str>| {
                    let mut payload = json!({
                        "participant": participant, "site": site, "categories": ["data_collection"],
                        "purpose": "research",
                    });
                    grant.into_iter().for_each(|grant| payload["grant"] = json!(grant));
                    Question::signed(payload)
                };
                with(None).into_iter().chain(with(Some("grant-of-a"))).collect()
            }
            _ => return None,
        })
    }

    fn capture(&self, method: &Method) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        Some(match method.name.as_str() {
            "DefineForms" => Question::signed(json!({
                "version": "forms-1",
                "forms": [{ "form": "VITALS", "items": [{ "item": "SYSBP", "type": "text", "mandatory": false }] }],
            })),
            "SubmitForm" | "SubmitForms" => {
                let values = [value("SYSBP", "120").to_bytes()];
                let instance = self.instance();
                Question::attached(
                    json!({
                        "site": site, "instance": instance, "forms_version": "forms-1",
                        "root": hex(&datapoint::root(&values).0), "count": 1, "corrects": trial.captured,
                        "reason": "typo",
                    }),
                    json!({ "datapoints": [hex(&values[0])] }),
                )
            }
            "RedactValue" => Question::signed(json!({
                "participant": participant, "site": site, "entry": trial.captured, "index": 0, "item": "SYSBP",
                "reason": "why", "second": "colleague-of-701",
            })),
            "EraseParticipant" => Question::signed(json!({
                "participant": participant, "site": site, "entries": [trial.captured, trial.redacted], "order": "why",
                "law": "which",
            })),
            _ => return None,
        })
    }
}
