//! `nodetool.triggers.WebhookTrigger`.

use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs, Value};

use super::event::{Delivered, now};

/// Begins a run when a web request comes in.
/// webhook, http, request, callback, server, trigger
///
/// The server takes the request and delivers it; the node opens no port of its own.
#[derive(Node)]
#[node(namespace = "nodetool.triggers", kind = Generate, dynamic)]
pub(super) struct WebhookTrigger {
    /// Requests until the end; 0 for no end.
    #[prop(min = 0)]
    #[expect(dead_code, reason = "a run has one delivered event")]
    max_events: i64,
    /// Port of a listener; kept for older graphs.
    #[prop(default = 8080, min = 1, max = 65535)]
    #[expect(dead_code, reason = "the server listens")]
    port: i64,
    /// Path the request goes to.
    #[prop(default = "/webhook")]
    path: String,
    /// Address of a listener; kept for older graphs.
    #[prop(default = "127.0.0.1")]
    #[expect(dead_code, reason = "the server listens")]
    host: String,
    /// Methods a request may have.
    #[prop(default = vec![Value::from("POST")])]
    #[expect(dead_code, reason = "checked by whoever takes the request")]
    methods: Vec<String>,
    /// What a request must know; empty for anybody.
    #[expect(dead_code, reason = "checked by whoever takes the request")]
    secret: String,
    #[prop(dynamic)]
    undeclared: Map,
}

/// One request.
#[derive(Outputs)]
pub(super) struct Request {
    body: Value,
    headers: Map,
    query: Map,
    method: String,
    path: String,
    timestamp: String,
    source: String,
    event_type: String,
}

impl Generate for WebhookTrigger {
    type Output = Request;

    async fn generate(self, out: &Emitter<'_, Request>, _: &NodeCx) -> Result<(), NodeError> {
        let trigger = format!("Webhook trigger '{}'", self.path);
        let mut event = Delivered::required(self.undeclared, &trigger)?;
        out.emit(Request {
            body: event.take("body", Value::Null)?,
            headers: event.take("headers", Map::new())?,
            query: event.take("query", Map::new())?,
            method: event.take("method", "POST".to_owned())?,
            path: event.take("path", self.path)?,
            timestamp: event.take("timestamp", now())?,
            source: event.take("source", "webhook".to_owned())?,
            event_type: event.take("event_type", "webhook".to_owned())?,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn an_event_that_is_no_request_is_refused_by_name() {
        let deliver = |event: Value| case::<WebhookTrigger>().set("__event__", event).run();
        let error = deliver("hello".into()).await.unwrap_err().to_string();
        assert!(error.contains("`__event__`"), "{error}");
        let event = Value::map([("headers", Value::Int(1))]);
        let error = deliver(event).await.unwrap_err().to_string();
        assert!(error.contains("`__event__.headers`"), "{error}");
        let missing = case::<WebhookTrigger>().run().await.unwrap_err();
        assert!(missing.to_string().contains("needs a delivered event"));
    }
}
