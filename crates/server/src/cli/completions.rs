//! `nodetool completions SHELL`.

use std::io::Write;
use std::process::ExitCode;

/// Print a completion script for your shell
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn main(self, command: &mut clap::Command) -> anyhow::Result<ExitCode> {
        // By way of memory: the generator would panic on a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "nodetool", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
