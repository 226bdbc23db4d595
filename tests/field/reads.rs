//! What reads show of units and of when data were collected, and what is refused at the door.

use super::Field;
use proto::capture as pb;
use seal::datapoint::Datapoint;
use synthetic::value;
use vocabulary::command::Submission;

fn with_unit(text: &str, unit: &str) -> Vec<Datapoint> {
    vec![Datapoint { unit: unit.to_owned(), ..value("TEMP", text) }]
}

fn instance(header: &Submission) -> Option<pb::FormInstance> {
    Some(pb::FormInstance {
        participant: header.instance.participant.to_string(),
        event: header.instance.event.to_string(),
        event_repeat: 0,
        form: header.instance.form.to_string(),
        form_repeat: 0,
    })
}

async fn history(field: &Field, header: &Submission) -> Vec<pb::ItemChange> {
    let request = pb::GetItemHistoryRequest {
        study: field.world.study.id.to_string(),
        instance: instance(header),
        item: "TEMP".to_owned(),
        ..Default::default()
    };
    let answer = field.world.client.capture.clone().get_item_history(field.coordinator().request(request)).await;
    answer.unwrap().into_inner().changes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_alone_can_change_and_the_history_shows_it() {
    let field = Field::new().await;
    let header = field.header("VISIT 1", "VS");
    let first = field.submit(header.clone(), with_unit("98.6", "C")).await;
    // The number is not in the form's range; the item has no unit of its own.
    assert_eq!(first, Err(("VALUE_OUT_OF_RANGE".to_owned(), "datapoints[0].value".to_owned())));
    let first = field.submit(header.clone(), with_unit("36.6", "F")).await.unwrap();
    let reason = Some("wrong unit".to_owned());
    let request = client::new_uuid().unwrap();
    let correction = Submission { request, corrects: Some(first), reason, ..header.clone() };
    let second = field.submit(correction.clone(), with_unit("36.6", "C")).await.unwrap();
    let request = client::new_uuid().unwrap();
    field.submit(Submission { request, corrects: Some(second), ..correction }, with_unit("36.6", "")).await.unwrap();
    let changes = history(&field, &header).await;
    let units: Vec<_> = changes.iter().map(|change| (change.old_unit.as_str(), change.new_unit.as_str())).collect();
    let values: Vec<_> = changes.iter().map(|change| (change.old_value.as_str(), change.new_value.as_str())).collect();
    assert_eq!(units, [("", "F"), ("F", "C"), ("C", "")]);
    assert_eq!(values, [("", "36.6"), ("36.6", "36.6"), ("36.6", "36.6")]);
    assert_eq!(changes[1].reason, "wrong unit");
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_text_and_blank_reasons_are_refused() {
    let field = Field::new().await;
    let (header, missing) =
        (field.header("VISIT 1", "CM"), Err(("ITEM_MISSING".to_owned(), "datapoints[0].value".to_owned())));
    for blank in ["   ", "\u{a0}", "\u{200b}", "\t"] {
        assert_eq!(field.submit(header.clone(), vec![value("TERM", blank)]).await, missing, "{blank:?}");
        let note = field.submit(field.header("VISIT 1", "VS"), vec![value("NOTE", blank)]).await;
        assert_eq!(note, Err(("VALUE_BLANK".to_owned(), "datapoints[0].value".to_owned())), "{blank:?}");
    }
    let first = field.submit(header.clone(), vec![value("TERM", "aspirin")]).await.unwrap();
    let because = |reason: Option<&str>| Submission {
        request: client::new_uuid().unwrap(),
        corrects: Some(first),
        reason: reason.map(str::to_owned),
        ..header.clone()
    };
    let longest = "x".repeat(4_097);
    for reason in [None, Some(""), Some("   "), Some("\u{200b}"), Some("."), Some(&longest)] {
        let refused = field.submit(because(reason), vec![value("TERM", "ibuprofen")]).await;
        assert_eq!(refused, Err(("REASON_MISSING".to_owned(), "envelope.payload.reason".to_owned())), "{reason:?}");
    }
    field.submit(because(Some("misread")), vec![value("TERM", "ibuprofen")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_collected_before_consent_is_shown_by_every_read_and_the_future_is_refused() {
    let field = Field::new().await;
    let on = |event: &str, date: &str| Submission { collected: Some(date.to_owned()), ..field.header(event, "VS") };
    for date in ["2099-01-01", "2099", "2016-01-01/2099-01-01"] {
        let refused = field.submit(on("VISIT 1", date), with_unit("36.6", "C")).await;
        let future = ("COLLECTED_IN_FUTURE".to_owned(), "envelope.payload.collected".to_owned());
        assert_eq!(refused, Err(future), "{date}");
    }
    let today = seal::text::day_of(client::now_ms());
    let cases = [
        ("VISIT 1", "2016-01-01", true),
        ("VISIT 2", "0000", true),
        ("VISIT 3", &today, false),
        ("VISIT 4", "--01-01", false),
    ];
    for (event, date, before) in cases {
        let header = on(event, date);
        let entry = field.submit(header.clone(), with_unit("36.6", "C")).await.unwrap();
        let (study, instance) = (field.world.study.id.to_string(), instance(&header));
        let (mut capture, reader) = (field.world.client.capture.clone(), field.coordinator());
        let shown = (date, Some(before));
        let request = pb::GetFormRequest { study: study.clone(), instance: instance.clone() };
        let form = capture.get_form(reader.request(request)).await.unwrap().into_inner().form.unwrap();
        assert_eq!((form.collected.as_str(), form.collected_before_consent), shown);
        assert_eq!((form.values[0].collected.as_str(), form.values[0].collected_before_consent), shown);
        let item = "TEMP".to_owned();
        let request =
            pb::GetDatapointRequest { study: study.clone(), instance, item: item.clone(), repeat: String::new() };
        let value = capture.get_datapoint(reader.request(request)).await.unwrap().into_inner().value.unwrap();
        assert_eq!((value.collected.as_str(), value.collected_before_consent), shown);
        let change = &history(&field, &header).await[0];
        assert_eq!((change.collected.as_str(), change.collected_before_consent), shown);
        let request = pb::DiscloseDatapointRequest { study, entry, item, repeat: String::new() };
        let disclosed = capture.disclose_datapoint(reader.request(request)).await.unwrap().into_inner();
        assert_eq!(disclosed.collected_before_consent, Some(before));
    }
    let listed: Vec<_> =
        field.forms_of(0).await.into_iter().map(|form| (form.collected, form.collected_before_consent)).collect();
    assert_eq!(listed, cases.map(|(_, date, before)| (date.to_owned(), Some(before))));
    let undated = field.header("VISIT 5", "VS");
    field.submit(undated, with_unit("36.6", "C")).await.unwrap();
    let last = field.forms_of(0).await.pop().unwrap();
    assert_eq!((last.collected.as_str(), last.collected_before_consent), ("", None));
}
