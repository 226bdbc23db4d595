//! The elements of Consent in FHIR R4 (4.0.1) and of the data types it uses: what may occur, how often, of which type.

/// The elements of an object.
pub(super) struct Type(pub(super) &'static [Element]);

/// One element.
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) times: Times,
}

/// How often an element occurs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// 0..1
    Optional,
    /// 1..1
    Once,
    /// 0..*
    Many,
    /// 1..*
    Some,
}

/// What an element holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text: string, uri, url, canonical, id, code, markdown, xhtml, base64Binary.
    Text,
    /// Text without white space at its ends and only single spaces inside.
    Code,
    /// A code of a required binding.
    OneOf(&'static [&'static str]),
    /// A date or time, possibly partial.
    DateTime,
    /// An instant: date, time and zone.
    Instant,
    /// true or false.
    Boolean,
    /// A number from 0 on.
    Unsigned,
    /// An object with these elements.
    Object(&'static Type),
    /// Another resource: an object that is not looked into.
    Resource,
    /// An element that changes the meaning of what contains it. We know none, so its presence is an error.
    Modifier,
}

use Kind::{Boolean, Code, DateTime, Instant, Modifier, Object, OneOf, Resource, Text, Unsigned};
use Times::{Many, Once, Optional, Some};

const fn element(name: &'static str, kind: Kind, times: Times) -> Element {
    Element { name, kind, times }
}

/// Consent.status (required).
pub(super) const STATUS: &[&str] = &["draft", "proposed", "active", "rejected", "inactive", "entered-in-error"];
const PROVISION_TYPE: &[&str] = &["deny", "permit"];
const DATA_MEANING: &[&str] = &["instance", "related", "dependents", "authoredby"];
const NARRATIVE_STATUS: &[&str] = &["generated", "extensions", "additional", "empty"];
const IDENTIFIER_USE: &[&str] = &["usual", "official", "temp", "secondary", "old"];

/// What every element may have besides: an id and extensions.
pub(super) static EVERYWHERE: &[Element] = &[
    element("id", Text, Optional),
    element("extension", Object(&EXTENSION), Many),
    element("modifierExtension", Modifier, Many),
];

/// The elements of Consent.
pub(super) static CONSENT: Type = Type(&[
    element("resourceType", OneOf(&["Consent"]), Once),
    element("meta", Object(&META), Optional),
    element("implicitRules", Modifier, Optional),
    element("language", Code, Optional),
    element("text", Object(&NARRATIVE), Optional),
    element("contained", Resource, Many),
    element("identifier", Object(&IDENTIFIER), Many),
    element("status", OneOf(STATUS), Once),
    element("scope", Object(&CODEABLE_CONCEPT), Once),
    element("category", Object(&CODEABLE_CONCEPT), Some),
    element("patient", Object(&REFERENCE), Optional),
    element("dateTime", DateTime, Optional),
    element("performer", Object(&REFERENCE), Many),
    element("organization", Object(&REFERENCE), Many),
    element("sourceAttachment", Object(&ATTACHMENT), Optional),
    element("sourceReference", Object(&REFERENCE), Optional),
    element("policy", Object(&POLICY), Many),
    element("policyRule", Object(&CODEABLE_CONCEPT), Optional),
    element("verification", Object(&CONSENT_VERIFICATION), Many),
    element("provision", Object(&PROVISION), Optional),
]);

static POLICY: Type = Type(&[element("authority", Text, Optional), element("uri", Text, Optional)]);

static CONSENT_VERIFICATION: Type = Type(&[
    element("verified", Boolean, Once),
    element("verifiedWith", Object(&REFERENCE), Optional),
    element("verificationDate", DateTime, Optional),
]);

static PROVISION: Type = Type(&[
    element("type", OneOf(PROVISION_TYPE), Optional),
    element("period", Object(&PERIOD), Optional),
    element("actor", Object(&ACTOR), Many),
    element("action", Object(&CODEABLE_CONCEPT), Many),
    element("securityLabel", Object(&CODING), Many),
    element("purpose", Object(&CODING), Many),
    element("class", Object(&CODING), Many),
    element("code", Object(&CODEABLE_CONCEPT), Many),
    element("dataPeriod", Object(&PERIOD), Optional),
    element("data", Object(&PROVISION_DATA), Many),
    element("provision", Object(&PROVISION), Many),
]);

static ACTOR: Type =
    Type(&[element("role", Object(&CODEABLE_CONCEPT), Once), element("reference", Object(&REFERENCE), Once)]);

static PROVISION_DATA: Type =
    Type(&[element("meaning", OneOf(DATA_MEANING), Once), element("reference", Object(&REFERENCE), Once)]);

static META: Type = Type(&[
    element("versionId", Text, Optional),
    element("lastUpdated", Instant, Optional),
    element("source", Text, Optional),
    element("profile", Text, Many),
    element("security", Object(&CODING), Many),
    element("tag", Object(&CODING), Many),
]);

static NARRATIVE: Type = Type(&[element("status", OneOf(NARRATIVE_STATUS), Once), element("div", Text, Once)]);

static IDENTIFIER: Type = Type(&[
    element("use", OneOf(IDENTIFIER_USE), Optional),
    element("type", Object(&CODEABLE_CONCEPT), Optional),
    element("system", Text, Optional),
    element("value", Text, Optional),
    element("period", Object(&PERIOD), Optional),
    element("assigner", Object(&REFERENCE), Optional),
]);

static CODEABLE_CONCEPT: Type = Type(&[element("coding", Object(&CODING), Many), element("text", Text, Optional)]);

static CODING: Type = Type(&[
    element("system", Text, Optional),
    element("version", Text, Optional),
    element("code", Code, Optional),
    element("display", Text, Optional),
    element("userSelected", Boolean, Optional),
]);

static REFERENCE: Type = Type(&[
    element("reference", Text, Optional),
    element("type", Text, Optional),
    element("identifier", Object(&IDENTIFIER), Optional),
    element("display", Text, Optional),
]);

pub(super) static PERIOD: Type = Type(&[element("start", DateTime, Optional), element("end", DateTime, Optional)]);

static ATTACHMENT: Type = Type(&[
    element("contentType", Code, Optional),
    element("language", Code, Optional),
    element("data", Text, Optional),
    element("url", Text, Optional),
    element("size", Unsigned, Optional),
    element("hash", Text, Optional),
    element("title", Text, Optional),
    element("creation", DateTime, Optional),
]);

/// Of an extension, `value[x]` is not looked into: nothing of it is used.
pub(super) static EXTENSION: Type = Type(&[element("url", Text, Once)]);
