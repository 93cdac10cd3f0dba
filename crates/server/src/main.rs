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
    cli::main()
}
