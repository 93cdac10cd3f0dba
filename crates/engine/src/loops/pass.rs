//! What follows on what while one token goes through a loop: routes, forks, joins, bodies. Pure.
//!
//! Whoever drives it takes the work it lists, runs the steps, and says how each ended. It must not know tasks, events
//! or time. Source: orchestrator spec 1.7 to 1.9.

use std::sync::Arc;

use nodetool_sdk::steps::{Compat, DEFAULT, Flow, Token};
use nodetool_sdk::{Map, Value};

use super::merge_branches;
use super::plan::Region;

mod body;

use body::Body;
pub(super) use body::{EACH, Items, RESULTS};

/// How deep forks and loop nodes may be nested; each level keeps a token.
pub(super) const MOST_NESTED: u32 = 1000;

const ROOT: u32 = 0;

/// Where in a pass a step runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The node's number in its loop.
    pub(super) node: u32,
    frame: u32,
    /// Its branch among those of the fork.
    order: u32,
    /// Whether it runs as a join.
    join: bool,
}

/// A step to run.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) place: Place,
    pub(super) token: Token,
}

/// Paths that end together.
struct Frame {
    parent: u32,
    /// The branch of the parent it stands for.
    order: u32,
    depth: u32,
    /// Paths and frames in it that have not ended.
    open: u32,
    /// Whether what ends in a sink is kept.
    in_body: bool,
    /// What ended in sinks, by branch.
    sunk: Vec<(u32, Map)>,
    kind: Kind,
}

enum Kind {
    Root,
    Fork(Fork),
    Body(Box<Body>),
    Closed,
}

struct Fork {
    /// What every branch was given.
    token: Token,
    node: u32,
    route: Arc<str>,
    arrivals: Vec<Arrival>,
}

/// A token before a join.
struct Arrival {
    node: u32,
    order: u32,
    token: Token,
}

enum Move {
    Follow(Place, Arc<str>, Token),
    Arrive(Place, Token),
    /// A path in this frame has ended.
    End(u32),
}

/// One token on its way through a loop.
pub(super) struct Pass<'r> {
    region: &'r Region,
    frames: Vec<Frame>,
    closed: Vec<u32>,
    moves: Vec<Move>,
    /// Steps to run now, the next one last.
    ready: Vec<Work>,
    /// What the path that ended last has ended with.
    last: Option<Token>,
    route: Arc<str>,
}

impl<'r> Pass<'r> {
    pub(super) fn new(region: &'r Region) -> Self {
        let mut pass = Pass {
            region,
            frames: Vec::new(),
            closed: Vec::new(),
            moves: Vec::new(),
            ready: Vec::new(),
            last: None,
            route: DEFAULT.into(),
        };
        pass.reset();
        pass
    }

    /// Forgets everything about the token before.
    fn reset(&mut self) {
        self.frames.clear();
        self.closed.clear();
        self.moves.clear();
        self.ready.clear();
        self.last = None;
        self.frames.push(Frame {
            parent: ROOT,
            order: 0,
            depth: 0,
            open: 1,
            in_body: false,
            sunk: Vec::new(),
            kind: Kind::Root,
        });
    }

    /// Begins with what the first node of the loop has made.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub(super) fn begin(&mut self, flow: Flow) -> Result<(), String> {
        self.reset();
        self.done(Self::start(), flow)
    }

    /// Begins with the body of the first node of the loop.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    pub(super) fn begin_body(&mut self, items: Items, token: Token) -> Result<(), String> {
        self.reset();
        self.each(Self::start(), items, token)?;
        self.settle()
    }

    /// The place of the first node of the loop.
    pub(super) fn start() -> Place {
        Place {
            node: 0,
            frame: ROOT,
            order: 0,
            join: false,
        }
    }

    /// The next step to run.
    pub(super) fn next(&mut self) -> Option<Work> {
        self.ready.pop()
    }

    /// What the path that ended last has ended with.
    pub(super) fn take_last(&mut self) -> Option<Token> {
        self.last.take()
    }

    /// Whether the step runs beside others: in a branch of a fork, or as a join.
    pub(super) fn is_forked(&self, at: Place) -> bool {
        let mut frame = at.frame;
        while frame != ROOT {
            if matches!(self.frames[frame as usize].kind, Kind::Fork(_)) {
                return true;
            }
            frame = self.frames[frame as usize].parent;
        }
        at.join
    }

    /// A step has ended well.
    ///
    /// # Errors
    /// When what follows is nested too deep, or a step ended the loop that does not begin it.
    pub(super) fn done(&mut self, at: Place, flow: Flow) -> Result<(), String> {
        match flow {
            Flow::Go(token) if self.region.nodes[at.node as usize].ends => {
                self.ended_at(at, token, false);
            }
            Flow::Go(token) => self.moves.push(Move::Follow(at, self.route.clone(), token)),
            Flow::Route(route, token) => self.moves.push(Move::Follow(at, route, token)),
            Flow::Each(items, token) => {
                self.each(at, Items::all(items), token)?;
            }
            Flow::Completed(_) => {
                return Err("Only the first step of a loop can end it".into());
            }
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), String> {
        // Of what becomes ready at once, the first branch is to be taken first.
        let before = self.ready.len();
        while let Some(step) = self.moves.pop() {
            match step {
                Move::Follow(at, route, token) => self.follow(at, &route, token)?,
                Move::Arrive(at, token) => self.arrive(at, token),
                Move::End(frame) => self.end(frame),
            }
        }
        self.ready[before..].reverse();
        Ok(())
    }

    fn follow(&mut self, at: Place, route: &Arc<str>, token: Token) -> Result<(), String> {
        let local = &self.region.nodes[at.node as usize];
        let to = local.targets(route).map_or(&[][..], |t| &t.to);
        match to {
            [] => self.ended_at(at, token, local.sink),
            [node] => {
                let at = Place {
                    node: *node,
                    join: false,
                    ..at
                };
                self.moves.push(Move::Arrive(at, token));
            }
            _ => {
                let fork = Fork {
                    token: token.clone(),
                    node: at.node,
                    route: route.clone(),
                    arrivals: Vec::new(),
                };
                let frame = self.open(at, Kind::Fork(fork))?;
                let branches = u32::try_from(to.len()).unwrap_or(u32::MAX);
                self.frames[frame as usize].open = branches;
                // Moves are taken from the end.
                for (order, node) in (0..branches).zip(to).rev() {
                    let at = Place {
                        node: *node,
                        frame,
                        order,
                        join: false,
                    };
                    self.moves.push(Move::Arrive(at, token.clone()));
                }
            }
        }
        Ok(())
    }

    /// A path has reached a node: it is run, unless it is where this path waits for others.
    fn arrive(&mut self, at: Place, token: Token) {
        if self.waits(at.frame, at.node) {
            if let Kind::Fork(fork) = &mut self.frames[at.frame as usize].kind {
                fork.arrivals.push(Arrival {
                    node: at.node,
                    order: at.order,
                    token,
                });
            }
            self.moves.push(Move::End(at.frame));
        } else {
            self.ready.push(Work { place: at, token });
        }
    }

    /// Whether a node is a join of a fork that paths of this frame are in.
    fn waits(&self, mut frame: u32, node: u32) -> bool {
        loop {
            let at = &self.frames[frame as usize];
            let Kind::Fork(fork) = &at.kind else {
                return false;
            };
            if self.joins(fork).binary_search(&node).is_ok() {
                return true;
            }
            frame = at.parent;
        }
    }

    fn joins(&self, fork: &Fork) -> &'r [u32] {
        let targets = self.region.nodes[fork.node as usize].targets(&fork.route);
        targets.map_or(&[], |t| &t.joins)
    }

    /// A path has come to its end at a node.
    fn ended_at(&mut self, at: Place, token: Token, sink: bool) {
        let frame = &mut self.frames[at.frame as usize];
        if !frame.in_body {
            self.last = Some(token);
        } else if sink {
            frame.sunk.push((at.order, token.data));
        }
        self.moves.push(Move::End(at.frame));
    }

    fn open(&mut self, at: Place, kind: Kind) -> Result<u32, String> {
        let parent = &self.frames[at.frame as usize];
        let depth = parent.depth + 1;
        if depth > MOST_NESTED {
            return Err(format!(
                "Forks and loop nodes are nested more than {MOST_NESTED} deep"
            ));
        }
        let frame = Frame {
            parent: at.frame,
            order: at.order,
            depth,
            open: 1,
            in_body: parent.in_body || matches!(kind, Kind::Body(_)),
            sunk: Vec::new(),
            kind,
        };
        if let Some(free) = self.closed.pop() {
            self.frames[free as usize] = frame;
            return Ok(free);
        }
        self.frames.push(frame);
        // One more than what is open is far less than what fits.
        Ok(u32::try_from(self.frames.len() - 1).unwrap_or(u32::MAX))
    }

    /// Closes a frame; what has sunk in it counts for its parent.
    fn close(&mut self, frame: u32) -> (Kind, u32, u32) {
        let at = &mut self.frames[frame as usize];
        let (parent, order) = (at.parent, at.order);
        let kind = std::mem::replace(&mut at.kind, Kind::Closed);
        let mut sunk = std::mem::take(&mut at.sunk);
        sunk.sort_by_key(|(branch, _)| *branch);
        let sunk = sunk.into_iter().map(|(_, data)| (order, data));
        self.frames[parent as usize].sunk.extend(sunk);
        self.closed.push(frame);
        (kind, parent, order)
    }

    fn end(&mut self, frame: u32) {
        let at = &mut self.frames[frame as usize];
        at.open -= 1;
        if at.open > 0 {
            return;
        }
        match at.kind {
            Kind::Root | Kind::Closed => {}
            Kind::Fork(_) => self.end_fork(frame),
            Kind::Body(_) => self.end_body(frame),
        }
    }

    /// All branches have ended: the first join with tokens before it runs, and what waits for an outer fork goes there.
    fn end_fork(&mut self, frame: u32) {
        let (parent, order) = {
            let at = &self.frames[frame as usize];
            (at.parent, at.order)
        };
        let Kind::Fork(fork) = &self.frames[frame as usize].kind else {
            return;
        };
        let mut nodes: Vec<u32> = fork.arrivals.iter().map(|a| a.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let own = nodes.iter().find(|n| !self.waits(parent, **n)).copied();
        let compat = self.region.compat;
        let Kind::Fork(fork) = &mut self.frames[frame as usize].kind else {
            return;
        };
        if let Some(node) = own {
            let (order_in, token) = fork.merged(node, compat);
            let place = if fork.arrivals.is_empty() {
                // Nothing waits any more, so the path is the parent's again: a chain of forks does not pile up.
                self.close(frame);
                (parent, order)
            } else {
                self.frames[frame as usize].open = 1;
                (frame, order_in)
            };
            let place = Place {
                node,
                frame: place.0,
                order: place.1,
                join: true,
            };
            self.ready.push(Work { place, token });
            return;
        }
        let mut merged = Vec::with_capacity(nodes.len());
        for node in nodes {
            merged.push((node, fork.merged(node, compat).1));
        }
        self.close(frame);
        if let Kind::Fork(outer) = &mut self.frames[parent as usize].kind {
            let arrivals = merged.into_iter();
            let arrivals = arrivals.map(|(node, token)| Arrival { node, order, token });
            outer.arrivals.extend(arrivals);
        }
        self.moves.push(Move::End(parent));
    }
}

impl Fork {
    /// Takes the tokens before a join as one, with the branch of the first.
    fn merged(&mut self, node: u32, compat: Compat) -> (u32, Token) {
        let (mut here, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.arrivals)
            .into_iter()
            .partition(|a| a.node == node);
        self.arrivals = rest;
        here.sort_by_key(|a| a.order);
        let mut metadata = self.token.metadata.clone();
        for arrival in &here {
            let entries = arrival.token.metadata.iter();
            metadata.extend(entries.map(|(k, v)| (k.clone(), v.clone())));
        }
        let branches = here.iter().map(|a| &a.token.data);
        let token = Token {
            id: self.token.id.clone(),
            data: merge_branches(&self.token.data, branches, compat),
            metadata,
        };
        (here.first().map_or(0, |a| a.order), token)
    }
}

/// The list a value is, without copying it.
fn list(items: &Arc<Vec<Value>>) -> Value {
    Value::List(items.clone())
}
