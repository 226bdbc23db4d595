//! What a port serves.

use crate::{
    Limits, ServeError,
    call::Allowance,
    health::{Check, Checked, Health},
    stack::{Gate, Stack},
    stopping::Stopping,
};
use axum::{Router, extract::Request, response::IntoResponse, routing::Route};
use std::{convert::Infallible, future::Future, sync::Arc};
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::{Layer, Service};

/// What a port serves, and within which limits.
pub struct Parts {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    http: Router,
    checks: Vec<Check>,
    gate: Option<Gate>,
    allowance: Option<Arc<dyn Allowance>>,
    pub(crate) limits: Limits,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            routes: Routes::builder(),
            names: Vec::new(),
            http: Router::new(),
            checks: Vec::new(),
            gate: None,
            allowance: None,
            limits: Limits::default(),
        }
    }
}

impl Parts {
    /// Adds a gRPC service.
    pub fn grpc<S>(mut self, service: S) -> Self
    where
        S: Service<axum::http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// Adds plain HTTP routes.
    pub fn http(mut self, router: Router) -> Self {
        self.http = self.http.merge(router);
        self
    }

    /// Adds something that must hold for the port to be ready: the health service tells under `name` whether it does,
    /// and under the names of the gRPC services whether all of them do.
    pub fn check<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Checked> + Send + 'static,
    {
        self.checks.push(Check { name, check: Box::new(move || Box::pin(check())) });
        self
    }

    /// Has a layer decide who is calling, before anything is done for them.
    pub fn gate<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.gate = Some(Box::new(move |router| router.layer(layer)));
        self
    }

    /// Limits how often each caller may call.
    pub fn allowance(mut self, allowance: Arc<dyn Allowance>) -> Self {
        self.allowance = Some(allowance);
        self
    }

    /// Replaces the default limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Everything behind one port, in its layers, and its health.
    pub(crate) fn assemble(mut self, stopping: Stopping) -> Result<(Router, Health), ServeError> {
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|_| ServeError::Descriptors)?;
        self.routes.add_service(health_service);
        self.routes.add_service(reflection);
        let router = self.routes.routes().prepare().into_axum_router().merge(self.http);
        let stack = Stack::new(self.limits, self.allowance, stopping);
        Ok((stack.around(router, self.gate), Health { reporter, names: self.names, checks: self.checks }))
    }
}
