//! The enrollment journal: studies, sites, actors and their delegations, participants, randomisation.

mod actor;
mod allocation;
mod participant;
mod screening;
mod study;

pub use actor::{EndDelegation, RevokeKey};
pub use allocation::{CommitAllocation, Randomise, RevealAllocation, Unblind};
pub use participant::{ClearMatch, LinkParticipants, RecordStage, WithdrawParticipant, WithdrawalReason};
pub use screening::{DefineCriteria, RecordScreening};
pub use seal::command::{
    ActorKind, Confirmation, Delegate, EnrolParticipant, RULES, RegisterActor, RegisterRepresentative, Relation,
    RotateKey, ScreenParticipant, Stage, State, Training,
};
pub use study::{
    ActivateSite, AddArm, AddProtocolVersion, AddSite, CloseSite, CreateStudy, PauseSite, RecordSiteApproval, SetCap,
    SetStudyState,
};
