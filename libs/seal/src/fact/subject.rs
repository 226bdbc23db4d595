//! What facts are about, and where in the state map they stand.

use crate::{
    command::Task,
    id::{Name, Uuid},
    key::KeyId,
    text::Hex,
};
use tlog::{Hash, sha256};

/// What a fact is about. Its hash is the key in the state map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The study itself.
    Study,
    /// A version of the protocol.
    Protocol(Name),
    /// A site.
    Site(Name),
    /// An actor.
    Actor(Name),
    /// An actor's key.
    Key(KeyId),
    /// The delegation of a task to an actor at a site (or `*`).
    Delegation(Name, Task, Name),
    /// A participant.
    Participant(Name),
    /// A version of a consent document in one language.
    Document(Name, Name, Name),
    /// A participant's consent.
    Consent(Name),
    /// Where the study stands.
    StudyState,
    /// The approval of the trial at a site.
    SiteApproval(Name),
    /// An arm.
    Arm(Name),
    /// The most participants at a site, or (`*`) in the study.
    Cap(Name),
    /// How many participants were enrolled at a site, or (`*`) in the study.
    Enrolled(Name),
    /// A version of the eligibility criteria.
    Criteria(Name),
    /// Which version of the criteria is in force.
    CriteriaInForce,
    /// The screening of a participant.
    Screening(Name),
    /// Who was registered with a token.
    Token(Hex),
    /// That a participant's token was seen at another site too.
    Match(Name),
    /// That a participant is the same person as one registered before.
    Same(Name),
    /// That a participant takes part again under a later registration.
    Continued(Name),
    /// How many participants of a site were held because their token was seen before.
    Held(Name),
    /// A representative of a participant.
    Representative(Name, Name),
    /// An allocation list, or method.
    Allocation(Name),
    /// How many participants of an allocation's stratum were allocated; the stratum is named as in its scheme.
    Stratum(Name, String),
    /// The allocation of a participant.
    Randomised(Name),
    /// Where a participant stood when they could not be reached any more.
    LostFrom(Name),
    /// The unblinding of a participant.
    Unblinded(Name),
    /// What a participant lets somebody read.
    Grant(Name, Name),
    /// How long a list is.
    List(List),
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

impl Subject {
    /// The key in the state map: `SHA-256("trialseal/fact-key@v1 sha256\n" ‖ study ‖ parts)`, each part behind a length
    /// of four bytes, the first being the kind.
    pub fn map_key(&self, study: Uuid) -> Hash {
        let id;
        let parts: Vec<&str> = match self {
            Subject::Study => vec!["study"],
            Subject::Protocol(version) => vec!["protocol", version.as_str()],
            Subject::Site(site) => vec!["site", site.as_str()],
            Subject::Actor(actor) => vec!["actor", actor.as_str()],
            Subject::Key(key) => {
                id = key.to_string();
                vec!["key", &id]
            }
            Subject::Delegation(actor, task, site) => vec!["delegation", actor.as_str(), task.name(), site.as_str()],
            Subject::Participant(participant) => vec!["participant", participant.as_str()],
            Subject::Document(document, version, language) => {
                vec!["document", document.as_str(), version.as_str(), language.as_str()]
            }
            Subject::Consent(participant) => vec!["consent", participant.as_str()],
            Subject::StudyState => vec!["study-state"],
            Subject::SiteApproval(site) => vec!["site-approval", site.as_str()],
            Subject::Arm(arm) => vec!["arm", arm.as_str()],
            Subject::Cap(site) => vec!["cap", site.as_str()],
            Subject::Enrolled(site) => vec!["enrolled", site.as_str()],
            Subject::Criteria(version) => vec!["criteria", version.as_str()],
            Subject::CriteriaInForce => vec!["criteria-in-force"],
            Subject::Screening(participant) => vec!["screening", participant.as_str()],
            Subject::Token(token) => {
                id = token.0.to_hex();
                vec!["token", &id]
            }
            Subject::Match(participant) => vec!["match", participant.as_str()],
            Subject::Same(participant) => vec!["same", participant.as_str()],
            Subject::Continued(participant) => vec!["continued", participant.as_str()],
            Subject::Held(site) => vec!["held", site.as_str()],
            Subject::Representative(participant, actor) => {
                vec!["representative", participant.as_str(), actor.as_str()]
            }
            Subject::Allocation(allocation) => vec!["allocation", allocation.as_str()],
            Subject::Stratum(allocation, stratum) => vec!["stratum", allocation.as_str(), stratum],
            Subject::Randomised(participant) => vec!["randomised", participant.as_str()],
            Subject::LostFrom(participant) => vec!["lost-from", participant.as_str()],
            Subject::Unblinded(participant) => vec!["unblinded", participant.as_str()],
            Subject::Grant(participant, grant) => vec!["grant", participant.as_str(), grant.as_str()],
            Subject::List(list) => ["list"].into_iter().chain(list.parts()).collect(),
        };
        let mut bytes = Vec::with_capacity(128);
        for part in parts {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        sha256(&[b"trialseal/fact-key@v1 sha256\n", &study.0, &bytes])
    }
}
