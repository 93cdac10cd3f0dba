//! Settings about models from elsewhere: where they come from, and the folders they are kept in, which are those of
//! the hub's own tools and of llama.cpp.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Config;
use crate::sensitive::Sensitive;
use crate::services::downloads::{DownloadParts, Tokens};

/// What flags and environment say about models.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
pub(crate) struct ModelArgs {
    /// Server that models are downloaded from
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hf_endpoint: Option<String>,
    /// Folder for what the hub's tools keep
    #[arg(long, value_name = "DIR", env = "HF_HOME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hf_home: Option<PathBuf>,
    /// Folder for downloaded models
    #[arg(long, value_name = "DIR", env = "HF_HUB_CACHE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hf_hub_cache: Option<PathBuf>,
    /// The same under its older name
    #[arg(long, hide = true, value_name = "DIR", env = "HUGGINGFACE_HUB_CACHE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) huggingface_hub_cache: Option<PathBuf>,
    /// File with the token for the hub
    #[arg(long, value_name = "FILE", env = "HF_TOKEN_PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hf_token_path: Option<PathBuf>,
    /// Token for the hub
    #[arg(long, hide = true, env = "HF_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) hf_token: Option<Sensitive>,
    /// Folder for the models of llama.cpp
    #[arg(long, value_name = "DIR", env = "LLAMA_CACHE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) llama_cache: Option<PathBuf>,
    /// Base of the default folders
    #[arg(long, hide = true, env = "XDG_CACHE_HOME")]
    #[serde(skip)]
    pub(crate) xdg_cache_home: Option<PathBuf>,
    /// Address of an Ollama server
    #[arg(long, value_name = "URL", env = "OLLAMA_API_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ollama_api_url: Option<String>,
    /// Models downloaded at the same time
    #[arg(long, value_name = "COUNT", env = "NODETOOL_MAX_CONCURRENT_DOWNLOADS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_concurrent_downloads: Option<usize>,
    /// Files of a model downloaded at the same time
    #[arg(long, value_name = "COUNT", env = "NODETOOL_MAX_FILES_PER_DOWNLOAD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_files_per_download: Option<usize>,
    /// Bytes of the disk that downloads leave free
    #[arg(long, value_name = "BYTES", env = "NODETOOL_DOWNLOAD_MIN_FREE_BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) download_min_free_bytes: Option<u64>,
}

impl Config {
    /// What downloads of models need.
    pub(crate) fn downloads(&self) -> std::io::Result<DownloadParts> {
        let caches = self.caches();
        let hf_home = named(&self.hf_home).unwrap_or_else(|| caches.join("huggingface"));
        let cache = named(&self.hf_hub_cache)
            .or_else(|| named(&self.huggingface_hub_cache))
            .unwrap_or_else(|| hf_home.join("hub"));
        let llama = named(&self.llama_cache).unwrap_or_else(|| caches.join("llama.cpp"));
        let file = named(&self.hf_token_path).unwrap_or_else(|| hf_home.join("token"));
        Ok(DownloadParts {
            endpoint: self.hf_endpoint.clone(),
            cache: std::path::absolute(cache)?,
            llama: std::path::absolute(llama)?,
            tokens: Tokens {
                of_user: None,
                of_server: self.hf_token.clone(),
                file: Some(file),
            },
            min_free: self.download_min_free_bytes,
            at_once: self.max_concurrent_downloads,
            parallel_files: self.max_files_per_download,
        })
    }

    /// The folder of caches; without a home folder, the data folder.
    fn caches(&self) -> PathBuf {
        let home = self.home.as_deref().map(|home| home.join(".cache"));
        let base = self.xdg_cache_home.clone().or(home);
        base.unwrap_or_else(|| self.data_dir.join("cache"))
    }
}

fn named(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn cache(models: ModelArgs) -> (String, String) {
        let over = Overrides {
            home: Some("/home/x".into()),
            models,
            ..Overrides::default()
        };
        let parts = Config::load(over).unwrap().downloads().unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        (text(parts.cache), text(parts.llama))
    }

    #[test]
    fn the_caches_are_where_other_tools_look_for_them() {
        let mut args = ModelArgs::default();
        let default = ("/home/x/.cache/huggingface/hub", "/home/x/.cache/llama.cpp");
        let (hub, llama) = cache(args.clone());
        assert_eq!((hub.as_str(), llama.as_str()), default);
        args.xdg_cache_home = Some("/xdg".into());
        assert_eq!(cache(args.clone()).0, "/xdg/huggingface/hub");
        args.hf_home = Some("/hf".into());
        args.llama_cache = Some("/llama".into());
        assert_eq!(cache(args.clone()), ("/hf/hub".into(), "/llama".into()));
        args.huggingface_hub_cache = Some("/old".into());
        assert_eq!(cache(args.clone()).0, "/old");
        args.hf_hub_cache = Some("/new".into());
        assert_eq!(cache(args).0, "/new");
    }
}
