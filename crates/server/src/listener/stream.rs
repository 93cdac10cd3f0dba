//! One connection as the HTTP library reads and writes it: the same bytes, with a watch on the time they take. It knows
//! how far the requests are by [`Vitals`], but neither the requests nor the surface.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::answers;
use super::farewell::Farewells;
use super::limits::{HEAD_BYTES, Limits, Permit, URI_BYTES};
use super::transport::Transport;
use super::vitals::Vitals;

/// A moment that is moved far more often than it comes.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Whether the moment has come; wakes the task by then otherwise.
    fn rings(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return true;
            }
            sleep.as_mut().reset(at);
        }
        false
    }
}

/// A watched connection.
pub(super) struct Watched {
    inner: Option<(Transport, Permit)>,
    vitals: Arc<Vitals>,
    limits: Limits,
    /// What of [`Vitals::calls`] is known here.
    calls: usize,
    /// When the head that is arriving began.
    head: Option<Instant>,
    head_bytes: usize,
    first_line_over: bool,
    /// When something was read or written.
    active: Instant,
    read_alarm: Alarm,
    /// Since when the client takes nothing.
    blocked: Option<Instant>,
    write_alarm: Alarm,
    /// All that was written has left.
    flushed: bool,
    /// An answer in place of the library's.
    instead: Bytes,
    /// Nothing more comes from the client.
    over: bool,
    farewells: Farewells,
}

impl Watched {
    pub(super) fn new(
        transport: Transport,
        permit: Permit,
        vitals: Arc<Vitals>,
        limits: Limits,
        farewells: Farewells,
    ) -> Self {
        Watched {
            inner: Some((transport, permit)),
            vitals,
            limits,
            calls: 0,
            head: None,
            head_bytes: 0,
            first_line_over: false,
            active: Instant::now(),
            read_alarm: Alarm::default(),
            blocked: None,
            write_alarm: Alarm::default(),
            flushed: true,
            instead: Bytes::new(),
            over: false,
            farewells,
        }
    }

    fn inner(&mut self) -> io::Result<Pin<&mut Transport>> {
        match &mut self.inner {
            Some((transport, _)) => Ok(Pin::new(transport)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn upgraded(&self) -> bool {
        self.vitals.upgraded()
    }

    /// Takes note of bytes that came while no request was at work: they belong to the head of one.
    fn arrived(&mut self, bytes: &[u8]) {
        self.active = Instant::now();
        if bytes.is_empty() || !self.vitals.free() {
            return;
        }
        self.head.get_or_insert(self.active);
        self.head_bytes += bytes.len();
        self.first_line_over = self.first_line_over || bytes.contains(&b'\n');
    }

    /// Forgets a head that has become a request.
    fn follow(&mut self) {
        let calls = self.vitals.calls();
        if calls != self.calls {
            self.calls = calls;
            self.head = None;
            self.head_bytes = 0;
            self.first_line_over = false;
        }
    }

    /// By when something has to be read, if the client is the one to act.
    fn deadline(&self) -> Option<Instant> {
        if !self.vitals.free() || self.blocked.is_some() {
            return None;
        }
        Some(match self.head {
            Some(since) => since + self.limits.head,
            None if self.calls == 0 => self.active + self.limits.head,
            None => self.active + self.limits.keep_alive,
        })
    }

    /// Why no more is read, if so.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        let at = self.deadline()?;
        if !self.read_alarm.rings(at, cx) {
            return None;
        }
        if self.head.is_some() {
            return Some(self.refuse(StatusCode::REQUEST_TIMEOUT, cx));
        }
        Some(io::ErrorKind::TimedOut.into())
    }

    /// Answers a head that is not read to its end, as far as the connection takes it at once.
    fn refuse(&mut self, status: StatusCode, cx: &mut Context<'_>) -> io::Error {
        if self.flushed && !self.vitals.owes() {
            self.vitals.linger();
            self.instead = answers::bytes(status);
            // The connection ends either way.
            if let Poll::Ready(Ok(())) = self.write_instead(cx)
                && let Ok(inner) = self.inner()
            {
                let _ = inner.poll_flush(cx);
            }
        }
        io::Error::new(
            io::ErrorKind::TimedOut,
            "the head of a request did not come",
        )
    }

    fn write_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let bytes = self.instead.clone();
            let written = ready!(self.inner()?.poll_write(cx, &bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.advance(written.min(bytes.len()));
        }
        Poll::Ready(Ok(()))
    }

    /// Whether what is about to be written is the library's own answer to a bad head; it is replaced then.
    fn replaces(&mut self, start: &[u8]) -> bool {
        let own = self.flushed && self.vitals.idle() && !self.upgraded();
        self.flushed = false;
        match answers::without_body(start) {
            Some(status) if own => {
                self.instead = answers::bytes(status);
                self.vitals.linger();
                true
            }
            _ => false,
        }
    }

    /// Watches over the time a write takes.
    fn written<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.blocked = None;
            self.active = Instant::now();
            return result;
        }
        if self.upgraded() {
            return Poll::Pending;
        }
        let since = *self.blocked.get_or_insert_with(Instant::now);
        if self.write_alarm.rings(since + self.limits.write_stall, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        match self.inner.take() {
            // Whoever speaks the other protocol has said its last word, and the client may be in the middle of one.
            Some(inner) if self.upgraded() && !self.over => self.farewells.see_off(inner),
            Some(inner) => self.vitals.leave(inner),
            None => {}
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.upgraded() {
            let left = buf.remaining();
            let result = this.inner()?.poll_read(cx, buf);
            this.over |= match &result {
                Poll::Ready(Ok(())) => left > 0 && buf.remaining() == left,
                Poll::Ready(Err(_)) => true,
                Poll::Pending => false,
            };
            return result;
        }
        this.follow();
        if this.head_bytes > HEAD_BYTES {
            let status = if this.first_line_over {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            } else {
                StatusCode::URI_TOO_LONG
            };
            return Poll::Ready(Err(this.refuse(status, cx)));
        }
        if !this.first_line_over && this.head_bytes > URI_BYTES + 1024 {
            return Poll::Ready(Err(this.refuse(StatusCode::URI_TOO_LONG, cx)));
        }
        let before = buf.filled().len();
        match this.inner()?.poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.arrived(&buf.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => match this.overdue(cx) {
                Some(e) => Poll::Ready(Err(e)),
                None => Poll::Pending,
            },
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.replaces(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = match this.write_instead(cx) {
            Poll::Ready(Ok(())) => this.inner()?.poll_write(cx, buf),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        };
        this.written(result, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let start = bufs.iter().find(|b| !b.is_empty()).map_or(&[][..], |b| b);
        if this.replaces(start) {
            return Poll::Ready(Ok(bufs.iter().map(|b| b.len()).sum()));
        }
        let result = match this.write_instead(cx) {
            Poll::Ready(Ok(())) => this.inner()?.poll_write_vectored(cx, bufs),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        };
        this.written(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        let inner = self.inner.as_ref();
        inner.is_some_and(|(transport, _)| transport.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = match this.write_instead(cx) {
            Poll::Ready(Ok(())) => this.inner()?.poll_flush(cx),
            other => other,
        };
        if let Poll::Ready(Ok(())) = result
            && !this.flushed
        {
            // The library flushes only when it holds back nothing.
            this.flushed = true;
            this.vitals.pay();
        }
        if result.is_ready() && !this.upgraded() {
            // The library need not read again between an answer and the next request: it may wait for bytes already.
            this.follow();
            if let Some(at) = this.deadline()
                && this.read_alarm.rings(at, cx)
            {
                cx.waker().wake_by_ref();
            }
        }
        match result {
            // Nothing was under way: that is no sign of life.
            Poll::Ready(_) if this.blocked.is_none() => result,
            result => this.written(result, cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = match this.write_instead(cx) {
            Poll::Ready(Ok(())) => this.inner()?.poll_shutdown(cx),
            other => other,
        };
        this.written(result, cx)
    }
}
