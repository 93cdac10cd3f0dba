//! What this process tells about itself while it works: log lines, the audit log, traces. It knows no use case.

use anyhow::Context;
use tracing::instrument::Instrumented;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Metadata, Span};
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Config, LogFormat};

mod audit;
#[cfg(feature = "otel")]
mod traces;

pub(crate) use audit::AuditLog;

/// The target of events that go to the audit log, too.
const AUDIT: &str = "audit";
/// The target of spans that are for traces only.
const TRACE: &str = "trace";
/// Spans that log lines carry and traces show.
const SHARED: [&str; 2] = ["request", "job"];

/// What has to be written out before the process ends.
pub(crate) struct Telemetry {
    audit: Option<AuditLog>,
    #[cfg(feature = "otel")]
    traces: Option<traces::Traces>,
}

/// Begins to log. Traces are sent by tasks of the runtime.
pub(crate) fn start(
    config: &Config,
    #[cfg_attr(not(feature = "otel"), expect(unused_variables))] runtime: &tokio::runtime::Handle,
) -> anyhow::Result<Telemetry> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("--log {}: not a log filter", config.log))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false);
    let lines = match config.log_format {
        LogFormat::Pretty => {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(terminal && !config.no_color).boxed()
        }
        // The list of spans holds the current one, too.
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    let calm = FilterFn::new(is_calm).with_max_level_hint(LevelFilter::TRACE);
    let lines = lines.with_filter(filter.and(calm));
    let audit = match config.audit_file() {
        Some(path) => Some(AuditLog::open(&path).with_context(|| {
            format!(
                "cannot write the audit log {} (--audit-log names another file, or `off`)",
                path.display()
            )
        })?),
        None => None,
    };
    let audited = audit.as_ref().map(AuditLog::layer);
    let all = Registry::default().with(lines).with(audited);
    #[cfg(feature = "otel")]
    let (all, traces) = {
        let traces = traces::Traces::start(config, runtime)?;
        let layer = traces.as_ref().map(traces::Traces::layer);
        (all.with(layer), traces)
    };
    #[cfg(not(feature = "otel"))]
    let _ = SHARED;
    #[cfg(not(feature = "otel"))]
    if !config.otlp_endpoint.is_empty() {
        anyhow::bail!("--otlp-endpoint: this program was built without traces");
    }
    all.try_init()
        .map_err(|e| anyhow::anyhow!("cannot start logging: {e}"))?;
    Ok(Telemetry {
        audit,
        #[cfg(feature = "otel")]
        traces,
    })
}

impl Telemetry {
    /// Writes out what is still on its way. Blocks for a moment.
    pub(crate) fn finish(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.finish();
        }
        if let Some(audit) = self.audit {
            audit.close();
        }
    }
}

/// What other crates say in detail may hold what requests carry, and spans for traces are no log.
fn is_calm(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    if target == TRACE {
        return false;
    }
    // It logs what clients say of themselves.
    if target.starts_with("rmcp") {
        return *metadata.level() <= tracing::Level::WARN;
    }
    target.starts_with("nodetool") || target == AUDIT || *metadata.level() <= tracing::Level::INFO
}

/// Tells traces of a request that begins, and continues the trace of whoever sent it.
pub(crate) fn trace_request(span: &Span, request: &axum::extract::Request, route: &str) {
    #[cfg(feature = "otel")]
    traces::begin_request(span, request, route);
    #[cfg(not(feature = "otel"))]
    let _ = (span, request, route);
}

/// Tells traces how a request was answered.
pub(crate) fn trace_answer(span: &Span, status: u16) {
    #[cfg(feature = "otel")]
    traces::end_request(span, status);
    #[cfg(not(feature = "otel"))]
    let _ = (span, status);
}

/// Work on a job: every line it logs carries the job's id, and a trace shows it.
pub(crate) fn of_job<F: Future>(work: F, job_id: &str) -> Instrumented<F> {
    // Lines about errors carry the span whatever is logged besides.
    work.instrument(tracing::error_span!("job", job.id = %job_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_program_logs_in_detail() {
        let enabled = FilterFn::new(is_calm);
        let collected = Registry::default().with(Seen.with_filter(enabled));
        let told = Seen::told();
        tracing::subscriber::with_default(collected, || {
            tracing::trace!(target: "hyper::proto", "hyper-trace");
            tracing::debug!(target: "reqwest::connect", "reqwest-debug");
            tracing::debug!(target: "tungstenite", "tungstenite-debug");
            tracing::warn!(target: "hyper::proto", "hyper-warn");
            tracing::trace!(target: "nodetool_engine::run", "own-trace");
            tracing::info!(target: "audit", "audit-info");
            tracing::info!(target: "trace", "trace-info");
        });
        let told = told.lock().unwrap();
        assert_eq!(*told, ["hyper-warn", "own-trace", "audit-info"]);
    }

    struct Seen;

    thread_local! {
        static TOLD: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::default();
    }

    impl Seen {
        fn told() -> std::sync::Arc<std::sync::Mutex<Vec<String>>> {
            TOLD.with(Clone::clone)
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Seen {
        fn on_event(
            &self,
            event: &tracing::Event<'_>,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            struct Message(String);
            impl tracing::field::Visit for Message {
                fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                    self.0 = format!("{value:?}");
                }
            }
            let mut message = Message(String::new());
            event.record(&mut message);
            Seen::told().lock().unwrap().push(message.0);
        }
    }
}
