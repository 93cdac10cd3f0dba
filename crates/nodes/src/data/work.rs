//! Runs the heavy part of a node off the threads that keep the server answering.
//!
//! It must not know what the work is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nodetool_sdk::NodeError;

use crate::bounds::blocking;

/// Work below this many cells takes well under ten milliseconds and stays where it is.
const SMALL: usize = 10_000;

/// Tells long work that nobody waits for it any more.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Fails once the run is over.
    pub(crate) fn check(&self) -> Result<(), NodeError> {
        if self.0.load(Ordering::Relaxed) {
            Err(NodeError::Stopped)
        } else {
            Ok(())
        }
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Does a job over about `cells` cells: at once when small, on a blocking thread when large.
pub(crate) async fn run<T: Send + 'static>(
    cells: usize,
    job: impl FnOnce(&Stop) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    let stop = Stop::default();
    if cells <= SMALL {
        return job(&stop);
    }
    let guard = StopOnDrop(stop.clone());
    let done = blocking(move || job(&stop)).await;
    drop(guard);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn abandoned_work_is_told_to_stop() {
        let (tx, rx) = std::sync::mpsc::channel();
        let (done_tx, done_rx) = std::sync::mpsc::channel();
        let work = run(SMALL + 1, move |stop| {
            rx.recv().map_err(|e| e.to_string())?;
            let stopped = stop.check().is_err();
            done_tx.send(stopped).map_err(|e| e.to_string())?;
            Ok(())
        });
        let mut work = Box::pin(work);
        std::future::poll_fn(|cx| {
            assert!(work.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(work);
        tx.send(()).unwrap();
        assert!(done_rx.recv().unwrap());
    }
}
