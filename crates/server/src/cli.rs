//! The command line: data on stdout, everything else on stderr.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::extensions::Extension;

mod admin;
mod assets;
mod chat;
mod chat_server;
mod client;
mod completions;
mod doctor;
mod document;
mod download_bar;
mod environment;
mod faults;
mod folder;
mod follow;
mod here;
mod house;
mod info;
mod jobs;
mod loops;
mod mcp;
mod migrate;
mod model;
mod nodes;
mod params;
mod ping;
mod progress;
mod reach;
mod run;
mod secrets;
mod serve;
mod settings;
mod show;
mod storage;
mod table;
mod upload;
mod users;
mod validate;
mod workflow_files;
mod workflows;

pub(crate) use admin::{Event, event};

/// Bad usage or a graph that cannot run.
const EXIT_USAGE: u8 = 2;
/// Whoever read our output has stopped: what a shell says of a program that was ended by SIGPIPE.
const EXIT_PIPE: u8 = 141;

/// Stores, runs and serves visual AI workflows: graphs of typed nodes that stream values to each other.
#[derive(Debug, Parser)]
#[command(
    name = "nodetool",
    version,
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
    /// Start a server for others: private mode, on every address of this machine
    Worker(Box<serve::Worker>),
    /// Start a server of the OpenAI-compatible routes and nothing else
    ChatServer(Box<chat_server::ChatServer>),
    /// Talk to a model in the terminal
    #[command(visible_alias = "chat-client")]
    Chat(Box<chat::Chat>),
    /// Run a workflow file
    Run(Box<run::Run>),
    /// Check a workflow file without running it
    Validate(validate::Validate),
    /// List, run, import, export and delete saved workflows
    Workflows(Box<workflows::Workflows>),
    /// Start jobs, look at them and keep a grip on them
    Jobs(Box<jobs::Jobs>),
    /// Start, stop and watch workflows that go on: loops
    Loop(Box<loops::Loops>),
    /// List, upload and download assets
    Assets(Box<assets::Assets>),
    /// Look at the models of this machine and download more
    Model(Box<model::Model>),
    /// Look after the models of a deployed server
    Admin(Box<admin::Admin>),
    /// Store, list and delete secrets, and change the key they are encrypted with
    Secrets(Box<secrets::Secrets>),
    /// Look at the settings of a server
    Settings(Box<settings::Settings>),
    /// Add, list and remove the users of a server for several users
    Users(users::Users),
    /// Show versions, the server and the folders in use
    Info(Box<info::Info>),
    /// Ask a server whether it is alive; for health checks
    Ping(ping::Ping),
    /// Look for what is wrong with the settings, the data and this machine
    Doctor(Box<doctor::Doctor>),
    /// Offer workflows as tools over standard input and output
    Mcp(Box<mcp::Mcp>),
    /// Look at the node types
    Nodes(nodes::Nodes),
    /// Look at the database's schema and bring it up to date
    Migrate(migrate::Migrate),
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

/// Parses the command line and runs the command.
pub(crate) fn main(extensions: Vec<Extension>) -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(c) => c.main(extensions),
        Command::Worker(c) => c.main(extensions),
        Command::ChatServer(c) => c.main(),
        Command::Chat(c) => c.main(extensions),
        Command::Run(c) => c.main(),
        Command::Validate(c) => c.main(),
        Command::Workflows(c) => c.main(extensions),
        Command::Jobs(c) => c.main(extensions),
        Command::Loop(c) => c.main(extensions),
        Command::Assets(c) => c.main(extensions),
        Command::Model(c) => c.main(),
        Command::Admin(c) => c.main(),
        Command::Secrets(c) => c.main(extensions),
        Command::Settings(c) => c.main(extensions),
        Command::Users(c) => c.main(),
        Command::Info(c) => c.main(extensions),
        Command::Ping(c) => c.main(),
        Command::Doctor(c) => c.main(),
        Command::Mcp(c) => c.main(extensions),
        Command::Nodes(c) => c.main(),
        Command::Migrate(c) => c.main(),
        Command::Completions(c) => c.main(&mut Cli::command()),
    };
    result.unwrap_or_else(|e| {
        let cause = e.root_cause().downcast_ref::<std::io::Error>();
        if cause.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
            return ExitCode::from(EXIT_PIPE);
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
