//! What a walk lacks, and who may have it.

use crate::{
    bundle::{EntryPart, FactPart},
    id::{Service, Uuid},
    subject::Subject,
};

/// What a bundle lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// An entry, with its envelope if so marked.
    Entry {
        /// Whose journal.
        service: Service,
        /// The entry's number.
        number: u64,
        /// Whether the envelope is needed.
        envelope: bool,
    },
    /// One of these facts, in the state after an entry.
    Fact {
        /// Whose journal.
        service: Service,
        /// The entry's number.
        number: u64,
        /// The facts, any of which may serve.
        subjects: Vec<Subject>,
    },
}

/// A part that a walk asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// An entry, with its envelope if that was asked for.
    Entry(EntryPart),
    /// One of the facts asked for.
    Fact(FactPart),
}

/// Where a walk gets the parts it lacks. If it gives nothing, the walk ends, and its report says which part is missing.
pub type Supplier<'a> = dyn FnMut(&Demand) -> Option<Part> + 'a;

impl Demand {
    /// The service the part comes from.
    pub fn service(&self) -> Service {
        match self {
            Demand::Entry { service, .. } | Demand::Fact { service, .. } => *service,
        }
    }

    /// Whether this is a part that was asked for, by its name.
    pub(super) fn is_met_by(&self, part: &Part, study: Uuid) -> bool {
        match (self, part) {
            (Demand::Entry { service, number, envelope }, Part::Entry(part)) => {
                (*service, *number) == (part.service, part.number) && (!envelope || part.envelope.is_some())
            }
            (Demand::Fact { service, number, subjects }, Part::Fact(part)) => {
                (*service, *number) == (part.service, part.number)
                    && subjects.iter().any(|subject| subject.map_key(study) == part.key.0)
            }
            _ => false,
        }
    }
}
