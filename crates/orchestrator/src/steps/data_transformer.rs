//! Makes data out of a template that renders to JSON.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use crate::{Fields, FormStep};

/// It keeps nothing.
#[derive(Default)]
pub(super) struct DataTransformer;

impl FormStep for DataTransformer {
    const IDENTIFIER: &'static str = "data-transformer";
    const CLASS: &'static str = "DataTransformer";
    const LABEL: Option<&'static str> = Some("Data Transformer");
    const DESCRIPTION: Option<&'static str> =
        Some("Makes new data of a JSON template, in place of what came or beside it.");
    const CATEGORY: &'static str = "Data";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "DataTransformerForm",
            fields: vec![
                FieldSpec::boolean("overwrite")
                    .label("Overwrite")
                    .initial(true)
                    .help("The new data takes the place of what came; off, it stands beside it."),
                FieldSpec::json("output_template")
                    .required()
                    .help("Template of the new data. What it renders to is read as JSON."),
            ],
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let text = fields.text("output_template").trim();
        if text.is_empty() {
            return Err("Output template is required".into());
        }
        let made: Value = serde_json::from_str(text)
            .map_err(|e| format!("Invalid JSON in output template: {e}"))?;
        if fields.flag("overwrite") {
            token.data = match made {
                Value::Map(map) => std::sync::Arc::unwrap_or_clone(map),
                other => {
                    let kind = other.kind();
                    let text = format!(
                        "Output template gives a {kind}; with overwrite an object is expected"
                    );
                    return Err(text.into());
                }
            };
        } else {
            token.put("data_transformer", made);
        }
        Ok(Flow::Go(token))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, data, refusal};
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn new_data_replaces_the_old_or_stands_beside_it() {
        let cx = context();
        let form = json!({"overwrite": true, "output_template": r#"{"a": 1}"#});
        let out = data::<DataTransformer>(form, json!({"old": 1}), &cx).await;
        assert_eq!(out, json!({"a": 1}));
        let form = json!({"output_template": "[1]"});
        let out = data::<DataTransformer>(form, json!({"data_transformer": 0}), &cx).await;
        assert_eq!(
            out,
            json!({"data_transformer": 0, "data_transformer_2": [1]})
        );
    }

    #[tokio::test]
    async fn what_is_no_json_or_no_object_is_refused() {
        let said = |form| async { refusal::<DataTransformer>(form, json!({}), &context()).await };
        let text = said(json!({"output_template": " "})).await;
        assert_eq!(text, "Output template is required");
        let text = said(json!({"output_template": "{'a': 1}"})).await;
        assert!(
            text.starts_with("Invalid JSON in output template: "),
            "{text}"
        );
        let text = said(json!({"overwrite": true, "output_template": "[1]"})).await;
        assert!(
            text.contains("gives a list") && text.contains("object"),
            "{text}"
        );
    }
}
