//! `nodetool doctor`: looks at everything a server needs and says what is wrong and what to do. It changes nothing and
//! works beside a running server.

use std::io::Write;
use std::process::ExitCode;

use nodetool_sdk::BoxFuture;

use super::client::plain;
use super::folder;
use crate::config::{Config, Overrides};

mod data;
mod host;
mod setup;

/// Look for what is wrong with the settings, the data and this machine
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Check all of the data, however long that takes
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    settings: Overrides,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Fine,
    Doubtful,
    Broken,
}

/// What one check found.
#[derive(Clone, Debug)]
struct Finding {
    name: &'static str,
    grade: Grade,
    what: String,
    /// What to do about it.
    remedy: String,
}

impl Finding {
    fn fine(name: &'static str, what: impl Into<String>) -> Self {
        Finding {
            name,
            grade: Grade::Fine,
            what: what.into(),
            remedy: String::new(),
        }
    }

    fn doubtful(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            grade: Grade::Doubtful,
            remedy: remedy.into(),
            ..Finding::fine(name, what)
        }
    }

    fn broken(name: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding {
            grade: Grade::Broken,
            ..Finding::doubtful(name, what, remedy)
        }
    }

    fn line(&self) -> String {
        let grade = match self.grade {
            Grade::Fine => "ok  ",
            Grade::Doubtful => "warn",
            Grade::Broken => "FAIL",
        };
        let remedy = match &*self.remedy {
            "" => String::new(),
            remedy => format!("; {remedy}"),
        };
        plain(&format!("{grade} {}: {}{remedy}", self.name, self.what))
    }

    fn json(&self) -> serde_json::Value {
        let status = match self.grade {
            Grade::Fine => "ok",
            Grade::Doubtful => "warn",
            Grade::Broken => "fail",
        };
        serde_json::json!({ "name": self.name, "status": status, "message": self.what, "remedy": self.remedy })
    }
}

/// What the checks look at.
struct Patient {
    config: Config,
    deep: bool,
    /// Where a server that has the data folder listens, as it has written down.
    announced: Option<String>,
}

type Check = for<'a> fn(&'a Patient) -> BoxFuture<'a, Vec<Finding>>;

/// Everything that is checked, in this order.
const CHECKS: &[Check] = &[
    |p| now(setup::modes(p)),
    |p| now(setup::keys(p)),
    |p| now(setup::users(p)),
    |p| now(setup::tls(p)),
    |p| now(data::folder(p)),
    |p| Box::pin(data::database(p)),
    |p| Box::pin(setup::server(p)),
    |p| Box::pin(setup::api_url(p)),
    |_| now(host::clock()),
    |_| now(host::open_files()),
    |_| Box::pin(host::sandbox()),
];

fn now<'a>(findings: Vec<Finding>) -> BoxFuture<'a, Vec<Finding>> {
    Box::pin(std::future::ready(findings))
}

impl Doctor {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let file = self.settings.config.clone();
        let findings = match Config::load(self.settings) {
            Ok(config) => {
                let from = match file {
                    Some(file) => format!("{} can be read", file.display()),
                    None => "no file is named; defaults, environment and flags are used".into(),
                };
                let mut findings = vec![Finding::fine("settings", from)];
                let patient = Patient {
                    announced: folder::announced(&config.data_dir),
                    config,
                    deep: self.deep,
                };
                let runtime = super::runtime()?;
                runtime.block_on(async {
                    for check in CHECKS {
                        findings.extend(check(&patient).await);
                    }
                });
                findings
            }
            Err(e) => vec![Finding::broken(
                "settings",
                format!("{e:#}"),
                "correct them; nothing else can be checked before",
            )],
        };
        let broken = findings.iter().any(|f| f.grade == Grade::Broken);
        let mut out = std::io::stdout().lock();
        if self.json {
            let checks: Vec<_> = findings.iter().map(Finding::json).collect();
            let told = serde_json::json!({ "ok": !broken, "checks": checks });
            writeln!(out, "{told}")?;
        } else {
            for finding in &findings {
                writeln!(out, "{}", finding.line())?;
            }
        }
        out.flush()?;
        Ok(if broken {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_it_says() {
        let finding = Finding::doubtful("database", "a\nb", "do\u{1b}[1mthis");
        assert_eq!(finding.line(), "warn database: a b; do [1mthis");
        assert_eq!(
            Finding::fine("clock", "is right").line(),
            "ok   clock: is right"
        );
        assert_eq!(finding.json()["status"], "warn");
    }
}
