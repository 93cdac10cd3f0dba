//! `nodetool ping`: whether a server answers, for health checks and scripts.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use super::client::Client;

/// Ask a server whether it is alive; for health checks
#[derive(Debug, clap::Args)]
pub(super) struct Ping {
    /// Server to ask
    #[arg(
        long,
        value_name = "URL",
        env = "NODETOOL_API_URL",
        default_value = "http://127.0.0.1:7777"
    )]
    api_url: String,
    /// Seconds to wait for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

impl Ping {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let client = Client::new(&self.api_url, None, false)?;
        let runtime = super::runtime()?;
        let patience = Duration::from_secs(self.timeout);
        let answer = runtime
            .block_on(async { tokio::time::timeout(patience, client.get(&["ping"], &[])).await });
        let Ok(answer) = answer else {
            bail!(
                "{} does not answer within {} s",
                client.address(),
                self.timeout
            );
        };
        let status = answer?
            .get("status")
            .and_then(|s| s.as_str().map(str::to_owned));
        let Some(status) = status else {
            bail!("{} answers, but is no NodeTool server", client.address());
        };
        println!("{status}");
        Ok(ExitCode::SUCCESS)
    }
}
