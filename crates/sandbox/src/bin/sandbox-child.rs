//! The child program of the tests: what the hidden subcommand of the real binary does.

use std::process::ExitCode;

fn main() -> ExitCode {
    nodetool_sandbox::child_main()
}
