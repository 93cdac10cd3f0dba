//! `nodetool`: stores, runs and serves visual workflows. This file only starts the command line.

use std::process::ExitCode;

mod cli;
mod config;
mod http;
mod node_services;
mod services;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: a sandboxed child confines itself before it allocates, logs or starts threads.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|a| a == services::CHILD_COMMAND)
    {
        return nodetool_sandbox::child_main();
    }
    cli::main()
}
