//! Markers are planted wherever a value, a name or a secret can be; everything that is told is searched for them.

use crate::{collector::Collector, deployment::Told};
use client::{ClientError, Reader, random, sign_form};
use proto::capture::{FormInstance, GetFormRequest, SubmitFormRequest};
use seal::{
    id::{Name, Service},
    key::SecretKey,
};
use std::{collections::BTreeMap, fs};
use synthetic::{Actor, Study, text_item, value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Request, Status};
use vocabulary::command::FormDef;

const VALUE: &str = "planted-value-7f3a";
const WRONG: &str = "planted-wrong-value-1c9e";
const SITE: &str = "Planted Site Title 5d2b";
const TITLE: &str = "PLANTED-STUDY-88AC";
const ACTOR: &str = "planted-actor-40de";
const EVENT: &str = "PLANTED-EVENT-93BB";
const PATH: &str = "planted-path-e6f1";
const HEADER: &str = "planted-header-2a7d";
const BODY: &str = "planted-body-c05f";
/// Not a secret: it must be found, or the search is of no use.
const REQUEST_ID: &str = "0badcafe0badcafe0badcafe0badcafe";

/// The markers, by what they stand for.
type Planted = BTreeMap<String, Vec<u8>>;

struct Play {
    planted: Planted,
    /// What refusals said.
    errors: String,
}

impl Play {
    fn plant(&mut self, what: &str, marker: impl Into<Vec<u8>>) {
        self.planted.insert(what.to_owned(), marker.into());
    }

    fn secret(&mut self, what: &str, bytes: &[u8]) {
        self.plant(what, bytes);
        self.plant(&format!("{what} in hex"), bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        self.plant(&format!("{what} in base64"), tlog::Hash::from_slice(bytes).unwrap().to_base64());
    }

    fn refused(&mut self, status: &Status) {
        self.errors += &format!("{status:?}\n{}\n", String::from_utf8_lossy(status.details()));
    }
}

async fn play(told: &Told) -> Play {
    let client = told.client();
    let mut play = Play { planted: Planted::new(), errors: String::new() };
    for marker in [VALUE, WRONG, SITE, TITLE, ACTOR, EVENT, PATH, HEADER, BODY] {
        play.plant(marker, marker);
    }
    for name in ["service.token", "master.key"] {
        play.secret(name, &fs::read(told.file("data/keys").join(name)).unwrap());
    }
    let receipts = fs::read_to_string(told.file("data/keys/receipts-capture.key")).unwrap();
    // `PRIVATE+KEY+name+id+base64`: the base64 may hold a `+` of its own.
    let secret = receipts.trim().splitn(5, '+').last().unwrap();
    assert!(secret.len() >= 40, "a part of a key stands anywhere");
    play.plant("receipt key", secret);

    let study = Study::create(&client, TITLE).await.unwrap();
    let site = study.open_site(&client, "701", SITE).await.unwrap();
    let actor = Actor { name: ACTOR.parse().unwrap(), key: SecretKey::from_seed(&random().unwrap()) };
    study.register(&client, &actor).await.unwrap();
    let items = ["SYSBP", "COMMENT"].map(|item| text_item(item).unwrap()).to_vec();
    study.define(&client, "1", vec![FormDef { provision: None, form: "VS".parse().unwrap(), items }]).await.unwrap();
    let participant = study.enrol(&client, &site).await.unwrap();
    play.plant("pseudonym", participant.name.as_str());
    study.consent(&client, &participant).await.unwrap();

    let form = |event: &str, item: &str, text: &str, key: &SecretKey| {
        sign_form(study.header(&participant, event, "VS", 0).unwrap(), vec![value(item, text)], key).unwrap()
    };
    let mut request = Request::new(form(EVENT, "SYSBP", VALUE, &study.coordinator.key).into_request());
    request.metadata_mut().insert("x-request-id", REQUEST_ID.parse().unwrap());
    request.metadata_mut().insert("tracestate", format!("vendor={HEADER}").parse().unwrap());
    request.metadata_mut().insert("baggage", format!("subject={HEADER}").parse().unwrap());
    request.metadata_mut().insert("x-subject", HEADER.parse().unwrap());
    client.capture.clone().submit_form(request).await.unwrap();

    // Everything that is refused, with a marker in what is wrong about it.
    for (event, item, by) in [
        ("V2", "NOSUCHITEM", &study.coordinator.key),
        (EVENT, "SYSBP", &study.coordinator.key),
        ("V3", "COMMENT", &actor.key),
    ] {
        match client.submit(form(event, item, WRONG, by)).await {
            Err(ClientError::Refused(status)) => play.refused(&status),
            other => panic!("{event} {item}: {other:?}"),
        }
    }
    let nonsense =
        SubmitFormRequest { envelope: BODY.as_bytes().to_vec(), datapoints: vec![WRONG.as_bytes().to_vec()] };
    play.refused(&client.capture.clone().submit_form(nonsense).await.unwrap_err());

    reads(&mut play, told, &study, &participant.name, &actor).await;
    strange(told).await;
    play
}

/// Reads with good and bad tokens. The good one's signature is a marker too.
async fn reads(play: &mut Play, told: &Told, study: &Study, participant: &Name, stranger: &Actor) {
    let mut capture = told.client().capture;
    for (by, good) in [(&study.coordinator, true), (stranger, false)] {
        let reader = study.reads(by);
        let message = GetFormRequest {
            study: study.id.to_string(),
            instance: Some(FormInstance {
                participant: participant.to_string(),
                event: EVENT.to_owned(),
                form: "VS".to_owned(),
                ..FormInstance::default()
            }),
        };
        let request: Request<GetFormRequest> = Reader::request(&reader, message);
        let token = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
        for (what, part) in ["head", "claims", "signature"].iter().zip(token.trim_start_matches("Bearer ").split('.')) {
            play.plant(&format!("token of {}: {what}", by.name), part);
        }
        match capture.get_form(request).await {
            Ok(_) => assert!(good, "a stranger reads"),
            Err(status) => play.refused(&status),
        }
    }
    let stream = Service::Capture.stream(study.id).0.0.to_vec();
    let request = proto::journal::ReadEntriesRequest { stream, study: study.id.to_string(), ..Default::default() };
    let bearer = format!("Bearer {HEADER}.{HEADER}.{HEADER}");
    let mut request = Request::new(request);
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    play.refused(&told.client().journal(Service::Capture).read_entries(request).await.unwrap_err());
}

/// Requests that no client would send.
async fn strange(told: &Told) {
    for url in [&told.endpoints.capture, &told.endpoints.anchoring, &told.endpoints.witnesses[0]] {
        let address = url.strip_prefix("http://").unwrap();
        for (path, id) in [(format!("/{PATH}"), PATH), (format!("/tile/{PATH}?{PATH}"), PATH)] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {PATH}\r\nx-request-id: {id}\r\nuser-agent: {HEADER}\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{BODY}",
                BODY.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _broken_off = stream.read_to_end(&mut answer).await;
        }
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_told_holds_a_value_a_name_or_a_secret() {
    let (collector, url) = Collector::start().await;
    let mut told = Told::start(&url).await;
    let play = play(&told).await;
    let metrics = told.metrics().await;
    told.stop().await;

    let mut all: Vec<(&str, Vec<u8>)> =
        ["stdout", "stderr"].map(|name| (name, fs::read(told.file(name)).unwrap())).into();
    all.extend(["traces", "metrics", "logs"].map(|kind| (kind, collector.messages(kind))));
    all.push(("Prometheus", metrics.into_bytes()));
    for (place, told) in &all {
        assert!(!told.is_empty(), "{place} told nothing");
        for (what, marker) in &play.planted {
            assert!(!holds(told, marker), "{place} tells {what}: {}", around(told, marker));
        }
    }
    for place in ["stderr", "traces", "logs"] {
        let told = &all.iter().find(|(of, _)| *of == place).unwrap().1;
        assert!(holds(told, REQUEST_ID.as_bytes()), "{place} does not tell the request id");
    }
    assert!(!play.errors.is_empty());
    for (what, marker) in &play.planted {
        let names_its_own = [EVENT, ACTOR].contains(&what.as_str()); // told to who sent it
        assert!(names_its_own || !holds(play.errors.as_bytes(), marker), "a refusal tells {what}: {}", play.errors);
    }
}

fn around(haystack: &[u8], needle: &[u8]) -> String {
    let place = haystack.windows(needle.len()).position(|window| window == needle).unwrap_or(0);
    let end = haystack.len().min(place + 200);
    String::from_utf8_lossy(&haystack[place.saturating_sub(200)..end]).into_owned()
}
