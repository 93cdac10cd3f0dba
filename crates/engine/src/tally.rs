//! How often nodes were executed in this process, and how that ended. Knows nothing of runs.

use std::sync::atomic::{AtomicU64, Ordering};

use nodetool_sdk::NodeError;

static COMPLETED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);
static CANCELLED: AtomicU64 = AtomicU64::new(0);

/// Executions of nodes that ended, since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executions {
    /// Those that did what they were to do.
    pub completed: u64,
    /// Those that failed, by an error or by taking too long.
    pub failed: u64,
    /// Those that were stopped.
    pub cancelled: u64,
}

/// Executions of nodes that ended so far.
#[must_use]
pub fn executions() -> Executions {
    Executions {
        completed: COMPLETED.load(Ordering::Relaxed),
        failed: FAILED.load(Ordering::Relaxed),
        cancelled: CANCELLED.load(Ordering::Relaxed),
    }
}

/// One execution at work; dropped before its end, it was stopped.
pub(crate) struct Execution(&'static AtomicU64);

impl Execution {
    pub(crate) fn begin() -> Self {
        Execution(&CANCELLED)
    }

    pub(crate) fn ended<T>(mut self, result: &Result<T, NodeError>) {
        self.0 = match result {
            Ok(_) => &COMPLETED,
            Err(NodeError::Stopped) => &CANCELLED,
            Err(_) => &FAILED,
        };
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_execution_counts_once_by_its_end() {
        let before = executions();
        Execution::begin().ended(&Ok(()));
        Execution::begin().ended::<()>(&Err(NodeError::Failed("no".into())));
        Execution::begin().ended::<()>(&Err(NodeError::Stopped));
        drop(Execution::begin());
        let after = executions();
        // Other tests of this process run nodes, too.
        assert!(after.completed > before.completed && after.failed > before.failed);
        assert!(after.cancelled >= before.cancelled + 2);
    }
}
