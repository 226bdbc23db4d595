//! The request id of a row: the same row imported by the same person gives the same id, any other another.
//!
//! A request id is signed, stored in the clear and part of every proof. So it is computed under a key that only the importer
//! has: to anybody else it is random, and tells nothing of the row's values.

use client::Reader;
use seal::{
    datapoint::Datapoint,
    id::{Name, Uuid},
    sha256,
};
use vocabulary::command::FormInstance;

/// What the importer's key is derived for.
const LABEL: &str = "trialseal/import-row@v2 hmac-sha256\n";
/// What earlier programs hashed before the row.
const EARLIER: &[u8] = b"trialseal/import-row@v1 sha256\n";

/// A row, as its request ids are computed from it.
pub(super) struct Content(Vec<u8>);

impl Content {
    /// The row with these fields.
    pub(super) fn new(
        study: Uuid,
        (site, instance, collected): (&Name, &FormInstance, Option<&str>),
        values: &[Datapoint],
    ) -> Self {
        let FormInstance { participant, event, event_repeat, form, form_repeat } = instance;
        let (event_repeat, form_repeat) = (event_repeat.to_string(), form_repeat.to_string());
        let names = [site.as_str(), participant.as_str(), event.as_str(), &event_repeat, form.as_str(), &form_repeat];
        let mut parts: Vec<&str> = names.to_vec();
        parts.push(collected.unwrap_or_default());
        for value in values {
            parts.extend([value.item.as_str(), &value.value, &value.unit]);
        }
        let mut bytes = study.0.to_vec();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// The id under which `importer` records the row.
    pub(super) fn request(&self, importer: &Reader) -> Uuid {
        Uuid::from_content(&importer.key.code(LABEL, &self.0))
    }

    /// What tells rows of a table apart.
    pub(super) fn hash(&self) -> [u8; 16] {
        super::short(&self.0)
    }

    /// The id under which earlier programs recorded it: a hash that whoever guesses the row can compute. It serves to
    /// recognise such rows and nothing else.
    pub(super) fn earlier_request(&self) -> Uuid {
        Uuid::from_content(&sha256(&[EARLIER, &self.0]))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use seal::key::SecretKey;

    fn importer(seed: u8) -> Reader {
        let key = SecretKey::from_seed(&[seed; 32]);
        Reader { study: Uuid([1; 16]), actor: "nurse".parse().unwrap(), key, access: None }
    }

    fn row(value: &str) -> Content {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let instance = FormInstance {
            participant: name("P-1"),
            event: name("VISIT 1"),
            event_repeat: 0,
            form: name("VS"),
            form_repeat: 0,
        };
        let (item, repeat, value, unit) = ("TEMP".to_owned(), String::new(), value.to_owned(), String::new());
        let values = [Datapoint { nonce: [0; 16], item, repeat, value, unit }];
        Content::new(Uuid([1; 16]), (&name("901"), &instance, None), &values)
    }

    #[test]
    fn a_row_has_one_id_for_its_importer_and_another_for_everybody_else() {
        let id = row("38.7").request(&importer(1));
        assert_eq!(id, row("38.7").request(&importer(1)));
        for other in
            [row("38.8").request(&importer(1)), row("38.7").request(&importer(2)), row("38.7").earlier_request()]
        {
            assert_ne!(id, other);
        }
    }

    /// Computed by the program of before: rows it recorded are recognised for ever.
    #[test]
    fn the_ids_of_earlier_programs_stay_what_they_were() {
        assert_eq!(row("38.7").earlier_request().to_string(), "6e1b1c51-c450-8669-ab74-d74fe566a333");
    }
}
