//! Which provider a request means, told from what it names (socket spec 10.6). Plain decisions over plain values.

use nodetool_sdk::models::{ModelError, ModelErrorKind};

use super::{DEMONSTRATION, ModelSettings};

/// A provider and a model of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) provider: String,
    pub(crate) model: String,
}

impl Choice {
    fn new(provider: &str, model: &str) -> Self {
        Choice {
            provider: provider.to_owned(),
            model: model.to_owned(),
        }
    }
}

/// How names of models begin that tell their provider.
const FAMILIES: [(&str, &str); 7] = [
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "gemini"),
];
/// Models of everybody whose names begin like those of one.
const OPEN_WEIGHTS: &str = "gpt-oss";

/// The choice, as far as names tell; `None` when lists of models have to be looked at.
pub(super) fn plain(
    settings: &ModelSettings,
    provider: &str,
    model: &str,
    known: impl Fn(&str) -> bool,
) -> Option<Result<Choice, ModelError>> {
    let nameless = model.is_empty() || model == "default";
    if !provider.is_empty() && provider != "empty" {
        if nameless {
            let default =
                provider == settings.default_provider && !settings.default_model.is_empty();
            return Some(match default {
                true => Ok(Choice::new(provider, &settings.default_model)),
                false => Err(no_model()),
            });
        }
        // Clients that read `provider/model` off the list send both.
        let prefix = format!("{provider}/");
        let model = match provider == DEMONSTRATION.0 {
            true => model.strip_prefix(&prefix).unwrap_or(model),
            false => model,
        };
        return Some(Ok(Choice::new(provider, model)));
    }
    if nameless {
        return Some(default(settings));
    }
    for separator in ['/', ':'] {
        if let Some((provider, rest)) = model.split_once(separator)
            && !rest.is_empty()
            && known(provider)
        {
            return Some(Ok(Choice::new(provider, rest)));
        }
    }
    let family = FAMILIES.iter().find(|(begin, _)| model.starts_with(begin));
    match family {
        Some((_, provider)) if !model.starts_with(OPEN_WEIGHTS) => {
            Some(Ok(Choice::new(provider, model)))
        }
        _ => None,
    }
}

/// The choice when names do not tell: whoever lists the model, else the default provider.
pub(super) fn listed(
    settings: &ModelSettings,
    lists_it: Option<&str>,
    model: &str,
) -> Result<Choice, ModelError> {
    if let Some(provider) = lists_it {
        return Ok(Choice::new(provider, model));
    }
    if !settings.default_provider.is_empty() {
        return Ok(Choice::new(&settings.default_provider, model));
    }
    let message =
        format!("The model `{model}` does not exist or no provider that has it is set up");
    Err(ModelError {
        code: Some("model_not_found".to_owned()),
        param: Some("model".to_owned()),
        ..ModelError::new(ModelErrorKind::UnknownModel, "", message)
    })
}

fn default(settings: &ModelSettings) -> Result<Choice, ModelError> {
    match (&*settings.default_provider, &*settings.default_model) {
        ("", "") => Ok(Choice::new(DEMONSTRATION.0, DEMONSTRATION.1)),
        ("", model) => plain(settings, "", model, |id| {
            nodetool_providers::find(id).is_some()
        })
        .unwrap_or_else(|| listed(settings, None, model)),
        (_, "") => Err(no_model()),
        (provider, model) => Ok(Choice::new(provider, model)),
    }
}

fn no_model() -> ModelError {
    ModelError::new(ModelErrorKind::NoModel, "", "No model selected")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(provider: &str, model: &str, settings: &ModelSettings) -> Option<String> {
        let known = |id: &str| ["openai", "ollama", "local", "openrouter"].contains(&id);
        let choice = plain(settings, provider, model, known)?;
        Some(match choice {
            Ok(choice) => format!("{} {}", choice.provider, choice.model),
            Err(e) => e.message,
        })
    }

    #[test]
    fn names_of_models_tell_their_provider() {
        let plain = ModelSettings::default();
        let with_default = ModelSettings {
            default_provider: "ollama".into(),
            default_model: "llama3.2:latest".into(),
            ..ModelSettings::default()
        };
        for (settings, provider, model, expected) in [
            (&plain, "", "gpt-4o", Some("openai gpt-4o")),
            (&plain, "", "o3-mini", Some("openai o3-mini")),
            (
                &plain,
                "",
                "claude-sonnet-4",
                Some("anthropic claude-sonnet-4"),
            ),
            (&plain, "", "gemini-2.5-pro", Some("gemini gemini-2.5-pro")),
            (&plain, "", "gpt-oss:20b", None),
            (&plain, "", "llama3.2:latest", None),
            (
                &plain,
                "",
                "ollama:llama3.2:latest",
                Some("ollama llama3.2:latest"),
            ),
            (
                &plain,
                "",
                "openrouter/meta/llama",
                Some("openrouter meta/llama"),
            ),
            (&plain, "", "meta/llama", None),
            (
                &plain,
                "openrouter",
                "openai/gpt-4o",
                Some("openrouter openai/gpt-4o"),
            ),
            (&plain, "local", "local/echo", Some("local echo")),
            (&plain, "", "", Some("local echo")),
            (&plain, "empty", "default", Some("local echo")),
            (&plain, "openai", "", Some("No model selected")),
            (&with_default, "", "default", Some("ollama llama3.2:latest")),
            (&with_default, "ollama", "", Some("ollama llama3.2:latest")),
        ] {
            let got = chosen(provider, model, settings);
            assert_eq!(got.as_deref(), expected, "{provider} {model}");
        }
    }

    #[test]
    fn a_model_nobody_lists_goes_to_the_default_provider_or_nowhere() {
        let none = ModelSettings::default();
        assert_eq!(
            listed(&none, Some("groq"), "x").unwrap(),
            Choice::new("groq", "x")
        );
        assert_eq!(
            listed(&none, None, "x").unwrap_err().kind,
            ModelErrorKind::UnknownModel
        );
        let default = ModelSettings {
            default_provider: "ollama".into(),
            ..ModelSettings::default()
        };
        assert_eq!(
            listed(&default, None, "x").unwrap(),
            Choice::new("ollama", "x")
        );
    }
}
