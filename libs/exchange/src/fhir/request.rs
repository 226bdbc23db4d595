//! What an import gives.

use super::{
    period::{Span, Times},
    rule::About,
};
use tlog::Hash;

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
    /// The paths of everything that is in the resource and not in this request, and that a person has to look at. Of a
    /// rule whose provision is named, the codes that name it count as carried over.
    pub unmapped: Vec<String>,
    /// SHA-256 of the bytes that were read.
    pub content: Hash,
    /// From when on it can permit anything: it was made then.
    pub(super) made: Span,
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

impl RequestStatus {
    /// The code, as FHIR writes it.
    pub fn code(self) -> &'static str {
        match self {
            RequestStatus::Draft => "draft",
            RequestStatus::Proposed => "proposed",
            RequestStatus::Active => "active",
            RequestStatus::Rejected => "rejected",
            RequestStatus::Inactive => "inactive",
            RequestStatus::EnteredInError => "entered-in-error",
        }
    }
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
    /// Our provision it asks about, if it and what it is nested in say exactly that. Conditions we have no counterpart
    /// for leave it `None`: a narrower rule is never taken for a wider one.
    pub provision: Option<String>,
    /// What it decides.
    pub decision: Decision,
    /// When, within the periods of the rules it is nested in.
    pub period: Option<Period>,
    /// What it could touch.
    pub(super) about: About,
    /// When, with the periods of the rules it is nested in.
    pub(super) times: Times,
    /// The rule after those that are nested in it, by its index.
    pub(super) next: usize,
}

impl Requested {
    /// Whether its period counts: for the provision it is about, or for the rules nested in it.
    pub fn period_counts(&self) -> bool {
        !matches!(self.about, About::Unknown { .. })
    }
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
