//! Facts: what the state maps of the enrollment and consent journals hold.

mod facts;

pub use facts::Facts;
pub use seal::fact::*;

use crate::{
    allocation::Scheme,
    command::{Approval, ItemDef, Provision, Stage, State},
    eligibility::Criterion,
};
use seal::{Hash, id::Name, key::PublicKey, text::Hex};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A participant who was registered with a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The participant.
    pub participant: Name,
    /// Their site.
    pub site: Name,
}

/// One fact, in JSON. Numbers of entries refer to the journal whose state this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// The study exists.
    Study {
        /// The protocol's identifier.
        name: Name,
        /// The root key.
        root_key: PublicKey,
        /// The rules it runs under; absent: the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<u32>,
        /// Whether nobody is registered without a token.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tokens: bool,
    },
    /// A version of the protocol.
    Protocol {
        /// SHA-256 of the protocol document.
        document: Hex,
        /// From when it is in force, Unix milliseconds.
        effective: u64,
    },
    /// A site.
    Site(Site),
    /// An actor.
    Actor(Actor),
    /// An actor's key.
    Key(Key),
    /// A delegation, before rules 3.
    Delegation(Delegation),
    /// The delegations of one task to one actor at one site, from rules 3 on: those that may still count.
    Delegations(Delegations),
    /// A participant.
    Participant(Participant),
    /// A version of a consent document in one language.
    Document(Document),
    /// A participant's consent, by provision.
    Consent(Consent),
    /// Where the study stands.
    StudyState {
        /// The state.
        state: State,
        /// The entry that changed it last.
        changed: u64,
        /// SHA-256 of the envelope of the newest command about it. Absent before rules 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<Hex>,
    },
    /// The approval of the trial at a site.
    SiteApproval {
        /// The version of the protocol approved.
        protocol: Name,
        /// The approval.
        approval: Approval,
        /// The entry that recorded it.
        recorded: u64,
        /// SHA-256 of the envelope of the newest command about it. Absent before rules 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<Hex>,
    },
    /// An arm.
    Arm {
        /// The entry that added it.
        added: u64,
    },
    /// A limit.
    Cap {
        /// The most participants.
        participants: u32,
        /// Whether the place of who withdraws becomes free.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        withdrawal_frees: bool,
        /// SHA-256 of the envelope of the newest command about it. Absent before rules 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<Hex>,
    },
    /// How many there are: participants enrolled, slots of a stratum used, items of a list.
    Count {
        /// The number.
        count: u64,
        /// Of a list that commands are signed on: SHA-256 of the envelope of its newest item. Absent before rules 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<Hex>,
    },
    /// A version of the eligibility criteria.
    Criteria {
        /// The version of the protocol they belong to.
        protocol: Name,
        /// The items asked for.
        items: Vec<ItemDef>,
        /// The criteria.
        criteria: Vec<Criterion>,
        /// The entry that defined them.
        defined: u64,
    },
    /// Which version of the criteria is in force.
    CriteriaInForce {
        /// The version.
        version: Name,
    },
    /// The screening of a participant.
    Screening {
        /// The version of the criteria.
        criteria: Name,
        /// The root over the answers.
        answers: Hex,
        /// Whether every criterion was fulfilled.
        eligible: bool,
        /// Whether the investigator overrode the outcome.
        overridden: bool,
        /// The entry that decided.
        decided: u64,
    },
    /// Who was registered with a token.
    Token {
        /// All of them, the first first.
        holders: Vec<Holder>,
    },
    /// That a participant's token was registered more than once.
    Match {
        /// The sites of the other registrations, each once; the participant's own site if it was there again.
        sites: Vec<Name>,
        /// The entry that declared them different persons, or from rules 3 on the same person, if one did.
        cleared: Option<u64>,
        /// The registrations before, from rules 3 on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<Name>,
    },
    /// A representative of a participant.
    Representative(Representative),
    /// That a participant is the same person as one registered before.
    Same {
        /// The earlier registration.
        earlier: Name,
        /// The entry that linked them.
        linked: u64,
        /// Those that the earlier one was linked to, the newest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before: Vec<Name>,
    },
    /// That a participant who was registered takes part again.
    Continued {
        /// The later registration.
        by: Name,
    },
    /// An allocation list, or method, committed to.
    Allocation {
        /// The arms, strata and method.
        scheme: Scheme,
        /// The commitment to the seed.
        commitment: Hex,
        /// The root over the list's slots; absent for minimisation.
        root: Option<Hex>,
        /// The entry that committed to it.
        committed: u64,
        /// The entry that revealed the seed, if one did.
        revealed: Option<u64>,
    },
    /// The allocation of a participant: which slot, not which arm.
    Randomised {
        /// The allocation.
        allocation: Name,
        /// The name of the stratum; empty where nothing stratifies, and for minimisation.
        stratum: String,
        /// The place in the stratum's list, from 0; for minimisation in the order of all participants.
        index: u64,
        /// The entry that allocated.
        randomised: u64,
    },
    /// Where a participant stood when they could not be reached any more: what they may come back to.
    LostFrom {
        /// The stage.
        stage: Stage,
    },
    /// The last unblinding of a participant.
    Unblinded {
        /// By whom.
        by: Name,
        /// The entry that recorded it.
        recorded: u64,
    },
    /// What a participant lets somebody read.
    Grant {
        /// Who may read.
        grantee: Name,
        /// What.
        categories: Vec<Provision>,
        /// What for.
        purpose: Name,
        /// From when, Unix milliseconds, inclusive.
        from: u64,
        /// Until when, Unix milliseconds, exclusive.
        until: u64,
        /// How many times at most.
        uses: Option<u32>,
        /// How many times it was used.
        used: u32,
        /// The entry that granted it.
        granted: u64,
        /// The entry that revoked it, if one did.
        revoked: Option<u64>,
    },
}

impl Fact {
    /// The bytes that are hashed and kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Parses [`Self::to_bytes`].
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// SHA-256 of the envelope of the newest command about it, where that is kept.
    pub fn newest(&self) -> Option<Hash> {
        let newest = match self {
            Fact::Delegations(Delegations { newest, .. }) => Some(newest),
            Fact::Site(Site { newest, .. })
            | Fact::StudyState { newest, .. }
            | Fact::SiteApproval { newest, .. }
            | Fact::Cap { newest, .. }
            | Fact::Count { newest, .. } => newest.as_ref(),
            _ => None,
        };
        newest.map(|newest| newest.0)
    }

    /// The periods of a delegation, whichever rules it was granted under; none of another fact.
    pub fn periods(&self) -> Cow<'_, [Period]> {
        match self {
            Fact::Delegation(delegation) => Cow::Owned(vec![delegation.into()]),
            Fact::Delegations(Delegations { periods, .. }) => Cow::Borrowed(periods),
            _ => Cow::Borrowed(&[]),
        }
    }
}
