//! Loops are drawn forward; only the body of a loop node may lead back to it, which ends the body for that item.

use std::collections::HashSet;

use nodetool_sdk::steps::BODY;

use super::region::{Budget, TooLarge};
use super::{Out, PlanNode};

/// Nodes named of a cycle.
const NAMED: usize = 10;

/// Takes away the ways from bodies back to their loop nodes; gives a cycle that is left, if there is one.
pub(super) fn break_bodies(
    outs: &mut [Vec<Out>],
    budget: &mut Budget,
) -> Result<Option<Vec<usize>>, TooLarge> {
    let left = unordered(outs);
    if left.is_empty() {
        return Ok(None);
    }
    let within: HashSet<usize> = left.iter().copied().collect();
    // Outer ones first: once they are open, nobody gets around them into an inner one.
    for at in discovered(outs) {
        let body = outs[at].first().filter(|out| *out.handle == *BODY);
        let Some(entry) = body.map(|out| out.to).filter(|_| within.contains(&at)) else {
            continue;
        };
        let mut seen = HashSet::from([entry]);
        let mut open = vec![entry];
        while let Some(n) = open.pop() {
            budget.spend(1 + outs[n].len())?;
            if n == at {
                continue;
            }
            outs[n].retain(|out| out.to != at);
            let next = outs[n].iter().map(|out| out.to);
            open.extend(next.filter(|to| within.contains(to) && seen.insert(*to)));
        }
    }
    let left = unordered(outs);
    Ok((!left.is_empty()).then(|| cycle(outs, &left)))
}

/// What is wrong with a cycle.
pub(super) fn fault(nodes: &[PlanNode], cycle: &[usize]) -> String {
    let named = cycle.iter().take(NAMED);
    let mut names: Vec<&str> = named.map(|n| &*nodes[*n].node.id).collect();
    names.push(if cycle.len() > NAMED { "…" } else { names[0] });
    format!(
        "The connections {} lead in a circle; only the body of a loop node may lead back to it",
        names.join(" → ")
    )
}

/// The nodes that are on a cycle or behind one.
fn unordered(outs: &[Vec<Out>]) -> Vec<usize> {
    let mut before = vec![0_usize; outs.len()];
    for out in outs.iter().flatten() {
        before[out.to] += 1;
    }
    let mut open: Vec<usize> = (0..outs.len()).filter(|n| before[*n] == 0).collect();
    while let Some(n) = open.pop() {
        for out in &outs[n] {
            before[out.to] -= 1;
            if before[out.to] == 0 {
                open.push(out.to);
            }
        }
    }
    (0..outs.len()).filter(|n| before[*n] > 0).collect()
}

/// All nodes, the nearest to where loops begin first.
fn discovered(outs: &[Vec<Out>]) -> Vec<usize> {
    let mut entered = vec![false; outs.len()];
    for out in outs.iter().flatten() {
        entered[out.to] = true;
    }
    let mut order: Vec<usize> = (0..outs.len()).filter(|n| !entered[*n]).collect();
    let mut seen: Vec<bool> = entered.iter().map(|e| !e).collect();
    let mut at = 0;
    let mut rest = 0..outs.len();
    loop {
        while at < order.len() {
            for out in &outs[order[at]] {
                if !std::mem::replace(&mut seen[out.to], true) {
                    order.push(out.to);
                }
            }
            at += 1;
        }
        let Some(n) = rest.find(|n| !seen[*n]) else {
            return order;
        };
        seen[n] = true;
        order.push(n);
    }
}

/// A cycle among nodes that each have one of them before it or are on one.
fn cycle(outs: &[Vec<Out>], left: &[usize]) -> Vec<usize> {
    let within: HashSet<usize> = left.iter().copied().collect();
    let mut before = vec![usize::MAX; outs.len()];
    for n in left {
        for out in outs[*n].iter().filter(|out| within.contains(&out.to)) {
            before[out.to] = *n;
        }
    }
    // What is left has always one of the others before it, so the way back ends where it has been.
    let mut path = vec![left[0]];
    let mut seen = HashSet::from([left[0]]);
    loop {
        let n = before[path[path.len() - 1]];
        if !seen.insert(n) {
            let start = path.iter().position(|p| *p == n).unwrap_or(0);
            let mut cycle = path.split_off(start);
            cycle.reverse();
            return cycle;
        }
        path.push(n);
    }
}
