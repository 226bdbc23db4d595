//! One layer before every RPC.

use crate::{
    denial::Denial,
    policy::{Policies, PolicyError, Source},
};
use caller::{Caller, Credentials, Member, ServiceToken, oidc::Oidc};
use futures_util::future::Either;
use std::{
    future::{Ready, ready},
    path::Path,
    sync::Arc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};
use tonic::{
    Status,
    codegen::http::{HeaderValue, Request, Response, StatusCode, header},
};
use tower::{Layer, Service};

/// What the content type of every gRPC call begins with.
const GRPC: &[u8] = b"application/grpc";

/// Knows who is calling, and who may call what. Without more it knows certificates and actors' own tokens, and goes by the
/// built-in policies. Cheap to clone; one serves a whole process.
#[derive(Clone)]
pub struct Gatekeeper {
    policies: Source,
    credentials: Credentials,
}

impl Gatekeeper {
    /// A gatekeeper who goes by the built-in policies.
    pub fn new() -> Result<Self, PolicyError> {
        let credentials = Credentials { services: ServiceToken::absent(), oidc: None };
        Ok(Self { policies: Source::built_in()?, credentials })
    }

    /// Goes by the policies in the directory `policies` instead, and reads them again when they change.
    pub fn with_policies(self, policies: &Path) -> Result<Self, PolicyError> {
        Ok(Self { policies: Source::watch(policies, watcher::POLL)?, ..self })
    }

    /// Accepts the token of a deployment that is one process, over plaintext loopback connections only.
    pub fn with_services(mut self, token: ServiceToken) -> Self {
        self.credentials.services = token;
        self
    }

    /// Accepts tokens of identity providers.
    pub fn with_oidc(mut self, oidc: Oidc) -> Self {
        self.credentials.oidc = Some(Arc::new(oidc));
        self
    }

    /// The layer before the service `at`. It takes the connection from the request's extension `tls::Peer`, or axum's connect
    /// info of that type; and gives the [`Caller`].
    pub fn layer(&self, at: Member) -> GateLayer {
        let Self { policies, credentials } = self.clone();
        GateLayer(Arc::new(Checks { policies, credentials, at }))
    }
}

/// Puts a [`Gate`] before a service.
#[derive(Clone)]
pub struct GateLayer(Arc<Checks>);

/// What every call to a service is checked by.
struct Checks {
    policies: Source,
    credentials: Credentials,
    at: Member,
}

impl Checks {
    fn admit<B>(&self, request: &Request<B>) -> Result<Caller, Denial> {
        let action = Policies::action(request.uri().path()).ok_or(Denial::Unknown)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let caller = self.credentials.examine(request.headers(), request.extensions(), now);
        let caller = caller.map_err(Denial::Credentials)?;
        if self.policies.current().permits(caller.kind(), self.at, action) {
            return Ok(caller);
        }
        Err(Denial::NotPermitted(caller.kind()))
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, checks: self.0.clone() }
    }
}

/// A service that only those reach who may call it.
#[derive(Clone)]
pub struct Gate<S> {
    inner: S,
    checks: Arc<Checks>,
}

impl<S, B, R> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.checks.admit(&request) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Either::Left(self.inner.call(request))
            }
            Err(denial) => Either::Right(ready(Ok(denied(denial, speaks_grpc(&request))))),
        }
    }
}

/// Whether a request is a gRPC call, by its content type. Anything else is answered as plain HTTP is.
pub fn speaks_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = content_type.and_then(|value| value.get(..GRPC.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(GRPC))
}

/// A denial in gRPC's form, or for plain HTTP in HTTP's.
fn denied<R: Default>(denial: Denial, is_grpc: bool) -> Response<R> {
    if is_grpc {
        return Status::from(denial).into_http();
    }
    let mut response = Response::new(R::default());
    *response.status_mut() = match denial {
        Denial::Credentials(_) => StatusCode::UNAUTHORIZED,
        Denial::NotPermitted(_) => StatusCode::FORBIDDEN,
        Denial::Unknown => StatusCode::NOT_FOUND,
    };
    response
}
