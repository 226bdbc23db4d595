//! Reads a FHIR R4 Consent as a request, to be confirmed by the participant before it means anything.

use super::{
    check::{self, ImportError, Path},
    concept::{ACT_REASON, CONSENT_ACTION, Concept, PROVISION_SYSTEM, RESOURCE_TYPES_R4},
    json::Strict,
    shape::CONSENT,
};
use serde_json::{Map, Value};
use tlog::{Hash, sha256};

/// The longest resource that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// How deeply objects may be nested.
pub const MAX_DEPTH: usize = 32;

/// What somebody's FHIR Consent asks for. It is *not* a consent of ours: nobody has checked who made it, whether it was
/// signed, or whether the participant understood; only the participant's own signature on our document gives consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The status it has at its origin.
    pub status: RequestStatus,
    /// What kind of consent it is.
    pub scope: Scope,
    /// The patient: their reference, or else their identifier. The origin's words, not one of our pseudonyms.
    pub patient: Option<String>,
    /// When it was made: a FHIR dateTime, possibly partial.
    pub date: Option<String>,
    /// For how long, as a whole.
    pub period: Option<Period>,
    /// The rules, the root first, each followed by those nested in it.
    pub provisions: Vec<Requested>,
    /// The paths of everything that is in the resource and not in this request.
    pub unmapped: Vec<String>,
    /// SHA-256 of the bytes that were read.
    pub content: Hash,
}

/// The status of a Consent (FHIR R4 value set consent-state-codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestStatus {
    /// `draft`
    Draft,
    /// `proposed`
    Proposed,
    /// `active`
    Active,
    /// `rejected`
    Rejected,
    /// `inactive`
    Inactive,
    /// `entered-in-error`
    EnteredInError,
}

/// The scope of a Consent (FHIR R4 value set consent-scope, extensible).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `adr`: an advance care directive.
    AdvanceDirective,
    /// `research`
    Research,
    /// `patient-privacy`
    PatientPrivacy,
    /// `treatment`
    Treatment,
    /// Another one.
    Other,
}

/// A time span: FHIR dateTimes, possibly partial, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// From when.
    pub start: Option<String>,
    /// Until when.
    pub end: Option<String>,
}

/// One rule of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Where it is in the resource.
    pub path: String,
    /// Our provision it asks about, if its codes say exactly that. Conditions we have no counterpart for leave it
    /// `None`: a narrower rule is never taken for a wider one.
    pub provision: Option<String>,
    /// What it decides.
    pub decision: Decision,
    /// When.
    pub period: Option<Period>,
}

/// What a rule decides (FHIR R4 value set consent-provision-type).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// `permit`
    Permit,
    /// `deny`
    Deny,
    /// It does not say, as usual for the root.
    Unstated,
}

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
    match () {
        () if !has("policy") && !has("policyRule") => broken("policyRule"),
        () if has("sourceAttachment") && has("sourceReference") => broken("sourceReference"),
        () => Ok(()),
    }
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

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// The codes of a CodeableConcept in one code system.
fn codes_of<'a>(concept: &'a Value, system: &str) -> Vec<&'a str> {
    let codings = concept.get("coding").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    codings.iter().filter_map(|coding| code_of(coding, system)).collect()
}

fn code_of<'a>(coding: &'a Value, system: &str) -> Option<&'a str> {
    let same = coding.get("system").and_then(Value::as_str) == Some(system);
    coding.get("code").and_then(Value::as_str).filter(|_| same)
}

/// What has been read, and what was passed over.
#[derive(Default)]
struct Reading {
    provisions: Vec<Requested>,
    unmapped: Vec<String>,
}

impl Reading {
    fn consent(&mut self, consent: &Map<String, Value>) {
        let root = Path::root();
        let read = ["resourceType", "status", "dateTime"];
        for (name, value) in consent.iter().filter(|(name, _)| !read.contains(&name.as_str())) {
            let path = root.field(name);
            match (name.as_str(), value) {
                ("provision", Value::Object(provision)) => self.provision(provision, &path),
                ("patient", Value::Object(patient)) => self.patient(patient, &path),
                ("scope", _) if scope(consent) != Scope::Other => {}
                _ => self.pass_over(value, &path),
            }
        }
    }

    fn patient(&mut self, patient: &Map<String, Value>, at: &Path) {
        let read = if patient.contains_key("reference") { "reference" } else { "identifier" };
        for (name, value) in patient.iter().filter(|(name, _)| *name != read) {
            self.pass_over(value, &at.field(name));
        }
    }

    fn provision(&mut self, provision: &Map<String, Value>, at: &Path) {
        let name = provision_name(provision);
        let decision = match text(provision, "type") {
            Some("permit") => Decision::Permit,
            Some("deny") => Decision::Deny,
            _ => Decision::Unstated,
        };
        let mapped = name.is_some();
        let period = period(provision, "period");
        self.provisions.push(Requested { path: at.text(), provision: name, decision, period });
        for (name, value) in provision {
            match name.as_str() {
                "type" | "period" | "provision" => {}
                "action" | "purpose" | "class" | "code" | "actor" if mapped => {}
                _ => self.pass_over(value, &at.field(name)),
            }
        }
        let nested = provision.get("provision").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (n, value) in nested.iter().enumerate() {
            if let Some(nested) = value.as_object() {
                self.provision(nested, &at.field("provision").item(n));
            }
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

/// The provision of ours that a rule is about.
///
/// Our own code names it. Otherwise purpose, action and class have to be exactly one of those we write ourselves. A rule
/// with any further condition is about less than our provision, and is left to a person.
fn provision_name(provision: &Map<String, Value>) -> Option<String> {
    let conditions = ["securityLabel", "dataPeriod", "data"];
    if conditions.iter().any(|name| provision.contains_key(*name)) {
        return None;
    }
    match (own_name(provision), provision.contains_key("code"), provision.contains_key("actor")) {
        (Some(name), _, false) => Some(name),
        (Some(name), _, true) if name.starts_with("data_sharing:") => Some(name),
        (None, false, false) => coded_name(provision).map(str::to_owned),
        _ => None,
    }
}

/// Not more than 128 bytes, like every name of ours.
fn own_name(provision: &Map<String, Value>) -> Option<String> {
    let [code] = provision.get("code")?.as_array()?.as_slice() else { return None };
    let codes = codes_of(code, PROVISION_SYSTEM);
    let [name] = codes.as_slice() else { return None };
    (name.len() <= 128).then(|| (*name).to_owned())
}

fn coded_name(provision: &Map<String, Value>) -> Option<&'static str> {
    let list = |name| provision.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ([purpose], [action], classes) = (list("purpose"), list("action"), list("class")) else { return None };
    let actions = codes_of(action, CONSENT_ACTION);
    let ([action], Some(purpose)) = (actions.as_slice(), code_of(purpose, ACT_REASON)) else { return None };
    match classes {
        [] => Concept::named(purpose, action, None),
        [class] => Concept::named(purpose, action, Some(code_of(class, RESOURCE_TYPES_R4)?)),
        _ => None,
    }
}
