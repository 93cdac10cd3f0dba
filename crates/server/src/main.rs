//! The `nodetool` program. Everything is in the library beside it, so that tests can use it too.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    nodetool_server::main()
}
