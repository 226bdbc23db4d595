//! Withdrawing, and who may read what a participant gave.

use seal::{command::Provision, id::Name, payload, text::Hex};
use serde::{Deserialize, Serialize};

/// How much is withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalScope {
    /// The provisions listed.
    Listed,
    /// Every provision under which new data or material is collected.
    FurtherCollection,
    /// Every provision that was optional.
    Optional,
    /// Everything.
    Everything,
}

/// What happens to what was collected before a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Collected {
    /// It is kept, as 21 CFR 312.62(b) and ICH E6(R3) 2.8 require of trial records.
    Kept,
    /// It is to be erased, as this law demands.
    Erase(Name),
}

payload! {
    /// Withdraws consent. By the participant, by their representative, or by who has the task `obtain_consent` at their
    /// site, on their word.
    "withdraw-consent" WithdrawConsent: late ends {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// What is no longer agreed to, each at most once; empty if the scope says it.
        provisions: Vec<Provision>,
        /// How much is withdrawn; absent: the provisions listed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<WithdrawalScope>,
        /// What happens to what was collected. Absent only under a study's first rules: it is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        collected: Option<Collected>,
        /// Why it is recorded out of order: it was signed before what it withdraws.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Name>,
    }
}

payload! {
    /// Lets a named actor, who is not of the participant's site, read. By the participant or their representative.
    "grant-access" GrantAccess: seen {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The grant's identifier, unique for the participant.
        grant: Name,
        /// Who may read: a registered person or organisation.
        grantee: Name,
        /// What: the provisions under which it was captured; not empty, each at most once.
        categories: Vec<Provision>,
        /// What for.
        purpose: Name,
        /// From when, Unix milliseconds, inclusive.
        from: u64,
        /// Until when, Unix milliseconds, exclusive.
        until: u64,
        /// How many times at most; absent: any number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
        /// The newest command about the participant's consent that the signer saw: SHA-256 of its envelope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
    }
}

payload! {
    /// Ends a grant. By the participant or their representative.
    "revoke-access" RevokeAccess: ends {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The grant.
        grant: Name,
    }
}

/// The one item of one submission that a read is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemRead {
    /// The number of the submission's entry in the capture journal.
    pub entry: u64,
    /// The item.
    pub item: Name,
    /// The repeat key of the item group; empty where the group does not repeat.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repeat: String,
}

payload! {
    /// Asks to read, and says what for. Whoever is not of the participant's site signs one for each read; it is recorded
    /// before anything is shown, and opens one read. On a grant, or with the task `read` or `audit` at the participant's
    /// site.
    "access-data" AccessData {
        /// The participant; `*` for every participant, with the task `audit` only.
        participant: Name,
        /// The participant's site; `*` with participant `*`.
        site: Name,
        /// What is read: the provisions under which it was captured; empty: everything, with a task only.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        categories: Vec<Provision>,
        /// What for.
        purpose: Name,
        /// The grant it rests on; absent: a task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<Name>,
        /// The one item that is read, if it is within the categories; absent: all that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<ItemRead>,
    }
}

payload! {
    /// Takes in a consent that another system states, as a request not confirmed by anybody. Task: `obtain_consent`, at
    /// the participant's site. Nothing may be captured on it.
    "request-consent" RequestConsent {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The form it came in, such as `fhir-r4`.
        source: Name,
        /// SHA-256 of the resource.
        content: Hex,
        /// The provisions it states as given, as far as they have a counterpart here.
        provisions: Vec<Provision>,
    }
}
