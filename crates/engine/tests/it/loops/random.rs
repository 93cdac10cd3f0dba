//! Random graphs against the plain rule: a step runs once for each token if a way leads to it, and after all that do.

use std::collections::HashSet;

use nodetool_sdk::protocol::JobStatus;
use proptest::prelude::*;
use serde_json::json;

use super::super::fixtures::runtime;
use super::fixtures::{Flow, Told, edge, graph};

/// A node behind the producer: whether it is a condition, how often it gives others their turn, where its ways come
/// from and by which handle.
type Drawn = (Option<i64>, u8, Vec<(usize, bool)>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let ways = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..4);
    let node = (prop::option::of(0..2_i64), 0..3_u8, ways);
    prop::collection::vec(node, 1..24).prop_map(|nodes| {
        let nodes = nodes.into_iter().enumerate();
        let nodes = nodes.map(|(n, (condition, turns, ways))| {
            let ways = ways.into_iter().map(|(from, yes)| (from.index(n + 1), yes));
            (condition, turns, ways.collect())
        });
        nodes.collect()
    })
}

/// Whether a way is taken by a token.
fn taken(nodes: &[Drawn], counter: i64, from: usize, yes: bool) -> bool {
    match from.checked_sub(1).and_then(|n| nodes[n].0) {
        Some(even) => ((counter + even) % 2 == 0) == yes,
        None => true,
    }
}

fn flow(nodes: &[Drawn]) -> Flow {
    let mut named = vec![("n0 counter".to_owned(), json!({}))];
    for (n, (condition, turns, _)) in nodes.iter().enumerate() {
        let kind = if condition.is_some() { "if" } else { "add" };
        let form = json!({"even": condition.unwrap_or(0), "turns": turns});
        named.push((format!("n{} {kind}", n + 1), form));
    }
    let named: Vec<_> = named.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
    let mut graph = graph(&named, "");
    for (to, (_, _, ways)) in nodes.iter().enumerate() {
        for (from, yes) in ways {
            let handle = if *yes { "yes" } else { "no" };
            let (from, to) = (format!("n{from}"), format!("n{}", to + 1));
            graph.edges.push(edge(&from, handle, &to));
        }
    }
    Flow::of(graph)
}

fn holds(nodes: &[Drawn]) {
    let flow = flow(nodes);
    let outcome = runtime(1).block_on(flow.produce());
    assert_eq!(outcome.status, JobStatus::Completed);
    assert_eq!(flow.log.count("setup "), nodes.len() + 1);
    assert_eq!(flow.log.count("cleanup-sentinel "), nodes.len() + 1);
    assert_eq!(flow.log.count("cleanup "), 0);

    let told = flow.record.told();
    let begins = |(_, (id, t)): &(usize, &(String, Told))| id == "n0" && *t == Told::Started;
    let mut starts = told.iter().enumerate().filter(begins).map(|(at, _)| at);
    for counter in 1..=2 {
        let start = starts.next().expect("an iteration");
        let end = starts.clone().next().expect("the pass of the sentinel");
        let mut ran = vec![0_u32; nodes.len() + 1];
        let mut done: HashSet<usize> = HashSet::new();
        for (id, told) in &told[start..end] {
            let n: usize = id[1..].parse().expect("a number");
            match told {
                Told::Started => {
                    ran[n] += 1;
                    let Some(node) = n.checked_sub(1) else {
                        continue;
                    };
                    for (from, yes) in &nodes[node].2 {
                        let leads = taken(nodes, counter, *from, *yes);
                        // Whether the one before runs at all is checked below.
                        let later = told_later(&flow, start, end, *from);
                        assert!(
                            !leads || !later || done.contains(from),
                            "n{n} ran before n{from}"
                        );
                    }
                }
                Told::Completed(..) => drop(done.insert(n)),
                Told::Failed(error, _) => panic!("n{n}: {error}"),
            }
        }
        let mut runs = vec![true];
        for (_, _, ways) in nodes {
            let led = ways
                .iter()
                .any(|(from, yes)| runs[*from] && taken(nodes, counter, *from, *yes));
            runs.push(led);
        }
        let expected: Vec<u32> = runs.into_iter().map(u32::from).collect();
        assert_eq!(ran, expected, "runs of token {counter}");
    }
}

/// Whether a node runs in an iteration.
fn told_later(flow: &Flow, start: usize, end: usize, n: usize) -> bool {
    let id = format!("n{n}");
    flow.record.told()[start..end]
        .iter()
        .any(|(node, _)| *node == id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn each_step_runs_once_for_each_token_that_is_led_to_it_and_everything_is_cleaned_up(nodes in drawn()) {
        holds(&nodes);
    }
}
