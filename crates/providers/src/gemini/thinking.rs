//! How much a model is to think, by the words it understands.
//!
//! | `reasoning_effort` | 2.5 and models of other names: tokens | from 3 on: level |
//! |---|---|---|
//! | absent | what the model does by itself | the same |
//! | `none` | 0; 128 for `pro`, which cannot do without | `minimal`; `low` for `pro` |
//! | `minimal` | 1024 | `minimal`; `low` for `pro` |
//! | `low` | 1024 | `low` |
//! | `medium` | 8192 | `medium`; `high` for `3-pro`, which has two levels |
//! | `high`, `xhigh`, `max` | 24576, the most of the smallest model | `high` |
//!
//! The numbers are those Google uses where it offers the words of OpenAI itself. Models before 2.5 do not think.

use nodetool_sdk::models::ModelError;
use serde::Serialize;

use crate::Account;

/// What a request says about thinking.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thinking {
    /// Whether summaries of the thoughts are wanted.
    include_thoughts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

/// Major and minor version of a model; nothing for names without one, such as `gemini-flash-latest`.
fn version(model: &str) -> Option<(u32, u32)> {
    let name = model.strip_prefix("models/").unwrap_or(model);
    let (number, _) = name
        .strip_prefix("gemini-")?
        .split_once('-')
        .unwrap_or((name.strip_prefix("gemini-")?, ""));
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether a model refuses calls of an earlier turn that are not signed.
pub(super) fn signs_calls(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (3, 0))
}

/// Whether a model can give its answer a form while it has tools.
pub(super) fn forms_beside_tools(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (3, 0))
}

/// How much thinking is asked for; nothing when the model is to do what it does by itself.
pub(super) fn thinking(
    account: &Account,
    model: &str,
    effort: Option<&str>,
) -> Result<Option<Thinking>, ModelError> {
    let Some(effort) = effort else {
        return Ok(None);
    };
    let pro = model.contains("pro");
    let version = version(model);
    let (tokens, level) = match effort {
        "none" if pro => (128, "low"),
        "none" => (0, "minimal"),
        "minimal" if pro => (1024, "low"),
        "minimal" => (1024, "minimal"),
        "low" => (1024, "low"),
        "medium" if pro && version == Some((3, 0)) => (8192, "high"),
        "medium" => (8192, "medium"),
        "high" | "xhigh" | "max" => (24_576, "high"),
        _ => {
            let message = format!(
                "`reasoning_effort` is `{effort}`; expected none, minimal, low, medium, high, xhigh or max"
            );
            return Err(account.wrong("reasoning_effort", message));
        }
    };
    let include_thoughts = effort != "none";
    Ok(match version {
        Some(version) if version < (2, 5) => {
            if include_thoughts {
                let what = format_args!("`reasoning_effort` with the model `{model}`");
                return Err(account.cannot("reasoning_effort", what));
            }
            None
        }
        Some(version) if version >= (3, 0) => Some(Thinking {
            include_thoughts,
            thinking_budget: None,
            thinking_level: Some(level),
        }),
        _ => Some(Thinking {
            include_thoughts,
            thinking_budget: Some(tokens),
            thinking_level: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        for (model, expected) in [
            ("gemini-2.5-flash", Some((2, 5))),
            ("models/gemini-3-pro-preview", Some((3, 0))),
            ("gemini-3.1-flash-lite", Some((3, 1))),
            ("gemini-1.5-pro-002", Some((1, 5))),
            ("gemini-4", Some((4, 0))),
            ("gemini-flash-latest", None),
            ("gemma-3-27b-it", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }
}
