//! Bad input over gRPC: each gets its own documented reason, names the field, and changes nothing.

#![allow(clippy::unwrap_used)]

mod support;

use client::{Access, Client, ClientError, Command, Reader, SignedForm, new_key, new_uuid, now_ms, sign_form};
use proto::{
    anchoring::{GetBundleRequest, GetConsistencyProofRequest, ListBlocksRequest},
    capture::{FormInstance, GetDatapointRequest, GetFormRequest, SubmitFormRequest, submit_forms_response::Outcome},
    consent::DecideRequest,
    enrollment::AddSiteRequest,
    journal::{FollowHeadsRequest, ListStreamsRequest, ProveFactsRequest, ReadEntriesRequest, ReadFactsRequest},
};
use seal::{
    datapoint::Datapoint,
    dsse::{payload_type, sign, sign_bytes},
    id::{Name, Service, Uuid},
    key::SecretKey,
};
use serde_json::{Value, json};
use support::World;
use synthetic::{Actor, name, text_item, value};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vocabulary::command::{
    AddSite, CloseSite, Collected, DefineForms, Delegate, EndDelegation, FormDef, ItemDef, ItemType, Provision,
    RevokeKey, Submission, Task, WithdrawConsent, WithdrawParticipant,
};

/// The code, reason and first field of a refusal.
fn said(error: &ClientError) -> (Code, String, Option<String>) {
    let ClientError::Refused(status) = error else { panic!("{error}") };
    status_said(status)
}

fn status_said(status: &Status) -> (Code, String, Option<String>) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let field = status.get_details_bad_request().and_then(|bad| Some(bad.field_violations.first()?.field.clone()));
    (status.code(), reason, field)
}

async fn head(world: &World, service: Service) -> u64 {
    let request = ReadEntriesRequest {
        stream: service.stream(world.study.id).0.0.to_vec(),
        from: 0,
        limit: 0,
        view: 0,
        study: world.study.id.to_string(),
    };
    let reader = world.study.reader();
    let mut entries = world.client.journal(service).read_entries(reader.request(request)).await.unwrap().into_inner();
    let mut count = 0;
    while entries.message().await.unwrap().is_some() {
        count += 1;
    }
    count
}

fn header(world: &World) -> Submission {
    world.study.header(&world.participants[0], "VISIT", "VS", 0).unwrap()
}

fn form(world: &World, header: Submission) -> SignedForm {
    sign_form(header, vec![value("SYSBP", "120")], &world.study.coordinator.key).unwrap()
}

async fn refused(world: &World, form: SignedForm, code: Code, reason: &str, field: Option<&str>) {
    let error = world.client.submit(form).await.unwrap_err();
    assert_eq!(said(&error), (code, reason.to_owned(), field.map(str::to_owned)));
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_lie_or_do_not_fit_are_refused_and_store_nothing() {
    use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};
    let world = World::new().await;
    let items = vec![
        ItemDef { mandatory: true, ..text_item("SYSBP").unwrap() },
        ItemDef { kind: ItemType::Integer, min: Some(20.0), max: Some(200.0), ..text_item("DIABP").unwrap() },
        ItemDef { codes: vec!["SITTING".to_owned()], max_length: Some(10), ..text_item("POSITION").unwrap() },
    ];
    world
        .study
        .define(&world.client, "2", vec![FormDef { provision: None, form: name("VS").unwrap(), items }])
        .await
        .unwrap();
    let first = world.capture("BASELINE", "120").await;
    let before = head(&world, Service::Capture).await;
    let key = &world.study.coordinator.key;

    let unknown = Submission { study: new_uuid().unwrap(), ..header(&world) };
    refused(&world, form(&world, unknown), NotFound, "STUDY_UNKNOWN", None).await;
    let stranger = sign_form(header(&world), vec![value("SYSBP", "1")], &new_key().unwrap()).unwrap();
    refused(&world, stranger, PermissionDenied, "KEY_UNKNOWN", None).await;
    let ahead = Submission { time: now_ms() + 3_600_000, ..header(&world) };
    refused(&world, form(&world, ahead), InvalidArgument, "CLOCK_AHEAD", Some("envelope.payload.time")).await;
    let (study, everywhere) = (&world.study, Name::all_sites());
    study.delegate(&world.client, &study.investigator, &study.coordinator, Task::Capture, &everywhere).await.unwrap();
    let nowhere = Submission { site: name("999").unwrap(), ..header(&world) };
    refused(&world, form(&world, nowhere), FailedPrecondition, "SITE_NOT_OPEN", None).await;
    let mut nobody = header(&world);
    nobody.instance.participant = name("P-AAAAAAAAAAAAAAAA").unwrap();
    refused(&world, form(&world, nobody), FailedPrecondition, "PARTICIPANT_NOT_ENROLLED", None).await;
    let version = Submission { forms_version: name("9").unwrap(), ..header(&world) };
    refused(&world, form(&world, version), NotFound, "FORMS_VERSION_UNKNOWN", None).await;
    let again = world.study.header(&world.participants[0], "BASELINE", "VS", 0).unwrap();
    refused(&world, form(&world, again.clone()), AlreadyExists, "FORM_EXISTS", None).await;
    let stale = Submission { corrects: Some(first + 7), reason: Some("typo".to_owned()), ..again.clone() };
    refused(&world, form(&world, stale), Code::Aborted, "CORRECTION_STALE", None).await;
    let silent = Submission { corrects: Some(first), reason: None, ..again };
    let field = Some("envelope.payload.reason");
    refused(&world, form(&world, silent), InvalidArgument, "REASON_MISSING", field).await;

    // What no verifier reads gets no receipt: an array of the values in the place of an object.
    let mut array = form(&world, header(&world));
    let json: Value = serde_json::from_slice(&array.envelope).unwrap();
    array.envelope = json!([json["payloadType"], json["payload"], json["signatures"]]).to_string().into_bytes();
    refused(&world, array, InvalidArgument, "MALFORMED", Some("envelope")).await;
    let mut array = form(&world, header(&world));
    let mut json = serde_json::to_value(header(&world)).unwrap();
    let instance: Vec<Value> = ["participant", "event", "event_repeat", "form", "form_repeat"]
        .map(|field| json["instance"][field].clone())
        .into();
    json["instance"] = json!(instance);
    array.envelope = sign_bytes(&payload_type("submit-form"), json.to_string().into_bytes(), &[key]);
    refused(&world, array, InvalidArgument, "MALFORMED", Some("envelope.payload.instance")).await;

    let mut lying = form(&world, header(&world));
    lying.datapoints.push(lying.datapoints[0].clone());
    refused(&world, lying, InvalidArgument, "ROOT_MISMATCH", Some("datapoints")).await;
    let mut swapped = form(&world, header(&world));
    swapped.datapoints = vec![value("SYSBP", "121").to_bytes()];
    refused(&world, swapped, InvalidArgument, "ROOT_MISMATCH", Some("envelope.payload.root")).await;
    let mut not_utf8 = value("SYSBP", "1234").to_bytes();
    let place = not_utf8.len() - 6;
    not_utf8[place] = 0xff;
    let bytes = Submission { root: seal::datapoint::root(&[&not_utf8]).into(), count: 1, ..header(&world) };
    let bytes = SignedForm { envelope: sign(&bytes, &[key]), datapoints: vec![not_utf8] };
    refused(&world, bytes, InvalidArgument, "MALFORMED", Some("datapoints[0]")).await;

    let cases: [(Vec<Datapoint>, &str, &str); 7] = [
        (vec![value("WEIGHT", "70")], "ITEM_UNKNOWN", "datapoints[0].item"),
        (vec![value("SYSBP", "1"), value("SYSBP", "2")], "ITEM_REPEATED", "datapoints[1].item"),
        (vec![value("SYSBP", "1"), value("DIABP", "high")], "VALUE_WRONG_TYPE", "datapoints[1].value"),
        (vec![value("SYSBP", "1"), value("DIABP", "201")], "VALUE_OUT_OF_RANGE", "datapoints[1].value"),
        (vec![value("SYSBP", "1"), value("POSITION", "UPSIDE DOWN")], "VALUE_TOO_LONG", "datapoints[1].value"),
        (vec![value("SYSBP", "1"), value("POSITION", "LYING")], "VALUE_NOT_IN_CODE_LIST", "datapoints[1].value"),
        (vec![value("DIABP", "80")], "ITEM_MISSING", "datapoints[SYSBP]"),
    ];
    for (values, reason, field) in cases {
        let second = Submission { forms_version: name("2").unwrap(), ..header(&world) };
        let form = sign_form(second, values, key).unwrap();
        refused(&world, form, InvalidArgument, reason, Some(field)).await;
    }

    let good = form(&world, header(&world));
    world.client.submit(good.clone()).await.unwrap();
    world.client.submit(good.clone()).await.unwrap();
    let mut other = world.study.header(&world.participants[0], "ANOTHER VISIT", "VS", 0).unwrap();
    other.request = seal::dsse::Envelope::parse(&good.envelope).unwrap().payload::<Submission>().unwrap().request;
    // Who sends what is refused anyway does not find out that the request id is used.
    let again = Submission { instance: header(&world).instance, ..other.clone() };
    refused(&world, form(&world, again), AlreadyExists, "FORM_EXISTS", None).await;
    refused(&world, form(&world, other), AlreadyExists, "REQUEST_REUSED", None).await;
    assert_eq!(head(&world, Service::Capture).await, before + 1);
    let report = world.audit().await;
    assert!(report.clean, "{}", audit::readable(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_the_right_is_refused() {
    use Code::{FailedPrecondition, PermissionDenied};
    let world = World::new().await;
    let World { client, study, .. } = &world;
    let nurse = Actor { name: name("nurse-okoye").unwrap(), key: new_key().unwrap() };
    study.register(client, &nurse).await.unwrap();
    let by_nurse = |key: &SecretKey, repeat| {
        let header = world.study.header(&world.participants[1], "VISIT", "VS", repeat).unwrap();
        sign_form(Submission { by: nurse.name.clone(), ..header }, vec![value("SYSBP", "1")], key).unwrap()
    };
    refused(&world, by_nurse(&nurse.key, 0), PermissionDenied, "DELEGATION_MISSING", None).await;
    let now = now_ms();
    let delegate = |from: u64, until: u64| Delegate {
        training: None,
        study: study.id,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now,
        actor: nurse.name.clone(),
        task: Task::Capture.into(),
        site: world.site.clone(),
        from,
        until,
        seen: None,
    };
    client.record(&delegate(now + 3_600_000, now + 7_200_000), &[&study.root.key]).await.unwrap();
    eventually_refused(&world, |repeat| by_nurse(&nurse.key, repeat), "DELEGATION_OUTSIDE_PERIOD").await;
    let granted = client.record(&delegate(now, now + 3_600_000), &[&study.root.key]).await.unwrap();
    eventually_accepted(&world, |repeat| by_nurse(&nurse.key, repeat)).await;
    let end = EndDelegation {
        study: study.id,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now,
        actor: nurse.name.clone(),
        task: Task::Capture,
        site: world.site.clone(),
        reason: name("left the site").unwrap(),
        delegation: client::entry_number(&granted),
    };
    client.record(&end, &[&study.root.key]).await.unwrap();
    eventually_refused(&world, |repeat| by_nurse(&nurse.key, repeat), "DELEGATION_ENDED").await;
    let revoke = RevokeKey {
        study: study.id,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now,
        key: nurse.key.public().id(),
        reason: name("key lost").unwrap(),
    };
    client.record(&revoke, &[&study.root.key]).await.unwrap();
    eventually_refused(&world, |repeat| by_nurse(&nurse.key, repeat), "KEY_ENDED").await;

    let patient = &world.participants[1];
    let by_coordinator = |repeat| {
        let header = world.study.header(patient, "LATER", "VS", repeat).unwrap();
        sign_form(header, vec![value("SYSBP", "1")], &world.study.coordinator.key).unwrap()
    };
    let withdraw = WithdrawConsent {
        collected: Some(Collected::Kept),
        scope: None,
        study: study.id,
        request: new_uuid().unwrap(),
        by: patient.name.clone(),
        time: now,
        participant: patient.name.clone(),
        site: world.site.clone(),
        provisions: vec![Provision::data_collection()],
        late: None,
    };
    client.record(&withdraw, &[&patient.key]).await.unwrap();
    eventually_refused(&world, by_coordinator, "CONSENT_WITHDRAWN").await;
    let twice = WithdrawConsent { request: new_uuid().unwrap(), ..withdraw };
    let error = client.record(&twice, &[&patient.key]).await.unwrap_err();
    assert_eq!(said(&error), (FailedPrecondition, "CONSENT_WITHDRAWN".to_owned(), None));
    let leave = WithdrawParticipant {
        study: study.id,
        request: new_uuid().unwrap(),
        by: patient.name.clone(),
        time: now,
        participant: patient.name.clone(),
        site: world.site.clone(),
        reason: vocabulary::command::WithdrawalReason::ParticipantDecision,
    };
    client.record(&leave, &[&patient.key]).await.unwrap();
    eventually_refused(&world, by_coordinator, "PARTICIPANT_NOT_ENROLLED").await;
    let close = CloseSite {
        reason: Some(name("the study ends here").unwrap()),
        study: study.id,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now,
        site: world.site.clone(),
    };
    client.record(&close, &[&study.root.key]).await.unwrap();
    eventually_refused(&world, by_coordinator, "SITE_NOT_OPEN").await;
    let report = world.audit().await;
    assert!(report.clean, "{}", audit::readable(&report));
}

/// Submits until it is refused for this reason: no capture that begins after the bound may be accepted.
async fn eventually_refused(world: &World, form: impl Fn(u32) -> SignedForm, reason: &str) {
    let bound = now_ms() + seal::MAX_DECISION_AGE_MS;
    loop {
        let began = now_ms();
        match world.client.submit(form(u32::from_be_bytes(client::random().unwrap()))).await {
            Err(error) if said(&error).1 == reason => return,
            outcome => assert!(began < bound, "{reason} expected, got {outcome:?}"),
        }
    }
}

async fn eventually_accepted(world: &World, form: impl Fn(u32) -> SignedForm) {
    let bound = now_ms() + seal::MAX_DECISION_AGE_MS;
    loop {
        let began = now_ms();
        match world.client.submit(form(u32::from_be_bytes(client::random().unwrap()))).await {
            Ok(_) => return,
            Err(error) => assert!(began < bound, "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_that_are_not_what_they_should_be_name_the_field() {
    use Code::{InvalidArgument, PermissionDenied};
    let world = World::new().await;
    let before = head(&world, Service::Enrollment).await;
    let key = &world.study.root.key;
    let add = AddSite {
        study: world.study.id,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now_ms(),
        site: name("702").unwrap(),
        title: name("Another").unwrap(),
    };
    let json = serde_json::to_string(&add).unwrap();
    let kind = "application/vnd.trialseal.add-site.v1+json";
    let good = sign(&add, &[key]);
    let mut forged = good.clone();
    let place = good.windows(5).position(|part| part == b"\"sig\"").unwrap() + 8;
    forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
    let cases: Vec<(Vec<u8>, Code, &str, Option<&str>)> = vec![
        (Vec::new(), InvalidArgument, "MALFORMED", Some("envelope")),
        (b"\xff\xfe".to_vec(), InvalidArgument, "MALFORMED", Some("envelope")),
        (vec![b' '; (1 << 20) + 1], InvalidArgument, "MALFORMED", Some("envelope")),
        (good[..good.len() - 1].to_vec(), InvalidArgument, "MALFORMED", Some("envelope")),
        (
            sign_bytes("text/plain", json.clone().into_bytes(), &[key]),
            InvalidArgument,
            "MALFORMED",
            Some("envelope.payloadType"),
        ),
        (sign_bytes(kind, b"{}".to_vec(), &[key]), InvalidArgument, "MALFORMED", Some("envelope.payload")),
        (
            sign_bytes(kind, json.replace("\"702\"", "702").into_bytes(), &[key]),
            InvalidArgument,
            "MALFORMED",
            Some("envelope.payload.site"),
        ),
        (
            sign_bytes(kind, json.replace("702", "\\u0007").into_bytes(), &[key]),
            InvalidArgument,
            "MALFORMED",
            Some("envelope.payload.site"),
        ),
        (
            sign_bytes(kind, json.replace("702", "\\ud800").into_bytes(), &[key]),
            InvalidArgument,
            "MALFORMED",
            Some("envelope.payload.site"),
        ),
        (
            sign_bytes(kind, json.replacen('{', "{\"extra\":1,", 1).into_bytes(), &[key]),
            InvalidArgument,
            "MALFORMED",
            Some("envelope.payload"),
        ),
        (
            sign_bytes(kind, json.replacen('{', "{\"site\":\"1\",", 1).into_bytes(), &[key]),
            InvalidArgument,
            "MALFORMED",
            Some("envelope.payload"),
        ),
        (forged, PermissionDenied, "KEY_UNKNOWN", None),
    ];
    for (envelope, code, reason, field) in cases {
        let shown = String::from_utf8_lossy(&envelope[..envelope.len().min(60)]).into_owned();
        let status = world.client.enrollment.clone().add_site(AddSiteRequest { envelope }).await.unwrap_err();
        assert_eq!(status_said(&status), (code, reason.to_owned(), field.map(str::to_owned)), "{shown}");
    }
    let oversized = SubmitFormRequest { envelope: good.clone(), datapoints: vec![vec![0; 5 << 20]] };
    let status = world.client.capture.clone().submit_form(oversized).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert_eq!(head(&world, Service::Enrollment).await, before);
    let forms = DefineForms {
        study: world.study.id,
        request: new_uuid().unwrap(),
        by: Name::root(),
        time: now_ms(),
        version: name("3").unwrap(),
        forms: vec![FormDef {
            provision: None,
            form: name("VS").unwrap(),
            items: vec![text_item("A").unwrap(), text_item("A").unwrap()],
        }],
        events: Vec::new(),
    };
    let error = world.client.record(&forms, &[key]).await.unwrap_err();
    let field = Some("envelope.payload.forms[VS].items[A]".to_owned());
    assert_eq!(said(&error), (InvalidArgument, "MALFORMED".to_owned(), field));
    sends_nothing_twice(&world.client, &add, key).await;
}

/// The same signed command twice gives the same receipt, byte for byte.
async fn sends_nothing_twice<C: Command>(client: &Client, command: &C, key: &SecretKey) {
    let (first, again) = (client.record(command, &[key]).await.unwrap(), client.record(command, &[key]).await.unwrap());
    assert_eq!(first, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_what_their_delegation_covers_and_nothing_else() {
    let world = World::new().await;
    let entry = world.capture("BASELINE", "120").await;
    let elsewhere = world.study.open_site(&world.client, "702", "Elsewhere").await.unwrap();
    let monitor = Actor { name: name("monitor").unwrap(), key: new_key().unwrap() };
    world.study.register(&world.client, &monitor).await.unwrap();
    world.study.delegate(&world.client, &world.study.root, &monitor, Task::Read, &elsewhere).await.unwrap();
    let reader = |actor: &Name, key: &SecretKey| Reader {
        access: None,
        study: world.study.id,
        actor: actor.clone(),
        key: key.clone(),
    };
    let patient = &world.participants[0];
    let instance = FormInstance {
        participant: patient.name.to_string(),
        event: "BASELINE".to_owned(),
        event_repeat: 0,
        form: "VS".to_owned(),
        form_repeat: 0,
    };
    let request = GetDatapointRequest {
        study: world.study.id.to_string(),
        instance: Some(instance.clone()),
        item: "SYSBP".to_owned(),
        repeat: String::new(),
    };
    let capture = world.client.capture.clone();
    for allowed in [
        reader(&world.study.coordinator.name, &world.study.coordinator.key),
        reader(&patient.name, &patient.key),
        world.study.reader(),
    ] {
        let found = capture.clone().get_datapoint(allowed.request(request.clone())).await.unwrap().into_inner();
        assert_eq!(found.value.unwrap().value, "120");
    }
    let stranger = &world.participants[1];
    let access = Access {
        participant: patient.name.clone(),
        site: world.site.clone(),
        categories: Vec::new(),
        purpose: name("curiosity").unwrap(),
        grant: None,
        only: None,
    };
    let outsider = |actor: &Name, key: &SecretKey| Reader { access: Some(access.clone()), ..reader(actor, key) };
    for (denied, code, reason) in [
        (reader(&monitor.name, &monitor.key), Code::FailedPrecondition, "ACCESS_UNSIGNED"),
        (outsider(&monitor.name, &monitor.key), Code::PermissionDenied, "DELEGATION_MISSING"),
        (outsider(&stranger.name, &stranger.key), Code::PermissionDenied, "DELEGATION_MISSING"),
        (reader(&patient.name, &stranger.key), Code::Unauthenticated, "CREDENTIALS_INVALID"),
        (reader(&patient.name, &new_key().unwrap()), Code::Unauthenticated, "CREDENTIALS_INVALID"),
    ] {
        let status = capture.clone().get_datapoint(denied.request(request.clone())).await.unwrap_err();
        assert_eq!(status_said(&status), (code, reason.to_owned(), None));
        let form = GetFormRequest { study: world.study.id.to_string(), instance: Some(instance.clone()) };
        assert_eq!(capture.clone().get_form(denied.request(form)).await.unwrap_err().code(), code);
        let bundle = GetBundleRequest {
            study: world.study.id.to_string(),
            entry,
            item: "SYSBP".to_owned(),
            repeat: String::new(),
        };
        let status = world.client.anchoring.clone().get_bundle(denied.request(bundle)).await.unwrap_err();
        assert!(matches!(status.code(), Code::NotFound | Code::Unauthenticated), "{status:?}");
    }
    let status = capture.clone().get_datapoint(request).await.unwrap_err();
    assert_eq!(status_said(&status), (Code::Unauthenticated, "CREDENTIALS_INVALID".to_owned(), None));
    let decide = DecideRequest {
        read: None,
        first: false,
        study: world.study.id.to_string(),
        participant: patient.name.to_string(),
        provision: "data_collection".to_owned(),
    };
    let consent = world.client.consent.clone();
    let answer = consent.clone().decide(reader(&patient.name, &patient.key).request(decide.clone())).await;
    assert!(answer.unwrap().into_inner().permitted);
    assert_eq!(consent.clone().decide(decide).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_and_the_chain_refuse_strangers_and_nonsense() {
    let world = World::new().await;
    for service in Service::ALL {
        let mut journal = world.client.journal(service);
        let stream = service.stream(world.study.id).0.0.to_vec();
        let denied = [
            journal.list_streams(ListStreamsRequest::default()).await.err(),
            journal.follow_heads(FollowHeadsRequest {}).await.err(),
            journal.read_facts(ReadFactsRequest { stream: stream.clone(), keys: Vec::new() }).await.err(),
            journal
                .prove_facts(ProveFactsRequest {
                    stream: stream.clone(),
                    number: 0,
                    keys: Vec::new(),
                    study: String::new(),
                })
                .await
                .err(),
            journal
                .read_entries(ReadEntriesRequest { stream, from: 0, limit: 0, view: 0, study: String::new() })
                .await
                .err(),
        ];
        for status in denied {
            assert!(matches!(status.unwrap().code(), Code::Unauthenticated | Code::InvalidArgument));
        }
    }
    let reader = world.study.reader();
    let of_another = ReadEntriesRequest {
        stream: Service::Capture.stream(Uuid::from_random([9; 16])).0.0.to_vec(),
        from: 0,
        limit: 0,
        view: 2,
        study: world.study.id.to_string(),
    };
    let answer = world.client.journal(Service::Capture).read_entries(reader.request(of_another)).await;
    assert_eq!(status_said(&answer.unwrap_err()).2.as_deref(), Some("stream"));
    let future = ProveFactsRequest {
        stream: Service::Consent.stream(world.study.id).0.0.to_vec(),
        number: 1_000,
        keys: Vec::new(),
        study: world.study.id.to_string(),
    };
    let answer = world.client.journal(Service::Consent).prove_facts(reader.request(future)).await;
    assert_eq!(status_said(&answer.unwrap_err()), (Code::NotFound, "NOT_FOUND".to_owned(), None));

    let mut anchoring = world.client.anchoring.clone();
    let proof = anchoring.get_consistency_proof(GetConsistencyProofRequest { first: 1, second: u64::MAX }).await;
    assert_eq!(status_said(&proof.unwrap_err()), (Code::NotFound, "SIZE_UNKNOWN".to_owned(), None));
    let blocks = anchoring.list_blocks(ListBlocksRequest { stream: vec![1], from: 0, page_size: 0 }).await;
    assert_eq!(status_said(&blocks.unwrap_err()).2.as_deref(), Some("stream"));
    let base = &world.deployment.endpoints.anchoring;
    for (path, status) in [("tile/0/x999/999", "404"), ("tile/0/../../keys/master.key", "4"), ("tile/9/abc", "400")] {
        let error = world.client.http.fetch(&format!("{base}/{path}"), 1 << 20).await.unwrap_err().to_string();
        assert!(error.contains(&format!("answers {status}")), "{path}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_each_message_and_goes_on_after_a_refusal() {
    let world = World::new().await;
    let good = |repeat| {
        let header = world.study.header(&world.participants[0], "STREAM", "VS", repeat).unwrap();
        sign_form(header, vec![value("SYSBP", "120")], &world.study.coordinator.key).unwrap().into_message()
    };
    let mut bad = good(1_000);
    bad.datapoints.clear();
    let mut messages: Vec<_> = (0..600).map(good).collect();
    messages[300] = bad;
    // Together more than a stream may have unanswered.
    messages[400..404].iter_mut().for_each(|large| large.datapoints = vec![vec![0; 3 << 20]]);
    let answers = world.client.capture.clone().submit_forms(tokio_stream::iter(messages)).await.unwrap();
    let mut answers = answers.into_inner();
    for sequence in 0..600 {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.sequence, sequence);
        match answer.outcome.unwrap() {
            Outcome::Receipt(_) => assert!(sequence != 300 && !(400..404).contains(&sequence)),
            Outcome::Refusal(_) if (400..404).contains(&sequence) => {}
            Outcome::Refusal(refusal) => {
                assert_eq!((sequence, refusal.reason().as_str_name()), (300, "ERROR_REASON_ROOT_MISMATCH"));
                assert_eq!(refusal.fields[0].field, "datapoints");
            }
        }
    }
    assert!(answers.message().await.unwrap().is_none());
}
