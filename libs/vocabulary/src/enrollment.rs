//! The enrollment journal: studies, sites, actors and their delegations, participants, randomisation.

mod actor;
mod allocation;
mod participant;
mod screening;
mod study;

pub use actor::{EndDelegation, RevokeKey};
pub use allocation::{CommitAllocation, Randomise, RevealAllocation, Unblind};
pub use participant::{
    ClearMatch, EndRepresentation, LinkParticipants, RecordStage, WithdrawParticipant, WithdrawalReason,
};
pub use screening::{DefineCriteria, RecordScreening};
pub use seal::command::{
    ActorKind, Confirmation, Delegate, EnrolParticipant, RULES, RegisterActor, RegisterRepresentative, Relation,
    RotateKey, ScreenParticipant, Stage, State, Training,
};
pub use study::{
    ActivateSite, AddArm, AddProtocolVersion, AddSite, CloseSite, CreateStudy, PauseSite, RecordSiteApproval, SetCap,
    SetStudyState,
};

/// The commands of the enrollment journal, one a row: the payload, the RPC that records it with its messages, the tasks one of
/// which its signer holds, and who signs besides or instead.
///
/// `plain` are decided by their rules alone; of `checked` the service checks more than a rule can know; with `attached` goes
/// something that the command names by its hash. Calls the macro `$expand` with these three lists and whatever else it is given.
#[macro_export]
macro_rules! enrollment_commands {
    ($expand:ident $($more:tt)*) => {
        $expand! {
            plain {
                AddProtocolVersion add_protocol_version(AddProtocolVersionRequest) -> AddProtocolVersionResponse: [ManageStudy] "";
                AddSite add_site(AddSiteRequest) -> AddSiteResponse: [ManageStudy] "";
                ActivateSite activate_site(ActivateSiteRequest) -> ActivateSiteResponse: [ManageStudy] "";
                CloseSite close_site(CloseSiteRequest) -> CloseSiteResponse: [ManageStudy] "";
                PauseSite pause_site(PauseSiteRequest) -> PauseSiteResponse: [ManageStudy] "";
                RecordSiteApproval record_site_approval(RecordSiteApprovalRequest) -> RecordSiteApprovalResponse: [ManageStudy] "";
                SetStudyState set_study_state(SetStudyStateRequest) -> SetStudyStateResponse: [ManageStudy] "";
                AddArm add_arm(AddArmRequest) -> AddArmResponse: [ManageStudy] "";
                SetCap set_cap(SetCapRequest) -> SetCapResponse: [ManageStudy] "";
                RegisterActor register_actor(RegisterActorRequest) -> RegisterActorResponse: [RegisterActors] "the new key signs too";
                RotateKey rotate_key(RotateKeyRequest) -> RotateKeyResponse: [] "the actor, with the old key and the new; a registrar too who confirms it";
                RevokeKey revoke_key(RevokeKeyRequest) -> RevokeKeyResponse: [RegisterActors] "or the key's own actor";
                Delegate delegate(DelegateRequest) -> DelegateResponse: [] "who holds the task there for the whole period";
                EndDelegation end_delegation(EndDelegationRequest) -> EndDelegationResponse: [] "the delegate, or who holds the task there";
                EnrolParticipant enrol_participant(EnrolParticipantRequest) -> EnrolParticipantResponse: [Enrol] "from rules 3 on the new key signs too";
                ScreenParticipant screen_participant(ScreenParticipantRequest) -> ScreenParticipantResponse: [Enrol] "from rules 3 on the new key signs too";
                RecordStage record_stage(RecordStageRequest) -> RecordStageResponse: [Enrol] "";
                WithdrawParticipant withdraw_participant(WithdrawParticipantRequest) -> WithdrawParticipantResponse: [Enrol] "or the participant";
                RegisterRepresentative register_representative(RegisterRepresentativeRequest) -> RegisterRepresentativeResponse: [Enrol] "the new key signs too, and from rules 3 on a second person with obtain_consent";
                EndRepresentation end_representation(EndRepresentationRequest) -> EndRepresentationResponse: [Enrol] "or the representative, or the participant";
                ClearMatch clear_match(ClearMatchRequest) -> ClearMatchResponse: [ManageStudy] "";
                LinkParticipants link_participants(LinkParticipantsRequest) -> LinkParticipantsResponse: [ManageStudy] "";
                Unblind unblind(UnblindRequest) -> UnblindResponse: [Unblind] "";
                RevealAllocation reveal_allocation(RevealAllocationRequest) -> RevealAllocationResponse: [ManageAllocation] "";
            }
            checked {
                CreateStudy create_study(CreateStudyRequest) -> CreateStudyResponse: [] "the root key it names, as `root`";
                DefineCriteria define_criteria(DefineCriteriaRequest) -> DefineCriteriaResponse: [ManageStudy] "";
                Randomise randomise(RandomiseRequest) -> RandomiseResponse: [Enrol] "";
            }
            attached {
                RecordScreening record_screening(RecordScreeningRequest) -> RecordScreeningResponse: [Enrol] "to override a criterion also override_eligibility";
                CommitAllocation commit_allocation(CommitAllocationRequest) -> CommitAllocationResponse: [ManageAllocation] "";
            }
            $($more)*
        }
    };
}
