//! Which codes stand for which provision.

use serde_json::{Value, json};

/// The code system of our provision names in FHIR `provision.code`: a name is its own code.
pub const PROVISION_SYSTEM: &str = "https://trialseal.example/fhir/CodeSystem/provision";

pub(super) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(super) const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
pub(super) const RESOURCE_TYPES_R4: &str = "http://hl7.org/fhir/resource-types";
pub(super) const RESOURCE_TYPES_R5: &str = "http://hl7.org/fhir/fhir-types";

/// The codes of one kind of provision.
pub(super) struct Concept {
    /// The name, or the beginning of the names, of the provision.
    pub(super) provision: &'static str,
    /// Purpose of use, in v3-ActReason.
    pub(super) purpose: &'static str,
    /// What is done, in the code system consentaction.
    pub(super) action: &'static str,
    /// The type of resource it is about. All types, if there is none.
    pub(super) class: Option<&'static str>,
}

const fn concept(
    provision: &'static str,
    purpose: &'static str,
    action: &'static str,
    class: Option<&'static str>,
) -> Concept {
    Concept { provision, purpose, action, class }
}

/// The more special before the more general.
const CONCEPTS: [Concept; 8] = [
    concept("data_collection:imaging", "CLINTRCH", "collect", Some("ImagingStudy")),
    concept("data_collection", "CLINTRCH", "collect", None),
    concept("biosamples", "CLINTRCH", "collect", Some("Specimen")),
    concept("genetics", "CLINTRCH", "use", Some("MolecularSequence")),
    concept("data_sharing", "HRESCH", "disclose", None),
    concept("future_research", "HRESCH", "use", None),
    concept("recontact", "HRESCH", "use", Some("Communication")),
    concept("remote_monitoring", "CLINTRCH", "access", None),
];

const OTHER: Concept = concept("", "HRESCH", "use", None);

impl Concept {
    /// The codes of a provision: of its name, or of the longest name it refines. Health research, if nothing fits.
    pub(super) fn of(name: &str) -> &'static Concept {
        let fits = |concept: &&Concept| {
            name.strip_prefix(concept.provision).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        CONCEPTS.iter().find(fits).unwrap_or(&OTHER)
    }

    /// Whether these are its codes.
    pub(super) fn is(&self, purpose: &str, action: &str, class: Option<&str>) -> bool {
        (self.purpose, self.action, self.class) == (purpose, action, class)
    }

    /// The provision that exactly these codes stand for.
    pub(super) fn named(purpose: &str, action: &str, class: Option<&str>) -> Option<&'static str> {
        CONCEPTS.iter().find(|concept| concept.is(purpose, action, class)).map(|concept| concept.provision)
    }
}

pub(super) fn coding(system: &str, code: &str) -> Value {
    json!({ "system": system, "code": code })
}

pub(super) fn codeable(system: &str, code: &str) -> Value {
    json!({ "coding": [coding(system, code)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_one_provision_and_come_back_to_it() {
        for concept in &CONCEPTS {
            assert_eq!(Concept::named(concept.purpose, concept.action, concept.class), Some(concept.provision));
            assert_eq!(Concept::of(concept.provision).provision, concept.provision);
        }
    }

    #[test]
    fn a_name_takes_the_codes_of_what_it_refines() {
        assert_eq!(Concept::of("data_collection:imaging:brain").provision, "data_collection:imaging");
        assert_eq!(Concept::of("data_collection:imagingx").provision, "data_collection");
        assert_eq!(Concept::of("biosamplesx").provision, "");
    }
}
