//! What facts are about: the subjects that proofs rest on, and the rest of each journal's.

pub use seal::subject::*;

use seal::{id::Name, text::Hex};

/// The study itself.
pub fn study() -> Subject {
    Subject::new("study", &[])
}

/// A version of the protocol.
pub fn protocol(version: &Name) -> Subject {
    Subject::new("protocol", &[version.as_str()])
}

/// Where the study stands.
pub fn study_state() -> Subject {
    Subject::new("study-state", &[])
}

/// The approval of the trial at a site.
pub fn site_approval(site: &Name) -> Subject {
    Subject::new("site-approval", &[site.as_str()])
}

/// An arm.
pub fn arm(arm: &Name) -> Subject {
    Subject::new("arm", &[arm.as_str()])
}

/// The most participants at a site, or (`*`) in the study.
pub fn cap(site: &Name) -> Subject {
    Subject::new("cap", &[site.as_str()])
}

/// How many participants were enrolled at a site, or (`*`) in the study.
pub fn enrolled(site: &Name) -> Subject {
    Subject::new("enrolled", &[site.as_str()])
}

/// A version of the eligibility criteria.
pub fn criteria(version: &Name) -> Subject {
    Subject::new("criteria", &[version.as_str()])
}

/// Which version of the criteria is in force.
pub fn criteria_in_force() -> Subject {
    Subject::new("criteria-in-force", &[])
}

/// The screening of a participant.
pub fn screening(participant: &Name) -> Subject {
    Subject::new("screening", &[participant.as_str()])
}

/// Who was registered with a token.
pub fn token(token: Hex) -> Subject {
    Subject::new("token", &[&token.0.to_hex()])
}

/// That a participant's token was seen at another site too.
pub fn matched(participant: &Name) -> Subject {
    Subject::new("match", &[participant.as_str()])
}

/// That a participant is the same person as one registered before.
pub fn same(participant: &Name) -> Subject {
    Subject::new("same", &[participant.as_str()])
}

/// That a participant takes part again under a later registration.
pub fn continued(participant: &Name) -> Subject {
    Subject::new("continued", &[participant.as_str()])
}

/// How many participants of a site were held because their token was seen before.
pub fn held(site: &Name) -> Subject {
    Subject::new("held", &[site.as_str()])
}

/// An allocation list, or method.
pub fn allocation(allocation: &Name) -> Subject {
    Subject::new("allocation", &[allocation.as_str()])
}

/// How many participants of an allocation's stratum were allocated; the stratum is named as in its scheme.
pub fn stratum(allocation: &Name, stratum: &str) -> Subject {
    Subject::new("stratum", &[allocation.as_str(), stratum])
}

/// The allocation of a participant.
pub fn randomised(participant: &Name) -> Subject {
    Subject::new("randomised", &[participant.as_str()])
}

/// Where a participant stood when they could not be reached any more.
pub fn lost_from(participant: &Name) -> Subject {
    Subject::new("lost-from", &[participant.as_str()])
}

/// The unblinding of a participant.
pub fn unblinded(participant: &Name) -> Subject {
    Subject::new("unblinded", &[participant.as_str()])
}

/// What a participant lets somebody read.
pub fn grant(participant: &Name, grant: &Name) -> Subject {
    Subject::new("grant", &[participant.as_str(), grant.as_str()])
}

/// How long a list is.
pub fn list(list: &List) -> Subject {
    Subject::new("list", &list.parts())
}

/// A list that only grows: each entry that sets its fact adds itself to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum List {
    /// Versions of the protocol.
    Protocols,
    /// The study's states, arms, criteria and allocations.
    Study,
    /// The delegation log: delegations and their ends.
    Delegations,
    /// Sites, and what became of them.
    Sites,
    /// Registrations of participants at a site.
    Participants(Name),
    /// What became of a participant.
    Participant(Name),
    /// Participants allocated by one allocation, in order.
    Randomised(Name),
    /// Versions of consent documents.
    Documents,
    /// A participant's consents, withdrawals and grants.
    Consents(Name),
    /// Reads of a participant's data from outside their site; `*` for reads of everybody's.
    Accesses(Name),
}

impl List {
    fn parts(&self) -> [&str; 2] {
        match self {
            List::Protocols => ["protocols", ""],
            List::Study => ["study", ""],
            List::Delegations => ["delegations", ""],
            List::Sites => ["sites", ""],
            List::Participants(site) => ["participants", site.as_str()],
            List::Participant(participant) => ["participant", participant.as_str()],
            List::Randomised(allocation) => ["randomised", allocation.as_str()],
            List::Documents => ["documents", ""],
            List::Consents(participant) => ["consents", participant.as_str()],
            List::Accesses(participant) => ["accesses", participant.as_str()],
        }
    }
}
