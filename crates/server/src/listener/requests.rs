//! The requests of one connection on their way to the surface, and the answers on their way back: what they say of
//! where they come from, and that bodies do not stall.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::uri::Uri;
use axum::http::{self, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use tower::Service;

use super::answers;
use super::client::Proxies;
use super::limits::URI_BYTES;
use super::vitals::Vitals;

/// Takes the requests of one connection.
pub(super) struct Requests<S> {
    pub(super) surface: S,
    pub(super) vitals: Arc<Vitals>,
    pub(super) peer: SocketAddr,
    pub(super) tls: bool,
    pub(super) proxies: Proxies,
    pub(super) body_stall: Duration,
}

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Sending>, Infallible>> + Send>>;

impl<S> hyper::service::Service<http::Request<Incoming>> for Requests<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Sending>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: http::Request<Incoming>) -> Answer {
        let at_work = AtWork::begin(&self.vitals);
        if length(request.uri()) > URI_BYTES {
            self.vitals.linger();
            let refused = answers::response(StatusCode::URI_TOO_LONG);
            return Box::pin(std::future::ready(Ok(at_work.answer(refused))));
        }
        let (mut head, body) = request.into_parts();
        let ip = self.peer.ip();
        let (client, over_tls) = self.proxies.client(ip, self.tls, &head.headers);
        head.extensions.insert(ConnectInfo(self.peer));
        head.extensions.insert(client);
        head.extensions.insert(over_tls);
        let stalled: Option<Arc<AtomicBool>> = (!body.is_end_stream()).then(Arc::default);
        let body = match &stalled {
            None => Body::new(body),
            Some(stalled) => Body::new(Receiving {
                body,
                limit: self.body_stall,
                alarm: None,
                waits: false,
                over: false,
                stalled: stalled.clone(),
                vitals: self.vitals.clone(),
            }),
        };
        let request = Request::from_parts(head, body);
        let mut surface = self.surface.clone();
        Box::pin(async move {
            let ready = std::future::poll_fn(|cx| surface.poll_ready(cx)).await;
            let Ok(mut response) = match ready {
                Ok(()) => surface.call(request).await,
                Err(never) => match never {},
            };
            let failed = response.status().is_client_error() || response.status().is_server_error();
            if failed && stalled.is_some_and(|stalled| stalled.load(Ordering::Relaxed)) {
                response = answers::response(StatusCode::REQUEST_TIMEOUT);
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                at_work.0.upgrade();
            }
            Ok(at_work.answer(response))
        })
    }
}

/// Bytes of the address a request is for.
fn length(uri: &Uri) -> usize {
    let scheme = uri.scheme_str().map_or(0, |s| s.len() + 3);
    let authority = uri.authority().map_or(0, |a| a.as_str().len());
    let rest = uri.path_and_query().map_or(0, |p| p.as_str().len());
    scheme + authority + rest
}

/// A request at work; dropping it ends that.
struct AtWork(Arc<Vitals>);

impl AtWork {
    fn begin(vitals: &Arc<Vitals>) -> Self {
        vitals.begin();
        AtWork(vitals.clone())
    }

    fn answer(self, response: Response) -> http::Response<Sending> {
        self.0.answer();
        response.map(|body| Sending {
            body,
            _at_work: self,
        })
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The body of an answer; its request is at work until it is gone.
pub(super) struct Sending {
    body: Body,
    _at_work: AtWork,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request. The time only counts while somebody waits for it: a server that is slow to read is not the
/// client's fault.
struct Receiving {
    body: Incoming,
    limit: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    waits: bool,
    over: bool,
    stalled: Arc<AtomicBool>,
    vitals: Arc<Vitals>,
}

#[derive(Debug, thiserror::Error)]
#[error("no more of the body came in time")]
struct Stalled;

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waits = false;
            this.over = frame.is_none();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = this.limit;
        let alarm = this
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !this.waits {
            this.waits = true;
            alarm.as_mut().reset(Instant::now() + limit);
        }
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(Stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if !self.over && !self.body.is_end_stream() {
            self.vitals.linger();
        }
    }
}
