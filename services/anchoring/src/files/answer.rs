//! Files as caches and web pages expect them: entity tags and `304` (RFC 9110 §13), gzip (§8.4), and the headers by which
//! pages of any origin may read them (Fetch, "CORS protocol"). The files are public: they hold hashes and no data.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use seal::sha256;
use std::io::Write;

/// Below this size packing saves less than a packet.
const WORTH_PACKING: usize = 1_024;
/// How many hex digits of the content's SHA-256 an entity tag has.
const TAG_DIGITS: usize = 32;

const CROSS_ORIGIN: [(HeaderName, &str); 2] =
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::ACCESS_CONTROL_EXPOSE_HEADERS, "etag")];
const PREFLIGHT: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "if-none-match"),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
];

/// A file to answer with.
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: &'static str,
    pub(super) cache_control: &'static str,
    /// Whether gzip makes it smaller. Hashes stay as large as they are.
    pub(super) compresses: bool,
}

impl File {
    /// The file, packed for those who take that; or that it still is the one the caller has.
    pub(super) fn answer(self, asked: &HeaderMap) -> Response {
        let worth_it = self.compresses && self.bytes.len() >= WORTH_PACKING;
        let packed = worth_it && takes_gzip(asked);
        let digest = sha256(&[&self.bytes]).to_hex();
        let tag = format!("\"{}{}\"", digest.get(..TAG_DIGITS).unwrap_or_default(), if packed { "-gzip" } else { "" });
        let mut response = if has_already(asked, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let bytes = if packed { gzip(&self.bytes) } else { self.bytes };
            let mut response = ([(header::CONTENT_TYPE, self.content_type)], bytes).into_response();
            if packed {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        if worth_it {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

/// Lets pages of any origin read what is answered, and tells them so when they ask first.
pub(super) async fn cross_origin(request: Request, next: Next) -> Response {
    let asks_first = request.method() == Method::OPTIONS;
    let mut response =
        if asks_first { (StatusCode::NO_CONTENT, PREFLIGHT).into_response() } else { next.run(request).await };
    for (name, value) in CROSS_ORIGIN {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The items of a list that may be spread over several headers (RFC 9110 §5.6.1).
fn items(asked: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = asked.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether `If-None-Match` names the tag. It is compared weakly, as the standard says (RFC 9110 §13.1.2).
fn has_already(asked: &HeaderMap, tag: &str) -> bool {
    items(asked, header::IF_NONE_MATCH).any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag)
}

/// Whether gzip is among the encodings asked for, with a weight that is not 0 (RFC 9110 §12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    items(asked, header::ACCEPT_ENCODING).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_gzip && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // Memory takes every byte.
    let _written = packed.write_all(bytes);
    packed.finish().unwrap_or_default()
}
