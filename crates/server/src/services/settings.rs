//! Settings people may choose in the editor: which there are, what they may be, and what is stored.

use std::collections::BTreeMap;

use nodetool_store::{SettingChange, Store, StoreError};

use super::secrets::value_fault;
use super::{Caller, NewSecret, SecretsError, SecretsService};
use crate::sensitive::Sensitive;

/// What is shown in place of the value of a secret.
const SHOWN: &str = "****";

/// Longest value in bytes.
const MAX_VALUE: usize = 4096;

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    /// A whole number that is not negative.
    Count,
    OneOf(&'static [&'static str]),
    /// Shown here but set in the environment only, because it decides who may do what.
    Fixed,
    Secret,
}

/// A setting the server knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) group: &'static str,
    pub(crate) description: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Option<&'static str>,
}

const fn setting(
    key: &'static str,
    group: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    description: &'static str,
) -> Setting {
    Setting {
        key,
        group,
        description,
        kind,
        default,
    }
}

const fn secret(key: &'static str, group: &'static str, description: &'static str) -> Setting {
    setting(key, group, Kind::Secret, None, description)
}

const SWITCH: Kind = Kind::OneOf(&["true", "false"]);

/// Every setting, then every secret.
#[rustfmt::skip]
pub(crate) const REGISTERED: &[Setting] = &[
    setting("FONT_PATH", "Folders", Kind::Text, None, "Folder with more fonts"),
    setting("CHROMA_PATH", "Folders", Kind::Text, None, "Folder of the vector store"),
    setting("USERS_FILE", "Folders", Kind::Fixed, None, "File with the accounts of a server for several users"),
    setting("AUTOSAVE_ENABLED", "Autosave", SWITCH, Some("true"), "Whether workflows are saved as versions while they are edited"),
    setting("AUTOSAVE_INTERVAL_MINUTES", "Autosave", Kind::Count, Some("5"), "Minutes between two automatic versions"),
    setting("AUTOSAVE_MIN_INTERVAL_SECONDS", "Autosave", Kind::Count, Some("30"), "Seconds that have to pass before the next automatic version"),
    setting("AUTOSAVE_MAX_VERSIONS_PER_WORKFLOW", "Autosave", Kind::Count, Some("20"), "Automatic versions kept for each workflow"),
    setting("AUTOSAVE_KEEP_DAYS", "Autosave", Kind::Count, Some("7"), "Days that automatic versions are kept"),
    setting("COMFYUI_ADDR", "ComfyUI", Kind::Text, None, "Address of a ComfyUI server"),
    setting("VLLM_BASE_URL", "vLLM", Kind::Text, None, "Address of a vLLM server"),
    setting("OLLAMA_CONTEXT_LENGTH", "Ollama", Kind::Count, None, "Tokens of context that Ollama models get"),
    setting("LLAMA_CPP_URL", "LlamaCpp", Kind::Text, None, "Address of a llama.cpp server"),
    setting("LLAMA_CPP_CONTEXT_LENGTH", "LlamaCpp", Kind::Count, None, "Tokens of context that llama.cpp models get"),
    setting("LMSTUDIO_API_URL", "LMStudio", Kind::Text, None, "Address of LM Studio"),
    setting("NODE_SUPABASE_URL", "NodeSupabase", Kind::Text, None, "Address of the Supabase project that nodes use"),
    setting("NODE_SUPABASE_SCHEMA", "NodeSupabase", Kind::Text, None, "Database schema that nodes use"),
    setting("NODE_SUPABASE_TABLE_PREFIX", "NodeSupabase", Kind::Text, None, "How the names of tables begin that nodes use"),
    setting("TRACELOOP_ENABLED", "Observability", SWITCH, None, "Whether traces are sent to Traceloop"),
    setting("TRACELOOP_APP_NAME", "Observability", Kind::Text, None, "Name of this server in traces"),
    setting("TRACELOOP_BASE_URL", "Observability", Kind::Text, None, "Where traces are sent"),
    setting("TRACELOOP_DISABLE_BATCH", "Observability", SWITCH, None, "Whether each trace is sent at once"),
    setting("ZAI_USE_CODING_PLAN", "ZAI", SWITCH, None, "Whether calls of Z.AI go through its coding plan"),
    setting("SERP_PROVIDER", "SERP", Kind::OneOf(&["serpapi", "apify", "dataforseo"]), None, "Who answers searches of the web"),
    secret("TRACELOOP_API_KEY", "Observability", "API key of Traceloop"),
    secret("OPENAI_API_KEY", "LLM", "API key of OpenAI"),
    secret("OPENROUTER_API_KEY", "LLM", "API key of OpenRouter"),
    secret("ANTHROPIC_API_KEY", "LLM", "API key of Anthropic"),
    secret("CEREBRAS_API_KEY", "LLM", "API key of Cerebras"),
    secret("TOGETHER_API_KEY", "LLM", "API key of Together"),
    secret("GROQ_API_KEY", "LLM", "API key of Groq"),
    secret("ZHIPU_API_KEY", "LLM", "API key of Zhipu, for Z.AI models"),
    secret("MISTRAL_API_KEY", "LLM", "API key of Mistral"),
    secret("MINIMAX_API_KEY", "LLM", "API key of MiniMax"),
    secret("GEMINI_API_KEY", "LLM", "API key of Gemini"),
    secret("HF_TOKEN", "HuggingFace", "Access token of Hugging Face"),
    secret("LLAMA_API_KEY", "LlamaCpp", "API key of the llama.cpp server"),
    secret("REPLICATE_API_TOKEN", "Replicate", "API token of Replicate"),
    secret("AIME_API_KEY", "Aime", "API key of AIME"),
    secret("GOOGLE_MAIL_USER", "Google", "Mail address that nodes send and read mail with"),
    secret("GOOGLE_APP_PASSWORD", "Google", "App password of that mail address"),
    secret("ELEVENLABS_API_KEY", "ElevenLabs", "API key of ElevenLabs"),
    secret("FAL_API_KEY", "FAL", "API key of fal"),
    secret("SERPAPI_API_KEY", "SERP", "API key of SerpApi"),
    secret("APIFY_API_KEY", "SERP", "API key of Apify"),
    secret("BROWSER_URL", "Browser", "Address of a remote browser, with its key"),
    secret("RUNPOD_API_KEY", "RunPod", "API key of RunPod"),
    secret("RUNPOD_COMFYUI_ENDPOINT_ID", "RunPod", "RunPod endpoint that runs ComfyUI"),
    secret("NODE_SUPABASE_KEY", "NodeSupabase", "Key of the Supabase project that nodes use"),
    secret("DATA_FOR_SEO_LOGIN", "SERP", "Login of DataForSEO"),
    secret("DATA_FOR_SEO_PASSWORD", "SERP", "Password of DataForSEO"),
    secret("KIE_API_KEY", "KIE", "API key of KIE"),
    secret("MESHY_API_KEY", "Meshy", "API key of Meshy"),
    secret("RODIN_API_KEY", "Rodin", "API key of Rodin"),
    secret("GITHUB_CLIENT_ID", "GitHub", "Client id of the GitHub app people sign in with"),
    secret("GITHUB_CLIENT_SECRET", "GitHub", "Client secret of that app"),
    secret("SERVER_AUTH_TOKEN", "Deployment", "Token that requests to this server carry"),
];

/// Why settings cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("settings belong to the operator of this server")]
    Production,
    #[error("some settings cannot take these values")]
    Refused(Vec<RefusedSetting>),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A setting that cannot take its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedSetting {
    /// Whether it was given among the secrets.
    pub(crate) secret: bool,
    pub(crate) key: String,
    pub(crate) reason: String,
}

/// New values as texts; `None` goes back to the default, and leaves a secret as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeSettings {
    pub(crate) settings: Vec<(String, Option<String>)>,
    pub(crate) secrets: Vec<(String, Option<Sensitive>)>,
}

/// The one owner of setting rows in this process.
#[derive(Clone)]
pub(crate) struct SettingsService {
    store: Store,
    production: bool,
    secrets: SecretsService,
}

impl SettingsService {
    pub(crate) fn new(store: Store, production: bool, secrets: SecretsService) -> Self {
        SettingsService {
            store,
            production,
            secrets,
        }
    }

    /// The value of one setting: the stored one, else the default.
    pub(crate) async fn value(&self, key: &str) -> Result<Option<String>, StoreError> {
        let default = REGISTERED.iter().find(|s| s.key == key);
        let stored = self.store.settings().await?.remove(key);
        Ok(stored.or_else(|| default?.default.map(str::to_owned)))
    }

    /// Every registered setting with its value: the stored one, else the default. Of secrets it only shows whether the
    /// caller has a value for them.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
    ) -> Result<Vec<(Setting, Option<String>)>, SettingsError> {
        if self.production {
            return Err(SettingsError::Production);
        }
        let stored: BTreeMap<String, String> = self.store.settings().await?;
        let configured = self.secrets.configured(&caller.user_id).await?;
        let value = |setting: &Setting| match setting.kind {
            Kind::Secret => configured(setting.key).then(|| SHOWN.to_owned()),
            Kind::Fixed => None,
            _ => stored
                .get(setting.key)
                .cloned()
                .or_else(|| setting.default.map(str::to_owned)),
        };
        Ok(REGISTERED.iter().map(|s| (*s, value(s))).collect())
    }

    /// Stores all of the new values or none of them.
    pub(crate) async fn change(
        &self,
        caller: &Caller,
        change: ChangeSettings,
    ) -> Result<(), SettingsError> {
        if self.production {
            return Err(SettingsError::Production);
        }
        let settings = change.settings.iter();
        let settings = settings.filter_map(|(key, value)| refused(key, value.as_deref(), false));
        let secrets = change.secrets.iter();
        let secrets = secrets
            .filter_map(|(key, value)| refused(key, value.as_ref().map(Sensitive::expose), true));
        let faults: Vec<_> = settings.chain(secrets).collect();
        if !faults.is_empty() {
            return Err(SettingsError::Refused(faults));
        }
        let changes = change
            .settings
            .into_iter()
            .map(|(key, value)| SettingChange { key, value });
        // What the editor shows in place of a secret comes back unchanged.
        let secrets = change.secrets.into_iter().filter_map(|(key, value)| {
            Some(NewSecret {
                key,
                value: value.filter(|value| !is_masked(value.expose()))?,
                description: None,
            })
        });
        let changes = changes.collect();
        let stored = self.secrets.put_all(caller, changes, secrets.collect());
        stored.await?;
        Ok(())
    }
}

/// Whether a value is what is shown in place of a secret.
fn is_masked(value: &str) -> bool {
    value.chars().all(|c| c == '*')
}

fn refused(key: &str, value: Option<&str>, secret: bool) -> Option<RefusedSetting> {
    let registered = REGISTERED.iter().find(|s| s.key == key);
    let reason = match registered.map(|s| s.kind) {
        None => "is not a registered setting".to_owned(),
        Some(Kind::Secret) if !secret => "is a secret".to_owned(),
        Some(Kind::Secret) => value_fault(value.filter(|value| !is_masked(value))?)?,
        Some(_) if secret => "is no secret".to_owned(),
        Some(Kind::Fixed) => "is set in the environment of the server only".to_owned(),
        Some(kind) => kind.fault(value?)?,
    };
    Some(RefusedSetting {
        secret,
        key: key.chars().take(80).collect(),
        reason,
    })
}

impl Kind {
    fn fault(self, value: &str) -> Option<String> {
        if value.len() > MAX_VALUE {
            return Some(format!("has more than {MAX_VALUE} bytes"));
        }
        if value.contains('\0') {
            return Some("contains a NUL character".to_owned());
        }
        match self {
            Kind::Count if value.parse::<u32>().is_err() => {
                Some("should be a whole number from 0 to 4294967295".to_owned())
            }
            Kind::OneOf(words) if !words.contains(&value) => {
                Some(format!("should be '{}'", words.join("' or '")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_registered_once_and_defaults_are_allowed_values() {
        for (at, setting) in REGISTERED.iter().enumerate() {
            assert!(
                REGISTERED[..at].iter().all(|s| s.key != setting.key),
                "{}",
                setting.key
            );
            if let Some(default) = setting.default {
                assert_eq!(refused(setting.key, Some(default), false), None);
            }
        }
    }
}
