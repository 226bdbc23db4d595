//! How the trace of a call goes on in the service called.

use std::sync::OnceLock;
use tonic::codegen::http::HeaderMap;

static INJECT: OnceLock<fn(&mut HeaderMap)> = OnceLock::new();

/// Has `inject` write the current trace into the headers of every outgoing call, inside the span of that call. The first
/// one given stays.
pub fn propagate(inject: fn(&mut HeaderMap)) {
    let _the_first_stays = INJECT.set(inject);
}

pub(crate) fn inject(headers: &mut HeaderMap) {
    if let Some(inject) = INJECT.get() {
        inject(headers);
    }
}
