//! The commands of all journals, as one list of names, and the table of them.

pub use crate::{capture::*, consent::*, enrollment::*, task::Task};
pub use seal::command::Payload;

use seal::id::Service;

/// A kind of command: who may sign it, and what records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its name, in payload types and as the kind of its entry.
    pub name: &'static str,
    /// The journal that records it.
    pub service: Service,
    /// The RPC of that service, in camel case.
    pub rpc: &'static str,
    /// The tasks one of which its signer holds; none where the right does not come from a task of its own.
    pub tasks: &'static [Task],
    /// Who signs besides, or instead; empty: nobody.
    pub signers: &'static str,
    /// Whether something goes along with the envelope.
    pub attached: bool,
}

impl Kind {
    /// The path of the RPC, such as `/trialseal.consent.v1.ConsentService/GiveConsent`.
    pub fn path(&self) -> String {
        let package = self.service.name();
        let mut service = package.to_owned();
        service.get_mut(..1).iter_mut().for_each(|first| first.make_ascii_uppercase());
        format!("/trialseal.{package}.v1.{service}Service/{}", self.rpc)
    }
}

macro_rules! kinds {
    (
        plain { $($plain:ident $plain_rpc:ident($plain_request:ident) -> $plain_response:ident: [$($plain_task:ident),*] $plain_signers:literal;)* }
        checked { $($checked:ident $checked_rpc:ident($checked_request:ident) -> $checked_response:ident: [$($checked_task:ident),*] $checked_signers:literal;)* }
        attached { $($attached:ident $attached_rpc:ident($attached_request:ident) -> $attached_response:ident: [$($attached_task:ident),*] $attached_signers:literal;)* }
        $service:ident
    ) => {
        &[
            $(kinds!(@one $service $plain $plain_request [$($plain_task),*] $plain_signers false),)*
            $(kinds!(@one $service $checked $checked_request [$($checked_task),*] $checked_signers false),)*
            $(kinds!(@one $service $attached $attached_request [$($attached_task),*] $attached_signers true),)*
        ]
    };
    (@one $service:ident $payload:ident $request:ident [$($task:ident),*] $signers:literal $attached:literal) => {
        Kind {
            name: <$payload as Payload>::KIND,
            service: Service::$service,
            rpc: rpc(stringify!($request)),
            tasks: &[$(Task::$task),*],
            signers: $signers,
            attached: $attached,
        }
    };
}

/// The RPC whose request has this name.
const fn rpc(request: &'static str) -> &'static str {
    match request.split_at_checked(request.len() - "Request".len()) {
        Some((rpc, _)) => rpc,
        None => request,
    }
}

const ENROLLMENT: &[Kind] = crate::enrollment_commands!(kinds Enrollment);
const CONSENT: &[Kind] = crate::consent_commands!(kinds Consent);
const CAPTURE: &[Kind] = crate::capture_commands!(kinds Capture);

/// Every kind of command, journal by journal.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    ENROLLMENT.iter().chain(CONSENT).chain(CAPTURE)
}
