//! `nodetool`: stores, runs and serves visual workflows. Services, HTTP and command line of the one binary.
//!
//! Inside: `http` and `cli` call `services`, services call the engine and the store; nobody calls back up.

use std::process::ExitCode;

mod cli;
mod config;
mod extensions;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod json_text;
mod listener;
mod mcp;
mod node_services;
mod outbound;
mod sensitive;
mod services;
mod surfaces;
mod telemetry;
mod ws;

pub use extensions::{Extension, ExtensionAuth, ExtensionError, ExtensionUser};
pub use node_services::{NodeServices, registry};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    main_with(Vec::new())
}

/// Runs the command line of this process; its server has the routes of these extensions, too.
pub fn main_with(extensions: Vec<Extension>) -> ExitCode {
    // Before anything else: a sandboxed child confines itself before it allocates, logs or starts threads.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|a| a == services::CHILD_COMMAND)
    {
        return nodetool_sandbox::child_main();
    }
    cli::main(extensions)
}
