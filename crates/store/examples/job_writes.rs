//! Prints what storing a run costs: microseconds per job inserted and finished, one after another and
//! with sixteen tasks at once.
//!
//! `cargo run --release -p nodetool-store --example job_writes [jobs]`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodetool_store::{Expected, FinishJob, JobStatus, NewJob, Options, Store, new_id, now_micros};

const DEFAULT_JOBS: usize = 20_000;
const TASKS: usize = 16;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let jobs = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => DEFAULT_JOBS,
    };
    let folder = tempfile::tempdir()?;
    let before = resident_kib();
    let store = Store::open(&folder.path().join("jobs.sqlite3"), Options::default())?;
    run_one(&store).await?;
    store.count_jobs().await?;
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        println!(
            "resident memory of an open store: {} KiB",
            after.saturating_sub(before)
        );
    }

    report(
        "one task, insert queued, finish awaited",
        jobs,
        measure(&store, 1, jobs).await?,
    );
    report(
        "sixteen tasks, the same",
        jobs,
        measure(&store, TASKS, jobs).await?,
    );
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        println!(
            "resident memory after {}: {} KiB",
            store.count_jobs().await?,
            after.saturating_sub(before)
        );
    }
    store.close().await?;
    Ok(())
}

async fn measure(
    store: &Store,
    tasks: usize,
    jobs: usize,
) -> Result<(Duration, Vec<Duration>, Vec<Duration>), Box<dyn Error>> {
    let mut set = tokio::task::JoinSet::new();
    let started = Instant::now();
    for _ in 0..tasks {
        let store = store.clone();
        set.spawn(async move {
            let mut pairs = Vec::with_capacity(jobs / tasks);
            let mut inserts = Vec::with_capacity(jobs / tasks);
            for _ in 0..jobs / tasks {
                let (insert, pair) = run_one(&store).await?;
                inserts.push(insert);
                pairs.push(pair);
            }
            Ok::<_, nodetool_store::StoreError>((inserts, pairs))
        });
    }
    let (mut inserts, mut pairs) = (Vec::new(), Vec::new());
    while let Some(done) = set.join_next().await {
        let (some_inserts, some_pairs) = done??;
        inserts.extend(some_inserts);
        pairs.extend(some_pairs);
    }
    let took = started.elapsed();
    inserts.sort_unstable();
    pairs.sort_unstable();
    Ok((took, inserts, pairs))
}

/// Stores one run as the server does: queue the row, then wait only for the end.
async fn run_one(store: &Store) -> Result<(Duration, Duration), nodetool_store::StoreError> {
    let started = Instant::now();
    let id = new_id();
    let mut job = NewJob::new(&id, "1", "0190a1b2c3d4e5f60718293a4b5c6d7e", now_micros());
    job.status = JobStatus::Running;
    job.params = Some(Arc::from(r#"{"text":"hello","count":3}"#));
    drop(store.insert_job(job)?);
    let queued = started.elapsed();
    let end = FinishJob::new(
        &id,
        Expected::Version(0),
        JobStatus::Completed,
        now_micros(),
    );
    store.finish_job(end).await?;
    Ok((queued, started.elapsed()))
}

fn report(
    what: &str,
    jobs: usize,
    (took, inserts, pairs): (Duration, Vec<Duration>, Vec<Duration>),
) {
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let at = |sorted: &[Duration], share: f64| {
        let place = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().map_or(f64::NAN, micros)
    };
    println!(
        "{what}: {:.1} us per pair overall; waiting p50 {:.1}, p99 {:.1}, max {:.0} us; queueing the insert p50 {:.1}, p99 {:.1} us",
        micros(took) / jobs as f64,
        at(&pairs, 0.5),
        at(&pairs, 0.99),
        at(&pairs, 1.0),
        at(&inserts, 0.5),
        at(&inserts, 0.99),
    );
}

/// Resident memory of this process, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
