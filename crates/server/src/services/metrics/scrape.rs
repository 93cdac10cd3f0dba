//! Reads the numbers: those that were counted, and how things stand at this moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nodetool_store::{Store, StoreError, StoreStats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::{Status, metrics};
use crate::services::{JobService, MachineService};

/// How long what takes a walk over all rows is not counted again.
const FRESH: Duration = Duration::from_secs(60);

/// Where numbers are read.
#[derive(Clone)]
pub(crate) struct MetricsService(Arc<Inner>);

struct Inner {
    jobs: JobService,
    store: Store,
    machine: MachineService,
    started: Instant,
    assets: Mutex<Option<(Instant, (u64, u64))>>,
}

/// Why the numbers cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the numbers cannot be written")]
    Text(#[from] std::fmt::Error),
}

impl MetricsService {
    /// Reads the numbers of a server that started at this time.
    pub(crate) fn new(
        jobs: JobService,
        store: Store,
        machine: MachineService,
        started: Instant,
    ) -> Self {
        MetricsService(Arc::new(Inner {
            jobs,
            store,
            machine,
            started,
            assets: Mutex::default(),
        }))
    }

    /// All numbers in the text format of OpenMetrics.
    pub(crate) async fn text(&self, sockets: usize) -> Result<String, MetricsError> {
        let inner = &*self.0;
        let mut now = Registry::default();
        let (running, queued) = inner.jobs.at_work();
        let (assets, asset_bytes) = inner.assets().await?;
        gauge(&mut now, "nodetool_sockets", "Open sockets", sockets as f64);
        gauge(
            &mut now,
            "nodetool_jobs_running",
            "Jobs at work or paused",
            running as f64,
        );
        gauge(
            &mut now,
            "nodetool_jobs_queued",
            "Jobs that wait for their turn",
            queued as f64,
        );
        gauge(&mut now, "nodetool_assets", "Stored assets", assets as f64);
        gauge(
            &mut now,
            "nodetool_asset_bytes",
            "Bytes of stored assets",
            asset_bytes as f64,
        );
        gauge(
            &mut now,
            "nodetool_uptime_seconds",
            "Time since the start",
            inner.started.elapsed().as_secs_f64(),
        );
        // A machine that tells nothing about its memory has no such number.
        if let Ok(memory) = inner.machine.memory().await {
            let bytes = memory.used * f64::from(1 << 20);
            gauge(
                &mut now,
                "process_resident_memory_bytes",
                "Resident memory",
                bytes,
            );
        }
        if let Some(open) = open_files().await {
            gauge(&mut now, "process_open_fds", "Open files", open as f64);
        }
        now.register_collector(Box::new(Nodes(nodetool_engine::executions())));
        now.register_collector(Box::new(Writes(inner.store.stats())));
        let mut text = String::with_capacity(16 << 10);
        encode_registry(&mut text, &metrics().registry)?;
        encode_registry(&mut text, &now)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Inner {
    /// How many assets there are and their bytes, as of lately.
    async fn assets(&self) -> Result<(u64, u64), StoreError> {
        let mut known = self.assets.lock().await;
        if let Some((_, totals)) = known.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(totals);
        }
        let totals = self.store.asset_totals().await?;
        *known = Some((Instant::now(), totals));
        Ok(totals)
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register(name, help, ConstGauge::new(value));
}

/// How many files the process has open, where the system tells.
async fn open_files() -> Option<usize> {
    let count = || std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    tokio::task::spawn_blocking(count).await.ok().flatten()
}

/// Executions of nodes.
#[derive(Debug)]
struct Nodes(nodetool_engine::Executions);

impl Collector for Nodes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut family = encoder.encode_descriptor(
            "nodetool_node_executions",
            "Executions of nodes that ended",
            None,
            MetricType::Counter,
        )?;
        for (status, count) in [
            ("completed", self.0.completed),
            ("failed", self.0.failed),
            ("cancelled", self.0.cancelled),
        ] {
            let labels = Status { status };
            let encoder = family.encode_family(&labels)?;
            prometheus_client::encoding::EncodeMetric::encode(&ConstCounter::new(count), encoder)?;
        }
        Ok(())
    }
}

/// What the store has written.
#[derive(Debug)]
struct Writes(StoreStats);

impl Collector for Writes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let Writes(stats) = self;
        encoder
            .encode_descriptor(
                "nodetool_store_writes",
                "Writes that were committed or refused",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&stats.writes, None)?;
        encoder
            .encode_descriptor(
                "nodetool_store_queue_writes",
                "Writes that wait for their commit",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&i64::try_from(stats.queued).unwrap_or(i64::MAX))?;
        for (name, help, told) in [
            (
                "nodetool_store_batch_writes",
                "Writes in one commit",
                &stats.batch_writes,
            ),
            (
                "nodetool_store_commit_seconds",
                "Time of one commit",
                &stats.commit_seconds,
            ),
        ] {
            let count = told.buckets.iter().map(|(_, n)| n).sum();
            encoder
                .encode_descriptor(name, help, None, MetricType::Histogram)?
                .encode_histogram::<NoLabelSet>(told.sum, count, &told.buckets, None)?;
        }
        Ok(())
    }
}
