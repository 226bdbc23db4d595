//! How a call ended: its line in the log and its place in the metrics.

use crate::{
    answer::Protocol,
    methods::{self, Method},
};
use axum::{http::HeaderMap, response::Response};
use caller::Kind;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};
use telemetry::meters;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::Span;

/// What is known of a call when it begins.
pub(crate) struct About {
    pub(crate) method: Method,
    pub(crate) protocol: Protocol,
    pub(crate) span: Span,
    pub(crate) request_id: String,
    pub(crate) caller: Arc<OnceLock<Kind>>,
}

/// How a call ended, as far as it is known; told when the answer is over or nobody reads it any more.
pub(crate) struct Ended {
    about: About,
    start: Instant,
    code: Option<Code>,
    reason: Option<String>,
}

impl Ended {
    /// Begins to watch a call.
    pub(crate) fn begin(about: About) -> Self {
        meters().running.change(1);
        Self { about, start: Instant::now(), code: None, reason: None }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.about.span
    }

    pub(crate) fn is_grpc(&self) -> bool {
        self.about.protocol == Protocol::Grpc
    }

    pub(crate) fn headers(&mut self, answer: &Response) {
        match self.about.protocol {
            Protocol::Grpc => self.trailers(answer.headers()),
            Protocol::Http if answer.status().is_server_error() => self.code = Some(Code::Unknown),
            Protocol::Http => self.code = Some(Code::Ok),
        }
    }

    /// Takes note of headers or trailers, if they say how the call ended.
    pub(crate) fn trailers(&mut self, headers: &HeaderMap) {
        let Some(status) = Status::from_header_map(headers) else { return };
        self.code = Some(status.code());
        self.reason = status.get_details_error_info().map(|info| info.reason);
    }

    /// The answer was read to its end.
    pub(crate) fn completed(&mut self) {
        self.code = self.code.or(Some(Code::Unknown));
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let (service, method) = self.about.method;
        meters().running.change(-1);
        meters().calls.answered(self.about.method, i32::from(code), self.start);
        let reason = self.reason.take().unwrap_or_default();
        if !reason.is_empty() {
            meters().refusals.of(reason.clone());
        }
        self.about.span.record("rpc.grpc.status_code", i32::from(code));
        if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable) {
            self.about.span.record("otel.status_code", "ERROR");
        }
        if methods::is_health(self.about.method) {
            return;
        }
        let caller = self.about.caller.get().copied().unwrap_or(Kind::Anonymous).name();
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "call",
            parent: &self.about.span,
            service, method, code = i32::from(code), reason, micros, caller, request_id = self.about.request_id,
            trace_id = telemetry::trace_id(&self.about.span),
            "call"
        );
    }
}
