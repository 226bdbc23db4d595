//! Fetching a file over HTTP, with a bound.

use axum::{body::Body, http::Request};
use http_body_util::{BodyExt, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is not a URL.
    #[error("{0:?} is not a URL")]
    Address(String),
    /// Nobody answers there.
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
    /// The file is larger than it may be.
    #[error("{0} is larger than it may be, or broke off")]
    TooLarge(String),
}

/// Fetches what is at `url`, at most `limit` bytes.
pub async fn fetch(url: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
    let request = Request::get(url).body(Body::empty()).map_err(|_| FetchError::Address(url.to_owned()))?;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.map_err(|_| FetchError::Unreachable(url.to_owned()))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() });
    }
    let body = Limited::new(answer.into_body(), limit).collect().await;
    Ok(body.map_err(|_| FetchError::TooLarge(url.to_owned()))?.to_bytes().to_vec())
}
