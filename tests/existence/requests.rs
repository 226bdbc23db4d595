//! What is asked of every method: a request in which everything that is named exists.

use crate::{
    trial::{Trial, scheme},
    wire::{Method, hex},
};
use client::now_ms;
use seal::{
    command::Submission,
    datapoint,
    id::{Name, Service},
    sha256,
};
use serde_json::{Value, json};
use trialseal::setup::value;

/// A question to a method.
pub(crate) struct Question {
    /// The message; its field `envelope` is filled in when it is signed.
    pub(crate) message: Value,
    /// What is signed, without study, request, signer and time.
    pub(crate) payload: Option<Value>,
    /// Fields by which the asker says something of themselves.
    pub(crate) own: &'static [&'static str],
}

impl Question {
    fn read(message: Value) -> Vec<Self> {
        vec![Self { message, payload: None, own: &[] }]
    }

    fn signed(payload: Value) -> Vec<Self> {
        Self::attached(payload, json!({}))
    }

    fn attached(payload: Value, mut message: Value) -> Vec<Self> {
        message["envelope"] = json!("");
        vec![Self { message, payload: Some(payload), own: &[] }]
    }
}

/// What is known of the study when a request is written.
struct Names<'a> {
    trial: &'a Trial,
    participant: &'a Name,
    site: &'a Name,
}

/// The questions to `method`, about a participant of a site; none if this test does not know the method.
pub(crate) fn questions(
    trial: &Trial,
    method: &Method,
    participant: &Name,
    site: &Name,
    asker: &Name,
) -> Option<Vec<Question>> {
    let names = Names { trial, participant, site };
    let found = names.study(method).or_else(|| names.people(method)).or_else(|| names.consent(method));
    found.or_else(|| names.capture(method)).or_else(|| names.reads(method, asker)).or_else(|| names.chain(method))
}

impl Names<'_> {
    fn study(&self, method: &Method) -> Option<Vec<Question>> {
        let (site, soon) = (self.site, now_ms() + 3_600_000);
        let study = &self.trial.world.study;
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
            "SetStudyState" => Question::signed(json!({ "state": "paused", "reason": "why" })),
            "AddArm" => Question::signed(json!({ "arm": "verum", "title": "An arm" })),
            "RecordSiteApproval" => Question::signed(json!({ "site": site, "protocol": "1.0", "approval": approval })),
            "SetCap" => Question::signed(json!({ "site": site, "participants": 10 })),
            "DefineCriteria" => Question::signed(json!({
                "version": "criteria-1", "protocol": "1.0",
                "items": [{ "item": "AGE", "type": "integer", "mandatory": true }],
                "criteria": [{ "criterion": "INCL01", "kind": "inclusion", "text": "Adults", "expression": "AGE >= 18" }],
            })),
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
            "Randomise" => Question::signed(json!({
                "participant": participant, "site": site, "allocation": "allocation-1", "levels": ["f"],
            })),
            "Unblind" => Question::signed(json!({
                "participant": participant, "site": site, "reason": "why", "notified": ["investigator"],
            })),
            _ => return None,
        })
    }

    fn consent(&self, method: &Method) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        let soon = now_ms() + 3_600_000;
        Some(match method.name.as_str() {
            "PublishDocument" => {
                let file = b"Synthetic informed consent form, version 1.0.\n";
                let terms = trialseal::setup::terms(vec![trialseal::setup::offer("data_collection", true).unwrap()]);
                Question::attached(
                    json!({
                        "document": "ICF", "version": "1.0", "language": "en", "content": hex(&sha256(&[file]).0),
                        "approval": { "reference": "IRB-1", "date": "2026-01-15", "body": "A board" },
                        "terms": terms.unwrap(),
                    }),
                    json!({ "file": "" }),
                )
            }
            "GiveConsent" => Question::signed(json!({
                "participant": participant, "site": site, "document": "ICF", "version": "1.0", "language": "en",
                "provisions": ["data_collection"], "synthetic": true,
                "manner": { "capacity": { "representative": { "actor": trial.representative.name } } },
            })),
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
            "WithdrawConsent" => Question::signed(json!({
                "participant": participant, "site": site, "provisions": [], "scope": "everything", "collected": "kept",
            })),
            "GrantAccess" => Question::signed(json!({
                "participant": participant, "site": site, "grant": "grant-of-a",
                "grantee": trial.world.study.investigator.name, "categories": ["data_collection"], "purpose": "research",
                "from": now_ms(), "until": soon,
            })),
            "RevokeAccess" => Question::signed(json!({ "participant": participant, "site": site, "grant": "grant-of-a" })),
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

    fn instance(&self) -> Value {
        json!({
            "participant": self.participant, "event": "BASELINE", "event_repeat": 0, "form": "VS", "form_repeat": 0,
        })
    }

    fn reads(&self, method: &Method, asker: &Name) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        let study = trial.world.study.id;
        let paged = |mut message: Value| {
            message["page_size"] = json!(0);
            message["page_token"] = json!("");
            Question::read(message)
        };
        Some(match method.name.as_str() {
            "GetStudy" => Question::read(json!({ "study": study })),
            "ListDelegations" | "ListParticipants" => paged(json!({ "study": study, "site": site })),
            "GetParticipant" | "GetAllocation" | "GetConsent" | "ListEntries" => {
                Question::read(json!({ "study": study, "participant": participant }))
            }
            "ListConsents" | "ListAccesses" | "ListForms" => {
                paged(json!({ "study": study, "participant": participant }))
            }
            "EvaluateEligibility" => Question::read(json!({ "study": study, "site": site, "answers": [] })),
            "GetMatchingKey" => Question::read(json!({ "study": study, "site": site })),
            "FindKey" => Question::read(json!({ "study": study, "actor": trial.world.study.coordinator.name })),
            "ListDocuments" => paged(json!({ "study": study })),
            "GetDocument" => Question::read(json!({
                "study": study, "document": "ICF", "version": "1.0", "language": "en",
            })),
            "GetConsentCopy" => Question::read(
                json!({ "study": study, "participant": participant, "entry": trial.consented, "format": 0 }),
            ),
            "ReadConsent" => Question::read(json!({ "study": study, "resource": hex(&trial.resource) })),
            "Decide" => self.decide(asker),
            "LookupReceipts" => Question::read(json!({ "study": study, "requests": [trial.recorded["capture"]] })),
            "GetDatapoint" | "GetItemHistory" => Question::read(json!({
                "study": study, "instance": self.instance(), "item": "SYSBP", "repeat": "",
            })),
            "GetForm" => Question::read(json!({ "study": study, "instance": self.instance() })),
            "DiscloseDatapoint" | "GetBundle" => {
                let of =
                    |entry| Question::read(json!({ "study": study, "entry": entry, "item": "SYSBP", "repeat": "" }));
                of(trial.captured).into_iter().chain(of(trial.redacted)).collect()
            }
            _ => return None,
        })
    }

    fn decide(&self, asker: &Name) -> Vec<Question> {
        let (study, participant) = (self.trial.world.study.id, self.participant);
        let asked = |provision: &str, read: Value, own| Question {
            message: json!({ "study": study, "participant": participant, "provision": provision, "read": read }),
            payload: None,
            own,
        };
        let read = |reader: &Name, grant: &str| json!({ "reader": reader, "categories": ["data_collection"], "purpose": "research", "grant": grant });
        let other = &self.trial.world.study.investigator.name;
        vec![
            asked("data_collection", Value::Null, &[]),
            asked("", read(other, ""), &[]),
            asked("", read(other, "grant-of-a"), &[]),
            asked("", read(asker, ""), &["reader"]),
            asked("", read(asker, "grant-of-a"), &["reader"]),
        ]
    }

    fn chain(&self, method: &Method) -> Option<Vec<Question>> {
        let study = self.trial.world.study.id;
        let stream = hex(&journal(method.service).stream(study).0.0);
        let keys = json!([hex(&seal::fact::Subject::Participant(self.participant.clone()).map_key(study).0)]);
        Some(match method.name.as_str() {
            "GetCheckpoint" => Question::read(json!({ "at_most": 0 })),
            "GetConsistencyProof" => Question::read(json!({ "first": 1, "second": 1 })),
            "ListBlocks" => Question::read(json!({ "stream": stream, "from": 0, "page_size": 0 })),
            "GetRecordBundle" => Question::read(json!({
                "study": study, "service": "consent", "entry": self.trial.consented, "envelope": hex(b"not theirs"),
            })),
            "ListStreams" => Question::read(json!({ "page_size": 0, "page_token": "" })),
            "FollowHeads" => Question::read(json!({})),
            "ReadEntries" => [1, 2]
                .into_iter()
                .flat_map(|view| {
                    Question::read(json!({
                        "stream": stream, "from": 1, "limit": 1, "view": view, "study": study,
                    }))
                })
                .collect(),
            "ReadFacts" => Question::read(json!({ "stream": stream, "keys": keys })),
            "ProveFacts" => Question::read(json!({ "stream": stream, "number": 1, "keys": keys, "study": study })),
            _ => return None,
        })
    }
}

/// The recording service of that name; capture for others.
pub(crate) fn journal(service: &str) -> Service {
    Service::ALL.into_iter().find(|known| known.name() == service).unwrap_or(Service::Capture)
}

/// The kind of command whose request is that of `method`.
pub(crate) fn kind(method: &str) -> String {
    if method.starts_with("SubmitForm") {
        return <Submission as seal::command::Payload>::KIND.to_owned();
    }
    let mut dashed = String::new();
    for letter in method.chars() {
        if letter.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}
