//! `nodetool nodes list` and `nodetool nodes show TYPE`.

use std::process::ExitCode;

use anyhow::bail;
use nodetool_sdk::{NodeDef, NodeMetadata};

use crate::node_services;

/// Look at the node types
#[derive(Debug, clap::Args)]
pub(super) struct Nodes {
    #[command(subcommand)]
    command: NodesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum NodesCommand {
    /// List the node types
    List {
        /// Only types whose namespace starts with this
        #[arg(long)]
        namespace: Option<String>,
        /// Print the full metadata as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one node type: its inputs, outputs and what it does
    Show {
        /// Node type, e.g. nodetool.text.Concat
        node_type: String,
        /// Print the metadata as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Nodes {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let registry = node_services::registry();
        match self.command {
            NodesCommand::List { namespace, json } => {
                let wanted = namespace.unwrap_or_default();
                let listed: Vec<&NodeMetadata> = registry
                    .iter()
                    .filter(|d| !d.hidden)
                    .map(|d| &d.metadata)
                    .filter(|m| m.namespace.starts_with(&wanted))
                    .collect();
                if json {
                    super::print_line(&serde_json::to_string(&listed)?)?;
                } else {
                    let width = listed.iter().map(|m| m.node_type.len()).max().unwrap_or(0);
                    for m in &listed {
                        super::print_line(&format!("{:width$}  {}", m.node_type, summary(m)))?;
                    }
                    eprintln!("{} node types", listed.len());
                }
            }
            NodesCommand::Show { node_type, json } => {
                let Some(def) = registry.get(&node_type) else {
                    let near: Vec<&str> = registry
                        .iter()
                        .map(|d| d.metadata.node_type.as_str())
                        .filter(|t| similar(t, &node_type))
                        .take(5)
                        .collect();
                    let hint = if near.is_empty() {
                        String::new()
                    } else {
                        format!("; did you mean {}?", near.join(", "))
                    };
                    bail!("there is no node type '{node_type}'{hint}");
                };
                if json {
                    super::print_line(&serde_json::to_string(&def.metadata)?)?;
                } else {
                    show(def)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn summary(m: &NodeMetadata) -> &str {
    m.description.lines().next().unwrap_or_default()
}

/// Whether two type names share their last segment, whole or in part.
fn similar(known: &str, asked: &str) -> bool {
    let tail = |s: &str| s.rsplit('.').next().unwrap_or(s).to_lowercase();
    let (known, asked) = (tail(known), tail(asked));
    !asked.is_empty() && (known.contains(&asked) || asked.contains(&known))
}

fn show(def: &NodeDef) -> anyhow::Result<()> {
    let m = &def.metadata;
    super::print_line(&format!("{} ({})", m.node_type, m.title))?;
    super::print_line(&format!("{}\n", m.description))?;
    if !m.properties.is_empty() {
        super::print_line("Properties")?;
        for p in &m.properties {
            let default = serde_json::to_string(&p.default).unwrap_or_default();
            let bounds = match (p.min, p.max) {
                (None, None) => String::new(),
                (low, high) => {
                    let side = |b: Option<f64>| b.map(|b| b.to_string()).unwrap_or_default();
                    format!(" [{}..{}]", side(low), side(high))
                }
            };
            super::print_line(&format!(
                "  {}: {} = {}{bounds}",
                p.name,
                p.ty,
                default.chars().take(60).collect::<String>()
            ))?;
            if let Some(text) = &p.description {
                super::print_line(&format!(
                    "      {}",
                    text.lines().next().unwrap_or_default()
                ))?;
            }
        }
    }
    super::print_line("Outputs")?;
    for s in &m.outputs {
        super::print_line(&format!("  {}: {}", s.name, s.ty))?;
    }
    let flags = [
        (m.is_streaming_output, "may emit several times"),
        (def.is_streaming_input(), "reads its inputs as streams"),
        (m.is_dynamic, "takes any further inputs"),
        (m.supports_dynamic_outputs, "outputs are declared per node"),
        (m.expose_as_tool, "usable as a tool"),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, text)| *text)
        .collect();
    if !flags.is_empty() {
        super::print_line(&format!("Behaviour\n  {}", flags.join(", ")))?;
    }
    Ok(())
}
