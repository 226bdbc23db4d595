//! The capture journal: how forms and study events are defined.

pub use seal::command::{EraseParticipant, FormInstance, RedactValue, Submission};

use seal::{command::Provision, id::Name, payload};
use serde::{Deserialize, Serialize};

/// The kind of value an item takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemType {
    /// Any text.
    Text,
    /// A whole number, `-?[0-9]+`, of at most 18 digits.
    Integer,
    /// A decimal number, `-?[0-9]+(\.[0-9]+)?`.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// A calendar date, `YYYY-MM-DD` (ISO 8601).
    Date,
    /// A date, a date and time, or an interval of two of them behind one another (`/`), of any precision from the year down to
    /// fractions of a second, as SDTM writes them (ISO 8601; SDTMIG 3.4 section 4.4): a component that is not known in front of one
    /// that is known is a hyphen (`2003---15`, `--12-15`, `2003-12-15T-:15`, `-----T07:15`); a time may state its offset from UTC.
    PartialDatetime,
}

/// One item of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemDef {
    /// The item's identifier, unique in the form.
    pub item: Name,
    /// The kind of value.
    #[serde(rename = "type")]
    pub kind: ItemType,
    /// The most bytes a value may have; absent: 4,096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// For numbers: the smallest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// For numbers: the largest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The values allowed; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Whether a form without this item is refused.
    #[serde(default)]
    pub mandatory: bool,
}

/// One form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormDef {
    /// The form's identifier, unique in the study.
    pub form: Name,
    /// Its items, at most 4,096.
    pub items: Vec<ItemDef>,
    /// The provision of consent it is captured under; absent: `data_collection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provision: Option<Provision>,
}

/// One study event, such as a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDef {
    /// The event's identifier, unique in the study.
    pub event: Name,
    /// The forms captured at it; empty: every form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<Name>,
}

payload! {
    /// Defines the study's forms, all of them; later versions leave earlier submissions as they are. Task: `define_forms`.
    "define-forms" DefineForms {
        /// The version's name, unique in the study.
        version: Name,
        /// The forms.
        forms: Vec<FormDef>,
        /// The study events, all of them: under this version no other event is captured. Empty: any. From rules 3 on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        events: Vec<EventDef>,
    }
}
