//! Random graphs against a naive interpreter: nothing is lost, nothing overtakes, everything ends.
//!
//! What a node gave is recorded by the node itself. Where the order of arrival is free, the interpreter checks that
//! what was given is one of the legal outcomes and goes on from there.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use nodetool_engine::RunOptions;
use nodetool_sdk::protocol::JobStatus;
use proptest::prelude::*;

use crate::fixtures::{Live, runtime, start_in};

mod graph;
mod nodes;
mod reference;
mod resumed;

use graph::Drawn;
use nodes::Trace;

/// How a run is disturbed.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// A node fails after some values.
    Failure(usize, usize),
    /// A node waits for the outside after some values.
    Suspension(usize, usize),
    /// The caller cancels after some messages.
    Cancel(usize),
    /// The caller pauses after some messages, and lets the run go on when it is at rest.
    Pause(usize),
}

use Trouble::{Cancel, Failure, Pause, Suspension};

/// One random run.
#[derive(Clone, Copy, Debug)]
struct Case {
    seed: u64,
    size: usize,
    limit: u32,
    threads: usize,
    trouble: Trouble,
}

fn launch(drawn: &Drawn, trace: &Arc<Trace>) -> Live {
    let options = RunOptions {
        inbox_limit: drawn.limit,
        ..RunOptions::default()
    };
    start_in(Arc::new(nodes::registry(trace)), &drawn.flow(), options)
}

/// Runs one graph and compares every node with the interpreter, as far as the run came.
async fn compare(drawn: &Drawn, trouble: Trouble) {
    let mut trace = Trace::default();
    if let Failure(node, after) | Suspension(node, after) = trouble {
        trace.breaks = Some((format!("n{}", node % drawn.nodes.len()), after));
        trace.suspends = matches!(trouble, Suspension(..));
    }
    let trace = Arc::new(trace);
    let live = launch(drawn, &trace);
    if let Cancel(after) = trouble {
        live.recorder.until_told(after).await;
        live.handle().cancel();
    }
    if let Pause(after) = trouble {
        live.recorder.until_told(after).await;
        live.handle().pause();
        live.handle().settled().await;
        let given = || trace.given.lock().expect("no node panics").clone();
        let before = given();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(before, given(), "a paused run goes on");
        live.handle().unpause();
    }
    let ran = live.end().await;
    let given = trace.given.lock().expect("all nodes have ended").clone();
    // The troubled node may never get that far.
    let expected = match trouble {
        Trouble::None | Pause(_) => JobStatus::Completed,
        Failure(..) => JobStatus::Failed,
        Suspension(..) => JobStatus::Suspended,
        Cancel(_) => JobStatus::Cancelled,
    };
    match ran.outcome.status {
        JobStatus::Completed => reference::check(drawn, &given, &|output| ran.values(output)),
        status => assert_eq!(status, expected, "{:?}", ran.outcome.error),
    }
}

/// Does the work on a thread of its own; a hang is a failure.
fn watched(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    match ended.recv_timeout(Duration::from_secs(20)) {
        Ok(()) => Ok(()),
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it hangs".into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().err();
            let text = panic.and_then(|p| p.downcast::<String>().ok());
            let text = text.map_or("it panicked".into(), |t| *t);
            Err(text.chars().take(4000).collect())
        }
    }
}

fn check(case: Case) -> Result<(), TestCaseError> {
    let drawn = Arc::new(graph::draw(case.seed, case.size, case.limit));
    let work = drawn.clone();
    watched(move || runtime(case.threads).block_on(compare(&work, case.trouble)))
        .map_err(|e| TestCaseError::fail(format!("{case:?}: {e}\n{drawn}")))
}

fn cases(threads: usize, trouble: BoxedStrategy<Trouble>) -> impl Strategy<Value = Case> {
    (any::<u64>(), 1usize..16, 1u32..=4, trouble).prop_map(move |(seed, size, limit, trouble)| {
        Case {
            seed,
            size,
            limit,
            threads,
            trouble,
        }
    })
}

/// No trouble at all.
fn none() -> BoxedStrategy<Trouble> {
    Just(Trouble::None).boxed()
}

/// A pause, at any time.
fn pause() -> BoxedStrategy<Trouble> {
    (0usize..200).prop_map(Pause).boxed()
}

/// Any trouble, at any time.
fn some() -> BoxedStrategy<Trouble> {
    let place = || (0usize..16, 0usize..20);
    prop_oneof![
        place().prop_map(|(node, after)| Failure(node, after)),
        place().prop_map(|(node, after)| Suspension(node, after)),
        (0usize..200).prop_map(Cancel),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn on_one_thread_every_node_gives_what_the_interpreter_says(case in cases(1, none())) {
        check(case)?;
    }

    #[test]
    fn on_two_threads_every_node_gives_what_the_interpreter_says(case in cases(2, none())) {
        check(case)?;
    }

    #[test]
    fn on_one_thread_a_paused_run_rests_and_then_gives_what_the_interpreter_says(case in cases(1, pause())) {
        check(case)?;
    }

    #[test]
    fn on_two_threads_a_paused_run_rests_and_then_gives_what_the_interpreter_says(case in cases(2, pause())) {
        check(case)?;
    }

    #[test]
    fn on_one_thread_every_run_in_trouble_ends(case in cases(1, some())) {
        check(case)?;
    }

    #[test]
    fn on_two_threads_every_run_in_trouble_ends(case in cases(2, some())) {
        check(case)?;
    }
}
