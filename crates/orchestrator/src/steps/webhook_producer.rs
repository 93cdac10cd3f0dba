//! Begins an iteration with each call from outside; of a workflow that is called like a function, with its input.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use nodetool_sdk::steps::{
    FieldSpec, Flow, FormSpec, Mode, StepCx, StepKind, StepRole, Token, WebhookCall, WebhookInbox,
};
use nodetool_sdk::{NodeError, Value};

use super::credential_headers::without_credentials;
use crate::{Fields, FormStep};

/// The one subscription of a run and the id it is for: calls that come while the loop is busy wait in it.
#[derive(Default)]
pub(super) struct WebhookProducer {
    inbox: Option<(Arc<str>, Box<dyn WebhookInbox>)>,
}

impl FormStep for WebhookProducer {
    const IDENTIFIER: &'static str = "webhook-producer";
    const CLASS: &'static str = "WebhookProducerNode";
    const LABEL: Option<&'static str> = Some("Webhook Producer");
    const DESCRIPTION: Option<&'static str> = Some(
        "Begins an iteration with each call of its webhook, or with the input of an API call.",
    );
    const CATEGORY: &'static str = "System";
    const KIND: StepKind = StepKind::Producer;
    const ROLE: StepRole = StepRole::Webhook;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "WebhookProducerForm",
            fields: vec![
                FieldSpec::text("webhook_id")
                    .label("Webhook ID")
                    .longest(255)
                    .required()
                    .help("Last part of the address that is called: letters, digits, `-` and `_`."),
            ],
            check: Some(|values| {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                match values.get("webhook_id").and_then(Value::as_str) {
                    Some(id) if !id.chars().all(plain) => {
                        let text =
                            "Webhook ID may only hold letters, digits, hyphens and underscores.";
                        vec![("webhook_id", text.to_owned())]
                    }
                    _ => Vec::new(),
                }
            }),
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let id = fields.text("webhook_id");
        let call = if cx.flow.mode == Mode::Api {
            input(&token, cx)
        } else {
            match self.next_call(id, cx).await? {
                Some(call) => call,
                None => return Ok(Flow::Completed(token)),
            }
        };
        let data = Value::map([
            ("body", call.body),
            ("headers", without_credentials(&call.headers).into()),
            ("method", call.method.into()),
            ("query_params", call.query_params.into()),
        ]);
        let webhook = Value::map([
            ("webhook_id", Value::from(id)),
            ("data", data),
            ("timestamp", call.received_at.into()),
        ]);
        token.put("webhook", webhook);
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        self.inbox = None;
    }
}

impl WebhookProducer {
    async fn next_call(&mut self, id: &str, cx: &StepCx) -> Result<Option<WebhookCall>, NodeError> {
        if self.inbox.as_ref().is_none_or(|(of, _)| **of != *id) {
            let webhooks = cx.flow.webhooks.as_ref().ok_or_else(|| {
                NodeError::new("webhook-producer needs webhooks, which are not available here")
            })?;
            self.inbox = Some((id.into(), webhooks.subscribe(id).await?));
        }
        match &mut self.inbox {
            Some((_, inbox)) => Ok(inbox.next().await),
            None => Ok(None),
        }
    }
}

/// The call of a workflow that is called like a function.
fn input(token: &Token, cx: &StepCx) -> WebhookCall {
    let request = cx.flow.request.as_deref().cloned().unwrap_or_default();
    let method = match request.method.as_str() {
        "" => "POST".to_owned(),
        _ => request.method,
    };
    WebhookCall {
        body: token.data.clone().into(),
        headers: request.headers,
        method,
        query_params: request.query_params,
        received_at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::steps::{FlowCx, Runtime, StepRequest, Webhooks};
    use serde_json::json;

    use super::super::testing::{context, data, fields, json as as_json, map, refusal, value};
    use super::*;

    /// Calls that wait for whoever subscribes, and the ids of the subscriptions.
    #[derive(Default)]
    struct Hub {
        calls: Mutex<VecDeque<WebhookCall>>,
        subscribed: Mutex<Vec<String>>,
    }
    struct Inbox(VecDeque<WebhookCall>);

    impl Webhooks for Hub {
        fn subscribe<'a>(
            &'a self,
            webhook_id: &'a str,
        ) -> BoxFuture<'a, Result<Box<dyn WebhookInbox>, NodeError>> {
            self.subscribed.lock().unwrap().push(webhook_id.to_owned());
            let calls = std::mem::take(&mut *self.calls.lock().unwrap());
            Box::pin(async move { Ok(Box::new(Inbox(calls)) as Box<dyn WebhookInbox>) })
        }
    }
    impl WebhookInbox for Inbox {
        fn next<'a>(&'a mut self) -> BoxFuture<'a, Option<WebhookCall>> {
            Box::pin(std::future::ready(self.0.pop_front()))
        }
    }

    fn flow(mode: Mode) -> FlowCx {
        FlowCx {
            mode,
            env: Arc::default(),
            runtime: Arc::new(Runtime::default()),
            request: None,
            webhooks: None,
        }
    }

    #[tokio::test]
    async fn all_calls_of_a_run_come_through_one_subscription() {
        let call = |n: i64| WebhookCall {
            body: value(json!({ "n": n })),
            headers: map(json!({"authorization": "Bearer x", "accept": "*/*"})),
            method: "POST".into(),
            query_params: map(json!({"z": ["1"]})),
            received_at: "2026-01-01T00:00:00.000000Z".into(),
        };
        let hub = Arc::new(Hub::default());
        hub.calls.lock().unwrap().extend([call(1), call(2)]);
        let mut cx = context();
        cx.flow = Arc::new(FlowCx {
            webhooks: Some(hub.clone()),
            ..flow(Mode::Production)
        });
        let (mut step, form) = (
            WebhookProducer::default(),
            fields(json!({"webhook_id": "in"})),
        );
        let first = step.run(&form, Token::default(), &cx).await.unwrap();
        let Flow::Go(first) = first else { panic!() };
        assert_eq!(
            as_json(&first.data["webhook"]),
            json!({"webhook_id": "in", "timestamp": "2026-01-01T00:00:00.000000Z", "data": {
                "body": {"n": 1}, "headers": {"accept": "*/*"}, "method": "POST",
                "query_params": {"z": ["1"]},
            }})
        );
        let second = step.run(&form, Token::default(), &cx).await.unwrap();
        assert!(matches!(second, Flow::Go(_)));
        let end = step.run(&form, Token::default(), &cx).await.unwrap();
        assert!(matches!(end, Flow::Completed(_)), "nothing comes any more");
        assert_eq!(*hub.subscribed.lock().unwrap(), ["in"]);
    }

    #[tokio::test]
    async fn an_api_call_keeps_its_input_beside_the_webhook() {
        let mut cx = context();
        cx.flow = Arc::new(FlowCx {
            request: Some(Arc::new(StepRequest {
                method: "PUT".into(),
                headers: map(json!({"Authorization": "Bearer x", "x-mine": "1"})),
                query_params: map(json!({"x": ["1"]})),
            })),
            ..flow(Mode::Api)
        });
        let form = json!({"webhook_id": "in"});
        let out = data::<WebhookProducer>(form.clone(), json!({"a": 1}), &cx).await;
        assert_eq!(out["a"], 1);
        let call = &out["webhook"]["data"];
        assert_eq!(call["body"], json!({"a": 1}));
        assert_eq!(call["query_params"], json!({"x": ["1"]}));
        assert_eq!(call["method"], "PUT");
        assert_eq!(call["headers"], json!({"x-mine": "1"}));
        let time = out["webhook"]["timestamp"].as_str().unwrap();
        assert!(time.ends_with('Z'), "{time}");
        let out = data::<WebhookProducer>(form, json!({"webhook": "mine"}), &cx).await;
        assert_eq!(out["webhook"], "mine");
        assert_eq!(out["webhook_2"]["webhook_id"], "in");
    }

    #[tokio::test]
    async fn ids_and_servers_that_cannot_serve_are_refused() {
        let check = WebhookProducer::form().unwrap().check.unwrap();
        assert!(check(&map(json!({"webhook_id": "a-B_9"}))).is_empty());
        for id in ["bad id!", "a/b", "ä"] {
            assert_eq!(check(&map(json!({ "webhook_id": id })))[0].0, "webhook_id");
        }
        let said =
            refusal::<WebhookProducer>(json!({"webhook_id": "a"}), json!({}), &context()).await;
        assert!(said.contains("not available"), "{said}");
    }
}
