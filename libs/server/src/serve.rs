//! One port: gRPC with health and reflection, and plain HTTP beside it.

use access::{Gatekeeper, Member};
use std::{future::Future, io, net::SocketAddr};
use tls::{Identity, Listener, Peer};
use tokio::{net::TcpListener, sync::watch};
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tonic_health::ServingStatus;
use tower::Service;

/// Why a service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: is another program using that port? Choose another with --port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Reflection cannot be built from the descriptors.
    #[error("the service descriptors cannot be read")]
    Descriptors,
    /// The built-in policies cannot be used.
    #[error("the built-in policies cannot be used")]
    Policies(#[source] access::policy::PolicyError),
    /// The certificate cannot be used.
    #[error("the certificate cannot be used")]
    Tls(#[from] tls::TlsError),
    /// A port is open to others and has no TLS.
    #[error("{0} is not a loopback address: there, TLS is needed (--tls-cert, --tls-key, --tls-ca)")]
    Plain(SocketAddr),
    /// Serving ended with an error.
    #[error("serving ended")]
    Serve(#[source] io::Error),
}

/// What a port serves.
pub struct Parts {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    watched: Vec<(&'static str, watch::Receiver<bool>)>,
    http: axum::Router,
    of: Member,
    gatekeeper: Option<Gatekeeper>,
}

impl Parts {
    /// Nothing yet, of the service `of`.
    pub fn of(of: Member) -> Self {
        Self {
            routes: Routes::builder(),
            names: Vec::new(),
            watched: Vec::new(),
            http: axum::Router::new(),
            of,
            gatekeeper: None,
        }
    }

    /// Has callers pass `gatekeeper`. Without one the built-in policies hold, and no token of services is accepted.
    pub fn guarded(self, gatekeeper: Gatekeeper) -> Self {
        Self { gatekeeper: Some(gatekeeper), ..self }
    }

    /// Adds a gRPC service.
    pub fn grpc<S>(mut self, service: S) -> Self
    where
        S: Service<axum::http::Request<Body>, Error = std::convert::Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// Adds a name that health checks may ask for: serving as long as `well` says so.
    pub fn health(mut self, name: &'static str, well: watch::Receiver<bool>) -> Self {
        self.watched.push((name, well));
        self
    }

    /// Adds plain HTTP routes.
    pub fn http(mut self, router: axum::Router) -> Self {
        self.http = self.http.merge(router);
        self
    }

    async fn into_router(mut self) -> Result<axum::Router, ServeError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        for name in self.names {
            health.set_service_status(name, ServingStatus::Serving).await;
        }
        for (name, well) in self.watched {
            tokio::spawn(report(health.clone(), name, well));
        }
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|_| ServeError::Descriptors)?;
        self.routes.add_service(health_service);
        self.routes.add_service(reflection);
        let gatekeeper = match self.gatekeeper {
            Some(gatekeeper) => gatekeeper,
            None => Gatekeeper::new().map_err(ServeError::Policies)?,
        };
        let router = self.routes.routes().prepare().into_axum_router().merge(self.http);
        Ok(router.layer(gatekeeper.layer(self.of)))
    }
}

/// Tells health checks what `well` says, until nobody says anything any more.
async fn report(health: tonic_health::server::HealthReporter, name: &'static str, mut well: watch::Receiver<bool>) {
    loop {
        let serving = if *well.borrow_and_update() { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status(name, serving).await;
        if well.changed().await.is_err() {
            return;
        }
    }
}

/// Binds a port; port 0 takes any that is free.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// Serves `parts` until `stop` completes, then lets running calls finish. Without TLS, which only a loopback port may be.
pub async fn serve(
    listener: TcpListener,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Serve)?;
    if !tls::may_be_plain(address) {
        return Err(ServeError::Plain(address));
    }
    accept(Listener::plain(listener).map_err(ServeError::Serve)?, parts, stop).await
}

/// The same, with TLS.
pub async fn serve_tls(
    listener: TcpListener,
    identity: Identity,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    accept(Listener::tls(listener, identity)?, parts, stop).await
}

async fn accept(
    listener: Listener,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let service = parts.into_router().await?.into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await.map_err(ServeError::Serve)
}
