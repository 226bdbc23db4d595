//! When a consent is in force, by trying every millisecond; what provisions are called; what day it is.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use seal::{
    id::Name,
    text::{day_of, is_day},
};
use vocabulary::{
    command::{Provision, Reconsent, ReconsentMode},
    consent::{InForce, NotInForce, holds, in_force},
    fact::{self, End, Fact, Facts, Given, Superseded, Until},
    subject,
};

/// All times of these tests are below.
const SPAN: u64 = 12;

fn given(withdrawn: Option<u64>, until: Option<Until>) -> Given {
    let name = |text: &str| text.parse::<Name>().unwrap();
    let (document, version, language) = (name("ICF"), name("1.0"), name("en"));
    Given {
        refused: false,
        given: 1,
        document,
        version,
        language,
        withdrawn,
        until,
        mandatory: true,
        signed: None,
        after: None,
        given_by: Vec::new(),
    }
}

fn mode() -> impl Strategy<Value = ReconsentMode> {
    prop::sample::select(vec![ReconsentMode::Warn, ReconsentMode::Stop])
}

fn until() -> impl Strategy<Value = Option<Until>> {
    let why = prop::sample::select(vec![End::Period, End::Majority, End::Deferral]);
    prop::option::of((0..SPAN, why).prop_map(|(time, why)| Until { time, why }))
}

fn superseded() -> impl Strategy<Value = Option<Superseded>> {
    let demand = (0..SPAN, mode(), mode()).prop_map(|(by, meanwhile, then)| Reconsent { by, meanwhile, then });
    let superseded = (0..SPAN, prop::option::of(demand));
    prop::option::of(superseded.prop_map(|(effective, reconsent)| Superseded { by: 2, effective, reconsent }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn a_consent_holds_until_exactly_the_first_time_it_does_not(until in until(), superseded in superseded()) {
        let given = given(None, until);
        let at = |time| holds(&given, superseded.as_ref(), time);
        for time in 0..=SPAN {
            let Ok(held) = at(time) else { continue };
            let stops = (time + 1..=SPAN).find(|later| at(*later).is_err());
            prop_assert_eq!(held.until, stops, "at {}", time);
            let demand = superseded.as_ref().filter(|new| new.effective <= time).and_then(|new| new.reconsent.clone());
            prop_assert_eq!(held.reconsent_by, demand.map(|demand| demand.by));
        }
    }

    #[test]
    fn a_consent_that_does_not_hold_says_why(
        withdrawn in prop::option::of(Just(3)), until in until(), superseded in superseded(), time in 0..SPAN,
    ) {
        let said = holds(&given(withdrawn, until), superseded.as_ref(), time).err();
        let over = until.filter(|end| end.time <= time).map(|end| match end.why {
            End::Period => NotInForce::PeriodEnded,
            End::Majority => NotInForce::MajorityReached,
            End::Deferral => NotInForce::DeferralEnded,
        });
        let anew = superseded.filter(|new| new.effective <= time).and_then(|new| new.reconsent).is_some_and(|demand| {
            let now = if time < demand.by { demand.meanwhile } else { demand.then };
            now == ReconsentMode::Stop
        });
        let expected = match (withdrawn, over, anew) {
            (Some(_), ..) => Some(NotInForce::Withdrawn),
            (None, Some(over), _) => Some(over),
            (None, None, anew) => anew.then_some(NotInForce::ReconsentRequired),
        };
        prop_assert_eq!(said, expected);
    }

    #[test]
    fn provisions_are_read_as_written_or_not_at_all(text in "\\PC{0,40}", kind in 0_usize..8, details in prop::collection::vec("[a-z :]{0,4}", 0..4)) {
        let kinds = [
            ("data_collection", 0..=1), ("biosamples", 0..=1), ("genetics", 0..=0), ("data_sharing", 2..=2),
            ("future_research", 0..=1), ("recontact", 0..=0), ("remote_monitoring", 0..=0), ("other", 9..=9),
        ];
        if let Ok(read) = text.parse::<Provision>() {
            prop_assert_eq!(read.as_str(), text);
        }
        let (kind, arity) = &kinds[kind];
        let spelt = std::iter::once(*kind).chain(details.iter().map(String::as_str)).collect::<Vec<_>>().join(":");
        let parts: Vec<&str> = spelt.split(':').skip(1).collect();
        let good = arity.contains(&parts.len()) && parts.iter().all(|part| !part.is_empty() && part.trim() == *part);
        let read = spelt.parse::<Provision>();
        prop_assert_eq!(read.is_ok(), good, "{}", spelt);
        if let Ok(read) = read {
            prop_assert_eq!(read.to_string(), spelt);
        }
    }
}

#[test]
fn days_are_those_of_a_calendar_counted_day_by_day() {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for time in (0..160_000).map(|days: u64| days * 86_400_000) {
        let counted = format!("{year:04}-{month:02}-{day:02}");
        assert_eq!((day_of(time), day_of(time + 86_399_999)), (counted.clone(), counted));
        day += 1;
        if !is_day(&format!("{year:04}-{month:02}-{day:02}")) {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    assert_eq!(year, 2408, "a whole cycle of leap years");
}

#[test]
fn a_consent_is_missing_without_the_document_it_was_given_under() {
    let (participant, provision) = ("P-1".parse::<Name>().unwrap(), Provision::data_collection());
    let consent = Fact::Consent(fact::Consent {
        provisions: [(provision.clone(), given(None, None))].into(),
        majority: None,
        emptied: None,
        declined: [].into(),
    });
    let mut facts: Facts = [(subject::consent(&participant), consent)].into_iter().collect();
    assert_eq!(in_force(&facts, &participant, &provision, 1), Err(NotInForce::Missing));
    let document = subject::document(&"ICF".parse().unwrap(), &"1.0".parse().unwrap(), &"en".parse().unwrap());
    let published = br#"{"document":{"content":"982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1","approval":{"reference":"IRB-1","date":"2026-01-15"},"published":1}}"#;
    facts.set(document, Fact::parse(published).unwrap());
    assert_eq!(in_force(&facts, &participant, &provision, 1), Ok(InForce::default()));
    let others: [(&str, Provision); 2] = [("P-1", "genetics".parse().unwrap()), ("P-2", provision)];
    for (who, what) in others {
        assert_eq!(in_force(&facts, &who.parse().unwrap(), &what, 1), Err(NotInForce::Missing));
    }
}

#[test]
fn only_what_lets_something_be_collected_collects() {
    let collects = ["data_collection", "data_collection:imaging", "biosamples", "biosamples:blood", "genetics"];
    let not = ["data_sharing:research:A registry", "future_research", "future_research:oncology", "recontact"];
    for (text, expected) in collects
        .iter()
        .chain(&["remote_monitoring"])
        .map(|text| (text, true))
        .chain(not.iter().map(|text| (text, false)))
    {
        assert_eq!(text.parse::<Provision>().unwrap().collects(), expected, "{text}");
    }
    for text in ["", "consent", "data_collection:", "data_collection:a:b", "genetics:brca", "data_sharing:research"] {
        assert!(text.parse::<Provision>().is_err(), "{text}");
    }
    assert_eq!(Provision::data_collection().as_str(), "data_collection");
}
