//! Settings about providers of models and conversations with them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use nodetool_sdk::agent::Budgets;
use serde::Serialize;

use super::{Config, Environment};
use crate::services::{ChatSettings, KeptTurns, ModelSettings};

/// Longest id of a provider.
const MAX_ID: usize = 64;

/// What flags and environment say about providers.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
pub(crate) struct ChatArgs {
    /// Provider of requests that name none
    #[arg(long = "provider", value_name = "ID", env = "CHAT_PROVIDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_provider: Option<String>,
    /// Model of requests that name none
    #[arg(long, value_name = "MODEL", env = "DEFAULT_MODEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_model: Option<String>,
    /// Address of a provider, ID=URL (repeatable); an ID of your own is a server that speaks OpenAI's protocol
    #[arg(
        long = "provider-url",
        value_name = "ID=URL",
        env = "NODETOOL_PROVIDER_URLS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) provider_urls: Vec<String>,
    /// Address of LM Studio
    #[arg(long, value_name = "URL", env = "LMSTUDIO_API_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lmstudio_api_url: Option<String>,
    /// Address of a llama.cpp server
    #[arg(long, value_name = "URL", env = "LLAMA_CPP_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) llama_cpp_url: Option<String>,
    /// Address of a vLLM server
    #[arg(long, value_name = "URL", env = "VLLM_BASE_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vllm_base_url: Option<String>,
    /// Look for Ollama, LM Studio and llama.cpp at their usual ports of this machine
    #[arg(long, env = "NODETOOL_DISCOVER_MODELS", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discover_models: Option<bool>,
    /// Have chat completions stream when a request does not say whether to
    #[arg(long, env = "NODETOOL_CHAT_STREAM_DEFAULT", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chat_stream_default: Option<bool>,
    /// Have the provider `fake`, whose answers are always the same; never in production
    #[arg(long, env = "NODETOOL_ENABLE_FAKE_PROVIDER", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) enable_fake_provider: Option<bool>,
    /// Messages of each thread kept for clients that reconnect
    #[arg(long, value_name = "COUNT", env = "NODETOOL_CHAT_REPLAY_BUFFER_EVENTS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chat_replay_buffer_events: Option<usize>,
    /// Milliseconds they are kept after the thread's last turn
    #[arg(long, value_name = "MS", env = "NODETOOL_CHAT_REPLAY_RETENTION_MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chat_replay_retention_ms: Option<u64>,
    /// Seconds a client has for one of its own tools
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_CLIENT_TOOL_SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_tool_seconds: Option<f64>,
    /// Requests of an agent's step to its model
    #[arg(long, value_name = "COUNT", env = "NODETOOL_AGENT_MAX_TURNS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent_max_turns: Option<u32>,
    /// Tools of an agent at work at the same time
    #[arg(long, value_name = "COUNT", env = "NODETOOL_AGENT_MAX_CONCURRENCY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent_max_concurrency: Option<usize>,
    /// Milliseconds an agent may work; 0 is no limit
    #[arg(long, value_name = "MS", env = "NODETOOL_AGENT_TURN_DEADLINE_MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent_turn_deadline_ms: Option<u64>,
    /// US dollars an agent may cost, where providers say so; 0 is no limit
    #[arg(long, value_name = "USD", env = "NODETOOL_AGENT_TURN_COST_CAP_USD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent_turn_cost_cap_usd: Option<f64>,
    /// Tokens an agent may read and write; 0 is no limit
    #[arg(
        long,
        value_name = "TOKENS",
        env = "NODETOOL_AGENT_UNPRICED_TOKEN_CEILING"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent_unpriced_token_ceiling: Option<u64>,
}

impl Config {
    /// What the service of chats needs.
    pub(crate) fn chat_settings(&self) -> anyhow::Result<ChatSettings> {
        let client_tool = Duration::try_from_secs_f64(self.client_tool_seconds)
            .context("client_tool_seconds: expected a number of seconds")?;
        if !(self.agent_turn_cost_cap_usd >= 0.0 && self.agent_turn_cost_cap_usd.is_finite()) {
            bail!("agent_turn_cost_cap_usd: expected an amount of dollars, or 0");
        }
        Ok(ChatSettings {
            kept: KeptTurns {
                frames: self.chat_replay_buffer_events.max(1),
                after_end: Duration::from_millis(self.chat_replay_retention_ms),
                ..KeptTurns::default()
            },
            client_tool,
            workspace: self.workspace(),
            agent: Budgets {
                turns: self.agent_max_turns.max(1),
                tokens: Some(self.agent_unpriced_token_ceiling).filter(|n| *n > 0),
                cost_usd: Some(self.agent_turn_cost_cap_usd).filter(|usd| *usd > 0.0),
                seconds: Some(self.agent_turn_deadline_ms)
                    .filter(|ms| *ms > 0)
                    .map(|ms| Duration::from_millis(ms).as_secs_f64()),
                parallel: self.agent_max_concurrency.max(1),
                ..Budgets::default()
            },
        })
    }

    /// What the service of models needs.
    pub(crate) fn model_settings(&self) -> anyhow::Result<ModelSettings> {
        let mut addresses = BTreeMap::new();
        for (id, address) in [
            ("ollama", &self.ollama_api_url),
            ("lmstudio", &self.lmstudio_api_url),
            ("llama_cpp", &self.llama_cpp_url),
            ("vllm", &self.vllm_base_url),
        ] {
            if !address.is_empty() {
                let at = nodetool_providers::find(id).map(|provider| provider.address_at(address));
                addresses.insert(id.to_owned(), at.unwrap_or_else(|| address.clone()));
            }
        }
        for entry in self.provider_urls.iter().filter(|e| !e.trim().is_empty()) {
            let (id, address) = provider_url(entry.trim())
                .with_context(|| format!("provider_urls: `{entry}` is not ID=URL"))?;
            addresses.insert(id.to_owned(), address.trim_end_matches('/').to_owned());
        }
        let known = |id: &str| nodetool_providers::find(id).is_some() || addresses.contains_key(id);
        if !self.default_provider.is_empty() && !known(&self.default_provider) {
            bail!(
                "default_provider: there is no provider `{}`",
                self.default_provider
            );
        }
        Ok(ModelSettings {
            default_provider: self.default_provider.clone(),
            default_model: self.default_model.clone(),
            fake: self.enable_fake_provider && self.environment != Environment::Production,
            discover: self.discover_models && self.own_machine(),
            own_port: self.port,
            addresses,
        })
    }
}

/// `ID=URL`. The fake provider has a file in place of an address.
fn provider_url(entry: &str) -> anyhow::Result<(&str, &str)> {
    let (id, address) = entry.split_once('=').context("there is no `=`")?;
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if id.is_empty() || id.len() > MAX_ID || !id.chars().all(named) {
        bail!("an ID has up to {MAX_ID} letters, digits, _ and -");
    }
    if id != nodetool_providers::FAKE {
        let url = url::Url::parse(address).context("its URL is none")?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!("its URL is neither http nor https");
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            bail!("its URL has more than host, port and path; keys are secrets");
        }
    }
    Ok((id, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn settings(chat: ChatArgs) -> anyhow::Result<ModelSettings> {
        let over = Overrides {
            home: Some("/home/x".into()),
            chat,
            ..Overrides::default()
        };
        Config::load(over).unwrap().model_settings()
    }

    #[test]
    fn addresses_of_providers_are_urls_by_id() {
        let args = ChatArgs {
            provider_urls: vec![
                "openai=http://127.0.0.1:9/v1/".into(),
                "mine=https://x.test/v1".into(),
            ],
            vllm_base_url: Some("http://10.0.0.7:8000".into()),
            default_provider: Some("mine".into()),
            ..ChatArgs::default()
        };
        let settings_ = settings(args).unwrap();
        assert_eq!(settings_.addresses["openai"], "http://127.0.0.1:9/v1");
        assert_eq!(settings_.addresses["mine"], "https://x.test/v1");
        for wrong in [
            "openai",
            "=http://x",
            "a b=http://x",
            "a=ftp://x",
            "a=x",
            "a=http://u:p@x",
            "a=http://x?key=1",
        ] {
            let provider_urls = vec![wrong.to_owned()];
            let args = ChatArgs {
                provider_urls,
                ..ChatArgs::default()
            };
            let e = settings(args).unwrap_err();
            assert!(e.to_string().contains(wrong), "{e}");
        }
        let default_provider = Some("nobody".to_owned());
        let args = ChatArgs {
            default_provider,
            ..ChatArgs::default()
        };
        assert!(settings(args).is_err());
    }
}
