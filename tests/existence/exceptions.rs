//! Where what exists and what does not are told apart on purpose. `docs/THREATS.md` has the same list.

use crate::people::Asker;

/// A difference that is meant.
pub(crate) struct Exception {
    methods: &'static [&'static str],
    field: &'static str,
    asker: fn(&Asker) -> bool,
    /// Why.
    pub(crate) why: &'static str,
}

fn anybody(_: &Asker) -> bool {
    true
}

fn of_study(asker: &Asker) -> bool {
    asker.of_study
}

fn was_of_site(asker: &Asker) -> bool {
    asker.kind == "an actor whose tasks at the site have ended"
}

/// All of them. An empty list of methods: every signed command. An empty field: all fields.
pub(crate) const EXCEPTIONS: [Exception; 5] = [
    Exception {
        methods: &["GetCheckpoint", "GetConsistencyProof", "ListBlocks"],
        field: "",
        asker: anybody,
        why: "the chain is public: its length and its blocks, in which studies and services are opaque numbers",
    },
    Exception {
        methods: &["GetDocument"],
        field: "",
        asker: of_study,
        why: "every actor of a study may read its consent documents",
    },
    Exception {
        methods: &[],
        field: "study",
        asker: anybody,
        why: "a study's identifier is a hash that nobody guesses; who signs a command for it has it from somebody of the study",
    },
    Exception {
        methods: &["EvaluateEligibility", "GetMatchingKey", "ListParticipants", "ListDelegations"],
        field: "site",
        asker: was_of_site,
        why: "whoever held a task at a site is told that it ended, which they knew",
    },
    Exception {
        methods: &[],
        field: "site",
        asker: was_of_site,
        why: "whoever held a task at a site is told that it ended, which they knew",
    },
];

/// The exception that covers a difference, by its place in the list.
pub(crate) fn covering(asker: &Asker, (method, signed): (&str, bool), field: &str) -> Option<usize> {
    EXCEPTIONS.iter().position(|exception| {
        let Exception { methods, field: theirs, asker: is, .. } = exception;
        // Of `create-study` that its study exists is said to who holds its root key.
        let method = if methods.is_empty() { signed && method != "CreateStudy" } else { methods.contains(&method) };
        method && is(asker) && (theirs.is_empty() || *theirs == field)
    })
}
