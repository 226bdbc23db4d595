//! Randomisation: the commitment, each allocation, unblinding and the reveal.

use crate::allocation::Scheme;
use seal::{id::Name, payload, text::Hex};

payload! {
    /// Commits to an allocation list, or to the method that replaces one, before the first participant is randomised.
    /// Task: `manage_allocation`, at every site.
    "commit-allocation" CommitAllocation {
        /// The allocation's identifier, unique in the study.
        allocation: Name,
        /// Arms, strata and method.
        scheme: Scheme,
        /// The commitment to scheme and secret.
        commitment: Hex,
        /// The root over the list's slots; absent for minimisation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<Hex>,
    }
}

payload! {
    /// Allocates a participant to the next slot of their stratum. Which arm that is, nobody blinded learns. Task: `enrol`,
    /// at their site.
    "randomise" Randomise {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The allocation.
        allocation: Name,
        /// The participant's level of each stratification factor, in the scheme's order.
        levels: Vec<Name>,
    }
}

payload! {
    /// Unblinds one participant in an emergency. Task: `unblind`, at their site.
    "unblind" Unblind {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// Why, in words.
        reason: String,
        /// Which roles were told, such as `sponsor medical monitor`.
        notified: Vec<Name>,
    }
}

payload! {
    /// Reveals the secret of an allocation after the trial, so that anybody can replay it. Task: `manage_allocation`, at
    /// every site.
    "reveal-allocation" RevealAllocation {
        /// The allocation.
        allocation: Name,
        /// The seed, 32 bytes.
        seed: Hex,
        /// The block sizes; empty where the method has none.
        block_sizes: Vec<u32>,
    }
}
