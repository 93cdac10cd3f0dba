//! The messages of a run for a terminal: one line per node at work, one for each that failed or has something to say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nodetool_protocol::{JobEvent, NodeStatus, Severity};

/// Nodes shown at the same time; more only make the screen jump.
const SHOWN: usize = 12;

/// Live progress on stderr.
pub(super) struct Progress {
    screen: MultiProgress,
    total: ProgressBar,
    nodes: HashMap<Arc<str>, ProgressBar>,
    done: HashMap<Arc<str>, u64>,
}

impl Progress {
    pub(super) fn new(nodes: usize) -> Self {
        let screen = MultiProgress::new();
        let total = screen.add(ProgressBar::new(nodes as u64));
        total.set_style(style("{spinner:.green} {pos}/{len} nodes  {elapsed}"));
        total.enable_steady_tick(Duration::from_millis(120));
        Progress {
            screen,
            total,
            nodes: HashMap::new(),
            done: HashMap::new(),
        }
    }

    pub(super) fn show(&mut self, event: &JobEvent) {
        match event {
            JobEvent::NodeUpdate(u) => match u.status {
                NodeStatus::Running => {
                    if !self.nodes.contains_key(&u.node_id) && self.nodes.len() < SHOWN {
                        let bar = self
                            .screen
                            .insert_before(&self.total, ProgressBar::new_spinner());
                        bar.set_style(style("  {spinner:.cyan} {msg}"));
                        bar.set_message(format!("{} ({})", u.node_name, u.node_id));
                        self.nodes.insert(u.node_id.clone(), bar);
                    }
                }
                NodeStatus::Completed => {
                    *self.done.entry(u.node_id.clone()).or_default() += 1;
                    self.total.set_position(self.done.len() as u64);
                    self.clear(&u.node_id);
                }
                NodeStatus::Error => {
                    self.clear(&u.node_id);
                    let error = u.error.as_deref().unwrap_or("failed");
                    self.line(&format!("  ✗ {} ({}): {error}", u.node_name, u.node_id));
                }
                NodeStatus::Waiting | NodeStatus::Suspended => {}
            },
            JobEvent::NodeProgress {
                node_id,
                progress,
                total,
                ..
            } => {
                if let Some(bar) = self.nodes.get(node_id) {
                    bar.set_style(style("  {spinner:.cyan} {msg} [{bar:24}] {pos}/{len}"));
                    bar.set_length((*total).max(0).unsigned_abs());
                    bar.set_position((*progress).max(0).unsigned_abs());
                }
            }
            JobEvent::LogUpdate {
                node_name,
                content,
                severity,
                ..
            } => {
                let mark = match severity {
                    Severity::Info => "·",
                    Severity::Warning => "!",
                    Severity::Error => "✗",
                };
                self.line(&format!("  {mark} {node_name}: {content}"));
            }
            _ => {}
        }
    }

    fn clear(&mut self, node: &Arc<str>) {
        if let Some(bar) = self.nodes.remove(node) {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        // A line that cannot be printed says nothing worth failing for.
        let _ = self.screen.println(text);
    }

    pub(super) fn finish(&mut self) {
        for (_, bar) in self.nodes.drain() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
