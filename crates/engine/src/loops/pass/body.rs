//! The body of a loop node: run for each item, one after the other; what its sinks hold is its result.

use std::sync::Arc;

use nodetool_sdk::steps::Token;
use nodetool_sdk::{Map, Value};

use super::{Frame, Kind, Move, Pass, Place, list};

/// Where bodies find their item, and what follows them the results.
pub(in crate::loops) const EACH: &str = "forEachNode";
/// The results again, for what follows.
pub(in crate::loops) const RESULTS: &str = "loop_results";

/// What a loop node goes over.
pub(in crate::loops) struct Items {
    items: Arc<Vec<Value>>,
    results: Arc<Vec<Value>>,
    at: usize,
    /// Where it stops.
    end: usize,
    /// Whether it is about one item only.
    one: bool,
}

impl Items {
    /// Every item.
    pub(in crate::loops) fn all(items: Vec<Value>) -> Self {
        Items {
            end: items.len(),
            items: Arc::new(items),
            results: Arc::default(),
            at: 0,
            one: false,
        }
    }

    /// One item, after those with these results.
    ///
    /// # Errors
    /// When there is no such item.
    pub(in crate::loops) fn one(
        items: Vec<Value>,
        at: usize,
        results: Vec<Value>,
    ) -> Result<Self, String> {
        if at >= items.len() {
            let length = items.len();
            return Err(format!("iteration_index {at} out of range [0, {length})"));
        }
        Ok(Items {
            items: Arc::new(items),
            results: Arc::new(results),
            at,
            end: at + 1,
            one: true,
        })
    }

    /// What bodies and what follows them are told.
    fn told(&self, at: usize) -> Arc<Map> {
        let item = self.items.get(at).filter(|_| at < self.end);
        let item = item.cloned().unwrap_or_default();
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let state = Value::map([("index", Value::Int(at)), ("item", item)]);
        Arc::new(Map::from_iter([
            ("input".into(), list(&self.items)),
            ("results".into(), list(&self.results)),
            ("state".into(), state),
        ]))
    }

    /// Those of a node that has no body: nothing is run, and a single item comes to nothing.
    fn without_body(mut self) -> Self {
        if self.one {
            Arc::make_mut(&mut self.results).push(Value::Null);
        } else {
            self.end = 0;
        }
        self
    }

    /// The token of what follows.
    fn over(self, mut token: Token) -> Token {
        let last = self.end.saturating_sub(1);
        token.data.insert(EACH.into(), Value::Map(self.told(last)));
        token.data.insert(RESULTS.into(), Value::List(self.results));
        token
    }
}

/// A body at work.
pub(super) struct Body {
    /// Its loop node.
    at: Place,
    items: Items,
    token: Token,
    /// What the item at work was told.
    told: Arc<Map>,
}

impl Pass<'_> {
    /// Runs the body of a node for each item, then goes on.
    pub(in crate::loops) fn each(
        &mut self,
        at: Place,
        items: Items,
        token: Token,
    ) -> Result<(), String> {
        let has_body = self.region.nodes[at.node as usize].body.is_some();
        if !has_body || items.at >= items.end {
            let items = if has_body {
                items
            } else {
                items.without_body()
            };
            let follow = Move::Follow(at, self.route.clone(), items.over(token));
            self.moves.push(follow);
            return Ok(());
        }
        let told = items.told(items.at);
        let body = Body {
            at,
            items,
            token,
            told,
        };
        let frame = self.open(at, Kind::Body(Box::new(body)))?;
        self.begin_item(frame);
        Ok(())
    }

    fn begin_item(&mut self, frame: u32) {
        let nodes = &self.region.nodes;
        let Kind::Body(body) = &mut self.frames[frame as usize].kind else {
            return;
        };
        let Some(node) = nodes[body.at.node as usize].body else {
            return;
        };
        body.told = body.items.told(body.items.at);
        let mut token = body.token.clone();
        let told = Value::Map(body.told.clone());
        token.data.insert(EACH.into(), told);
        let place = Place {
            node,
            frame,
            order: 0,
            join: false,
        };
        self.frames[frame as usize].open = 1;
        self.moves.push(Move::Arrive(place, token));
    }

    /// The body has ended for an item.
    pub(super) fn end_body(&mut self, frame: u32) {
        let Frame { kind, sunk, .. } = &mut self.frames[frame as usize];
        let Kind::Body(body) = kind else {
            return;
        };
        let mut sunk = std::mem::take(sunk);
        sunk.sort_by_key(|(branch, _)| *branch);
        let told = std::mem::take(&mut body.told);
        let sunk = sunk.into_iter();
        let mut sunk: Vec<Value> = sunk.map(|(_, d)| Value::from(kept(d, &told))).collect();
        let result = match sunk.len() {
            0 => Value::Null,
            1 => sunk.remove(0),
            _ => Value::List(Arc::new(sunk)),
        };
        drop(told);
        Arc::make_mut(&mut body.items.results).push(result);
        body.items.at += 1;
        if body.items.at < body.items.end {
            self.begin_item(frame);
            return;
        }
        let (Kind::Body(body), ..) = self.close(frame) else {
            return;
        };
        let token = body.items.over(body.token);
        self.moves
            .push(Move::Follow(body.at, self.route.clone(), token));
    }
}

/// What a result keeps of a sink's data. Results are told to the bodies after them: if they kept what they were told
/// themselves, each would hold all before it, and writing them down would double with every item.
fn kept(mut data: Map, told: &Arc<Map>) -> Map {
    if let Some(Value::Map(mine)) = data.get_mut(EACH)
        && (Arc::ptr_eq(mine, told) || mine == told)
    {
        let state = told.get("state").cloned().unwrap_or_default();
        *mine = Arc::new(Map::from_iter([("state".into(), state)]));
    }
    data
}
