//! A port, with TLS or without.

use crate::{Identity, Presented, Stream, TlsError, may_be_plain, name};
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener as Accept},
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::AbortHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The most handshakes at once: the others wait in the kernel's queue.
const HANDSHAKES: usize = 1_024;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// How it came.
    pub transport: Transport,
}

/// How a connection came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Without TLS, to a loopback address of this machine.
    Loopback,
    /// Without TLS, from anywhere.
    Plain,
    /// With TLS, and with what certificate.
    Tls(Option<Presented>),
}

/// A port that accepts connections and says who is at the other end; with [`axum::serve()`] the [`Peer`] is the connect info.
///
/// Handshakes run beside each other, each within a few seconds: who is slow holds nobody up.
pub struct Listener {
    local: SocketAddr,
    accept: Mode,
}

enum Mode {
    Plain(TcpListener),
    Tls { ready: mpsc::Receiver<(Stream, Peer)>, accepting: AbortHandle },
}

impl Listener {
    /// A port without TLS.
    pub fn plain(listener: TcpListener) -> io::Result<Self> {
        Ok(Self { local: listener.local_addr()?, accept: Mode::Plain(listener) })
    }

    /// A port with TLS. New connections get the certificate `identity` has at that moment.
    pub fn tls(listener: TcpListener, identity: Identity) -> Result<Self, TlsError> {
        identity.server()?;
        let address = listener.local_addr().map_err(|source| TlsError::File { path: "listener".into(), source });
        let (handshaken, ready) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(listener, identity, handshaken)).abort_handle();
        Ok(Self { local: address?, accept: Mode::Tls { ready, accepting } })
    }

    fn peer(&self, address: SocketAddr) -> Peer {
        let transport = if may_be_plain(self.local) { Transport::Loopback } else { Transport::Plain };
        Peer { address, transport }
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        if let Mode::Tls { accepting, .. } = self {
            accepting.abort();
        }
    }
}

impl Accept for Listener {
    type Io = Stream;
    type Addr = Peer;

    async fn accept(&mut self) -> (Stream, Peer) {
        match &mut self.accept {
            Mode::Plain(listener) => {
                let (stream, address) = Accept::accept(listener).await;
                undelayed(&stream);
                (Stream::Plain(stream), self.peer(address))
            }
            Mode::Tls { ready, .. } => match ready.recv().await {
                Some(accepted) => accepted,
                None => std::future::pending().await, // the runtime is shutting down
            },
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(self.peer(self.local))
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Small answers must not wait for the peer's delayed acknowledgement (Nagle).
fn undelayed(stream: &TcpStream) {
    drop(stream.set_nodelay(true));
}

async fn accept(mut listener: TcpListener, identity: Identity, handshaken: mpsc::Sender<(Stream, Peer)>) {
    let free = Arc::new(Semaphore::new(HANDSHAKES));
    while let Ok(permit) = free.clone().acquire_owned().await {
        let (stream, address) = Accept::accept(&mut listener).await;
        let Ok((config, trust_domain)) = identity.server() else { return };
        let (acceptor, handshaken) = (TlsAcceptor::from(config), handshaken.clone());
        tokio::spawn(handshake(acceptor, stream, address, trust_domain, handshaken, permit));
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    trust_domain: Option<String>,
    handshaken: mpsc::Sender<(Stream, Peer)>,
    _until_handed_over: OwnedSemaphorePermit,
) {
    undelayed(&stream);
    let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let chain = stream.get_ref().1.peer_certificates();
    let presented = chain.and_then(<[_]>::first).map(|own| name::presented(own, trust_domain.as_deref()));
    let transport = Transport::Tls(match presented {
        Some(None) => return tracing::debug!("a certificate cannot be read"),
        Some(presented) => presented,
        None => None,
    });
    let _stopped = handshaken.send((Stream::Tls(Box::new(stream)), Peer { address, transport })).await;
}
