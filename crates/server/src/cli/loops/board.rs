//! What is known of a workflow that is watched, from the messages of its socket (orchestrator spec 4.2, 4.3). Plain
//! values: it knows neither the socket nor the screen.

use indexmap::IndexMap;
use nodetool_protocol::Value;

use crate::cli::client::plain;
use crate::cli::table::cell;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Completed,
    Failed(String),
    Stopped,
}

/// The nodes of a run, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Board {
    nodes: IndexMap<String, Node>,
    /// `idle`, `running`, `completed` or `failed`.
    status: String,
    started_at: String,
    /// Steps that were done, those too that nobody told of one by one.
    done: i64,
}

#[derive(Debug, Default)]
struct Node {
    node_type: String,
    state: &'static str,
    runs: i64,
    /// Further runs may have gone untold.
    more: bool,
    seconds: Option<f64>,
    route: String,
    /// The last preview, or the last error.
    told: String,
}

impl Board {
    /// Takes a message; gives the end of the run when that is what it tells.
    pub(super) fn take(&mut self, message: &Value) -> Option<End> {
        match message.get("type").and_then(Value::as_str)? {
            "state_sync" => return self.take_state(message.get("state")?),
            "node_started" => {
                self.status = "running".to_owned();
                self.node(message).state = "running";
            }
            "node_completed" => {
                self.done += 1;
                let told = plain(&cell(message, "output_data"));
                let node = self.node(message);
                node.state = "completed";
                node.runs += 1;
                node.seconds = message.get("duration").and_then(Value::as_f64);
                node.route = plain(&cell(message, "route"));
                // A sentinel has nothing to show; what came before it has.
                if !told.is_empty() {
                    node.told = told;
                }
            }
            "node_failed" => {
                let told = plain(&cell(message, "error"));
                let node = self.node(message);
                node.state = "failed";
                node.runs += 1;
                node.told = told;
            }
            "workflow_completed" => {
                self.status = "completed".to_owned();
                return Some(End::Completed);
            }
            "workflow_failed" => {
                self.status = "failed".to_owned();
                self.give_up();
                return Some(End::Failed(error_of(message)));
            }
            _ => {}
        }
        None
    }

    fn node(&mut self, message: &Value) -> &mut Node {
        let node = self.nodes.entry(plain(&cell(message, "node_id")));
        let node = node.or_default();
        node.node_type = plain(&cell(message, "node_type"));
        node
    }

    /// Takes a whole state: of a run at its beginning, or after messages were lost.
    fn take_state(&mut self, state: &Value) -> Option<End> {
        let before = std::mem::replace(&mut self.status, cell(state, "status"));
        let started_at = cell(state, "started_at");
        if started_at != self.started_at && !started_at.is_empty() {
            self.started_at = started_at;
            self.nodes.clear();
            self.done = 0;
        }
        self.give_up();
        let done = state.get("completed_count").and_then(Value::as_i64);
        let done = done.unwrap_or(self.done);
        if done != self.done {
            self.count(state, done);
        }
        let executing = state.get("executing_nodes").and_then(Value::as_map);
        for (_, node) in executing.into_iter().flat_map(|nodes| nodes.iter()) {
            self.node(node).state = "running";
        }
        match self.status.as_str() {
            "completed" => Some(End::Completed),
            "failed" => Some(End::Failed(error_of(state))),
            "idle" if before == "running" => Some(End::Stopped),
            _ => None,
        }
    }

    /// Nobody is known to be at work any more.
    fn give_up(&mut self) {
        for node in self.nodes.values_mut() {
            if node.state == "running" {
                node.state = "ended";
            }
        }
    }

    /// Counts the completions a state lists, the newest of them at least.
    fn count(&mut self, state: &Value, done: i64) {
        let listed = state.get("completed_nodes").and_then(Value::as_list);
        let listed = listed.unwrap_or_default();
        let mut seen: IndexMap<String, i64> = IndexMap::new();
        for entry in listed {
            *seen.entry(plain(&cell(entry, "node_id"))).or_default() += 1;
            let route = plain(&cell(entry, "route"));
            let node = self.node(entry);
            node.state = "completed";
            node.seconds = entry.get("duration_seconds").and_then(Value::as_f64);
            if !route.is_empty() {
                node.route = route;
            }
        }
        let all = i64::try_from(listed.len()).is_ok_and(|listed| listed == done);
        for (id, node) in &mut self.nodes {
            let seen = seen.get(id).copied().unwrap_or(0);
            node.runs = node.runs.max(seen);
            node.more |= !all;
        }
        self.done = done;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.status == "idle"
    }

    /// The node table: header and rows.
    pub(super) fn rows(&self) -> ([&'static str; 7], Vec<Vec<String>>) {
        let row = |(id, node): (&String, &Node)| {
            let seconds = node.seconds.map(|s| format!("{:.2} ms", s * 1e3));
            vec![
                short(id).to_owned(),
                node.node_type.clone(),
                node.state.to_owned(),
                format!("{}{}", node.runs, if node.more { "+" } else { "" }),
                seconds.unwrap_or_default(),
                node.route.clone(),
                node.told.clone(),
            ]
        };
        let header = ["NODE", "TYPE", "STATE", "RUNS", "LAST", "ROUTE", "GAVE"];
        (header, self.nodes.iter().map(row).collect())
    }

    /// The run in one line.
    pub(super) fn line(&self) -> String {
        format!("{}, {} steps done", plain(&self.status), self.done)
    }
}

/// Enough of an id to tell nodes apart; keys that are no UUIDs are whole.
fn short(id: &str) -> &str {
    match id.len() {
        36 => id.split('-').next().unwrap_or(id),
        _ => id,
    }
}

fn error_of(message: &Value) -> String {
    let error = plain(&cell(message, "error"));
    if error.is_empty() {
        return "the workflow failed".to_owned();
    }
    error
}

/// A message as a line for a pipe; pongs and words nobody knows are none.
pub(super) fn line(message: &Value) -> Option<String> {
    let kind = message.get("type").and_then(Value::as_str)?;
    let seconds = |key: &str| {
        let seconds = message.get(key).and_then(Value::as_f64);
        seconds.map_or_else(String::new, |s| format!("{s:.6} s"))
    };
    let node = |more: &[String]| {
        let mut parts = vec![cell(message, "node_id"), cell(message, "node_type")];
        parts.extend_from_slice(more);
        parts
    };
    let parts = match kind {
        "state_sync" => {
            let state = message.get("state")?;
            let done = cell(state, "completed_count");
            let parts = [cell(state, "status"), format!("{done} steps done")];
            [&parts[..], &[cell(state, "error")]].concat()
        }
        "node_started" => node(&[]),
        "node_completed" => node(&[
            cell(message, "route"),
            seconds("duration"),
            cell(message, "output_data"),
        ]),
        "node_failed" => node(&[cell(message, "error")]),
        "workflow_completed" => vec![cell(message, "status"), seconds("duration")],
        "workflow_failed" => vec![cell(message, "error")],
        _ => return None,
    };
    let told: Vec<String> = std::iter::once(kind.to_owned())
        .chain(parts)
        .filter(|part| !part.is_empty())
        .map(|part| plain(&part))
        .collect();
    Some(told.join("  "))
}

#[cfg(test)]
mod tests;
