//! `nodetool settings show`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use nodetool_protocol::Value;

use super::reach::Reach;
use super::table;
use crate::extensions::Extension;

/// Look at the settings of a server
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    #[command(subcommand)]
    command: SettingsCommand,
    /// Print what the server answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Subcommand)]
enum SettingsCommand {
    /// List the registered settings; of secrets, only whether they are set
    Show,
}

impl Settings {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let SettingsCommand::Show = self.command;
        self.reach.run(extensions, async |client| {
            let answer = client.get(&["api", "settings"], &[]).await?;
            let mut out = std::io::stdout().lock();
            if self.json {
                table::json(&mut out, &answer)?;
                return Ok(ExitCode::SUCCESS);
            }
            let settings = answer.get("settings").and_then(Value::as_list);
            let settings = settings.context("the server's answer has no settings")?;
            let row = |s: &Value| {
                vec![
                    table::cell(s, "env_var"),
                    table::cell(s, "value"),
                    table::cell(s, "group"),
                    table::cell(s, "description"),
                ]
            };
            let header = ["NAME", "VALUE", "GROUP", "DESCRIPTION"];
            table::print(&mut out, &header, settings.iter().map(row).collect())?;
            out.flush()?;
            eprintln!("{} settings", settings.len());
            Ok(ExitCode::SUCCESS)
        })
    }
}
