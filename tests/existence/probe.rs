//! Asking about what exists and about what does not, and comparing.

use crate::{
    answers::{Answer, Echo},
    exceptions::covering,
    leaves::{Leaf, leaves, unlike},
    people::Asker,
    requests::{Question, questions},
    trial::Trial,
    wire::{Caller, Method, Types, hex, journal, kind},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client::{new_key, new_uuid, now_ms};
use prost::Message;
use proto::consent::DecideResponse;
use seal::{
    dsse::{payload_type, sign_bytes},
    id::{Name, Uuid},
    key::{KeyId, SecretKey},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tonic::{Request, metadata::MetadataValue};
use vocabulary::command::AccessData;

/// What somebody with rights of their own is asked to name of others.
const OF_OTHERS: [&str; 6] = ["participant", "earlier", "entry", "entries", "corrects", "grant"];

/// One method, asked by everybody.
pub(crate) struct Probe<'a> {
    trial: &'a Trial,
    types: &'a Types,
    method: &'a Method,
    signed: bool,
    caller: Caller,
    /// Differences that nobody meant.
    pub(crate) told: Vec<String>,
    /// Exceptions that were met.
    pub(crate) needed: BTreeSet<usize>,
}

/// How a question is put.
#[derive(Clone)]
struct Put<'a> {
    asker: &'a Asker,
    by: Value,
    /// The signed request to read that goes with it: on a task, or on a grant.
    access: Option<Access>,
    site: Name,
}

#[derive(Clone)]
struct Access {
    participant: Name,
    grant: Option<Name>,
}

/// A question with its fields.
struct Asked<'a> {
    question: &'a Question,
    leaves: Vec<Leaf>,
    /// Whose method is asked.
    service: &'static str,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(trial: &'a Trial, types: &'a Types, method: &'a Method) -> Self {
        let signed = method.is_signed(types);
        let (told, needed) = (Vec::new(), BTreeSet::new());
        Self { trial, types, method, signed, caller: Caller::default(), told, needed }
    }

    fn questions(&self, participant: &Name, site: &Name, asker: &Name) -> Vec<Question> {
        let found = questions(self.trial, self.method, participant, site, asker);
        found.unwrap_or_else(|| panic!("say how {} is asked about what exists", self.method.name))
    }

    /// Everything somebody may ask this method.
    pub(crate) async fn asks(&mut self, asker: &'a Asker) {
        let (participant, site) = (&self.trial.world.participants[0].name, self.trial.world.site.clone());
        let grant: Name = "grant-of-a".parse().unwrap();
        for question in self.questions(participant, &site, &asker.name) {
            let put = Put { asker, by: json!(asker.name), access: None, site: site.clone() };
            self.compare(&question, &put, |_| true).await;
            if self.signed {
                self.borrow_names(&question, &put).await;
                continue;
            }
            for grant in [None, Some(grant.clone())] {
                let access = Some(Access { participant: participant.clone(), grant });
                self.compare(&question, &Put { access, ..put.clone() }, |_| true).await;
            }
        }
        if let Some(site) = &asker.holds_at {
            for question in self.questions(participant, site, &asker.name) {
                let put = Put { asker, by: json!(asker.name), access: None, site: site.clone() };
                self.compare(&question, &put, |leaf| OF_OTHERS.contains(&leaf.name.as_str())).await;
            }
        }
        let redacts = self.method.name == "RedactValue" && asker.partner.is_some();
        let Some((known, site)) = asker.knows.as_ref().filter(|_| redacts || !self.signed) else { return };
        for mut question in self.questions(known, site, &asker.name) {
            if let Some((payload, (partner, _))) = question.payload.as_mut().zip(asker.partner.as_ref()) {
                payload["second"] = json!(partner);
            }
            let put = Put { asker, by: json!(asker.name), access: None, site: site.clone() };
            let of_others = |leaf: &Leaf| ["entry", "grant"].contains(&leaf.name.as_str());
            self.compare(&question, &put, of_others).await;
        }
    }

    /// Asks about each field in turn: alone absent among what exists, and alone existing among what does not.
    async fn compare(&mut self, question: &Question, put: &Put<'a>, probed: impl Fn(&Leaf) -> bool) {
        let of_payload = question.payload.is_some();
        let mut leaves = leaves(question.payload.as_ref().unwrap_or(&question.message), of_payload);
        leaves.retain(|leaf| {
            let own = leaf.name == "study" && put.asker.of_study;
            let own = own || (leaf.name == "stream" && question.message.get("study").is_some()); // the study's: see `filled`
            probed(leaf) && !own && !question.own.contains(&leaf.name.as_str())
        });
        let asked = Asked { question, leaves, service: self.method.service };
        if asked.leaves.is_empty() && (!self.signed || put.site != self.trial.world.site) {
            return; // nothing of others is named
        }
        let existing = self.ask(&asked, put, &|_| false, None).await;
        let absent = self.ask(&asked, put, &|_| true, None).await.naming(&asked.echoes(&|_| true));
        for place in 0..asked.leaves.len() {
            let leaf = &asked.leaves[place];
            let only = |other: usize| other == place;
            let without = self.ask(&asked, put, &only, None).await.naming(&asked.echoes(&only));
            self.judge(put, &leaf.name, ("among what exists", &existing, &without));
            let others = |other: usize| other != place;
            let alone = self.ask(&asked, put, &others, None).await.naming(&asked.echoes(&others));
            self.judge(put, &leaf.name, ("among what does not", &alone, &absent));
        }
        if !self.signed {
            return;
        }
        let recorded = self.trial.recorded[self.method.service];
        let again = self.ask(&asked, put, &|_| false, Some(recorded)).await;
        self.judge(put, "request", ("among what exists", &again, &existing));
        let elsewhere = json!(new_uuid().unwrap());
        let there = self.ask_in(&asked, put, &elsewhere).await;
        self.judge(put, "study", ("among what exists", &existing, &there));
    }

    /// Asks in the name of others, who exist or do not.
    async fn borrow_names(&mut self, question: &Question, put: &Put<'a>) {
        let asked = Asked { question, leaves: Vec::new(), service: self.method.service };
        let trial = self.trial;
        let study = &trial.world.study;
        let names = [&study.coordinator.name, &trial.world.participants[0].name, &trial.representative.name];
        for name in names {
            let (by, other) = (json!(name), unlike(&json!(name)));
            let existing = self.ask(&asked, &Put { by: by.clone(), ..put.clone() }, &|_| false, None).await;
            let absent = self.ask(&asked, &Put { by: other.clone(), ..put.clone() }, &|_| false, None).await;
            let absent = absent.naming(&Echo::new(&other, &by));
            self.judge(put, "by", ("among what exists", &existing, &absent));
        }
    }

    /// Shows, without holding them, keys that are registered, that were revoked and that are not registered.
    pub(crate) async fn claims(&mut self) {
        let trial = self.trial;
        let study = &trial.world.study;
        let left = trial.askers.iter().find(|asker| asker.kind.contains("revoked")).unwrap();
        let stranger = trial.askers.iter().find(|asker| asker.kind.contains("nowhere")).unwrap();
        let (participant, site) = (&trial.world.participants[0].name, &trial.world.site);
        for question in self.questions(participant, site, &stranger.name) {
            for (name, key) in [(&study.coordinator.name, &study.coordinator.key), (&left.name, &left.key)] {
                let borrowed = Asker {
                    kind: "somebody who claims a key of another",
                    name: name.clone(),
                    key: stranger.key.clone(),
                    shows: true,
                    of_study: false,
                    holds_at: None,
                    knows: None,
                    partner: None,
                };
                let mut answers = Vec::new();
                for id in [key.public().id(), new_key().unwrap().public().id()] {
                    let request = self.claimed(&question, &borrowed, id);
                    let answer = self.answer(request).await;
                    answers.push(answer.naming(&Echo::new(&json!(id), &json!("a key"))));
                }
                let (put, by) = (&borrowed, json!(name));
                let put = Put { asker: put, by, access: None, site: site.clone() };
                self.judge(&put, "key", ("claimed", &answers[0], &answers[1]));
            }
        }
    }

    fn judge(&mut self, put: &Put<'_>, field: &str, (where_, one, other): (&str, &Answer, &Answer)) {
        if one == other {
            return;
        }
        if let Some(exception) = covering(put.asker, (&self.method.name, self.signed), field) {
            self.needed.insert(exception);
            return;
        }
        let access = match &put.access {
            Some(Access { grant: Some(_), .. }) => ", with a read signed on a grant",
            Some(_) => ", with a signed read",
            None => "",
        };
        let (service, method, asker, by, site) =
            (self.method.service, &self.method.name, put.asker.kind, &put.by, &put.site);
        let (one, other) = (one.shown(), other.shown());
        self.told.push(format!("{service} {method}: {asker} (as {by}, at {site}{access}) tells `{field}` {where_}:\n    exists: {one}\n    absent: {other}"));
    }

    async fn ask(
        &mut self,
        asked: &Asked<'_>,
        put: &Put<'_>,
        absent: &dyn Fn(usize) -> bool,
        request: Option<Uuid>,
    ) -> Answer {
        let filled = asked.filled(absent);
        let study = json!(self.trial.world.study.id);
        let request = self.request(asked.question, filled, put, (study, request));
        self.answer(request).await
    }

    async fn ask_in(&mut self, asked: &Asked<'_>, put: &Put<'_>, study: &Value) -> Answer {
        let filled = asked.filled(&|_| false);
        let request = self.request(asked.question, filled, put, (study.clone(), None));
        self.answer(request).await
    }

    async fn answer(&mut self, request: Request<Vec<u8>>) -> Answer {
        let (mut messages, end) = self.caller.call(self.method, request).await;
        if self.method.name == "Decide" {
            for message in &mut messages {
                let mut decided = DecideResponse::decode(message.as_slice()).unwrap();
                decided.fact_key.clear(); // a hash of the question
                *message = decided.encode_to_vec();
            }
        }
        Answer::new((messages, end))
    }

    /// A request with its fields filled in, signed, and with what shows who asks.
    fn request(
        &self,
        question: &Question,
        filled: Value,
        put: &Put<'_>,
        (study, request): (Value, Option<Uuid>),
    ) -> Request<Vec<u8>> {
        let mut message = question.message.clone();
        match &question.payload {
            Some(_) => message["envelope"] = json!(hex(&self.sign(filled, put, (study, request)))),
            None => message = filled,
        }
        let mut request = Request::new(self.types.request(self.method, &message));
        if question.payload.is_none() && put.asker.shows {
            self.show(&mut request, &message, put);
        }
        request
    }

    fn sign(&self, mut payload: Value, put: &Put<'_>, (study, request): (Value, Option<Uuid>)) -> Vec<u8> {
        let kind = kind(&self.method.name);
        payload["study"] = study;
        payload["request"] = json!(request.unwrap_or_else(|| new_uuid().unwrap()));
        payload["by"] = put.by.clone();
        payload["time"] = json!(now_ms());
        if payload["root_key"] == json!("own") {
            payload["root_key"] = json!(put.asker.key.public());
            payload["by"] = json!("root");
        }
        let partner = put.asker.partner.as_ref().filter(|(name, _)| payload["second"] == json!(name));
        let keys: Vec<&SecretKey> = [&put.asker.key].into_iter().chain(partner.map(|(_, key)| key)).collect();
        sign_bytes(&payload_type(&kind), serde_json::to_vec(&payload).unwrap(), &keys)
    }

    /// Adds the asker's token and, where they sign what they read, that.
    fn show(&self, request: &mut Request<Vec<u8>>, message: &Value, put: &Put<'_>) {
        let study = message.get("study").and_then(Value::as_str);
        let study: Uuid = study.map_or(self.trial.world.study.id, |text| text.parse().unwrap());
        let token = token::issue(&put.asker.name, study, &put.asker.key, now_ms());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        if let Some(access) = &put.access {
            let named = message.get("participant").or_else(|| message.pointer("/instance/participant"));
            let participant =
                named.and_then(Value::as_str).map_or(access.participant.clone(), |text| text.parse().unwrap());
            let command = AccessData {
                study,
                request: new_uuid().unwrap(),
                by: put.asker.name.clone(),
                time: now_ms(),
                participant,
                site: put.site.clone(),
                categories: access.grant.iter().map(|_| vocabulary::command::Provision::data_collection()).collect(),
                purpose: "research".parse().unwrap(),
                grant: access.grant.clone(),
                only: None,
            };
            let envelope = seal::dsse::sign(&command, &[&put.asker.key]);
            request.metadata_mut().insert_bin(token::ACCESS_HEADER, MetadataValue::from_bytes(&envelope));
        }
    }

    /// A request that says it is signed, or shown, by the key `id`, which it is not.
    fn claimed(&self, question: &Question, asker: &Asker, id: KeyId) -> Request<Vec<u8>> {
        let put = Put { asker, by: json!(asker.name), access: None, site: self.trial.world.site.clone() };
        let study = self.trial.world.study.id;
        let mut message = question.message.clone();
        let (own, id) = (asker.key.public().id().to_string(), id.to_string());
        if let Some(payload) = &question.payload {
            let envelope = String::from_utf8(self.sign(payload.clone(), &put, (json!(study), None))).unwrap();
            message["envelope"] = json!(hex(envelope.replace(&own, &id).as_bytes()));
            return Request::new(self.types.request(self.method, &message));
        }
        let mut request = Request::new(self.types.request(self.method, &message));
        let token = token::issue(&asker.name, study, &asker.key, now_ms());
        let (header, rest) = token.split_once('.').unwrap();
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap().replace(&own, &id);
        let token = format!("Bearer {}.{rest}", URL_SAFE_NO_PAD.encode(header));
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request
    }
}

impl Asked<'_> {
    /// What is asked, with the fields at some places naming what does not exist.
    fn filled(&self, absent: &dyn Fn(usize) -> bool) -> Value {
        let mut value = self.question.payload.as_ref().unwrap_or(&self.question.message).clone();
        for (_, leaf) in self.leaves.iter().enumerate().filter(|(place, _)| absent(*place)) {
            *value.pointer_mut(&leaf.at).unwrap() = leaf.absent.clone();
            if leaf.name == "study" && value.get("stream").is_some() {
                let study = leaf.absent.as_str().unwrap().parse().unwrap();
                value["stream"] = json!(hex(&journal(self.service).stream(study).0.0));
            }
        }
        value
    }

    fn echoes(&self, absent: &dyn Fn(usize) -> bool) -> Vec<Echo> {
        let absent = self.leaves.iter().enumerate().filter(|(place, _)| absent(*place));
        absent.flat_map(|(_, leaf)| Echo::new(&leaf.absent, &leaf.exists)).collect()
    }
}
