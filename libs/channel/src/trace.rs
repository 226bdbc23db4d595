//! What others want to know of every call: telemetry, which this crate knows nothing of.

use std::sync::OnceLock;
use tonic::codegen::http::HeaderMap;

static INJECT: OnceLock<fn(&mut HeaderMap)> = OnceLock::new();
static RETRIED: OnceLock<fn()> = OnceLock::new();

/// Has `inject` write the current trace into the headers of every outgoing call, inside the span of that call. The first
/// one given stays.
pub fn propagate(inject: fn(&mut HeaderMap)) {
    let _the_first_stays = INJECT.set(inject);
}

/// Has `retried` called whenever a call is sent again. The first one given stays.
pub fn on_retry(retried: fn()) {
    let _the_first_stays = RETRIED.set(retried);
}

pub(crate) fn inject(headers: &mut HeaderMap) {
    if let Some(inject) = INJECT.get() {
        inject(headers);
    }
}

pub(crate) fn retried() {
    if let Some(retried) = RETRIED.get() {
        retried();
    }
}
