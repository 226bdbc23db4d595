//! What a port serves.

use crate::{
    Limits, ServeError,
    answer::unserved,
    call::Allowance,
    health::{Check, Checked, Health, LIVE},
    shared::Shared,
    stack,
    stopping::Stopping,
};
use axum::{Router, response::IntoResponse};
use caller::Member;
use permission::Gatekeeper;
use std::{convert::Infallible, future::Future, sync::Arc};
use tokio::sync::watch;
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tower::Service;

/// What a port serves, and within which limits.
pub struct Parts {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    http: Router,
    checks: Vec<Check>,
    reporter: HealthReporter,
    of: Member,
    gatekeeper: Option<Gatekeeper>,
    allowance: Option<Arc<dyn Allowance>>,
    pub(crate) limits: Limits,
}

impl Parts {
    /// Nothing yet, of the service `of`.
    pub fn of(of: Member) -> Self {
        Self {
            routes: Routes::builder(),
            names: Vec::new(),
            http: Router::new(),
            checks: Vec::new(),
            reporter: HealthReporter::new(),
            of,
            gatekeeper: None,
            allowance: None,
            limits: Limits::default(),
        }
    }

    /// Has callers pass `gatekeeper`. Without one the built-in policies hold, and no token of services is accepted.
    pub fn guarded(self, gatekeeper: Gatekeeper) -> Self {
        Self { gatekeeper: Some(gatekeeper), ..self }
    }

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

    /// Adds something that health checks may ask for, and that does not keep the port from serving: it is well as long as
    /// `well` says so.
    pub fn health(self, name: &'static str, well: watch::Receiver<bool>) -> Self {
        self.check(name, move || {
            let well = *well.borrow();
            async move { if well { Checked::Ready } else { Checked::Degraded } }
        })
    }

    /// Limits how often each caller may call, if at all.
    pub fn allowance(self, allowance: Option<Arc<dyn Allowance>>) -> Self {
        Self { allowance, ..self }
    }

    /// Replaces the default limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The port's health alone, to be served on a plain port beside the metrics: the probes of a cluster speak no TLS.
    /// Until the port is served it is alive and not ready.
    pub async fn probes(&self) -> Router {
        self.reporter.set_service_status("", ServingStatus::NotServing).await;
        self.reporter.set_service_status(LIVE, ServingStatus::Serving).await;
        Routes::new(health_service(&self.reporter)).prepare().into_axum_router().fallback(unserved)
    }

    /// Everything behind one port, in its layers, and its health.
    pub(crate) fn assemble(mut self, stopping: Stopping) -> Result<(Router, Arc<Shared>, Health), ServeError> {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|_| ServeError::Descriptors)?;
        self.routes.add_service(health_service(&self.reporter));
        self.routes.add_service(reflection);
        let router = self.routes.routes().prepare().into_axum_router().merge(self.http).fallback(unserved);
        let gatekeeper = match self.gatekeeper {
            Some(gatekeeper) => gatekeeper,
            None => Gatekeeper::new().map_err(ServeError::Policies)?,
        };
        let shared = Shared::new(self.limits, self.allowance, stopping);
        let router = stack::around(router, &shared, gatekeeper.layer(self.of));
        Ok((router, shared, Health { reporter: self.reporter, names: self.names, checks: self.checks }))
    }
}

fn health_service(reporter: &HealthReporter) -> HealthServer<HealthService> {
    HealthServer::new(HealthService::from_health_reporter(reporter.clone()))
}
