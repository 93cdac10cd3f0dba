//! `nodetool info`.

use std::process::ExitCode;

use nodetool_protocol::Value;

use super::reach::Reach;
use super::table;
use crate::extensions::Extension;
use crate::node_services;

/// Show versions, the server and the folders in use
#[derive(Debug, clap::Args)]
pub(super) struct Info {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Info {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let settings = self.reach.settings();
        self.reach.run(extensions, async |client| {
            let health = client.get(&["api", "health"], &[]).await?;
            let registry = node_services::registry();
            let nodes = registry.iter().filter(|d| !d.hidden).count();
            // A server may not let everybody see its settings, or have none.
            let keys = client.get(&["api", "settings"], &[]).await.ok();
            let keys = keys.as_ref().and_then(configured);
            let own = client.here;
            let (data_dir, database) = match &settings {
                Ok(config) => (
                    config.data_dir.display().to_string(),
                    config.database().display().to_string(),
                ),
                Err(_) => Default::default(),
            };
            let mut out = std::io::stdout().lock();
            if self.json {
                let text = |s: &str| Value::from(s);
                let server = Value::map([
                    (
                        "url",
                        if own {
                            Value::Null
                        } else {
                            text(client.address())
                        },
                    ),
                    (
                        "version",
                        health.get("version").cloned().unwrap_or_default(),
                    ),
                    (
                        "uptime",
                        health
                            .get("uptime")
                            .cloned()
                            .filter(|_| !own)
                            .unwrap_or_default(),
                    ),
                ]);
                let told = Value::map([
                    ("version", text(env!("CARGO_PKG_VERSION"))),
                    ("node_types", Value::Int(i64::try_from(nodes)?)),
                    ("server", server),
                    ("data_dir", text(&data_dir)),
                    ("database", text(&database)),
                    (
                        "configured",
                        keys.map_or(Value::Null, |keys| {
                            Value::list(keys.iter().map(|k| text(k)))
                        }),
                    ),
                ]);
                table::json(&mut out, &told)?;
                return Ok(ExitCode::SUCCESS);
            }
            let server = if own {
                "none runs; commands use the data folder themselves".into()
            } else {
                format!(
                    "{} (version {}, up {} s)",
                    client.address(),
                    table::cell(&health, "version"),
                    table::cell(&health, "uptime")
                )
            };
            let fields = [
                ("nodetool", env!("CARGO_PKG_VERSION").to_owned()),
                ("node types", nodes.to_string()),
                ("server", server),
                ("data folder", data_dir),
                ("database", database),
                (
                    "configured",
                    keys.map(|keys| keys.join(", ")).unwrap_or_default(),
                ),
            ];
            table::record(&mut out, &fields)?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The names of the settings that have a value.
fn configured(answer: &Value) -> Option<Vec<String>> {
    let settings = answer.get("settings").and_then(Value::as_list)?;
    let set = settings
        .iter()
        .filter(|s| s.get("value").is_some_and(|v| !v.is_null()));
    Some(set.map(|s| table::cell(s, "env_var")).collect())
}
