//! Participants: from screening to the end of their part in the trial.

use crate::{id::Name, key::PublicKey, text::Hex};
use serde::{Deserialize, Serialize};

/// Where a participant stands in the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Registered for screening.
    Screened,
    /// Screened, and fulfils the criteria.
    Eligible,
    /// Screened, and does not.
    ScreenFailed,
    /// Enrolled.
    Enrolled,
    /// Allocated to an arm.
    Randomised,
    /// Under treatment or observation.
    Active,
    /// Completed the trial as the protocol plans.
    Completed,
    /// Withdrawn from the trial.
    Withdrawn,
    /// Cannot be reached.
    LostToFollowUp,
    /// Died.
    Died,
}

/// What a representative is to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The legally authorised representative (ICH E6(R3) glossary).
    LegalRepresentative,
    /// A parent of a minor, or who has parental responsibility.
    Parent,
    /// The impartial witness of a consent discussion (ICH E6(R3) 2.8.9).
    ImpartialWitness,
}

payload! {
    /// Enrols a participant under a random pseudonym and registers their key. Task: `enrol`, at that site. From rules 3 on
    /// the new key signs too, as proof of possession. No consent is asked for: it comes after, and before anything is captured.
    "enrol-participant" EnrolParticipant: late {
        /// The pseudonym: `P-` and 16 random characters of `A`–`Z`, `2`–`7`.
        participant: Name,
        /// The site.
        site: Name,
        /// The participant's public key.
        key: PublicKey,
        /// Why it is recorded long after it was signed, in words. Task: `record_late`, at the site.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Name>,
    }
}

payload! {
    /// Registers a participant for screening, under a random pseudonym and with their key. Task: `enrol`, at that site. From
    /// rules 3 on the new key signs too, as proof of possession.
    "screen-participant" ScreenParticipant: late {
        /// The pseudonym: `P-` and 16 random characters of `A`–`Z`, `2`–`7`.
        participant: Name,
        /// The site.
        site: Name,
        /// The participant's public key.
        key: PublicKey,
        /// The keyed token by which the same person is recognised at another site, where the study uses such tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Hex>,
        /// Why it is recorded long after it was signed, in words. Task: `record_late`, at the site.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        late: Option<Name>,
    }
}

payload! {
    /// Registers somebody who acts or attests for a participant. Task: `enrol`, at the participant's site. Two signatures:
    /// the registrar's and, as proof of possession, one by the new key.
    "register-representative" RegisterRepresentative {
        /// The participant.
        participant: Name,
        /// The participant's site.
        site: Name,
        /// The representative: `R-` and 16 random characters of `A`–`Z`, `2`–`7`.
        actor: Name,
        /// What they are to the participant.
        relation: Relation,
        /// Their public key.
        key: PublicKey,
        /// The second person of the site who signs. Required under rules 3. Task: `obtain_consent`, at the site,
        /// not held from the registrar, nor the registrar's from them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second: Option<Name>,
        /// On what grounds they act, such as a court's order or a birth certificate, and its reference. Required under rules 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grounds: Option<Name>,
        /// Until when they act, Unix milliseconds, exclusive. Required under rules 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
    }
}
