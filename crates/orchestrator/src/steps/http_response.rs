//! Makes the answer of a workflow that is called like a function.

use nodetool_sdk::steps::{FieldKind, FieldSpec, Flow, FormSpec, StepCx, StepRole, Token};
use nodetool_sdk::{Map, NodeError, Value};

use crate::{Fields, FormStep};

/// It keeps nothing.
#[derive(Default)]
pub(super) struct HttpResponse;

impl FormStep for HttpResponse {
    const IDENTIFIER: &'static str = "http-response";
    const CLASS: &'static str = "HttpResponseNode";
    const LABEL: Option<&'static str> = Some("HTTP Response");
    const DESCRIPTION: Option<&'static str> =
        Some("Answers the caller of an API workflow with a status code and a body.");
    const CATEGORY: &'static str = "System";
    const ROLE: StepRole = StepRole::Response;
    const SUPPORTS: &'static [&'static str] = &["api"];

    fn form() -> Option<FormSpec> {
        let sources = vec![("from_input", "From input"), ("custom", "Custom")];
        Some(FormSpec {
            name: "HttpResponseForm",
            fields: vec![
                FieldSpec::integer("status_code")
                    .label("Status code")
                    .least(100)
                    .most(599)
                    .required()
                    .initial(200)
                    .help("HTTP status of the answer."),
                FieldSpec::new("body_source", FieldKind::Choice(sources))
                    .label("Response body")
                    .required()
                    .initial("from_input")
                    .help("Whether the body is the data that came or one of its own."),
                FieldSpec::json("body_json")
                    .label("Custom body (JSON)")
                    .help("The body, when it is one of its own; empty for an empty object."),
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
        let body = match fields.text("body_source") {
            "custom" => match fields.text("body_json").trim() {
                "" => Map::new().into(),
                text => serde_json::from_str(text)
                    .map_err(|e| format!("Invalid JSON in custom body: {e}"))?,
            },
            _ => Value::from(std::mem::take(&mut token.data)),
        };
        token.data = Map::from_iter([
            ("__http_response__".into(), Value::Bool(true)),
            (
                "status".into(),
                fields.int("status_code").unwrap_or(200).into(),
            ),
            ("body".into(), body),
        ]);
        Ok(Flow::Go(token))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, data, refusal};
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn the_body_is_what_came_or_one_of_its_own() {
        let cx = context();
        let form = json!({"status_code": 404, "body_source": "from_input", "body_json": "1"});
        let out = data::<HttpResponse>(form, json!({"a": 1}), &cx).await;
        assert_eq!(
            out,
            json!({"__http_response__": true, "status": 404, "body": {"a": 1}})
        );
        let form = json!({"status_code": 201, "body_source": "custom", "body_json": "[1]"});
        let out = data::<HttpResponse>(form, json!({"a": 1}), &cx).await;
        assert_eq!(
            out,
            json!({"__http_response__": true, "status": 201, "body": [1]})
        );
        let form = json!({"status_code": 200, "body_source": "custom"});
        let out = data::<HttpResponse>(form, json!({"a": 1}), &cx).await;
        assert_eq!(out["body"], json!({}));
    }

    #[tokio::test]
    async fn a_body_that_is_no_json_is_refused() {
        let form = json!({"status_code": 200, "body_source": "custom", "body_json": "{"});
        let said = refusal::<HttpResponse>(form, json!({}), &context()).await;
        assert!(said.starts_with("Invalid JSON in custom body: "), "{said}");
    }
}
