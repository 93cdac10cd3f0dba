//! `nodetool info`.

use std::process::ExitCode;

use clap::ValueEnum;
use nodetool_protocol::Value;

use super::reach::Reach;
use super::table;
use crate::config::{Config, Overrides};
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
            let here = of_this_machine(&self.reach);
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
                    ("environment", here.environment.as_str().into()),
                    ("mode", here.mode.as_str().into()),
                    ("auth_provider", here.auth_provider.as_str().into()),
                    ("keys", Value::list(here.keys.iter().map(|k| text(k)))),
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
                ("environment", here.environment),
                ("mode", here.mode),
                ("auth provider", here.auth_provider),
                ("keys", here.keys.join(", ")),
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

/// What a server started here would be, by the environment and the settings file.
#[derive(Default)]
struct OfThisMachine {
    environment: String,
    mode: String,
    auth_provider: String,
    /// The tokens and keys that are set, without their values.
    keys: Vec<&'static str>,
}

fn of_this_machine(reach: &Reach) -> OfThisMachine {
    let config = Overrides::of_environment().and_then(|over| Config::load(reach.over(over)));
    // What is wrong with the settings is for `doctor` to say.
    let Ok(config) = config else {
        return OfThisMachine::default();
    };
    let word = |value: Option<clap::builder::PossibleValue>| {
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    };
    let set = |(name, key): (&'static str, Option<_>)| key.map(|_| name);
    OfThisMachine {
        environment: word(config.environment.to_possible_value()),
        mode: word(config.mode.to_possible_value()),
        auth_provider: word(config.auth_provider.to_possible_value()),
        keys: config.keys().into_iter().filter_map(set).collect(),
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
