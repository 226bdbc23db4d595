//! Real gRPC servers that behave as told: they serve `grpc.health.v1.Health`.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test uses its own part

use channel::{Channel, Settings};
use std::{
    net::{SocketAddr, TcpListener},
    pin::Pin,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, sync::Notify, task::JoinHandle};
use tokio_stream::{Stream, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, metadata::MetadataMap, transport::server::Router};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

/// What a server says to the n-th call, counted from zero, and how many messages of a stream it sends before that.
pub type Behaviour = dyn Fn(usize, &MetadataMap) -> (usize, Result<(), Status>) + Send + Sync;

struct Scripted {
    behaviour: Arc<Behaviour>,
    calls: Arc<AtomicUsize>,
}

impl Scripted {
    fn next(&self, metadata: &MetadataMap) -> (usize, Result<(), Status>) {
        (self.behaviour)(self.calls.fetch_add(1, Ordering::SeqCst), metadata)
    }
}

#[tonic::async_trait]
impl Health for Scripted {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if request.get_ref().service == "hang" {
            let () = std::future::pending().await;
        }
        self.next(request.metadata()).1.map(|()| Response::new(HealthCheckResponse::default()))
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (messages, end) = self.next(request.metadata());
        if messages == 0 {
            end.clone()?;
        }
        let messages = (0..messages).map(|_| Ok(HealthCheckResponse::default()));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages.chain(end.err().map(Err))))))
    }
}

/// A running server. It is gone at once, with its connections, when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub calls: Arc<AtomicUsize>,
    stop: Arc<Notify>,
    serving: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Server {
    /// Answers everything.
    pub fn good() -> Self {
        Self::start("127.0.0.1:0", |_, _| (0, Ok(())))
    }

    pub fn start(
        address: &str,
        behaviour: impl Fn(usize, &MetadataMap) -> (usize, Result<(), Status>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stop = Arc::new(Notify::new());
        let router = scripted(Arc::new(behaviour), calls.clone());
        let serving = Some(runtime.spawn(serve(listener, router, stop.clone())));
        Self { address, calls, stop, serving, runtime: Some(runtime) }
    }

    /// How many calls reached it.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no new calls, answers those under way, and is gone.
    pub async fn stop(mut self) {
        self.stop.notify_one();
        self.serving.take().unwrap().await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn scripted(behaviour: Arc<Behaviour>, calls: Arc<AtomicUsize>) -> Router {
    tonic::transport::Server::builder().add_service(HealthServer::new(Scripted { behaviour, calls }))
}

async fn serve(listener: TcpListener, router: Router, stop: Arc<Notify>) {
    listener.set_nonblocking(true).unwrap();
    let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener).unwrap());
    router.serve_with_incoming_shutdown(incoming, stop.notified()).await.unwrap();
}

/// The address a server in a process of its own is to take.
const ADDRESS: &str = "TRIALSEAL_TEST_ADDRESS";

/// Serves in this process if it was started to do so, else does nothing. To be called by a test named `a_process`.
pub fn serve_if_told() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let server = Server::start(&address, |_, _| (0, Ok(())));
    println!("serving on {}", server.address);
    std::thread::park();
}

/// A server in a process of its own: one that can be stopped as a whole.
pub struct Process {
    pub address: SocketAddr,
    child: Child,
}

impl Process {
    pub fn start() -> Self {
        let address = free();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.args(["--exact", "a_process", "--nocapture"]).env(ADDRESS, address.to_string());
        let child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let process = Self { address, child };
        eventually("the process serves", || std::net::TcpStream::connect(address).is_ok());
        process
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends it a signal, such as STOP or CONT.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited_for = self.child.wait();
    }
}

/// An address nobody listens at.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until `is` true; gives up after a time no healthy machine needs.
pub fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < until, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20)); // between two questions; the answer is what is waited for
    }
}

pub fn channel(urls: &str, settings: Settings) -> Channel {
    Channel::new(urls, None, settings).unwrap()
}

/// Settings under which tests need not wait long.
pub fn quick() -> Settings {
    Settings { attempt: Duration::from_millis(500), backoff: Duration::from_millis(5), ..Settings::default() }
}

/// Asks once.
pub async fn check(channel: &Channel) -> Result<(), Status> {
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.map(drop)
}

/// Asks for what is never answered.
pub fn hang() -> HealthCheckRequest {
    HealthCheckRequest { service: "hang".to_owned() }
}
