//! A connection must begin to speak HTTP in time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tls::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose other end must say in time which HTTP it speaks: until then hyper watches no time, and a silent client
/// would keep its place for good.
pub(crate) struct PrefaceTimeout {
    stream: Stream,
    /// Bytes of the preface read so far, and how long is waited for the rest; nothing once the protocol is known.
    awaited: Option<(usize, Pin<Box<Sleep>>)>,
}

impl PrefaceTimeout {
    pub(crate) fn new(patience: Duration, stream: Stream) -> Self {
        Self { stream, awaited: Some((0, Box::pin(sleep(patience)))) }
    }
}

impl AsyncRead for PrefaceTimeout {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let Some((seen, patience)) = &mut self.awaited else { return read };
        if read.is_pending() {
            return patience.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        let new = into.filled().get(before..).unwrap_or_default();
        let rest = PREFACE.get(*seen..).unwrap_or_default();
        *seen += new.len();
        if !rest.starts_with(new) || new.len() >= rest.len() {
            self.awaited = None;
        }
        read
    }
}

impl AsyncWrite for PrefaceTimeout {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
