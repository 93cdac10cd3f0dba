//! How models are called.

use nodetool_sdk::models::ModelError;

use crate::Account;
use crate::media::model_path;

const EXPECTED: &str = "`owner/name`, `owner/name:version` or a version of 64 hexadecimal digits";

/// A model, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// `owner/name`, unless only a version is known.
    pub(super) model: Option<String>,
    pub(super) version: Option<String>,
}

impl Name {
    pub(super) fn parse(account: &Account, id: &str) -> Result<Self, ModelError> {
        let is_version =
            |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_version(id) {
            return Ok(Name {
                model: None,
                version: Some(id.to_owned()),
            });
        }
        let (model, version) = match id.split_once(':') {
            Some((model, version)) if is_version(version) => (model, Some(version.to_owned())),
            // A colon is in no name: the whole id is refused.
            _ => (id, None),
        };
        let model = model_path::check(account, model, 2..=2, EXPECTED)?;
        Ok(Name {
            model: Some(model.to_owned()),
            version,
        })
    }
}
