//! Runs that lose their process at a random moment and go on from what was told by then, more than once.

use std::collections::HashSet;

use nodetool_engine::{Decision, EffectState, Resume};

use super::nodes::Given;
use super::*;
use crate::fixtures::{Diary, Told, attempt, resume};

/// One random run and the moments it is cut off at, in thousandths of what it tells.
#[derive(Clone, Debug)]
struct Cut {
    seed: u64,
    size: usize,
    threads: usize,
    moments: Vec<usize>,
}

/// What a run finds, with a decision for everything in doubt.
fn found(told: &[Told]) -> Resume {
    let mut resume = resume(told);
    let in_doubt = resume.effects.iter();
    let in_doubt = in_doubt.filter(|(_, states)| states.contains(&EffectState::Begun));
    resume.decisions = in_doubt
        .map(|(id, _)| (id.clone(), Decision::Again))
        .collect();
    resume
}

/// What every node gave in all attempts together: finished nodes what is told of them, others what is told of their
/// executions and then what the last attempt saw.
fn together(drawn: &Drawn, resume: &Resume, last: &Given) -> Given {
    let mut given = Given::new();
    for (i, node) in drawn.nodes.iter().enumerate() {
        let id = format!("n{i}");
        let emissions: Vec<_> = match resume.finished.get(id.as_str()) {
            Some(emitted) => {
                assert!(!last.contains_key(&id), "{id} had finished and ran again");
                emitted.clone()
            }
            None => {
                let states = resume.effects.get(id.as_str()).into_iter().flatten();
                let done = states.filter_map(|state| match state {
                    EffectState::Done(emitted) => Some(emitted.clone()),
                    EffectState::Begun => None,
                });
                done.flatten().collect()
            }
        };
        let slots = node.kind.slots();
        let known = emissions.into_iter().map(|(slot, value)| {
            let slot = slots.iter().position(|s| *s == &*slot);
            (slot.expect("a slot of its kind"), value)
        });
        let seen = last.get(&id).into_iter().flatten().cloned();
        given.insert(id, known.chain(seen).collect());
    }
    given
}

/// The keys of the executions that are done.
fn done(resume: &Resume) -> HashSet<String> {
    let keys = resume.effects.iter().flat_map(|(id, states)| {
        let done = |(_, state): &(usize, &EffectState)| matches!(state, EffectState::Done(_));
        let numbers = states.iter().enumerate().filter(done).map(|(n, _)| n);
        numbers.map(move |n| format!("job:{id}:{n}"))
    });
    keys.collect()
}

async fn go_on(drawn: &Drawn, moments: &[usize]) {
    let mut told: Vec<Told> = Vec::new();
    let mut uninterrupted = None;
    for moment in moments.iter().copied().map(Some).chain([None]) {
        let trace = Arc::new(Trace {
            effects: true,
            ..Trace::default()
        });
        let diary = Arc::new(Diary::default());
        let before = found(&told);
        let options = RunOptions {
            inbox_limit: drawn.limit,
            ..attempt(&diary, Some(before.clone()))
        };
        let live = start_in(Arc::new(nodes::registry(&trace)), &drawn.flow(), options);
        let ran = live.end().await.completed();
        let last = trace.given.lock().expect("all nodes have ended").clone();
        reference::check(drawn, &together(drawn, &before, &last), &|o| ran.values(o));
        let over = done(&before);
        let changes = trace.changes.lock().expect("all nodes have ended").clone();
        let again: Vec<_> = changes.iter().filter(|key| over.contains(*key)).collect();
        assert!(again.is_empty(), "done, and made again: {again:?}");
        let mut outputs = ran.outcome.outputs.clone();
        outputs.sort_by(|a, b| a.0.cmp(&b.0));
        let first =
            uninterrupted.get_or_insert_with(|| (outputs.clone(), ran.outcome.last.clone()));
        assert_eq!(first.0, outputs);
        assert_eq!(first.1, ran.outcome.last);
        if let Some(moment) = moment {
            let all = diary.told();
            told.extend_from_slice(&all[..all.len() * moment / 1000]);
        }
    }
}

fn check_cut(cut: &Cut) -> Result<(), TestCaseError> {
    let drawn = Arc::new(graph::draw(cut.seed, cut.size, 1 + (cut.seed % 4) as u32).certain());
    let (work, moments) = (drawn.clone(), cut.moments.clone());
    let threads = cut.threads;
    watched(move || runtime(threads).block_on(go_on(&work, &moments)))
        .map_err(|e| TestCaseError::fail(format!("{cut:?}: {e}\n{drawn}")))
}

fn cuts(threads: usize) -> impl Strategy<Value = Cut> {
    let moments = prop::collection::vec(0usize..=1000, 1..4);
    (any::<u64>(), 1usize..16, moments).prop_map(move |(seed, size, moments)| Cut {
        seed,
        size,
        threads,
        moments,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn on_one_thread_a_run_that_goes_on_gives_what_it_would_have_given(cut in cuts(1)) {
        check_cut(&cut)?;
    }

    #[test]
    fn on_two_threads_a_run_that_goes_on_gives_what_it_would_have_given(cut in cuts(2)) {
        check_cut(&cut)?;
    }
}
