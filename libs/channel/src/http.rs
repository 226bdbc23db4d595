//! Plain HTTP/1.1 with a bound on size and time: tiles, and the witness protocol.

use axum::{
    body::Bytes,
    http::{Request, Response},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tls::{Identity, TlsError};
use tokio::time::timeout;

/// How long connecting, and how long an exchange may take.
const CONNECT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not a URL.
    #[error("{0:?} is not a URL")]
    Address(String),
    /// Nobody answers there, or not in time.
    #[error("{0} cannot be reached")]
    Unreachable(String),
    /// The answer is not the file.
    #[error("{url} answers {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is larger than it may be.
    #[error("{0} is too large, or was cut off")]
    TooLarge(String),
}

type Exchange = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// An HTTP client. Cheap to clone; connections are kept and used again.
#[derive(Clone)]
pub struct Http {
    identity: Option<Identity>,
    current: Arc<Mutex<(u64, Exchange)>>,
}

impl Http {
    /// A client that trusts the authorities of `identity` and shows its certificate to who asks for it; without one, it
    /// trusts those the system does. Certificates that are replaced are taken into use.
    ///
    /// # Errors
    ///
    /// The certificates cannot be used.
    pub fn new(identity: Option<Identity>) -> Result<Self, TlsError> {
        let current = Arc::new(Mutex::new((version(identity.as_ref()), exchange(identity.as_ref())?)));
        Ok(Self { identity, current })
    }

    /// What is at `url`, at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// The URL is wrong, nobody answers, or the answer is not a success, or too large.
    pub async fn fetch(&self, url: &str, limit: usize) -> Result<Vec<u8>, HttpError> {
        let request = Request::get(url).body(Bytes::new()).map_err(|_| HttpError::Address(url.to_owned()))?;
        let answer = self.send(request, limit).await?;
        if answer.status().is_success() {
            return Ok(answer.into_body().into());
        }
        Err(HttpError::Status { url: url.to_owned(), status: answer.status().as_u16() })
    }

    /// What is at `path` below one of `bases`, URLs separated by commas: the first that has it.
    ///
    /// # Errors
    ///
    /// As [`Http::fetch`], of the last one.
    pub async fn fetch_from(&self, bases: &str, path: &str, limit: usize) -> Result<Vec<u8>, HttpError> {
        let mut fetched = Err(HttpError::Address(bases.to_owned()));
        for base in bases.split(',') {
            fetched = self.fetch(&format!("{}/{path}", base.trim().trim_end_matches('/')), limit).await;
            if fetched.is_ok() {
                break;
            }
        }
        fetched
    }

    /// Sends a request and reads the answer, of which the body may have `limit` bytes.
    ///
    /// # Errors
    ///
    /// Nobody answers, or the answer is too large.
    pub async fn send(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, HttpError> {
        let url = request.uri().to_string();
        match timeout(PATIENCE, self.exchange(request.map(Full::new), limit, &url)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Unreachable(url)),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
        url: &str,
    ) -> Result<Response<Bytes>, HttpError> {
        let client = self.current();
        let answer = client.request(request).await.map_err(|error| {
            tracing::debug!(?error, url, "an HTTP exchange failed");
            HttpError::Unreachable(url.to_owned())
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(|_| HttpError::TooLarge(url.to_owned()))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// The client, made anew if certificates changed.
    fn current(&self) -> Exchange {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = version(self.identity.as_ref());
        if current.0 != latest
            && let Ok(exchange) = exchange(self.identity.as_ref())
        {
            *current = (latest, exchange);
        }
        current.1.clone()
    }
}

fn version(identity: Option<&Identity>) -> u64 {
    identity.map_or(0, |identity| *identity.changed().borrow())
}

fn exchange(identity: Option<&Identity>) -> Result<Exchange, TlsError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.enforce_http(false);
    let tls = identity.map_or_else(|| tls::web(None), |identity| Ok(identity.rustls_client()))?;
    let tls = HttpsConnectorBuilder::new().with_tls_config(Arc::unwrap_or_clone(tls)).https_or_http().enable_http1();
    Ok(Client::builder(TokioExecutor::new()).build(tls.wrap_connector(connector)))
}
