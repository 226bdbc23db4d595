//! Facts are read as written, damaged ones never with a panic; those of earlier versions have the bytes they had, and
//! every subject its own place in the state map.

#![allow(clippy::unwrap_used)]

use proptest::{prelude::*, sample::select, strategy::Union};
use seal::{
    id::{Name, Uuid},
    key::{PublicKey, SecretKey},
    sha256,
    text::Hex,
};
use std::collections::BTreeMap;
use vocabulary::{
    allocation::{Arm, Factor, Measure, Method, Scheme},
    command::{
        ActorKind, Approval, DocumentVersion, ItemDef, ItemType, Notice, Offer, Provision, Question, Quiz, Reconsent,
        ReconsentMode, Relation, Stage, State, Task, Terms,
    },
    eligibility::{Criterion, CriterionKind},
    fact::{self, End, Fact, Given, Holder, Superseded, Until},
    subject::{self, List, Subject},
};

fn key() -> PublicKey {
    SecretKey::from_seed(&[1; 32]).public()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn a_name() -> impl Strategy<Value = Name> {
    "[ -~äß€]{1,20}".prop_filter_map("not a name", |text| text.parse().ok())
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)]
}

fn perhaps() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(number())
}

fn hash() -> impl Strategy<Value = Hex> {
    any::<[u8; 32]>().prop_map(|bytes| seal::Hash(bytes).into())
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    prop::collection::vec(a_name(), 0..3)
}

fn provision() -> impl Strategy<Value = Provision> {
    let texts = ["data_collection", "data_collection:imaging", "biosamples:blood", "genetics", "recontact"];
    let more = ["data_sharing:research:A registry", "future_research:oncology", "remote_monitoring"];
    select([texts.as_slice(), &more].concat()).prop_map(|text| text.parse().unwrap())
}

fn approval() -> impl Strategy<Value = Approval> {
    let body = prop::option::of(a_name());
    (a_name(), a_name(), body).prop_map(|(reference, date, body)| Approval { reference, date, body })
}

fn reconsent() -> impl Strategy<Value = Reconsent> {
    let mode = || select(vec![ReconsentMode::Warn, ReconsentMode::Stop]);
    (number(), mode(), mode()).prop_map(|(by, meanwhile, then)| Reconsent { by, meanwhile, then })
}

fn given() -> impl Strategy<Value = Given> {
    let until = (number(), select(vec![End::Period, End::Majority, End::Deferral]));
    let until = prop::option::of(until.prop_map(|(time, why)| Until { time, why }));
    (number(), a_name(), a_name(), a_name(), (perhaps(), until, any::<bool>())).prop_map(
        |(given, document, version, language, (withdrawn, until, mandatory))| Given {
            refused: false,
            given,
            document,
            version,
            language,
            withdrawn,
            until,
            mandatory,
            signed: None,
            after: None,
            given_by: Vec::new(),
        },
    )
}

fn quiz() -> impl Strategy<Value = Quiz> {
    let question = (a_name(), "\\PC{0,20}", prop::collection::vec("\\PC{0,9}", 0..3), any::<u8>())
        .prop_map(|(question, text, choices, right)| Question { question, text, choices, right });
    (prop::collection::vec(question, 0..3), any::<u32>()).prop_map(|(questions, pass)| Quiz { questions, pass })
}

fn notice() -> impl Strategy<Value = Notice> {
    let name = || prop::option::of(a_name());
    (a_name(), name(), names(), (name(), name(), name())).prop_map(
        |(controller, contact, storage, (retention, jurisdiction, lawful_basis))| Notice {
            controller,
            contact,
            storage,
            retention,
            jurisdiction,
            lawful_basis,
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let offer = (provision(), any::<bool>(), prop::option::of(any::<u32>()));
    let offer = offer.prop_map(|(provision, mandatory, days)| Offer { provision, mandatory, days });
    let version = (a_name(), a_name()).prop_map(|(version, language)| DocumentVersion { version, language });
    let lists = (names(), prop::collection::vec(offer, 0..3), prop::collection::vec(version, 0..3));
    let options = (prop::option::of(quiz()), prop::option::of(reconsent()), perhaps(), prop::option::of(notice()));
    (a_name(), number(), lists, options, (any::<u8>(), any::<bool>(), any::<bool>())).prop_map(
        |(title, effective, (sites, provisions, supersedes), (quiz, reconsent, deferral_ms, notice), rest)| {
            let (parents, representative, remote) = rest;
            Terms {
                title,
                sites,
                effective,
                provisions,
                quiz,
                supersedes,
                reconsent,
                parents,
                representative,
                remote,
                deferral_ms,
                notice,
                site_device: false,
            }
        },
    )
}

fn item() -> impl Strategy<Value = ItemDef> {
    let kind = select(vec![ItemType::Text, ItemType::Integer, ItemType::Decimal, ItemType::PartialDatetime]);
    let limits = || prop::option::of(any::<i32>().prop_map(f64::from));
    (a_name(), kind, prop::option::of(any::<u32>()), (limits(), limits()), (any::<bool>(), "\\PC{0,5}")).prop_map(
        |(item, kind, max_length, (min, max), (mandatory, code))| ItemDef {
            item,
            kind,
            max_length,
            min,
            max,
            codes: if mandatory { vec![code] } else { Vec::new() },
            mandatory,
        },
    )
}

fn scheme() -> impl Strategy<Value = Scheme> {
    let method = prop_oneof![
        any::<u32>().prop_map(|slots| Method::Simple { slots }),
        any::<u32>().prop_map(|slots| Method::PermutedBlocks { slots }),
        (any::<u32>(), select(vec![Measure::Range, Measure::Variance])).prop_map(|(probability_permille, measure)| {
            Method::Minimisation { weights: vec![1, 2], probability_permille, measure }
        }),
    ];
    (a_name(), any::<u32>(), a_name(), names(), method).prop_map(|(arm, weight, factor, levels, method)| Scheme {
        arms: vec![Arm { arm, weight }],
        factors: vec![Factor { factor, levels }],
        method,
    })
}

/// The facts of the first version, with and without what they may hold since.
fn earlier() -> Vec<BoxedStrategy<Fact>> {
    let kinds = [ActorKind::Person, ActorKind::System, ActorKind::Participant, ActorKind::Device];
    let kind = select([kinds.as_slice(), &[ActorKind::Organisation, ActorKind::Representative]].concat());
    let superseded = (number(), number(), prop::option::of(reconsent()))
        .prop_map(|(by, effective, reconsent)| Superseded { by, effective, reconsent });
    let document = (hash(), approval(), number(), prop::option::of(terms()), prop::option::of(superseded));
    vec![
        (a_name(), prop::option::of(any::<u32>()))
            .prop_map(|(name, rules)| Fact::Study { name, root_key: key(), rules, tokens: false })
            .boxed(),
        (hash(), number()).prop_map(|(document, effective)| Fact::Protocol { document, effective }).boxed(),
        (any::<bool>(), number(), prop::option::of(state()))
            .prop_map(|(open, changed, state)| Fact::Site(fact::Site { open, changed, state, newest: None }))
            .boxed(),
        (kind, number())
            .prop_map(|(kind, registered)| Fact::Actor(fact::Actor { kind, registered, site: None }))
            .boxed(),
        (a_name(), number(), perhaps())
            .prop_map(|(actor, registered, ended)| {
                Fact::Key(fact::Key { actor, key: key(), registered, ended, steps: None })
            })
            .boxed(),
        (number(), number(), number(), perhaps())
            .prop_map(|(granted, from, until, ended)| {
                Fact::Delegation(fact::Delegation { granted, from, until, ended })
            })
            .boxed(),
        (a_name(), number(), perhaps(), prop::option::of(stage()))
            .prop_map(|(site, enrolled, withdrawn, stage)| {
                Fact::Participant(fact::Participant { site, enrolled, withdrawn, stage })
            })
            .boxed(),
        document
            .prop_map(|(content, approval, published, terms, superseded)| {
                Fact::Document(fact::Document {
                    content,
                    approval,
                    published,
                    terms: terms.map(Box::new),
                    superseded,
                    published_ms: None,
                })
            })
            .boxed(),
        prop::collection::btree_map(provision(), given(), 0..4)
            .prop_map(|provisions| {
                Fact::Consent(fact::Consent { provisions, majority: None, emptied: None, declined: [].into() })
            })
            .boxed(),
    ]
}

fn state() -> impl Strategy<Value = State> {
    select(vec![State::Planned, State::Open, State::Paused, State::Closed])
}

fn stage() -> impl Strategy<Value = Stage> {
    let first = [Stage::Screened, Stage::Eligible, Stage::ScreenFailed, Stage::Enrolled, Stage::Randomised];
    let last = [Stage::Active, Stage::Completed, Stage::Withdrawn, Stage::LostToFollowUp, Stage::Died];
    select([first, last].concat())
}

/// The facts that came later.
fn later() -> Vec<BoxedStrategy<Fact>> {
    let relations = vec![Relation::LegalRepresentative, Relation::Parent, Relation::ImpartialWitness];
    let kind = select(vec![CriterionKind::Inclusion, CriterionKind::Exclusion]);
    let criterion = (a_name(), kind, "\\PC{0,20}", "\\PC{0,20}")
        .prop_map(|(criterion, kind, text, expression)| Criterion { criterion, kind, text, expression });
    let holder = (a_name(), a_name()).prop_map(|(participant, site)| Holder { participant, site });
    let grant = (a_name(), a_name(), (number(), number()), (prop::option::of(any::<u32>()), any::<u32>()));
    vec![
        (state(), number()).prop_map(|(state, changed)| Fact::StudyState { state, changed, newest: None }).boxed(),
        (a_name(), approval(), number())
            .prop_map(|(protocol, approval, recorded)| Fact::SiteApproval {
                protocol,
                approval,
                recorded,
                newest: None,
            })
            .boxed(),
        number().prop_map(|added| Fact::Arm { added }).boxed(),
        any::<u32>().prop_map(|participants| Fact::Cap { participants, withdrawal_frees: false, newest: None }).boxed(),
        number().prop_map(|count| Fact::Count { count, newest: None }).boxed(),
        (a_name(), prop::collection::vec(item(), 0..3), prop::collection::vec(criterion, 0..3), number())
            .prop_map(|(protocol, items, criteria, defined)| Fact::Criteria { protocol, items, criteria, defined })
            .boxed(),
        a_name().prop_map(|version| Fact::CriteriaInForce { version }).boxed(),
        (a_name(), hash(), any::<bool>(), any::<bool>(), number())
            .prop_map(|(criteria, answers, eligible, overridden, decided)| Fact::Screening {
                criteria,
                answers,
                eligible,
                overridden,
                decided,
            })
            .boxed(),
        prop::collection::vec(holder, 0..3).prop_map(|holders| Fact::Token { holders }).boxed(),
        (names(), perhaps()).prop_map(|(sites, cleared)| Fact::Match { sites, cleared, earlier: Vec::new() }).boxed(),
        (a_name(), number(), names())
            .prop_map(|(earlier, linked, before)| Fact::Same { earlier, linked, before })
            .boxed(),
        a_name().prop_map(|by| Fact::Continued { by }).boxed(),
        (select(relations), number())
            .prop_map(|(relation, registered)| {
                Fact::Representative(fact::Representative { relation, registered, until: None })
            })
            .boxed(),
        (scheme(), hash(), prop::option::of(hash()), number(), perhaps())
            .prop_map(|(scheme, commitment, root, committed, revealed)| Fact::Allocation {
                scheme,
                commitment,
                root,
                committed,
                revealed,
            })
            .boxed(),
        (a_name(), "\\PC{0,20}", number(), number())
            .prop_map(|(allocation, stratum, index, randomised)| Fact::Randomised {
                allocation,
                stratum,
                index,
                randomised,
            })
            .boxed(),
        stage().prop_map(|stage| Fact::LostFrom { stage }).boxed(),
        (a_name(), number()).prop_map(|(by, recorded)| Fact::Unblinded { by, recorded }).boxed(),
        (grant, prop::collection::vec(provision(), 0..3), number(), perhaps())
            .prop_map(|((grantee, purpose, (from, until), (uses, used)), categories, granted, revoked)| Fact::Grant {
                grantee,
                categories,
                purpose,
                from,
                until,
                uses,
                used,
                granted,
                revoked,
            })
            .boxed(),
    ]
}

fn a_fact() -> impl Strategy<Value = Fact> {
    Union::new(earlier().into_iter().chain(later()))
}

proptest! {
    #[test]
    fn facts_are_read_as_written(fact in a_fact()) {
        prop_assert_eq!(Fact::parse(&fact.to_bytes()), Some(fact));
    }

    #[test]
    fn damaged_facts_are_refused_or_read_without_a_panic(
        fact in a_fact(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let good = fact.to_bytes();
        let mut changed = good.clone();
        changed[at.index(good.len())] = byte;
        if let Some(read) = Fact::parse(&changed) {
            prop_assert_eq!(Fact::parse(&read.to_bytes()), Some(read));
        }
        prop_assert_eq!(Fact::parse(&good[..cut.index(good.len())]), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn facts_with_an_unknown_field_anywhere_are_refused(fact in a_fact()) {
        let parsed: serde_json::Value = serde_json::from_slice(&fact.to_bytes()).unwrap();
        let mut places = Vec::new();
        objects(&parsed, &mut Vec::new(), &mut places);
        for place in places {
            let mut changed = parsed.clone();
            let object = place.iter().fold(&mut changed, |value, step| match step.parse::<usize>() {
                Ok(index) if value.is_array() => &mut value[index],
                _ => &mut value[step.as_str()],
            });
            object.as_object_mut().unwrap().insert("zz".to_owned(), serde_json::Value::Null);
            prop_assert_eq!(Fact::parse(&serde_json::to_vec(&changed).unwrap()), None, "{:?}", place);
        }
    }
}

/// The paths of all objects of a value.
fn objects(value: &serde_json::Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(fields) => {
            places.push(path.clone());
            fields.iter().map(|(field, value)| (field.clone(), value)).collect()
        }
        serde_json::Value::Array(values) => values.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (step, child) in children {
        path.push(step);
        objects(child, path, places);
        path.pop();
    }
}

/// What the first version wrote.
#[test]
fn facts_without_what_came_later_have_the_bytes_they_had() {
    let key_text = r#""ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=""#;
    let given = |withdrawn| Given {
        refused: false,
        given: 4,
        document: name("ICF"),
        version: name("1.0"),
        language: name("en"),
        withdrawn,
        until: None,
        mandatory: false,
        signed: None,
        after: None,
        given_by: Vec::new(),
    };
    let consent = |withdrawn| {
        Fact::Consent(fact::Consent {
            provisions: BTreeMap::from([(Provision::data_collection(), given(withdrawn))]),
            majority: None,
            emptied: None,
            declined: [].into(),
        })
    };
    let consent_text = |withdrawn: &str| {
        format!(
            concat!(
                r#"{{"consent":{{"provisions":{{"data_collection":{{"given":4,"document":"ICF","version":"1.0","#,
                r#""language":"en","withdrawn":{}}}}}}}}}"#
            ),
            withdrawn
        )
    };
    let key_of = |ended| Fact::Key(fact::Key { actor: name("ann"), key: key(), registered: 2, ended, steps: None });
    let approval = Approval { reference: name("IRB-1"), date: name("2026-01-15"), body: None };
    let cases = [
        (
            Fact::Study { name: name("STUDY-1"), root_key: key(), rules: None, tokens: false },
            format!(r#"{{"study":{{"name":"STUDY-1","root_key":{key_text}}}}}"#),
        ),
        (
            Fact::Protocol { document: sha256(&[b"protocol"]).into(), effective: 7 },
            concat!(
                r#"{"protocol":{"document":"2ea88c7a30351b12a4dcfc06cdce2af6eab18416176466c2500cb6ef74f745bf","#,
                r#""effective":7}}"#
            )
            .to_owned(),
        ),
        (
            Fact::Site(fact::Site { open: true, changed: 3, state: None, newest: None }),
            r#"{"site":{"open":true,"changed":3}}"#.to_owned(),
        ),
        (
            Fact::Actor(fact::Actor { kind: ActorKind::Person, registered: 2, site: None }),
            r#"{"actor":{"kind":"person","registered":2}}"#.to_owned(),
        ),
        (key_of(None), format!(r#"{{"key":{{"actor":"ann","key":{key_text},"registered":2,"ended":null}}}}"#)),
        (key_of(Some(9)), format!(r#"{{"key":{{"actor":"ann","key":{key_text},"registered":2,"ended":9}}}}"#)),
        (
            Fact::Delegation(fact::Delegation { granted: 5, from: 1, until: 8, ended: None }),
            r#"{"delegation":{"granted":5,"from":1,"until":8,"ended":null}}"#.to_owned(),
        ),
        (
            Fact::Participant(fact::Participant { site: name("701"), enrolled: 6, withdrawn: None, stage: None }),
            r#"{"participant":{"site":"701","enrolled":6,"withdrawn":null}}"#.to_owned(),
        ),
        (
            Fact::Document(fact::Document {
                content: sha256(&[b"text"]).into(),
                approval,
                published: 1,
                terms: None,
                superseded: None,
                published_ms: None,
            }),
            concat!(
                r#"{"document":{"content":"982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1","#,
                r#""approval":{"reference":"IRB-1","date":"2026-01-15"},"published":1}}"#
            )
            .to_owned(),
        ),
        (consent(None), consent_text("null")),
        (consent(Some(7)), consent_text("7")),
    ];
    for (fact, text) in cases {
        assert_eq!(String::from_utf8(fact.to_bytes()).unwrap(), text);
        assert_eq!(Fact::parse(text.as_bytes()), Some(fact));
    }
}

/// Where the first version put them.
#[test]
fn subjects_of_the_first_version_stand_where_they_stood() {
    for (subject, hex) in [
        (subject::study(), "ef7c277b7808650af118bcfcd471e525c2c37609d0dc4a7d865316bf2f5cdd86"),
        (subject::protocol(&name("1.0")), "b300758fd93bc3edf0d91978f27a2ceedd33b5e534507a07648ff4074f9371b9"),
        (subject::site(&name("701")), "526ac39602a3ec09e09ffc90fcbb692d73d3c512b1d7d431eae3dae36a991d74"),
        (subject::actor(&name("ann")), "e76bd0b6462c7eb45497f4a0a35365a2b94c1846424bf71960c3bff363b0fb9b"),
        (subject::key(key().id()), "ce053428844cf72477b12eb3cbaaa9bc0f9859fb3a141f8b4b1258772a7f1cb7"),
        (
            subject::delegation(&name("ann"), Task::Capture.name(), &name("*")),
            "41504ee2c3ca81cb77f7bf799fc79aa69a54151c27710a5a37ac4461db8ccfa1",
        ),
        (subject::participant(&name("P-1")), "e87586d53342d5b9863d929a6df2e6e123957c599dd7fe46350086f611122614"),
        (
            subject::document(&name("ICF"), &name("1.0"), &name("en")),
            "3634ba3db8f06dedc80d8db075bcb954f76df1ca69518f22d09d6d817cf60cf3",
        ),
        (subject::consent(&name("P-1")), "777fba539ac38252bc799822c7c5cc88e087cc269a5199910981884c2f83ffe1"),
    ] {
        assert_eq!(subject.map_key(Uuid([9; 16])).to_hex(), hex, "{subject:?}");
        assert_ne!(subject.map_key(Uuid([8; 16])).to_hex(), hex, "{subject:?}");
    }
}

fn subject() -> impl Strategy<Value = Subject> {
    let names = || select(vec!["a", "b", "ab", "*", "study", "list", "protocols"]).prop_map(name);
    let task = select(Task::ALL.to_vec());
    let token = (0_u8..3).prop_map(|byte| Hex(seal::Hash([byte; 32])));
    let stratum = select(vec!["", "a", "b", "ab"]).prop_map(str::to_owned);
    let of_one: [fn(&Name) -> Subject; 23] = [
        subject::protocol,
        subject::site,
        subject::actor,
        subject::participant,
        subject::consent,
        subject::site_approval,
        subject::arm,
        subject::cap,
        subject::enrolled,
        subject::criteria,
        subject::screening,
        subject::matched,
        subject::same,
        subject::continued,
        subject::held,
        subject::allocation,
        subject::randomised,
        subject::lost_from,
        subject::unblinded,
        |name| subject::list(&List::Participants(name.clone())),
        |name| subject::list(&List::Participant(name.clone())),
        |name| subject::list(&List::Randomised(name.clone())),
        |name| subject::list(&List::Consents(name.clone())),
    ];
    let alone = [List::Protocols, List::Study, List::Delegations, List::Sites, List::Documents]
        .map(|list| subject::list(&list));
    let alone = [alone.as_slice(), &[subject::study(), subject::study_state(), subject::criteria_in_force()]].concat();
    prop_oneof![
        8 => (select(of_one.to_vec()), names()).prop_map(|(make, name)| make(&name)),
        3 => select(alone),
        1 => names().prop_map(|name| subject::list(&List::Accesses(name))),
        2 => (names(), task, names()).prop_map(|(actor, task, site)| subject::delegation(&actor, task.name(), &site)),
        2 => (names(), names(), names()).prop_map(|(one, two, three)| subject::document(&one, &two, &three)),
        2 => (names(), names()).prop_map(|(one, two)| subject::representative(&one, &two)),
        2 => (names(), names()).prop_map(|(one, two)| subject::grant(&one, &two)),
        2 => (names(), stratum).prop_map(|(one, two)| subject::stratum(&one, &two)),
        1 => token.prop_map(subject::token),
        1 => (0_u8..3).prop_map(|seed| subject::key(SecretKey::from_seed(&[seed; 32]).public().id())),
    ]
}

proptest! {
    #[test]
    fn every_subject_has_its_own_place(subjects in prop::collection::hash_set(subject(), 1..200)) {
        let mut places: Vec<_> = subjects.iter().map(|subject| subject.map_key(Uuid([9; 16]))).collect();
        places.sort_unstable_by_key(|place| place.0);
        places.dedup();
        prop_assert_eq!(places.len(), subjects.len());
    }
}
