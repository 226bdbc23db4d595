//! No caller makes more calls than they are allowed.

use crate::{
    answer::Protocol,
    call::{Call, Who},
    methods,
    shared::Shared,
};
use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap},
    middleware::Next,
    response::Response,
};
use caller::{Caller, Kind};
use std::sync::Arc;
use tls::{CertifiedName, Peer, Transport};

pub(crate) async fn limit_rate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
    let call = Call::current();
    let _known_once = call.kind.set(caller.kind());
    // The services of the deployment ask on behalf of callers who were charged already.
    let free = caller.is_service() || methods::asks_for_health(request.uri().path());
    if shared.allowance.is_none() || free {
        return next.run(request).await;
    }
    match call.charge(who(caller.kind(), request.headers(), request.extensions())).await {
        Ok(()) => next.run(request).await,
        Err(problem) => Protocol::of(&request).refuse(problem),
    }
}

fn who<'a>(kind: Kind, headers: &'a HeaderMap, extensions: &'a Extensions) -> Who<'a> {
    match kind {
        Kind::ActorToken => claimed(headers).map_or(Who::Nobody, Who::Claimed),
        Kind::ActorOidc => token(headers).map_or(Who::Nobody, Who::Proven),
        _ => proven(extensions).map_or(Who::Nobody, Who::Proven),
    }
}

/// The actor a certificate names.
fn proven(extensions: &Extensions) -> Option<&[u8]> {
    match &extensions.get::<Peer>()?.transport {
        Transport::Tls(Some(presented)) => match presented.name.as_ref()? {
            CertifiedName::Actor { name, .. } => Some(name.as_bytes()),
            CertifiedName::Service(_) => None,
        },
        _ => None,
    }
}

/// The header of a token, which names its key: the caller's next token has the same. Only its signature, which is not
/// verified yet, would prove it.
fn claimed(headers: &HeaderMap) -> Option<&[u8]> {
    token(headers)?.split(|byte| *byte == b'.').next()
}

fn token(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get("authorization")?.as_bytes().strip_prefix(b"Bearer ")
}
