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
    (
        plain { $($plain:ident $plain_rpc:ident($plain_request:ident) -> $_pr:ident: [$($_p:ident),*] $_ps:literal;)* }
        checked { $($checked:ident $checked_rpc:ident($checked_request:ident) -> $_cr:ident: [$($_c:ident),*] $_cs:literal;)* }
        attached { $($_a:ident $_a_rpc:ident($_aq:ident) -> $_ar:ident: [$($_at:ident),*] $_as:literal;)* }
        $service:ident
    ) => {
        $(commands!(@one $service $plain $plain_rpc $plain_request);)*
        $(commands!(@one $service $checked $checked_rpc $checked_request);)*
    };
    (@one $service:ident $command:ident $rpc:ident $request:ident) => {
        impl Command for cmd::$command {
            async fn send(&self, client: &Client, envelope: Vec<u8>) -> Result<Option<Receipt>, Status> {
                let request = proto::$service::$request { envelope };
                Ok(client.$service.clone().$rpc(request).await?.into_inner().receipt)
            }
        }
    };
}

// What goes along with an attachment has a method of its own.
vocabulary::enrollment_commands!(commands enrollment);
vocabulary::consent_commands!(commands consent);
vocabulary::capture_commands!(commands capture);
