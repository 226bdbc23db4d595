//! Which method records which command.

use crate::Client;
use proto::types::Receipt;
use std::future::Future;
use tonic::Status;
use vocabulary::command::{self as cmd, Payload};

/// A command and the method that records it.
pub trait Command: Payload + Clone + Sync {
    /// Sends the envelope of this command.
    fn send(&self, client: &Client, envelope: Vec<u8>) -> impl Future<Output = Result<Option<Receipt>, Status>> + Send;
}

macro_rules! commands {
    ($($service:ident: $($command:ident $method:ident $request:ident),*;)*) => {$($(
        impl Command for cmd::$command {
            async fn send(&self, client: &Client, envelope: Vec<u8>) -> Result<Option<Receipt>, Status> {
                let request = proto::$service::$request { envelope };
                Ok(client.$service.clone().$method(request).await?.into_inner().receipt)
            }
        }
    )*)*};
}

commands! {
    enrollment:
        CreateStudy create_study CreateStudyRequest,
        AddProtocolVersion add_protocol_version AddProtocolVersionRequest,
        AddSite add_site AddSiteRequest,
        ActivateSite activate_site ActivateSiteRequest,
        CloseSite close_site CloseSiteRequest,
        RegisterActor register_actor RegisterActorRequest,
        RotateKey rotate_key RotateKeyRequest,
        RevokeKey revoke_key RevokeKeyRequest,
        Delegate delegate DelegateRequest,
        EndDelegation end_delegation EndDelegationRequest,
        EnrolParticipant enrol_participant EnrolParticipantRequest,
        WithdrawParticipant withdraw_participant WithdrawParticipantRequest,
        SetStudyState set_study_state SetStudyStateRequest,
        AddArm add_arm AddArmRequest,
        RecordSiteApproval record_site_approval RecordSiteApprovalRequest,
        PauseSite pause_site PauseSiteRequest,
        SetCap set_cap SetCapRequest,
        ScreenParticipant screen_participant ScreenParticipantRequest,
        ClearMatch clear_match ClearMatchRequest,
        LinkParticipants link_participants LinkParticipantsRequest,
        DefineCriteria define_criteria DefineCriteriaRequest,
        RecordStage record_stage RecordStageRequest,
        RegisterRepresentative register_representative RegisterRepresentativeRequest,
        Randomise randomise RandomiseRequest,
        Unblind unblind UnblindRequest,
        RevealAllocation reveal_allocation RevealAllocationRequest;
    consent:
        GiveConsent give_consent GiveConsentRequest,
        WithdrawConsent withdraw_consent WithdrawConsentRequest,
        GrantAccess grant_access GrantAccessRequest,
        RevokeAccess revoke_access RevokeAccessRequest,
        AccessData access_data AccessDataRequest;
    capture:
        DefineForms define_forms DefineFormsRequest,
        RedactValue redact_value RedactValueRequest,
        EraseParticipant erase_participant EraseParticipantRequest;
}
