//! `nodetool completions SHELL`.

use std::process::ExitCode;

/// Print a completion script for your shell
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn main(self, command: &mut clap::Command) -> anyhow::Result<ExitCode> {
        clap_complete::generate(self.shell, command, "nodetool", &mut std::io::stdout());
        Ok(ExitCode::SUCCESS)
    }
}
