//! `nodetool nodes list` and `nodetool nodes show TYPE`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use nodetool_sdk::{NodeDef, NodeMetadata};

use super::faults;
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
        let mut out = std::io::stdout().lock();
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
                    writeln!(out, "{}", serde_json::to_string(&listed)?)?;
                } else {
                    let width = listed.iter().map(|m| m.node_type.len()).max().unwrap_or(0);
                    for m in &listed {
                        writeln!(out, "{:width$}  {}", m.node_type, summary(m))?;
                    }
                    eprintln!("{} node types", listed.len());
                }
            }
            NodesCommand::Show { node_type, json } => {
                let Some(def) = registry.get(&node_type) else {
                    let hint = faults::hint(&registry, &node_type);
                    bail!("there is no node type '{node_type}'{hint}");
                };
                if json {
                    writeln!(out, "{}", serde_json::to_string(&def.metadata)?)?;
                } else {
                    show(def, &mut out)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn summary(m: &NodeMetadata) -> &str {
    m.description.lines().next().unwrap_or_default()
}

fn show(def: &NodeDef, out: &mut impl Write) -> std::io::Result<()> {
    let m = &def.metadata;
    writeln!(out, "{} ({})", m.node_type, m.title)?;
    writeln!(out, "{}\n", m.description)?;
    if !m.properties.is_empty() {
        writeln!(out, "Properties")?;
        for p in &m.properties {
            let default = serde_json::to_string(&p.default).unwrap_or_default();
            let bounds = match (p.min, p.max) {
                (None, None) => String::new(),
                (low, high) => {
                    let side = |b: Option<f64>| b.map(|b| b.to_string()).unwrap_or_default();
                    format!(" [{}..{}]", side(low), side(high))
                }
            };
            writeln!(
                out,
                "  {}: {} = {}{bounds}",
                p.name,
                p.ty,
                default.chars().take(60).collect::<String>()
            )?;
            if let Some(text) = &p.description {
                writeln!(out, "      {}", text.lines().next().unwrap_or_default())?;
            }
        }
    }
    writeln!(out, "Outputs")?;
    for s in &m.outputs {
        writeln!(out, "  {}: {}", s.name, s.ty)?;
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
        writeln!(out, "Behaviour\n  {}", flags.join(", "))?;
    }
    Ok(())
}
