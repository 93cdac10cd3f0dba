//! Drawing a graph from a seed.

use std::fmt;

use crate::fixtures::Flow;

/// Items a node may give at most, so that chains of doublings stay small.
const MOST: u64 = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value, no inputs.
    Const,
    /// `k` values, no inputs.
    Gen,
    /// One value for each of `x`.
    Map,
    /// Three values for each of `x`.
    Expand,
    /// `a` and `b`, on any.
    OnAny,
    /// `a`, `b` and maybe `c`, one by one.
    Zip,
    /// `values` of several edges into one, and the last of `x`.
    Gather,
    /// A stream passed on.
    Echo,
    /// A stream as one list.
    Collect,
    /// `a` to its end, then `b`.
    InOrder,
    /// `a` and `b` in order of arrival.
    Merge,
    /// The first `k`.
    Take,
    /// Each value on one of two slots.
    If,
    /// One value for each of `x`, when a driver says so; the last again for each further event.
    Driven,
}

use Kind::*;

/// Where an edge comes from: node and slot.
pub(super) type Source = (usize, usize);

#[derive(Clone, Debug)]
pub(super) struct DrawnNode {
    pub(super) kind: Kind,
    pub(super) k: i64,
    /// Handles with the edges into each.
    pub(super) inputs: Vec<(&'static str, Vec<Source>)>,
    /// What the driver of a driven node reads.
    pub(super) driver: Option<Driver>,
    /// Slots that have an output.
    pub(super) shown: Vec<usize>,
}

/// A controller: it reads a stream and drives one node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Driver {
    pub(super) reads: Source,
    /// Sends one event after the first item and waits for its result; else sends `k` events at the end.
    pub(super) asks: bool,
}

/// A graph and the bound of its handles.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) nodes: Vec<DrawnNode>,
    pub(super) limit: u32,
}

impl Kind {
    pub(super) fn slots(self) -> &'static [&'static str] {
        match self {
            If => &["yes", "no"],
            _ => &["output"],
        }
    }

    pub(super) fn node_type(self) -> String {
        format!("random.{self:?}")
    }
}

/// A small generator of numbers (SplitMix64); the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.roll(choice.len())]
    }
}

/// The graph of a seed.
pub(super) fn draw(seed: u64, size: usize, limit: u32) -> Drawn {
    let mut dice = Dice(seed);
    let mut nodes: Vec<DrawnNode> = Vec::with_capacity(size);
    let mut most: Vec<u64> = Vec::new();
    let mut slots: Vec<Source> = Vec::new();
    let mut used: Vec<Source> = Vec::new();
    for i in 0..size {
        let inner = [
            Gen, Const, Map, Map, Expand, OnAny, OnAny, Zip, Zip, Zip, Gather, Gather, Echo,
            Collect, Collect, InOrder, InOrder, Merge, Take, If, If, Driven, Driven,
        ];
        let mut kind = if slots.is_empty() {
            dice.of(&[Gen, Gen, Const])
        } else {
            dice.of(&inner)
        };
        // Recent slots more often than old ones, so that graphs get deep as well as wide.
        let pick = |dice: &mut Dice| {
            let from = if dice.roll(2) == 0 {
                slots.len().saturating_sub(4)
            } else {
                0
            };
            slots[from + dice.roll(slots.len() - from)]
        };
        let mut inputs = Vec::new();
        let handles: &[&'static str] = match kind {
            Const | Gen => &[],
            OnAny | InOrder | Merge => &["a", "b"],
            Zip => dice.of(&[&["a", "b"][..], &["a", "b", "c"][..]]),
            Gather => dice.of(&[&["values"][..], &["values", "x"][..]]),
            _ => &["x"],
        };
        for &handle in handles {
            let edges = if handle == "values" {
                2 + dice.roll(2)
            } else {
                1
            };
            inputs.push((
                handle,
                (0..edges).map(|_| pick(&mut dice)).collect::<Vec<_>>(),
            ));
        }
        let sum: u64 = inputs.iter().flat_map(|(_, s)| s).map(|s| most[s.0]).sum();
        let grown = match kind {
            Expand => 3 * sum,
            _ => sum,
        };
        if grown > MOST {
            kind = dice.of(&[Take, Collect]);
            inputs.truncate(1);
            inputs[0].0 = "x";
            inputs[0].1.truncate(1);
        }
        let k = match kind {
            Gen => dice.of(&[0, 1, 2, 3, 5, 17, 70, 150]),
            Take => dice.of(&[0, 1, 5]),
            Driven => dice.of(&[0, 1, 2, 5, 100]),
            _ => 0,
        };
        most.push(match kind {
            Const | Gather | Collect => 1,
            Gen | Take => k as u64,
            Driven => grown + k as u64,
            _ => grown,
        });
        let driver = (kind == Driven).then(|| Driver {
            reads: pick(&mut dice),
            asks: dice.roll(2) == 0,
        });
        used.extend(inputs.iter().flat_map(|(_, s)| s));
        slots.extend((0..kind.slots().len()).map(|s| (i, s)));
        nodes.push(DrawnNode {
            kind,
            k,
            inputs,
            driver,
            shown: Vec::new(),
        });
    }
    for &(node, slot) in &slots {
        if !used.contains(&(node, slot)) || dice.roll(3) == 0 {
            nodes[node].shown.push(slot);
        }
    }
    Drawn { nodes, limit }
}

pub(super) const DRIVER: &str = "random.Driver";

pub(super) fn output_name(node: usize, slot: usize) -> String {
    format!("o{node}_{slot}")
}

impl Drawn {
    /// The same graph without nodes for which the order of arrival counts, so that every run gives the same.
    pub(super) fn certain(mut self) -> Self {
        for node in &mut self.nodes {
            node.kind = match node.kind {
                OnAny => Zip,
                Merge => InOrder,
                kind => kind,
            };
        }
        self
    }

    fn source(&self, (node, slot): Source) -> String {
        format!("n{node}.{}", self.nodes[node].kind.slots()[slot])
    }

    /// The graph as the engine gets it.
    pub(super) fn flow(&self) -> Flow {
        let mut flow = Flow::new();
        for (i, node) in self.nodes.iter().enumerate() {
            let data = [("k", node.k.into()), ("salt", (i as i64 * 1000).into())];
            flow = flow.node(&format!("n{i}"), &node.kind.node_type(), data);
            if node.kind == Zip {
                flow = flow.zip();
            }
            for &slot in &node.shown {
                flow = flow.output(&output_name(i, slot));
            }
            if let Some(driver) = node.driver {
                let data = [("k", node.k.into()), ("asks", driver.asks.into())];
                let (id, target) = (format!("d{i}"), format!("n{i}"));
                flow = flow.node(&id, DRIVER, data).control(&id, &target);
            }
        }
        flow.edges(&self.to_string())
    }
}

/// The edges, one for each line, as [`Flow::edges`] reads them.
impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.nodes.iter().enumerate() {
            for (handle, sources) in &node.inputs {
                for &source in sources {
                    writeln!(f, "{} -> n{i}.{handle}", self.source(source))?;
                }
            }
            if let Some(driver) = node.driver {
                writeln!(f, "{} -> d{i}.x", self.source(driver.reads))?;
            }
            for &slot in &node.shown {
                let (source, name) = (self.source((i, slot)), output_name(i, slot));
                writeln!(f, "{source} -> {name}.value")?;
            }
        }
        Ok(())
    }
}
