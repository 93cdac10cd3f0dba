//! Which model a node is to use.

use nodetool_sdk::{NodeError, Value, catalogue};

/// Stands for a provider nobody has chosen.
const UNSET: &str = "empty";

/// A chosen model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Empty when it is to be found out from the model.
    pub(crate) provider: String,
    pub(crate) model: String,
}

/// Reads the selector in the property `model`. `what` names the kind of model, such as `language model`.
pub(crate) fn chosen(selector: &Value, what: &str) -> Result<Chosen, NodeError> {
    let text = |key: &str| {
        let text = selector.get(key).and_then(Value::as_str);
        text.unwrap_or_default().trim().to_owned()
    };
    let (mut provider, model) = (text("provider"), text("id"));
    if provider == UNSET {
        provider.clear();
    }
    if model.is_empty() {
        let whose = match provider.as_str() {
            "" => String::new(),
            provider => format!(" of the provider `{provider}`"),
        };
        let message =
            format!("no model{whose} is chosen (expected a {what}: its `provider` and its `id`)");
        return Err(NodeError::bad("model", message));
    }
    Ok(Chosen { provider, model })
}

/// A selector of the type that names a model, for defaults.
pub(crate) fn selector(tag: &str, provider: &str, id: &str, name: &str) -> Value {
    let empty = catalogue::default_value(tag).unwrap_or_default();
    let mut map = empty.as_map().cloned().unwrap_or_default();
    for (key, text) in [("provider", provider), ("id", id), ("name", name)] {
        map.insert(key.into(), text.into());
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_a_provider_is_chosen_and_a_provider_without_a_model_is_not() {
        let of = |provider: &str, id: &str| {
            chosen(
                &selector("language_model", provider, id, ""),
                "language model",
            )
        };
        let model = of("empty", " gpt-4o ").unwrap();
        assert_eq!((&*model.provider, &*model.model), ("", "gpt-4o"));
        assert_eq!(of("openai", "gpt-4o").unwrap().provider, "openai");
        for (provider, said) in [
            ("", "no model is chosen"),
            ("openai", "of the provider `openai`"),
        ] {
            let refused = of(provider, "").unwrap_err().to_string();
            assert!(
                refused.contains("`model`") && refused.contains(said),
                "{refused}"
            );
        }
    }
}
