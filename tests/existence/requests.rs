//! What is asked of every method: a request in which everything that is named exists.

use crate::{
    trial::Trial,
    wire::{Method, hex, journal},
};
use seal::id::Name;
use serde_json::{Value, json};

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

    pub(crate) fn signed(payload: Value) -> Vec<Self> {
        Self::attached(payload, json!({}))
    }

    pub(crate) fn attached(payload: Value, mut message: Value) -> Vec<Self> {
        message["envelope"] = json!("");
        vec![Self { message, payload: Some(payload), own: &[] }]
    }
}

/// What is known of the study when a request is written.
pub(crate) struct Names<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) participant: &'a Name,
    pub(crate) site: &'a Name,
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
    let found = names.command(method).or_else(|| names.reads(method, asker));
    found.or_else(|| names.values(method)).or_else(|| names.chain(method))
}

impl Names<'_> {
    fn reads(&self, method: &Method, asker: &Name) -> Option<Vec<Question>> {
        let Self { trial, participant, site } = self;
        let study = trial.world.study.id;
        let paged = |mut message: Value| {
            message["page_size"] = json!(0);
            message["page_token"] = json!("");
            Question::read(message)
        };
        Some(match method.name.as_str() {
            "GetStudy" => Question::read(json!({ "study": study, "page_token": "" })),
            "ListDelegations" | "ListParticipants" => paged(json!({ "study": study, "site": site })),
            "GetParticipant" | "GetAllocation" | "GetConsent" => {
                Question::read(json!({ "study": study, "participant": participant }))
            }
            "ListEntries" => Question::read(json!({ "study": study, "participant": participant, "page_token": "" })),
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
            _ => return None,
        })
    }

    fn values(&self, method: &Method) -> Option<Vec<Question>> {
        let trial = self.trial;
        let study = trial.world.study.id;
        Some(match method.name.as_str() {
            "LookupReceipts" => Question::read(json!({ "study": study, "requests": [trial.recorded["capture"]] })),
            "GetDatapoint" => Question::read(json!({
                "study": study, "instance": self.instance(), "item": "SYSBP", "repeat": "",
            })),
            "GetItemHistory" => Question::read(json!({
                "study": study, "instance": self.instance(), "item": "SYSBP", "repeat": "", "page_size": 0, "page_token": "",
            })),
            "GetForm" => Question::read(json!({ "study": study, "instance": self.instance() })),
            "DiscloseDatapoint" | "GetBundle" => {
                let of =
                    |entry| Question::read(json!({ "study": study, "entry": entry, "item": "SYSBP", "repeat": "" }));
                // Entry 0 defines forms.
                [0, trial.captured, trial.redacted].into_iter().flat_map(of).collect()
            }
            _ => return None,
        })
    }

    pub(crate) fn instance(&self) -> Value {
        json!({
            "participant": self.participant, "event": "BASELINE", "event_repeat": 0, "form": "VS", "form_repeat": 0,
        })
    }

    fn decide(&self, asker: &Name) -> Vec<Question> {
        let (study, participant) = (self.trial.world.study.id, self.participant);
        let asked = |provision: &str, read: Value, own| Question {
            message: json!({
                "study": study, "participant": participant, "provision": provision, "first": u64::from(read.is_null()), "read": read,
            }),
            payload: None,
            own,
        };
        let read = |reader: &Name, grant: &str| {
            let categories = ["data_collection"];
            json!({ "reader": reader, "categories": categories, "purpose": "research", "grant": grant })
        };
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
        let keys = json!([hex(&vocabulary::subject::participant(self.participant).map_key(study).0)]);
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
