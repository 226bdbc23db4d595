//! How much a process takes on.

use std::time::Duration;

/// How much one port takes on before it says no. The defaults are reasoned for a few cores and a gigabyte of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most calls handled at once. A commit group takes 512 proposals, so more callers at once gain nothing.
    pub calls: usize,
    /// The most calls waiting to be handled; one more is refused at once.
    pub waiting: usize,
    /// How long a call waits to be handled before it is refused.
    pub patience: Duration,
    /// How long a call may take to begin its answer, unless the caller gives it less.
    pub deadline: Duration,
    /// The most bytes of large messages (more than 64 KiB) that are read and handled at once; a call that brings more is refused.
    /// The deployment's own services may bring as much again.
    pub messages: usize,
    /// The most connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// The most calls of one connection at once (HTTP/2 streams).
    pub streams: u32,
    /// How many bytes of one request may be sent ahead of being read (HTTP/2 flow control).
    pub stream_window: u32,
    /// How many bytes of all requests of one connection may be sent ahead of being read: its share of memory.
    pub connection_window: u32,
    /// The most bytes of a request's headers; a signed request to read travels there.
    pub header_bytes: u32,
    /// After this time of silence a connection is asked whether it is still there.
    pub keep_alive: Duration,
    /// How long it may take to answer that, and how long a client may take to send its headers over HTTP/1.1.
    pub keep_alive_timeout: Duration,
    /// How often the checks are made.
    pub check: Duration,
    /// How long new calls are still taken after health has turned to not serving, so that balancers take notice.
    pub notice: Duration,
    /// How long running calls may take to finish when the process stops.
    pub drain: Duration,
}

impl Limits {
    /// The defaults, for so many calls at once. A quarter as many may wait.
    pub fn for_calls(calls: usize) -> Self {
        Self {
            calls,
            waiting: calls.div_ceil(4),
            patience: Duration::from_millis(250),
            deadline: Duration::from_secs(30),
            messages: 128 << 20,
            connections: 4_096,
            streams: 256,
            stream_window: 512 << 10,
            connection_window: 2 << 20,
            header_bytes: 32 << 10,
            keep_alive: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            check: Duration::from_secs(2),
            notice: Duration::ZERO,
            drain: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_calls(512)
    }
}
