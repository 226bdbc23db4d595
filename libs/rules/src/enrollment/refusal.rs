//! Why a command is refused.

use seal::{dsse::EnvelopeError, id::Name, moment::Untimely};
use vocabulary::{
    authority::Unauthorised,
    command::{Stage, State},
};

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signer may not do this.
    #[error(transparent)]
    Unauthorised(#[from] Unauthorised),
    /// A second signature that is needed is missing or wrong.
    #[error(transparent)]
    Signature(#[from] EnvelopeError),
    /// It was not signed for this moment.
    #[error(transparent)]
    Untimely(#[from] Untimely),
    /// A proof of the right would not fit into a bundle.
    #[error(
        "a proof of this would be longer than a bundle may be: have a registrar confirm rotated keys, or delegate from nearer to the root"
    )]
    ProofTooLong,
    /// The envelope of a command that proofs lead through is too large.
    #[error("the envelope is larger than 3,072 bytes, the most that proofs can carry")]
    EnvelopeTooLarge,
    /// Too many delegations of one task to one actor at one site.
    #[error("too many delegations of this task to this actor at this site: end some, or wait until they expire")]
    TooManyDelegations,
    /// The study's identifier is not bound to its root key.
    #[error("the study's identifier is not derived from its root key, as rules 3 require")]
    StudyIdUnbound,
    /// The study demands tokens.
    #[error("this study detects duplicates by tokens: a token is required")]
    TokenRequired,
    /// Too many participants of a site were held.
    #[error("too many participants of this site were registered with known tokens")]
    TooManyHeld,
    /// Two registrations cannot be one person who takes part again.
    #[error("the earlier registration has not ended, has a different token, or is already continued by a later one")]
    NotTheSame,
    /// A level that is known was stated otherwise.
    #[error("the level of {0} differs from what is recorded about the participant")]
    LevelMismatch(Name),
    /// The study does not exist.
    #[error("the study does not exist: create it first")]
    StudyUnknown,
    /// The study exists already.
    #[error("the study exists already")]
    StudyExists,
    /// The study runs under rules that do not have this command.
    #[error("this study's rules are older and do not have this command")]
    RulesOutdated,
    /// The participant's consent is not in force.
    #[error(transparent)]
    NotInForce(#[from] vocabulary::consent::NotInForce),
    /// A name is taken.
    #[error("this {0} exists already")]
    NameTaken(&'static str),
    /// Something named does not exist.
    #[error("this {0} does not exist")]
    NotFound(&'static str),
    /// The study does not enrol.
    #[error("the study is not open")]
    StudyNotOpen,
    /// The study cannot be opened.
    #[error("the study cannot be opened before its protocol is recorded")]
    ProtocolMissing,
    /// The study cannot go from one state to the other.
    #[error("a study that is {} cannot become {}", state_name(*.from), state_name(*.to))]
    StudyStateNotPermitted {
        /// Where it stands.
        from: State,
        /// Where it should go.
        to: State,
    },
    /// The site does not enrol.
    #[error("the site is not open: activate it first")]
    SiteNotOpen,
    /// The site is in that state already.
    #[error("the site is in that state already")]
    SiteStateUnchanged,
    /// The site cannot go from one state to the other.
    #[error("a site that is {} cannot become {}", state_name(*.from), state_name(*.to))]
    SiteStateNotPermitted {
        /// Where it stands.
        from: State,
        /// Where it should go.
        to: State,
    },
    /// The site's own approval was not recorded.
    #[error("the approval of the trial at this site has not been recorded")]
    SiteNotApproved,
    /// It has ended already.
    #[error("this {0} has ended already")]
    AlreadyEnded(&'static str),
    /// More is delegated than is held.
    #[error("a task can only be delegated within the period the delegator holds it")]
    DelegationExceedsOwn,
    /// As many as allowed were enrolled; where, a site or `*`.
    #[error("the maximum number of participants is enrolled")]
    CapReached(Name),
    /// Eligibility criteria are in force.
    #[error("eligibility criteria are in force: screen the participant first")]
    ScreeningRequired,
    /// The criteria are not those in force; which are, if any.
    #[error("these are not the eligibility criteria in force")]
    CriteriaOutdated(Option<Name>),
    /// Nothing is there to be overridden.
    #[error("every criterion is met: there is nothing to override")]
    EligibilityNotOverridable,
    /// The same person may take part already.
    #[error("the participant's token is registered more than once: find out whether it is the same person")]
    DuplicateParticipation,
    /// The participant cannot go from one stage to the other.
    #[error("a participant who is {} cannot become {}", stage_name(*.from), stage_name(*.to))]
    StageNotPermitted {
        /// Where they stand.
        from: Stage,
        /// Where they should go.
        to: Stage,
    },
    /// The stratum's list has been used up.
    #[error("every slot of the stratum's list has been allocated")]
    StratumExhausted,
    /// The allocation's secret is public.
    #[error("the allocation was revealed: no more participants can be allocated by it")]
    AllocationRevealed,
    /// The participant was not allocated to an arm.
    #[error("the participant was not randomised")]
    NotRandomised,
    /// Another secret was committed to.
    #[error("this is not the secret that was committed to")]
    CommitmentMismatch,
    /// Participants may still be enrolled.
    #[error("an allocation can only be revealed while its study is paused or closed")]
    RevealTooEarly,
    /// A field has a value it may not have.
    #[error("{field}: {what}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// The name of a state in payloads.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Planned => "planned",
        State::Open => "open",
        State::Paused => "paused",
        State::Closed => "closed",
    }
}

/// The name of a stage in payloads.
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Screened => "screened",
        Stage::Eligible => "eligible",
        Stage::ScreenFailed => "screen_failed",
        Stage::Enrolled => "enrolled",
        Stage::Randomised => "randomised",
        Stage::Active => "active",
        Stage::Completed => "completed",
        Stage::Withdrawn => "withdrawn",
        Stage::LostToFollowUp => "lost_to_follow_up",
        Stage::Died => "died",
    }
}
