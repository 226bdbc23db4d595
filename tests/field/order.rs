//! What is sent in one stream is recorded in its order.

use super::Field;
use proto::{
    capture::{ErrorReason, submit_forms_response::Outcome},
    journal::{EntryView, ReadEntriesRequest},
};
use seal::{dsse::Envelope, id::Service};
use synthetic::value;
use vocabulary::command::Submission;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_recorded_in_its_order() {
    const ROWS: u32 = 1_500;
    let field = Field::new().await;
    // Large and small ones in turn: what takes long to prepare is not overtaken.
    let message = |repeat: u32| {
        let mut header = field.header("VISIT 1", "VS");
        header.instance.form_repeat = repeat;
        let note = if repeat.is_multiple_of(7) { "x".repeat(4_000) } else { "x".to_owned() };
        field.sign(header, vec![value("NOTE", &note)]).into_message()
    };
    let messages: Vec<_> = (0..ROWS).map(message).collect();
    let answers = field.world.client.capture.clone().submit_forms(tokio_stream::iter(messages)).await.unwrap();
    let (mut answers, mut count, mut accepted) = (answers.into_inner(), 0, Vec::new());
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.sequence, u64::from(count));
        match answer.outcome.unwrap() {
            Outcome::Receipt(_) => accepted.push(count),
            // A machine that is slow enough lets decisions grow too old; the others keep their order.
            Outcome::Refusal(refusal) => assert_eq!(refusal.reason(), ErrorReason::DependencyUnavailable),
        }
        count += 1;
    }
    assert_eq!(count, ROWS);
    let reader = field.world.study.reader();
    let request = ReadEntriesRequest {
        stream: Service::Capture.stream(field.world.study.id).0.0.to_vec(),
        from: 0,
        limit: 0,
        view: EntryView::Full.into(),
        study: field.world.study.id.to_string(),
    };
    let mut journal = field.world.client.journal(Service::Capture);
    let mut entries = journal.read_entries(reader.request(request)).await.unwrap().into_inner();
    let mut recorded = Vec::new();
    while let Some(message) = entries.message().await.unwrap() {
        if let Ok(header) = Envelope::parse(&message.envelope).unwrap().payload::<Submission>() {
            recorded.push(header.instance.form_repeat);
        }
    }
    assert!(!recorded.is_empty() && recorded == accepted, "{recorded:?}");
}
