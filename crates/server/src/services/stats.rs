//! How busy the machine is: one sampler for all listeners, at work only while there are any.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nodetool_protocol::{Value, pack};
use sysinfo::{MemoryRefreshKind, System};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// One `system_stats` message (socket spec 12.1), encoded for all its listeners.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) json: Bytes,
    pub(crate) packed: Bytes,
    taken: Instant,
}

/// Where samples come from; clones share it.
#[derive(Clone)]
pub(crate) struct Sampler(Arc<Inner>);

struct Inner {
    newest: watch::Sender<Option<Arc<Sample>>>,
    /// Whether the task is at work.
    working: Mutex<bool>,
    tasks: TaskTracker,
}

impl Sampler {
    /// A sampler whose task counts among the given ones; it ends when nobody listens.
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Sampler(Arc::new(Inner {
            newest: watch::Sender::new(None),
            working: Mutex::new(false),
            tasks,
        }))
    }

    /// Every later sample, and the newest at once when it is fresh.
    pub(crate) fn listen(&self) -> watch::Receiver<Option<Arc<Sample>>> {
        let mut working = self.working();
        let mut samples = self.0.newest.subscribe();
        if !*working {
            *working = true;
            let sampler = self.clone();
            self.0.tasks.spawn(async move { sampler.work().await });
        }
        let fresh = |s: &Arc<Sample>| s.taken.elapsed() < 2 * EVERY;
        if samples.borrow().as_ref().is_some_and(fresh) {
            samples.mark_changed();
        }
        samples
    }

    fn working(&self) -> std::sync::MutexGuard<'_, bool> {
        self.0
            .working
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self) {
        let mut system = match System::new() {
            Ok(system) => system,
            Err(e) => {
                // Nobody asks again, so that this is said once.
                tracing::warn!(error = %e, "this machine does not tell how busy it is; there are no system_stats");
                return;
            }
        };
        loop {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            self.0.newest.send_replace(Some(Arc::new(sample(&system))));
            tokio::time::sleep(EVERY).await;
            let mut working = self.working();
            // A listener that comes now waits for the lock and starts the task again.
            if self.0.newest.receiver_count() == 0 {
                *working = false;
                return;
            }
        }
    }
}

fn sample(system: &System) -> Sample {
    const GB: f64 = 1024.0 * 1024.0 * 1024.0;
    let (total, used) = (system.total_memory(), system.used_memory());
    let percent = if total == 0 {
        0.0
    } else {
        used as f64 / total as f64 * 100.0
    };
    let bytes = |n: u64| Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    let stats = Value::map([
        ("cpu_percent", f64::from(system.global_cpu_usage()).into()),
        ("memory_total_gb", (total as f64 / GB).into()),
        ("memory_used_gb", (used as f64 / GB).into()),
        ("memory_percent", percent.into()),
        ("memory_total", bytes(total)),
        ("memory_used", bytes(used)),
        ("vram_total_gb", Value::Null),
        ("vram_used_gb", Value::Null),
        ("vram_percent", Value::Null),
    ]);
    let message = Value::map([("type", "system_stats".into()), ("stats", stats)]);
    Sample {
        json: serde_json::to_vec(&message).unwrap_or_default().into(),
        packed: pack::to_vec(&message).unwrap_or_default().into(),
        taken: Instant::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_works_only_while_somebody_listens() {
        let tasks = TaskTracker::new();
        let sampler = Sampler::new(tasks.clone());
        let mut first = sampler.listen();
        let mut second = sampler.listen();
        assert_eq!(tasks.len(), 1, "one task for all");
        for _ in 0..3 {
            first.changed().await.unwrap();
            second.changed().await.unwrap();
        }
        let sample = first.borrow_and_update().clone().unwrap();
        let json: Value = serde_json::from_slice(&sample.json).unwrap();
        let packed = pack::from_slice(&sample.packed).unwrap();
        assert!(
            json.get("stats")
                .unwrap()
                .get("memory_total")
                .unwrap()
                .as_f64()
                > Some(0.0)
        );
        assert_eq!(json.get("type"), packed.get("type"));
        drop((first, second));
        tasks.close();
        tasks.wait().await;
        assert!(!*sampler.working());
        let mut again = sampler.listen();
        again.changed().await.unwrap();
    }
}
