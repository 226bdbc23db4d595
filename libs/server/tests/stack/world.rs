//! A port with a service whose every call does what its number says.

use axum::{Router, routing::get};
use caller::{Member, ServiceToken};
use permission::Gatekeeper;
use proto::anchoring::{
    GetBundleRequest, GetBundleResponse, GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
    GetConsistencyProofResponse, GetRecordBundleRequest, GetRecordBundleResponse, ListBlocksRequest,
    ListBlocksResponse,
    anchoring_service_client::AnchoringServiceClient,
    anchoring_service_server::{AnchoringService, AnchoringServiceServer},
};
use server::{Parts, bind, serve, serve_tls};
use std::{
    net::SocketAddr,
    panic,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use telemetry::Guard;
use tls::Identity;
use tokio::{sync::Notify, task::JoinHandle};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::health_client::HealthClient;

/// Answers at once.
pub const ANSWER: u64 = 0;
/// Panics, quoting a value.
pub const PANIC: u64 = 1;
/// Answers once it is released.
pub const HANG: u64 = 2;
/// Costs as much as seven calls more.
pub const COSTLY: u64 = 3;
/// What the panic says.
pub const SECRET: &str = "pressure-of-subject-4711";

/// What the handlers saw.
#[derive(Default)]
pub struct Seen {
    pub running: AtomicUsize,
    pub most: AtomicUsize,
    pub released: Notify,
    pub remaining: Mutex<Option<Duration>>,
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[derive(Clone, Default)]
pub struct Stub(pub Arc<Seen>);

#[tonic::async_trait]
impl AnchoringService for Stub {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let running = self.0.running.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(running, SeqCst);
        let _running = Running(&self.0.running);
        *self.0.remaining.lock().unwrap() = channel::remaining();
        match request.into_inner().at_most {
            PANIC => panic!("{SECRET}"),
            HANG => self.0.released.notified().await,
            COSTLY => server::charge_more(7).await,
            _ => {}
        }
        Ok(Response::new(GetCheckpointResponse { checkpoint: "here".to_owned() }))
    }

    async fn get_consistency_proof(
        &self,
        _: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_blocks(&self, _: Request<ListBlocksRequest>) -> Result<Response<ListBlocksResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_bundle(&self, _: Request<GetBundleRequest>) -> Result<Response<GetBundleResponse>, Status> {
        Ok(Response::new(GetBundleResponse { bundle: Vec::new() }))
    }

    async fn get_record_bundle(
        &self,
        _: Request<GetRecordBundleRequest>,
    ) -> Result<Response<GetRecordBundleResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// A port that is served.
pub struct World {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    pub stop: Arc<Notify>,
    pub served: JoinHandle<()>,
}

pub fn token() -> ServiceToken {
    ServiceToken::new(&[7; 32])
}

/// Telemetry counts from here on, for the whole process.
pub fn measured() {
    static STARTED: OnceLock<Guard> = OnceLock::new();
    STARTED.get_or_init(|| {
        let service = telemetry::Service { name: "test", level: "off", ..telemetry::Service::default() };
        let guard = telemetry::start(&service).unwrap();
        let quiet = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            eprintln!("{panic}"); // what a test says when it fails
            quiet(panic);
        }));
        guard
    });
}

/// A metric as it stands.
pub fn metric(name: &str) -> f64 {
    let text = telemetry::prometheus_text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

impl World {
    pub async fn start(with: impl FnOnce(Parts) -> Parts) -> Self {
        Self::start_with(None, with).await
    }

    /// The same, with TLS if there is an identity.
    pub async fn start_with(identity: Option<Identity>, with: impl FnOnce(Parts) -> Parts) -> Self {
        measured();
        let stub = Stub::default();
        let (listener, stop) = (bind("127.0.0.1:0".parse().unwrap()).await.unwrap(), Arc::new(Notify::new()));
        let address = listener.local_addr().unwrap();
        let gatekeeper = Gatekeeper::new().unwrap().with_services(token());
        let http = Router::new().route(
            "/checkpoint",
            get(|| async {
                if true {
                    panic!("{SECRET}")
                }
            }),
        );
        let parts = Parts::of(Member::Anchoring).guarded(gatekeeper).http(http);
        let parts = with(parts.grpc(AnchoringServiceServer::new(stub.clone())));
        let stopped = stop.clone();
        let stopped = async move { stopped.notified().await };
        let served = tokio::spawn(async move {
            let ended = match identity {
                Some(identity) => serve_tls(listener, identity, parts, stopped).await,
                None => serve(listener, parts, stopped).await,
            };
            ended.unwrap();
        });
        Self { address, seen: stub.0, stop, served }
    }

    /// A connection of its own.
    pub async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub async fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel().await)
    }

    /// Waits until so many calls are being handled.
    pub async fn running(&self, calls: usize) {
        eventually("calls being handled", async || (self.seen.running.load(SeqCst) == calls).then_some(())).await;
    }
}

/// One call over a connection of its own.
pub async fn call(channel: &Channel, what: u64) -> Result<Response<GetCheckpointResponse>, Status> {
    AnchoringServiceClient::new(channel.clone()).get_checkpoint(GetCheckpointRequest { at_most: what }).await
}

/// Asks again until there is an answer; gives up after a time no healthy machine needs.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await; // between two questions; the answer is what is waited for
    }
    panic!("{what}: not within a minute");
}
