//! The environment of the process, read once: registered secrets, and where programs are.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::sensitive::Sensitive;
use crate::services::{ModelSettings, in_environment};

/// The value of a variable that the settings name.
pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the settings name variables for other programs' tokens, read once before anything runs"
    )]
    std::env::var(name).ok()
}

/// Secrets of the environment with the keys of the operator's own providers that it has, too.
pub(super) fn with_own_keys(
    secrets: &BTreeMap<String, Sensitive>,
    settings: &ModelSettings,
) -> BTreeMap<String, Sensitive> {
    let own = settings.own_keys().filter_map(|name| {
        let value = variable(&name).filter(|value| !value.is_empty())?;
        Some((name, Sensitive::new(value)))
    });
    secrets.clone().into_iter().chain(own).collect()
}

/// The registered secrets that the environment has a value for.
pub(super) fn secrets() -> BTreeMap<String, Sensitive> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where secrets of the environment are read, before anything runs"
    )]
    let value = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
    in_environment()
        .filter_map(|key| Some((key.to_owned(), Sensitive::new(value(key)?))))
        .collect()
}

/// The folders of programs.
pub(super) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
