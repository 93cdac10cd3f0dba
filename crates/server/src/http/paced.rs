//! Forms as they come in: the parser of forms takes whatever its sender has ready, so what it takes is paced, and it never
//! holds more than a piece. A form that goes on without a part, or within the head of one, is cut.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use bytes::Bytes;
use futures_util::Stream;

/// Parts a form may have.
pub(super) const MAX_PARTS: usize = 64;
/// Bytes that may come without anything coming of them.
const IDLE_LIMIT: u64 = 8 << 20;

/// The bytes since anything came of them.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Something came of what was sent.
    pub(super) fn progress(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A request whose body comes in single pieces and never has more than so many bytes.
pub(super) fn paced(request: Request<Body>, most: u64) -> (Request<Body>, Pace) {
    let pace = Pace::default();
    let request = request.map(|body| {
        Body::from_stream(Paced {
            pieces: body.into_data_stream(),
            rest: false,
            left: most,
            idle: pace.clone(),
        })
    });
    (request, pace)
}

/// A body that hands out one piece at a time and rests after each.
struct Paced {
    pieces: BodyDataStream,
    rest: bool,
    /// Bytes that may still come.
    left: u64,
    /// Bytes since anything came of them.
    idle: Pace,
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rest) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.pieces).poll_next(cx);
        polled.map(|piece| {
            let piece = piece?.map_err(Into::into);
            self.rest = true;
            let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            let idle = self.idle.0.fetch_add(length, Ordering::Relaxed) + length;
            let Some(left) = self.left.checked_sub(length).filter(|_| idle <= IDLE_LIMIT) else {
                self.left = 0;
                return Some(Err("the form is too large".into()));
            };
            self.left = left;
            Some(piece)
        })
    }
}
