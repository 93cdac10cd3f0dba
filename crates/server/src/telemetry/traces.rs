//! Traces for an OpenTelemetry collector, over HTTP with protobuf: requests, jobs, and the spans with the target `trace`.
//! Without a collector nothing hears of the latter and they cost nothing.
//!
//! Headers for the collector come from `OTEL_EXPORTER_OTLP_HEADERS`, which the exporter reads itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::{Request, Response};
use bytes::{Bytes, BytesMut};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TraceContextExt, TracerProvider};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanLimits};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;

use super::{SHARED, TRACE};
use crate::config::Config;
use crate::outbound::tls;

/// Time for one delivery.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for what is left when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// What is read of a collector's answer.
const ANSWER: usize = 64 << 10;
/// Attributes and events of one span.
const MOST: u32 = 32;

/// Whether there is a collector.
static ON: AtomicBool = AtomicBool::new(false);

/// Traces on their way to a collector.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send traces, if a collector is set up.
    pub(super) fn start(config: &Config, runtime: &Handle) -> anyhow::Result<Option<Self>> {
        if config.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let endpoint = endpoint(&config.otlp_endpoint)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config()?)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("nodetool/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot make an HTTP client for traces")?;
        let sender = Sender {
            http,
            runtime: runtime.clone(),
            failing: Arc::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build()
            .context("--otlp-endpoint")?;
        let name = config.otel_service_name.clone();
        let name = name.filter(|name| !name.is_empty());
        let resource = Resource::builder()
            .with_service_name(name.unwrap_or_else(|| "nodetool".into()))
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        let limits = SpanLimits {
            max_attributes_per_span: MOST,
            max_events_per_span: MOST,
            ..SpanLimits::default()
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_span_limits(limits)
            .with_resource(resource)
            .build();
        ON.store(true, Ordering::Relaxed);
        Ok(Some(Traces(provider)))
    }

    /// What hears of the spans.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let wanted = FilterFn::new(|m: &tracing::Metadata<'_>| {
            let shared = SHARED.contains(&m.name()) && m.target().starts_with("nodetool");
            m.is_span() && (m.target() == TRACE || shared)
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("nodetool"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(wanted.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left.
    pub(super) fn finish(self) {
        if let Err(e) = self.0.shutdown_with_timeout(LAST_WORDS) {
            tracing::warn!(error = %e, "the last traces did not reach their collector");
        }
    }
}

/// The address for traces below the base that is set up.
fn endpoint(base: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(base).ok();
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    else {
        bail!("--otlp-endpoint: expected a collector's address, e.g. http://127.0.0.1:4318");
    };
    if url.query().is_some() || url.fragment().is_some() {
        bail!("--otlp-endpoint: expected an address without query and fragment");
    }
    Ok(format!("{}/v1/traces", url.as_str().trim_end_matches('/')))
}

/// Says what is asked for, and continues the trace that `traceparent` names.
pub(super) fn begin_request(span: &Span, request: &axum::extract::Request, route: &str) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    if request.headers().contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&HeaderExtractor(request.headers()));
        if context.span().span_context().is_valid() && span.set_parent(context).is_err() {
            tracing::debug!("a trace could not be continued");
        }
    }
    let method = request.method().as_str();
    span.record("otel.name", format!("{method} {route}"));
    span.record("otel.kind", "server");
    span.set_attribute("http.request.method", method.to_owned());
    span.set_attribute("http.route", route.to_owned());
}

/// Says how a request was answered.
pub(super) fn end_request(span: &Span, status: u16) {
    if ON.load(Ordering::Relaxed) {
        span.set_attribute("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
    }
}

/// Delivers with this program's own HTTP client, from whatever thread it is asked.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    /// The last delivery did not arrive.
    failing: Arc<AtomicBool>,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Sending<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let (http, failing) = (self.http.clone(), self.failing.clone());
        let delivery = self.runtime.spawn(async move {
            let answer = deliver(&http, request).await;
            let failure = match &answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("it answered {}", answer.status())),
                Err(e) => Some(innermost(&**e)),
            };
            let before = failing.swap(failure.is_some(), Ordering::Relaxed);
            if let Some(failure) = failure.filter(|_| !before) {
                tracing::warn!(error = %failure, "the collector of traces does not take them");
            }
            answer
        });
        Box::pin(async move { delivery.await? })
    }
}

async fn deliver(
    http: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request)?;
    let mut answer = http.execute(request).await?;
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER {
            return Err("the answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut told = Response::new(body.freeze());
    *told.status_mut() = answer.status();
    *told.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(told)
}

/// The outer reasons only repeat the address, which may hold a password.
fn innermost(e: &dyn std::error::Error) -> String {
    let mut inner = e;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_for_traces_follows_the_base() {
        for base in ["http://c:4318", "http://c:4318/"] {
            assert_eq!(endpoint(base).unwrap(), "http://c:4318/v1/traces");
        }
        assert_eq!(
            endpoint("https://c/otel").unwrap(),
            "https://c/otel/v1/traces"
        );
        for bad in ["c:4318", "ftp://c", "http://c?key=1", "", "http://c/#x"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
