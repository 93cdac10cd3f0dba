//! The command line: data on stdout, everything else on stderr.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod completions;
mod document;
mod nodes;
mod progress;
mod run;
mod serve;
mod show;
mod validate;

/// Bad usage or a graph that cannot run.
const EXIT_USAGE: u8 = 2;

/// Stores, runs and serves visual AI workflows: graphs of typed nodes that stream values to each other.
#[derive(Debug, Parser)]
#[command(
    name = "nodetool",
    version,
    about,
    max_term_width = 110,
    arg_required_else_help = true
)]
#[command(
    after_help = "First steps:\n  nodetool serve                     start the server on http://127.0.0.1:7777\n  nodetool run workflow.json         run a workflow file and watch it\n  nodetool nodes list                see what nodes there are"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(Box<serve::Serve>),
    /// Run a workflow file
    Run(Box<run::Run>),
    /// Check a workflow file without running it
    Validate(validate::Validate),
    /// Look at the node types
    Nodes(nodes::Nodes),
    /// Print a completion script for your shell
    Completions(completions::Completions),
}

/// Stack of every thread that runs nodes. Values nest as deep as graphs make them, and taking a value apart or writing
/// it out goes as deep; only what is touched is ever backed by memory.
const STACK_BYTES: usize = 32 << 20;

/// The runtime of a command that runs workflows.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
}

/// Prints a line of data. A reader that has read enough (`nodetool nodes list | head`) ends the command, not with an error.
fn print_line(text: &str) -> anyhow::Result<()> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
    {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        other => Ok(other?),
    }
}

/// Nobody reads the standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
struct ReaderGone;

/// Parses the command line and runs the command.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(c) => c.main(),
        Command::Run(c) => c.main(),
        Command::Validate(c) => c.main(),
        Command::Nodes(c) => c.main(),
        Command::Completions(c) => c.main(&mut Cli::command()),
    };
    result.unwrap_or_else(|e| {
        if e.is::<ReaderGone>() {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {e:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
