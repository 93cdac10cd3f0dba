//! Numbers about this process for Prometheus: what is counted as it happens. Reading them is in `scrape`.
//!
//! There is one server in a process, so there is one set of numbers. Labels are names of this program only (routes,
//! statuses, node outcomes), never what clients send, so that their number is bounded.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

mod scrape;

pub(crate) use scrape::{MetricsError, MetricsService};

/// What stands for everything that has no route.
const OTHER: &str = "other";
/// Seconds.
const QUICK: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
const LONG: [f64; 10] = [
    0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 86400.0,
];
/// Names of audit events that are told apart.
const EVENTS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    event: String,
}

/// Makes the histograms of a family.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// The numbers.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    latency: Family<Asked, Histogram, Buckets>,
    in_flight: Gauge,
    connections: Gauge,
    auth_failures: Counter,
    rate_limited: Counter,
    jobs_ended: Family<Status, Counter>,
    job_seconds: Family<Status, Histogram, Buckets>,
    listeners: Gauge,
    skipped: Counter,
    audited: Family<Named, Counter>,
    /// The names of audit events so far.
    events: Mutex<HashSet<String>>,
}

/// The numbers of this process.
pub(crate) fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("nodetool");
        let made = Metrics {
            requests: Family::default(),
            latency: Family::new_with_constructor(Buckets(&QUICK)),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            auth_failures: Counter::default(),
            rate_limited: Counter::default(),
            jobs_ended: Family::default(),
            job_seconds: Family::new_with_constructor(Buckets(&LONG)),
            listeners: Gauge::default(),
            skipped: Counter::default(),
            audited: Family::default(),
            events: Mutex::default(),
            registry: Registry::default(),
        };
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running program", build);
        registry.register("http_requests", "Requests answered", made.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time to the head of the answer",
            made.latency.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests whose answer has not begun",
            made.in_flight.clone(),
        );
        registry.register(
            "http_connections",
            "Open connections that speak HTTP",
            made.connections.clone(),
        );
        registry.register(
            "auth_failures",
            "Requests refused because nobody knows who asks",
            made.auth_failures.clone(),
        );
        registry.register(
            "rate_limited",
            "Requests refused because there were too many",
            made.rate_limited.clone(),
        );
        registry.register(
            "jobs_ended",
            "Jobs that came to an end, or were suspended",
            made.jobs_ended.clone(),
        );
        registry.register(
            "job_duration_seconds",
            "Time from the start of a job to its end",
            made.job_seconds.clone(),
        );
        registry.register(
            "feed_listeners",
            "Listeners to the messages of jobs",
            made.listeners.clone(),
        );
        registry.register(
            "feed_messages_skipped",
            "Messages that listeners too slow for them did not get",
            made.skipped.clone(),
        );
        registry.register(
            "audit_events",
            "Events of the audit log",
            made.audited.clone(),
        );
        Metrics { registry, ..made }
    }

    /// A request is at work until what this gives is dropped.
    pub(crate) fn request_begins(&self) -> Counted {
        Counted::new(&self.in_flight)
    }

    /// A request was answered.
    pub(crate) fn request_ends(
        &self,
        method: &axum::http::Method,
        route: Option<&str>,
        status: u16,
        took: Duration,
    ) {
        // A client can make up others.
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let known = known.into_iter().find(|known| *known == method.as_str());
        let method = known.unwrap_or(OTHER);
        let asked = Asked {
            method,
            route: route.unwrap_or(OTHER).to_owned(),
        };
        let latency = self.latency.get_or_create(&asked);
        latency.observe(took.as_secs_f64());
        drop(latency);
        let Asked { method, route } = asked;
        let answered = Answered {
            method,
            route,
            status,
        };
        self.requests.get_or_create(&answered).inc();
        match status {
            401 => self.auth_failure(),
            429 => self.rate_limit_hit(),
            _ => {}
        }
    }

    /// A connection is open until what this gives is dropped.
    pub(crate) fn connection_opens(&self) -> Counted {
        Counted::new(&self.connections)
    }

    /// Somebody's token was refused, other than by an answer with the status 401.
    pub(crate) fn auth_failure(&self) {
        self.auth_failures.inc();
    }

    /// Somebody asked too often, other than by an answer with the status 429.
    pub(crate) fn rate_limit_hit(&self) {
        self.rate_limited.inc();
    }

    /// A job ended, or was suspended.
    pub(crate) fn job_ended(&self, status: &'static str, started_at: i64) {
        let took = nodetool_store::now_micros()
            .saturating_sub(started_at)
            .max(0);
        let status = Status { status };
        self.jobs_ended.get_or_create(&status).inc();
        let seconds = self.job_seconds.get_or_create(&status);
        seconds.observe(took as f64 / 1e6);
    }

    /// Somebody listens to a job until what this gives is dropped.
    pub(crate) fn listener_begins(&self) -> Counted {
        Counted::new(&self.listeners)
    }

    /// A listener was too slow for this many messages.
    pub(crate) fn messages_skipped(&self, count: u64) {
        self.skipped.inc_by(count);
    }

    /// An event went to the audit log.
    pub(crate) fn audited(&self, event: &str) {
        let mut known = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let event = match known.contains(event) {
            true => event,
            false if known.len() >= EVENTS => OTHER,
            false => {
                known.insert(event.to_owned());
                event
            }
        };
        let event = event.to_owned();
        self.audited.get_or_create(&Named { event }).inc();
    }
}

/// One more of something, for as long as this is kept.
pub(crate) struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Counted(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_make_up_is_no_label() {
        let metrics = Metrics::new();
        let brew = axum::http::Method::from_bytes(b"BREW").unwrap();
        metrics.request_ends(&brew, None, 401, Duration::from_millis(3));
        metrics.request_ends(
            &axum::http::Method::GET,
            Some("/x/{id}"),
            429,
            Duration::ZERO,
        );
        for n in 0..2 * EVENTS {
            metrics.audited(&format!("event {n}"));
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry).unwrap();
        for line in [
            r#"nodetool_http_requests_total{method="other",route="other",status="401"} 1"#,
            r#"nodetool_http_requests_total{method="GET",route="/x/{id}",status="429"} 1"#,
            r#"nodetool_http_request_duration_seconds_bucket{le="0.005",method="other",route="other"} 1"#,
            "nodetool_auth_failures_total 1",
            "nodetool_rate_limited_total 1",
            r#"nodetool_audit_events_total{event="other"} 100"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("BREW"), "{text}");
    }

    #[test]
    fn what_is_open_is_counted_while_it_is() {
        let metrics = Metrics::new();
        let (first, second) = (metrics.listener_begins(), metrics.listener_begins());
        drop(first);
        assert_eq!(metrics.listeners.get(), 1);
        drop(second);
        assert_eq!(metrics.listeners.get(), 0);
    }
}
