//! Forgeries that need more than one bundle, or a value that is no longer there.

use super::study::Bundles;
use seal::{
    bundle::{Bundle, EntryPart, FactPart, Withheld},
    dsse::{self, Envelope},
    entry::Entry,
    id::Service,
    report::LinkName,
    text::{Base64, Hex},
};
use tlog::Hash;
use vocabulary::{
    command::{Payload, RedactValue, RegisterRepresentative, Submission},
    subject::{self, Subject},
};

/// A forgery: its name, the link that must fail, the bundle it is made of, and how.
pub(crate) type Forgery = (&'static str, LinkName, &'static str, fn(&mut Bundle, &Bundles));

/// A bundle between the oldest, `plain`, and the newest, `document-superseded`.
const BETWEEN: &str = "consent-on-site-device";

pub(crate) const FORGERIES: &[Forgery] = &[
    ("head-with-an-older-state-root", LinkName::Submission, BETWEEN, |bundle, all| {
        other_root(bundle, &of(all, "plain"));
    }),
    ("head-with-a-newer-state-root", LinkName::Submission, BETWEEN, |bundle, all| {
        other_root(bundle, &of(all, "document-superseded"));
    }),
    ("head-is-an-older-entry", LinkName::Submission, BETWEEN, |bundle, all| {
        other_head(bundle, Service::Enrollment, &of(all, "plain"));
    }),
    ("head-is-a-newer-entry", LinkName::Submission, BETWEEN, |bundle, all| {
        other_head(bundle, Service::Enrollment, &of(all, "document-superseded"));
    }),
    ("consent-head-is-an-older-entry", LinkName::Submission, BETWEEN, |bundle, all| {
        other_head(bundle, Service::Consent, &of(all, "plain"));
    }),
    ("fact-of-an-older-head", LinkName::Site, BETWEEN, |bundle, all| {
        other_fact(bundle, Service::Enrollment, &of(all, "plain"), &subject::site(&"701".parse().unwrap()));
    }),
    ("fact-of-a-newer-head", LinkName::Site, BETWEEN, |bundle, all| {
        other_fact(
            bundle,
            Service::Enrollment,
            &of(all, "document-superseded"),
            &subject::site(&"701".parse().unwrap()),
        );
    }),
    ("document-before-it-was-superseded", LinkName::Document, "document-superseded", |bundle, all| {
        let document = ["ICF", "1.0", "en"].map(|text| text.parse().unwrap());
        let [document, version, language] = document;
        other_fact(bundle, Service::Consent, &of(all, "plain"), &subject::document(&document, &version, &language));
    }),
    ("provision-changed", LinkName::Submission, "provision-genetics", |bundle, _| {
        resign::<Submission>(bundle, |submission| submission.provision = None);
    }),
    ("signature-of-a-parent-missing", LinkName::Consent, "consent-by-parents-with-assent", |bundle, _| {
        let envelope = envelope(bundle, "give-consent");
        let mut json: serde_json::Value = serde_json::from_slice(envelope).unwrap();
        json["signatures"].as_array_mut().unwrap().remove(2);
        *envelope = serde_json::to_vec(&json).unwrap();
    }),
    ("witness-of-another-participant", LinkName::Consent, "consent-by-representative-with-witness", |bundle, _| {
        resign::<RegisterRepresentative>(bundle, |register| {
            register.participant = "P-AAAAAAAAAAAAAAAA".parse().unwrap();
        });
    }),
    ("redaction-signed-by-one-person-twice", LinkName::Redaction, "value-redacted", |bundle, _| {
        resign::<RedactValue>(bundle, |redact| redact.second = redact.by.clone());
    }),
    ("redaction-of-another-index", LinkName::Datapoint, "value-redacted", |bundle, _| bundle.index = 1),
    ("redacted-leaf-changed", LinkName::Datapoint, "value-redacted", |bundle, _| {
        if let Some(Withheld::Redacted { leaf, .. }) = &mut bundle.withheld {
            leaf.0.0[31] ^= 1;
        }
    }),
    ("redaction-is-another-entry", LinkName::Redaction, "value-redacted", |bundle, _| {
        let submission = bundle.submission;
        if let Some(Withheld::Redacted { entry, .. }) = &mut bundle.withheld {
            *entry = submission;
        }
    }),
    ("redaction-left-out", LinkName::Datapoint, "value-redacted", |bundle, _| bundle.withheld = None),
    ("redacted-marker-where-the-value-is", LinkName::Redaction, "plain", |bundle, _| {
        bundle.withheld = Some(Withheld::Redacted { entry: 9, leaf: Hex(Hash::ZERO) });
    }),
    ("erasure-of-other-entries", LinkName::Erasure, "entry-erased", |bundle, all| {
        let other = of(all, "plain");
        let (old, new) = (bundle.submission, other.submission);
        bundle.entries.retain(|part| (part.service, part.number) != (Service::Capture, old));
        bundle
            .entries
            .extend(other.entries.into_iter().filter(|part| (part.service, part.number) == (Service::Capture, new)));
        bundle.submission = new;
    }),
    ("erasure-where-a-value-is", LinkName::Erasure, "entry-erased", |bundle, all| {
        bundle.datapoint = of(all, "plain").datapoint;
    }),
    ("erased-marker-where-the-value-is", LinkName::Erasure, "plain", |bundle, _| {
        bundle.withheld = Some(Withheld::Erased { entry: 9 });
    }),
    ("erased-entry-with-an-envelope", LinkName::Leftovers, "entry-erased", |bundle, _| {
        let number = bundle.submission;
        part(bundle, Service::Capture, number).envelope = Some(Base64(b"{}".to_vec()));
    }),
];

fn of(bundles: &Bundles, name: &str) -> Bundle {
    Bundle::parse(&bundles[name]).unwrap()
}

fn part(bundle: &mut Bundle, service: Service, number: u64) -> &mut EntryPart {
    bundle.entries.iter_mut().find(|part| (part.service, part.number) == (service, number)).unwrap()
}

/// The entry that the submission was decided on.
fn head(bundle: &mut Bundle, service: Service) -> &mut EntryPart {
    let (study, number) = (bundle.study, bundle.submission);
    let submission = Entry::parse(&part(bundle, Service::Capture, number).entry.0).unwrap();
    part(bundle, service, submission.basis_in(service.stream(study)).unwrap().number)
}

fn other_root(bundle: &mut Bundle, other: &Bundle) {
    let other = Entry::parse(&head(&mut other.clone(), Service::Enrollment).entry.0).unwrap();
    let head = head(bundle, Service::Enrollment);
    let entry = Entry::parse(&head.entry.0).unwrap();
    assert_ne!(entry.state_root, other.state_root);
    head.entry = Base64(Entry { state_root: other.state_root, ..entry }.to_bytes());
}

fn other_head(bundle: &mut Bundle, service: Service, other: &Bundle) {
    let other = head(&mut other.clone(), service).entry.clone();
    let head = head(bundle, service);
    assert_ne!(head.entry, other);
    head.entry = other;
}

fn fact<'a>(bundle: &'a mut Bundle, service: Service, subject: &Subject) -> &'a mut FactPart {
    let (key, number) = (Hex(subject.map_key(bundle.study)), head(bundle, service).number);
    bundle.facts.iter_mut().find(|fact| (fact.service, fact.number, fact.key) == (service, number, key)).unwrap()
}

fn other_fact(bundle: &mut Bundle, service: Service, other: &Bundle, subject: &Subject) {
    let other = fact(&mut other.clone(), service, subject).clone();
    let fact = fact(bundle, service, subject);
    assert_ne!(fact.number, other.number);
    *fact = FactPart { number: fact.number, ..other };
}

fn envelope<'a>(bundle: &'a mut Bundle, kind: &str) -> &'a mut Vec<u8> {
    let of_kind = |part: &&mut EntryPart| Entry::parse(&part.entry.0).unwrap().kind == kind && part.envelope.is_some();
    let part = bundle.entries.iter_mut().rfind(of_kind).unwrap();
    &mut part.envelope.as_mut().unwrap().0
}

/// Changes a command, which somebody else signs then.
fn resign<P: Payload>(bundle: &mut Bundle, change: fn(&mut P)) {
    let envelope = envelope(bundle, P::KIND);
    let mut command: P = Envelope::parse(envelope).unwrap().payload().unwrap();
    change(&mut command);
    *envelope = dsse::sign(&command, &[&client::new_key().unwrap()]);
}
