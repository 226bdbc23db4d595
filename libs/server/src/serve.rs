//! One port: gRPC with health and reflection, and plain HTTP beside it.

use crate::{
    Limits, Parts, ServeError, load_shedding::LoadShedding, preface::PrefaceTimeout, shared::Shared, stopping::Stopping,
};
use axum::{Router, serve::Listener as Accept};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tls::{Identity, Listener, Peer, Stream};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Binds a port; port 0 takes any that is free.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// Serves `parts` until `stop` completes. Then health turns to not serving, new calls are taken for the time of notice,
/// running calls finish within the bound of [`Limits`], and what still runs is cut off. Without TLS, which only a loopback
/// port may be.
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
    mut listener: Listener,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let limits = parts.limits.clone();
    let (now_stop, stopping) = Stopping::new();
    let (router, shared, health) = parts.assemble(stopping.clone())?;
    health.check().await;
    let mut port = Port {
        router,
        shared,
        builder: builder(&limits),
        patience: limits.keep_alive_timeout,
        stopping,
        open: JoinSet::new(),
    };
    let places = Arc::new(Semaphore::new(limits.connections));
    let until_noticed = async {
        tokio::select! {
            () = stop => {}
            () = health.keep_checking(limits.check) => {}
        }
        health.stop().await;
        sleep(limits.notice).await;
    };
    let mut until_noticed = pin!(until_noticed);
    loop {
        tokio::select! {
            () = &mut until_noticed => break,
            Some((connection, peer, place)) = next(&mut listener, &places) => port.take(connection, peer, place),
        }
    }
    drop(listener);
    let _nobody_waits = now_stop.send(true);
    let finished = timeout(limits.drain, async { while port.open.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        tracing::warn!(connections = port.open.len(), "calls that still run are cut off");
        port.open.shutdown().await;
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn next(listener: &mut Listener, places: &Arc<Semaphore>) -> Option<(Stream, Peer, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    let (connection, peer) = Accept::accept(listener).await;
    Some((connection, peer, place))
}

struct Port {
    router: Router,
    shared: Arc<Shared>,
    builder: Builder<TokioExecutor>,
    patience: Duration,
    stopping: Stopping,
    open: JoinSet<()>,
}

impl Port {
    fn take(&mut self, connection: Stream, peer: Peer, place: OwnedSemaphorePermit) {
        while self.open.try_join_next().is_some() {}
        let service =
            TowerToHyperService::new(LoadShedding { router: self.router.clone(), shared: self.shared.clone(), peer });
        let (builder, stopping) = (self.builder.clone(), self.stopping.clone());
        let connection = PrefaceTimeout::new(self.patience, connection);
        self.open.spawn(async move {
            let _until_closed = place;
            let connection = builder.serve_connection(TokioIo::new(connection), service);
            let mut connection = pin!(connection);
            tokio::select! {
                _how_it_ended = connection.as_mut() => return,
                () = stopping.wait() => connection.as_mut().graceful_shutdown(),
            }
            let _how_it_ended = connection.await;
        });
    }
}

/// How much of a connection's requests is held in memory, and how one notices that nobody is there any more.
fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_timeout);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.keep_alive_timeout)
        .max_buf_size((limits.header_bytes as usize).max(8 << 10)); // hyper takes no less
    builder
}
