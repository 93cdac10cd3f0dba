//! What each node of a random graph must give: one node after the other, whole streams at a time.
//!
//! It must not know the engine: no inboxes, no batches, no tasks. Sources: engine spec 1.11, 4.6 to 4.8.

use std::collections::BTreeSet;

use nodetool_sdk::Value;

use super::graph::{Drawn, DrawnNode, Kind, output_name};
use super::nodes::{Given, combine, expand, streams};

/// One number of two, so that any change of either shows.
pub(super) fn mix(a: i64, b: i64) -> i64 {
    let mut z = (a as u64).rotate_left(23) ^ (b as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 32)) as i64 >> 2
}

/// One number of any value.
pub(super) fn digest(value: &Value) -> i64 {
    match value {
        Value::Null => -1,
        Value::Int(i) => *i,
        Value::List(items) => items.iter().fold(7, |sum, v| mix(sum, digest(v))),
        other => unreachable!("no node gives {other:?}"),
    }
}

type Stream = Vec<Value>;

/// Compares what every node gave and every output showed with what the graph says.
pub(super) fn check(drawn: &Drawn, given: &Given, shown: &dyn Fn(&str) -> Vec<Value>) {
    // By node and slot.
    let mut streams_of: Vec<Vec<Stream>> = Vec::new();
    let mut streaming: Vec<bool> = Vec::new();
    for (i, node) in drawn.nodes.iter().enumerate() {
        let mut gave = vec![Stream::new(); node.kind.slots().len()];
        for (slot, value) in given.get(&format!("n{i}")).into_iter().flatten() {
            gave[*slot].push(value.clone());
        }
        let wired = Wired {
            node,
            salt: i as i64 * 1000,
            streams: &streams_of,
            streaming: &streaming,
            drawn,
        };
        wired.check(i, &gave);
        for &slot in &node.shown {
            assert_eq!(shown(&output_name(i, slot)), gave[slot], "output of n{i}");
        }
        let fed = |(_, sources): &(_, Vec<(usize, usize)>)| sources.iter().any(|s| streaming[s.0]);
        streaming.push(streams(node.kind) || node.inputs.iter().any(fed));
        streams_of.push(gave);
    }
}

/// A node with everything before it.
struct Wired<'a> {
    node: &'a DrawnNode,
    salt: i64,
    streams: &'a [Vec<Stream>],
    streaming: &'a [bool],
    drawn: &'a Drawn,
}

impl Wired<'_> {
    /// The stream into a handle of one edge.
    fn into(&self, handle: &str) -> &Stream {
        let (_, sources) = self
            .node
            .inputs
            .iter()
            .find(|(h, _)| *h == handle)
            .expect("wired");
        let (node, slot) = sources[0];
        &self.streams[node][slot]
    }

    fn result(&self, a: &Value, b: &Value, c: &Value) -> Value {
        let handles = [Value::Null, a.clone(), b.clone(), c.clone()];
        combine(self.node.kind, self.salt, &handles, &Value::list([]))
    }

    fn mapped(&self, x: &Value) -> Value {
        let handles = [x.clone(), Value::Null, Value::Null, Value::Null];
        combine(self.node.kind, self.salt, &handles, &Value::list([]))
    }

    /// The first event runs over the whole stream, each later one over its last item.
    fn driven(&self) -> Stream {
        let driver = self.node.driver.expect("a driven node has a driver");
        let (node, slot) = driver.reads;
        let events = if driver.asks {
            usize::from(!self.streams[node][slot].is_empty())
        } else {
            self.node.k as usize
        };
        if events == 0 {
            return Stream::new();
        }
        let items = self.into("x");
        let again = items
            .last()
            .into_iter()
            .flat_map(|x| std::iter::repeat_n(x, events - 1));
        items.iter().chain(again).map(|x| self.mapped(x)).collect()
    }

    fn check(&self, i: usize, gave: &[Stream]) {
        let kind = self.node.kind;
        let want: Vec<Stream> = match kind {
            Kind::OnAny => return self.check_on_any(i, &gave[0]),
            Kind::Merge => return self.check_merge(i, &gave[0]),
            Kind::Const => vec![vec![self.salt.into()]],
            Kind::Gen | Kind::Expand | Kind::If => self.expanded(),
            Kind::Map => vec![self.into("x").iter().map(|x| self.mapped(x)).collect()],
            Kind::Driven => vec![self.driven()],
            Kind::Zip => vec![self.zipped()],
            Kind::Gather => vec![vec![self.gathered()]],
            Kind::Echo => vec![self.into("x").clone()],
            Kind::Collect => {
                let items = self.into("x").iter().map(|v| Value::Int(digest(v)));
                vec![vec![Value::list(items)]]
            }
            Kind::InOrder => vec![[&self.into("a")[..], self.into("b")].concat()],
            Kind::Take => {
                let first = self.into("x").iter().take(self.node.k as usize);
                vec![first.cloned().collect()]
            }
        };
        assert_eq!(gave, want, "n{i}, {kind:?}");
    }

    fn expanded(&self) -> Vec<Stream> {
        let DrawnNode { kind, k, .. } = *self.node;
        let once = vec![Value::Null];
        let items = if kind == Kind::Gen {
            &once
        } else {
            self.into("x")
        };
        let mut out = vec![Stream::new(); kind.slots().len()];
        for (slot, value) in items.iter().flat_map(|x| expand(kind, k, self.salt, x)) {
            out[slot].push(value);
        }
        out
    }

    /// One execution for each place in the shortest stream; what does not stream has one value and repeats it.
    fn zipped(&self) -> Stream {
        let handles: Vec<(&Stream, bool)> = self
            .node
            .inputs
            .iter()
            .map(|(h, sources)| (self.into(h), self.streaming[sources[0].0]))
            .collect();
        let constants = handles.iter().filter(|(_, streams)| !streams);
        for (values, _) in constants.clone() {
            assert!(
                values.len() <= 1,
                "what does not stream gives one value at most"
            );
        }
        if constants.clone().any(|(values, _)| values.is_empty()) {
            return Stream::new();
        }
        let streams = handles.iter().filter(|(_, streams)| *streams);
        let executions = streams.map(|(values, _)| values.len()).min().unwrap_or(1);
        let at = |handle: usize, n: usize| match handles.get(handle) {
            Some((values, true)) => values[n].clone(),
            Some((values, false)) => values[0].clone(),
            None => Value::Null,
        };
        (0..executions)
            .map(|n| self.result(&at(0, n), &at(1, n), &at(2, n)))
            .collect()
    }

    fn gathered(&self) -> Value {
        let mut values = Vec::new();
        for &(node, slot) in &self.node.inputs[0].1 {
            for value in &self.streams[node][slot] {
                match value {
                    Value::List(items) if self.drawn.nodes[node].kind == Kind::Collect => {
                        values.extend(items.iter().cloned());
                    }
                    value => values.push(value.clone()),
                }
            }
        }
        let last = self.node.inputs.get(1).and_then(|_| self.into("x").last());
        let handles = [
            last.cloned().unwrap_or_default(),
            Value::Null,
            Value::Null,
            Value::Null,
        ];
        combine(Kind::Gather, self.salt, &handles, &values.into())
    }

    /// Some order of arrival must explain the results: each differs from the one before by the next item of one
    /// handle, the first is the first item of one of them, and the last is the last item of both.
    fn check_on_any(&self, i: usize, gave: &Stream) {
        let (a, b) = (self.into("a"), self.into("b"));
        if a.is_empty() || b.is_empty() {
            return assert!(gave.is_empty(), "n{i} ran without an item on every handle");
        }
        let fits = |x: usize, y: usize, value: &Value| {
            let known = a.get(x).zip(b.get(y));
            known.is_some_and(|(a, b)| self.result(a, b, &Value::Null) == *value)
        };
        let mut ways: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (n, value) in gave.iter().enumerate() {
            let next: Vec<(usize, usize)> = if n == 0 {
                let first = (0..a.len())
                    .map(|x| (x, 0))
                    .chain((0..b.len()).map(|y| (0, y)));
                first.collect()
            } else {
                ways.iter()
                    .flat_map(|&(x, y)| [(x + 1, y), (x, y + 1)])
                    .collect()
            };
            ways = next
                .into_iter()
                .filter(|&(x, y)| fits(x, y, value))
                .collect();
            assert!(
                !ways.is_empty(),
                "n{i}: no order of arrival gives result {n}"
            );
        }
        let end = (a.len() - 1, b.len() - 1);
        assert!(
            ways.contains(&end),
            "n{i}: the last items of both were not used"
        );
    }

    /// An interleaving of both, with the order of each kept and nothing left out.
    fn check_merge(&self, i: usize, gave: &Stream) {
        let (a, b) = (self.into("a"), self.into("b"));
        let mut ways: BTreeSet<(usize, usize)> = [(0, 0)].into();
        for value in gave {
            let next = ways.iter().flat_map(|&(x, y)| {
                let of_a = (a.get(x) == Some(value)).then_some((x + 1, y));
                let of_b = (b.get(y) == Some(value)).then_some((x, y + 1));
                [of_a, of_b].into_iter().flatten()
            });
            ways = next.collect();
        }
        assert!(
            ways.contains(&(a.len(), b.len())),
            "n{i}: {gave:?} is not {a:?} and {b:?}"
        );
    }
}
