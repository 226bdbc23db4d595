//! Reads a FHIR R4 Consent as a request, to be confirmed by the participant before it means anything.

use super::{
    check::{self, ImportError},
    element::{codes_of, text},
    json::Strict,
    path::Path,
    period::{Times, made},
    request::{Decision, Period, Request, RequestStatus, Requested, Scope},
    rule::{self, About, Outer},
    shape::CONSENT,
};
use serde_json::{Map, Value};
use tlog::{Hash, sha256};

/// The longest resource that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// Reads the bytes of a FHIR R4 (4.0.1) Consent in JSON.
///
/// # Errors
///
/// [`ImportError`] names the path of the first element that is not as FHIR R4 says.
pub fn import_r4(bytes: &[u8]) -> Result<Request, ImportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ImportError::TooLong);
    }
    let Strict(value) = serde_json::from_slice(bytes).map_err(|_| ImportError::NotJson)?;
    let consent = value.as_object().filter(|object| is_consent(object)).ok_or(ImportError::NotConsent)?;
    check::object(consent, &CONSENT, &Path::root())?;
    rules(consent)?;
    let mut reading = Reading::default();
    reading.consent(consent);
    Ok(request(consent, reading, sha256(&[bytes])))
}

fn is_consent(object: &Map<String, Value>) -> bool {
    object.get("resourceType").and_then(Value::as_str) == Some("Consent")
}

fn rules(consent: &Map<String, Value>) -> Result<(), ImportError> {
    let has = |name| consent.contains_key(name);
    let broken = |path: &str| Err(ImportError::Rule { path: path.to_owned() });
    if !has("policy") && !has("policyRule") {
        return broken("policyRule");
    }
    if has("sourceAttachment") && has("sourceReference") {
        return broken("sourceReference");
    }
    Ok(())
}

fn request(consent: &Map<String, Value>, reading: Reading, content: Hash) -> Request {
    let root = consent.get("provision").and_then(Value::as_object);
    Request {
        status: status(text(consent, "status")),
        scope: scope(consent),
        patient: patient(consent),
        date: text(consent, "dateTime").map(str::to_owned),
        period: root.and_then(|root| period(root, "period")),
        provisions: reading.provisions,
        unmapped: reading.unmapped,
        content,
        made: made(consent, "dateTime"),
    }
}

/// The check has passed: other codes cannot occur, and would be the most cautious one.
fn status(code: Option<&str>) -> RequestStatus {
    match code {
        Some("draft") => RequestStatus::Draft,
        Some("proposed") => RequestStatus::Proposed,
        Some("active") => RequestStatus::Active,
        Some("rejected") => RequestStatus::Rejected,
        Some("inactive") => RequestStatus::Inactive,
        _ => RequestStatus::EnteredInError,
    }
}

fn decision(provision: &Map<String, Value>) -> Decision {
    match text(provision, "type") {
        Some("permit") => Decision::Permit,
        Some("deny") => Decision::Deny,
        _ => Decision::Unstated,
    }
}

fn scope(consent: &Map<String, Value>) -> Scope {
    const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
    let codes = consent.get("scope").map(|scope| codes_of(scope, SYSTEM)).unwrap_or_default();
    match codes.as_slice() {
        ["adr"] => Scope::AdvanceDirective,
        ["research"] => Scope::Research,
        ["patient-privacy"] => Scope::PatientPrivacy,
        ["treatment"] => Scope::Treatment,
        _ => Scope::Other,
    }
}

fn patient(consent: &Map<String, Value>) -> Option<String> {
    let patient = consent.get("patient")?.as_object()?;
    let identifier = || text(patient.get("identifier")?.as_object()?, "value");
    text(patient, "reference").or_else(identifier).map(str::to_owned)
}

fn period(object: &Map<String, Value>, name: &str) -> Option<Period> {
    let period = object.get(name)?.as_object()?;
    let end = |name| text(period, name).map(str::to_owned);
    Some(Period { start: end("start"), end: end("end") })
}

/// The fields in one order, whatever order they were written in and whichever map `serde_json` was built with.
fn by_name(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    fields.into_iter()
}

/// What has been read, and what was passed over.
#[derive(Default)]
struct Reading {
    provisions: Vec<Requested>,
    unmapped: Vec<String>,
}

/// What a rule is nested in.
struct Around<'a> {
    outer: &'a Outer,
    /// The provision that everything in here is about a part of, if we know it.
    scope: Option<&'a str>,
    /// The times that the rules around have in common.
    times: Times,
}

impl Reading {
    fn consent(&mut self, consent: &Map<String, Value>) {
        let root = Path::root();
        let read = ["resourceType", "status", "dateTime"];
        for (name, value) in by_name(consent).filter(|(name, _)| !read.contains(&name.as_str())) {
            let path = root.field(name);
            match (name.as_str(), value) {
                ("provision", Value::Object(provision)) => {
                    let around = Around { outer: &Outer::Nothing, scope: None, times: Times::ALWAYS };
                    self.provision(provision, &around, &path);
                }
                ("patient", Value::Object(patient)) => self.patient(patient, &path),
                ("scope", _) if scope(consent) != Scope::Other => {}
                _ => self.pass_over(value, &path),
            }
        }
    }

    fn patient(&mut self, patient: &Map<String, Value>, at: &Path) {
        let read = if patient.contains_key("reference") { "reference" } else { "identifier" };
        for (name, value) in by_name(patient) {
            let path = at.field(name);
            match value {
                Value::Object(identifier) if name == "identifier" && name == read => self.identifier(identifier, &path),
                _ if name == read => {}
                _ => self.pass_over(value, &path),
            }
        }
    }

    /// The period and the kind of an identifier are not taken over.
    fn identifier(&mut self, identifier: &Map<String, Value>, at: &Path) {
        for (name, value) in by_name(identifier).filter(|(name, _)| !["system", "value"].contains(&name.as_str())) {
            self.pass_over(value, &at.field(name));
        }
    }

    fn provision(&mut self, provision: &Map<String, Value>, around: &Around, at: &Path) {
        let inner = rule::inner(provision, around.outer);
        let mapped = inner.provision().map(str::to_owned);
        let carried: &[&str] = if mapped.is_some() { &rule::CARRIED } else { &["type", "period"] };
        let (index, times) = (self.provisions.len(), around.times.within(provision, "period"));
        self.provisions.push(Requested {
            path: at.text(),
            provision: mapped,
            decision: decision(provision),
            period: period(provision, "period"),
            about: About::new(provision, &inner, around.scope),
            times,
            next: index,
        });
        let scope = if matches!(inner, Outer::Unknown) { around.scope } else { inner.provision() };
        let around = Around { outer: &inner, scope, times };
        self.untold(provision, at);
        for (name, value) in by_name(provision).filter(|(name, _)| !carried.contains(&name.as_str())) {
            let path = at.field(name);
            match (name.as_str(), value) {
                ("provision", Value::Array(nested)) => self.nested(nested, &around, &path),
                _ => self.pass_over(value, &path),
            }
        }
        let next = self.provisions.len();
        if let Some(rule) = self.provisions.get_mut(index) {
            rule.next = next;
        }
    }

    /// What a period holds besides its bounds is not taken over.
    fn untold(&mut self, provision: &Map<String, Value>, at: &Path) {
        let Some(period) = provision.get("period").and_then(Value::as_object) else { return };
        let at = at.field("period");
        for (name, value) in by_name(period).filter(|(name, _)| !["start", "end"].contains(&name.as_str())) {
            self.pass_over(value, &at.field(name));
        }
    }

    fn nested(&mut self, provisions: &[Value], around: &Around, at: &Path) {
        let objects = provisions.iter().enumerate().filter_map(|(n, value)| Some((n, value.as_object()?)));
        for (n, provision) in objects {
            self.provision(provision, around, &at.item(n));
        }
    }

    fn pass_over(&mut self, value: &Value, at: &Path) {
        match value {
            Value::Array(items) => {
                let paths = (0..items.len()).map(|n| at.item(n).text());
                self.unmapped.extend(paths);
            }
            _ => self.unmapped.push(at.text()),
        }
    }
}
