//! The memory budget of large messages: they are counted while they are read and handled. A few hundred callers with some
//! megabytes each would otherwise take all the memory there is, before anybody knows who they are.

use crate::capacity::Reservation;
use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::Status;

/// Messages up to this size are not counted: as many calls as there may be at once bring 40 MiB of them.
const SMALL: usize = 64 << 10;
/// No service takes larger messages: what says that it is larger is refused for that.
const LARGEST: usize = 16 << 20;

/// The body of a gRPC request, for whose largest message memory is reserved as soon as its length is read, until the call is
/// over.
pub(crate) struct BudgetedBody<R> {
    inner: Body,
    reservation: Arc<Reservation>,
    framing: Framing,
    refuse: R,
}

impl<R: Fn() -> Status> BudgetedBody<R> {
    /// `refuse` is asked for the answer to a message for which there is no memory.
    pub(crate) fn new(inner: Body, reservation: Arc<Reservation>, refuse: R) -> Self {
        Self { inner, reservation, framing: Framing::default(), refuse }
    }
}

impl<R: Fn() -> Status + Unpin> HttpBody for BudgetedBody<R> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
        {
            let largest = this.framing.begun(bytes).filter(|length| (SMALL..=LARGEST).contains(length));
            if largest.is_some_and(|length| !this.reservation.grow_to(length)) {
                return Poll::Ready(Some(Err((this.refuse)().into())));
            }
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Where messages begin in the bytes of a gRPC request: each has a flag and four bytes of length before it (gRPC over
/// HTTP/2, "Length-Prefixed-Message").
#[derive(Default)]
struct Framing {
    prefix: [u8; 5],
    /// Bytes of the prefix that were read.
    seen: usize,
    /// Bytes of the message that are still to come.
    rest: usize,
}

impl Framing {
    /// The length of the largest message that begins in `bytes`, if one does.
    fn begun(&mut self, mut bytes: &[u8]) -> Option<usize> {
        let mut largest = None;
        loop {
            let (_, after) = bytes.split_at(self.rest.min(bytes.len()));
            self.rest -= bytes.len() - after.len();
            let (read, after) = after.split_at((self.prefix.len() - self.seen).min(after.len()));
            if read.is_empty() {
                return largest;
            }
            self.prefix[self.seen..self.seen + read.len()].copy_from_slice(read);
            self.seen += read.len();
            bytes = after;
            if self.seen == self.prefix.len() {
                let [_, length @ ..] = self.prefix;
                (self.seen, self.rest) = (0, u32::from_be_bytes(length) as usize);
                largest = largest.max(Some(self.rest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(lengths: &[usize]) -> Vec<u8> {
        let message = |length: &usize| {
            let prefix = u32::try_from(*length).unwrap_or(u32::MAX).to_be_bytes();
            [&[0][..], &prefix, &vec![255; *length]].concat()
        };
        lengths.iter().flat_map(message).collect()
    }

    #[test]
    fn the_largest_message_is_found_however_the_bytes_are_cut() {
        let lengths = [3, 0, 700, 1, 0, 90];
        let bytes = framed(&lengths);
        assert_eq!(Framing::default().begun(&bytes), Some(700));
        assert_eq!(Framing::default().begun(&[]), None);
        for cut in 1..bytes.len() {
            let mut framing = Framing::default();
            let found: Vec<usize> = bytes.chunks(cut).filter_map(|chunk| framing.begun(chunk)).collect();
            assert_eq!(found.iter().max(), Some(&700), "cut to {cut}");
            assert!(cut > 4 || found == lengths, "cut to {cut}: {found:?}");
            assert_eq!((framing.seen, framing.rest), (0, 0));
        }
    }
}
