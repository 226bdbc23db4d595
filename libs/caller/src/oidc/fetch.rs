//! Fetching a key set.

use super::OidcError;
use axum::{
    body::Body,
    http::{Request, Uri},
};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{error::Error, net::IpAddr, path::Path, time::Duration};
use tls::may_be_plain;
use tokio::time::timeout;

/// The largest key set, in bytes.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches one key set.
pub(super) struct Fetcher {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Fetcher {
    /// A fetcher of `url`, which is `https`, or on this machine.
    pub(super) fn new(
        url: &str,
        ca: Option<&Path>,
        wrong: impl Fn(&'static str) -> OidcError,
    ) -> Result<Self, OidcError> {
        let uri: Uri = url.parse().map_err(|_| wrong("jwks is not a URL"))?;
        if uri.scheme_str() != Some("https") && !is_near(&uri) {
            return Err(wrong("jwks must be an https URL: without TLS anybody between could vouch for anybody"));
        }
        let connector = HttpsConnectorBuilder::new().with_tls_config((*tls::web(ca)?).clone());
        let connector = connector.https_or_http().enable_http1().build();
        Ok(Self { uri, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    pub(super) async fn fetch(&self) -> Result<Vec<u8>, OidcError> {
        timeout(PATIENCE, self.get()).await.map_err(failed)?
    }

    async fn get(&self) -> Result<Vec<u8>, OidcError> {
        let request = Request::get(self.uri.clone()).body(Body::empty()).map_err(failed)?;
        let answer = self.client.request(request).await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(failed(format!("the server answers {}", answer.status().as_u16())));
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await.map_err(failed)?;
        Ok(body.to_bytes().to_vec())
    }
}

fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> OidcError {
    OidcError::Fetch(source.into())
}

/// Whether a URL names a loopback address of this machine.
fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    uri.scheme_str() == Some("http") && host.parse::<IpAddr>().is_ok_and(|address| may_be_plain((address, 0).into()))
}
