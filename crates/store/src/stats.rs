//! Numbers about the writer: how much it commits at once and how long that takes. Cheap to note, read now and then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const BATCH: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 50.0, 200.0, 512.0];
const SECONDS: [f64; 9] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];

/// What the writer has done since the store was opened.
#[derive(Clone, Debug)]
pub struct StoreStats {
    /// Writes that were committed or refused.
    pub writes: u64,
    /// Writes that wait for their commit.
    pub queued: u64,
    /// Writes in one commit.
    pub batch_writes: Distribution,
    /// Time of one commit.
    pub commit_seconds: Distribution,
}

/// How often values were in which range.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// All values together.
    pub sum: f64,
    /// Upper bounds, rising, the last infinite, and how many values were at most that and above the bound before.
    pub buckets: Vec<(f64, u64)>,
}

/// Where the writer notes.
#[derive(Default)]
pub(crate) struct Tally {
    writes: AtomicU64,
    nanos: AtomicU64,
    batches: [AtomicU64; BATCH.len() + 1],
    commits: [AtomicU64; SECONDS.len() + 1],
}

impl Tally {
    /// A batch of writes was committed.
    pub(crate) fn committed(&self, writes: usize, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        note(&self.batches, &BATCH, writes as f64);
        note(&self.commits, &SECONDS, took.as_secs_f64());
    }

    /// What was noted.
    pub(crate) fn read(&self, queued: usize) -> StoreStats {
        let writes = self.writes.load(Ordering::Relaxed);
        let seconds = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        StoreStats {
            writes,
            queued: queued as u64,
            batch_writes: distribution(&self.batches, &BATCH, writes as f64),
            commit_seconds: distribution(&self.commits, &SECONDS, seconds),
        }
    }
}

fn note(counts: &[AtomicU64], bounds: &[f64], value: f64) {
    let at = bounds.partition_point(|bound| *bound < value);
    if let Some(count) = counts.get(at) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn distribution(counts: &[AtomicU64], bounds: &[f64], sum: f64) -> Distribution {
    let bounds = bounds.iter().copied().chain([f64::INFINITY]);
    let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
    Distribution {
        sum,
        buckets: bounds.zip(counts).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_below_the_next_bound() {
        let tally = Tally::default();
        tally.committed(1, Duration::from_micros(50));
        tally.committed(3, Duration::from_secs(60));
        let told = tally.read(7);
        assert_eq!((told.writes, told.queued), (4, 7));
        assert_eq!(told.batch_writes.sum, 4.0);
        let hit = |d: &Distribution| {
            let hit = d.buckets.iter().filter(|(_, n)| *n > 0);
            hit.copied().collect::<Vec<_>>()
        };
        assert_eq!(hit(&told.batch_writes), [(1.0, 1), (5.0, 1)]);
        assert_eq!(hit(&told.commit_seconds), [(0.0001, 1), (f64::INFINITY, 1)]);
    }
}
