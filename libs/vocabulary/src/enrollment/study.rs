//! A study's start-up: the protocol, its arms, its sites and their states.

use seal::{
    command::{Approval, State},
    id::Name,
    key::PublicKey,
    payload,
    text::Hex,
};

payload! {
    /// Creates a study. Signed by the root key itself, with `by` = `root`; entry 0 of the enrollment journal.
    "create-study" CreateStudy {
        /// The protocol's identifier, such as `CDISCPILOT01`.
        name: Name,
        /// The study's root key: whoever holds it holds every task, and a verifier pins it in the policy.
        root_key: PublicKey,
        /// The rules the study runs under, [`RULES`]; absent: the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<u32>,
        /// Whether nobody is registered without a token by which the same person is recognised. From rules 3 on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tokens: bool,
    }
}

payload! {
    /// Records a version of the study protocol. Task: `manage_study`.
    "add-protocol-version" AddProtocolVersion {
        /// The version's name, unique in the study.
        version: Name,
        /// SHA-256 of the protocol document.
        document: Hex,
        /// From when it is in force, Unix milliseconds.
        effective: u64,
        /// For an amendment: the version it amends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amends: Option<Name>,
        /// The ethics board's approval of this version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Approval>,
    }
}

payload! {
    /// Adds a site; it is closed until it is activated. Task: `manage_study`.
    "add-site" AddSite {
        /// The site's identifier, unique in the study.
        site: Name,
        /// What people call it.
        title: Name,
    }
}

payload! {
    /// Opens a site for enrolment and capture. Task: `manage_study`, at that site. The site's own approval must have been
    /// recorded before (ICH E6(R3) 4.3.5).
    "activate-site" ActivateSite: seen {
        /// The site.
        site: Name,
        /// Why, in words; needed to open a paused site again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Name>,
        /// The newest command about a paused site that the signer saw: SHA-256 of its envelope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
    }
}

payload! {
    /// Closes a site: no further enrolment or capture there. Task: `manage_study`, at that site.
    "close-site" CloseSite: ends {
        /// The site.
        site: Name,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Name>,
    }
}

payload! {
    /// Pauses enrolment at a site; participants under way are still captured. Task: `manage_study`, at that site.
    "pause-site" PauseSite: ends {
        /// The site.
        site: Name,
        /// Why, in words.
        reason: Name,
    }
}

payload! {
    /// Records the approval of the trial at one site by its ethics board (ICH E6(R3) 2.8.1, 4.3.5). Task: `manage_study`,
    /// at that site. A later approval replaces an earlier one.
    "record-site-approval" RecordSiteApproval: seen {
        /// The site.
        site: Name,
        /// The version of the protocol that was approved.
        protocol: Name,
        /// The approval.
        approval: Approval,
        /// The approval it replaces, if there is one: SHA-256 of the envelope that recorded it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
    }
}

payload! {
    /// Opens, pauses or closes a study. Task: `manage_study`, at every site.
    "set-study-state" SetStudyState: seen {
        /// The state to enter.
        state: State,
        /// Why, in words.
        reason: Name,
        /// To open a paused study again: SHA-256 of the envelope that paused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
    }
}

payload! {
    /// Limits how many participants are enrolled, at a site or (`*`) in the study. Task: `manage_study`, there.
    "set-cap" SetCap: seen {
        /// The site, or `*` for the study.
        site: Name,
        /// The most participants enrolled.
        participants: u32,
        /// Whether the place of who withdraws becomes free. From rules 3 on; before, and unless said, it does not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        withdrawal_frees: bool,
        /// The limit it replaces, if there is one: SHA-256 of the envelope that set it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Hex>,
    }
}

payload! {
    /// Adds an arm of the trial. Task: `manage_study`.
    "add-arm" AddArm {
        /// The arm's identifier, unique in the study.
        arm: Name,
        /// What people call it.
        title: Name,
    }
}
