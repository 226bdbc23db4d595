//! Forms, submissions, and taking values out again.

use super::Provision;
use crate::{id::Name, text::Hex};
use serde::{Deserialize, Serialize};

/// Which form instance of which participant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormInstance {
    /// The participant.
    pub participant: Name,
    /// The study event, such as a visit.
    pub event: Name,
    /// Which repetition of the event; 0 for the first.
    pub event_repeat: u32,
    /// The form.
    pub form: Name,
    /// Which repetition of the form in the event; 0 for the first.
    pub form_repeat: u32,
}

payload! {
    /// The signed header of a submission: one form instance and the root over its datapoints. Task: `capture`.
    "submit-form" Submission: late {
        /// The site.
        site: Name,
        /// Which form instance.
        instance: FormInstance,
        /// The version of the form definitions.
        forms_version: Name,
        /// RFC 6962 root over the datapoints' bytes.
        root: Hex,
        /// How many datapoints.
        count: u32,
        /// When the data were collected, as their source states it: a date or date and time of any precision (ISO 8601).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collected: Option<String>,
        /// For a correction: the number of the entry it corrects, the latest of this form instance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<u64>,
        /// For a correction: the reason for the change, in words. It may hold personal data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The provision of consent it rests on, as the form's definition states it; absent: `data_collection`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provision: Option<Provision>,
        /// Why it is recorded long after it was signed, in words. Task: `record_late`, at the site.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Name>,
    }
}

impl Submission {
    /// The provision of consent it rests on.
    pub fn rests_on(&self) -> Provision {
        self.provision.clone().unwrap_or_else(Provision::data_collection)
    }
}

payload! {
    /// Takes out one value that should never have been entered, such as a person's name in a comment (ICH E6(R3)
    /// 4.2.2(b)). The value and its nonce are destroyed, its hash stays. Task: `redact` at the participant's site, held
    /// by both who sign: `by` and `second`.
    "redact-value" RedactValue {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The capture entry that recorded the value.
        entry: u64,
        /// The value's place in that submission.
        index: u32,
        /// Its item.
        item: Name,
        /// The repeat key of its item group; empty where the group does not repeat.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        repeat: String,
        /// Why, in words that do not repeat the value.
        reason: Name,
        /// The second person who signs.
        second: Name,
    }
}

payload! {
    /// Erases a participant: their data key is destroyed, so that no value of theirs can be read by anybody again; the
    /// entries stay. Consent to data collection must have ended. Task: `erase`, at the participant's site.
    "erase-participant" EraseParticipant {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The numbers of all capture entries of theirs, ascending: a proof of any of them can say what became of it.
        entries: Vec<u64>,
        /// By whose order, such as a court, an authority or the participant's request, and its reference.
        order: Name,
        /// The law that demands it.
        law: Name,
    }
}
