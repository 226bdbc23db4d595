//! One trace from the client to the checkpoint.

use crate::{
    collector::Collector,
    deployment::{Told, eventually},
};
use client::{SignedForm, sign_form};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::HashSet;
use synthetic::{Study, text_item, value};
use vocabulary::command::FormDef;

/// The trace of the client's own making; the process adds to it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of the traces that lead on from `trace`: by their parent, or by a link where many calls became one.
fn leading_on(spans: &[Span], trace: &str) -> Vec<Span> {
    let mut traces = HashSet::from([trace.to_owned()]);
    loop {
        let joined = |span: &&Span| span.links.iter().any(|link| traces.contains(&hex_of(&link.trace_id)));
        let more: Vec<String> = spans.iter().filter(joined).map(|span| hex_of(&span.trace_id)).collect();
        let before = traces.len();
        traces.extend(more);
        if traces.len() == before {
            return spans.iter().filter(|span| traces.contains(&hex_of(&span.trace_id))).cloned().collect();
        }
    }
}

async fn signed(told: &Told) -> SignedForm {
    let client = told.client();
    let study = Study::create(&client, "TRACE-01").await.unwrap();
    let site = study.open_site(&client, "701", "Synthetic site").await.unwrap();
    let items = vec![text_item("SYSBP").unwrap()];
    let form = FormDef { provision: None, form: "VS".parse().unwrap(), items };
    study.define(&client, "1", vec![form]).await.unwrap();
    let participant = study.enrol(&client, &site).await.unwrap();
    study.consent(&client, &participant).await.unwrap();
    let header = study.header(&participant, "VISIT", "VS", 0).unwrap();
    sign_form(header, vec![value("SYSBP", "120")], &study.coordinator.key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_follows_a_submission_from_the_client_to_the_checkpoint() {
    let (collector, url) = Collector::start().await;
    let mut told = Told::start(&url).await;
    let form = signed(&told).await;
    // From here on the client traces; what came before has traces of its own.
    channel::propagate(|headers| {
        let value = format!("00-{TRACE}-{CLIENT}-01").parse().unwrap();
        drop(headers.insert("traceparent", value));
    });
    told.client().submit(form).await.unwrap();

    let ours = |name: &str| {
        let mut found = leading_on(&collector.spans(), TRACE);
        found.retain(|span| span.name.ends_with(name));
        found.sort_by_key(|span| hex_of(&span.trace_id) != TRACE); // those of the trace itself first
        found.into_iter().next()
    };
    eventually("a checkpoint in the trace", async || ours("anchoring.checkpoint")).await;
    told.stop().await;

    let submit = ours("CaptureService/SubmitForm").unwrap();
    assert_eq!(hex_of(&submit.trace_id), TRACE);
    assert_eq!(hex_of(&submit.parent_span_id), CLIENT, "the client's span called it");
    let decide = ours("capture.decide").unwrap();
    assert_eq!(decide.parent_span_id, submit.span_id);
    let asked: Vec<Span> = leading_on(&collector.spans(), TRACE)
        .into_iter()
        .filter(|span| span.name.ends_with("ConsentService/Decide"))
        .collect();
    assert_eq!(asked.len(), 2, "asked by capture, answered by consent");
    assert!(asked.iter().all(|span| hex_of(&span.trace_id) == TRACE));
    assert!(asked.iter().any(|span| span.parent_span_id == decide.span_id));
    let commit = ours("journal.commit").unwrap();
    assert_eq!((hex_of(&commit.trace_id).as_str(), &commit.parent_span_id), (TRACE, &submit.span_id));
    let publish = ours("bus.publish").unwrap();
    assert_eq!(publish.parent_span_id, commit.span_id);
    let receive = ours("bus.receive").unwrap();
    assert_eq!(receive.parent_span_id, publish.span_id);
    for name in ["anchoring.block", "anchoring.checkpoint"] {
        assert!(ours(name).is_some(), "{name}");
    }
    conventions(&submit);
}

fn conventions(span: &Span) {
    let attribute = |name: &str| span.attributes.iter().find(|attribute| attribute.key == name);
    for name in ["rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code"] {
        assert!(attribute(name).is_some(), "{name} in {:?}", span.attributes);
    }
}
