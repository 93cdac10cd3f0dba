//! `lib.http`: JSON out, JSON in.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::exchange::{Exchange, host_of};

const JSON: &str = "application/json";

/// What a server answered.
#[derive(Outputs)]
pub(super) struct Answer {
    #[slot(ty = "dict")]
    output: Value,
}

/// Fetches a URL as JSON.
/// http, get, fetch, json, api, rest
#[derive(Node)]
#[node(namespace = "lib.http", title = "GET JSON", uncached)]
pub(super) struct JSONGetRequest {
    /// Where to send the request.
    url: String,
}

impl Process for JSONGetRequest {
    type Output = Answer;

    async fn process(self, cx: &NodeCx) -> Result<Answer, NodeError> {
        exchange("GET", &self.url, None, cx).await
    }
}

/// Sends JSON to a URL and gives the JSON it answers.
/// http, post, send, json, api, rest
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "POST JSON",
    basic("url"),
    uncached,
    effect = "idempotent"
)]
pub(super) struct JSONPostRequest {
    /// Where to send the request.
    url: String,
    /// The body.
    #[prop(ty = "dict")]
    data: Map,
}

impl Process for JSONPostRequest {
    type Output = Answer;

    async fn process(self, cx: &NodeCx) -> Result<Answer, NodeError> {
        exchange("POST", &self.url, Some(self.data), cx).await
    }
}

/// Replaces what is at a URL with JSON and gives the JSON it answers.
/// http, put, replace, json, api, rest
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "PUT JSON",
    basic("url"),
    uncached,
    effect = "idempotent"
)]
pub(super) struct JSONPutRequest {
    /// Where to send the request.
    url: String,
    /// The body.
    #[prop(ty = "dict")]
    data: Map,
}

impl Process for JSONPutRequest {
    type Output = Answer;

    async fn process(self, cx: &NodeCx) -> Result<Answer, NodeError> {
        exchange("PUT", &self.url, Some(self.data), cx).await
    }
}

/// Changes parts of what is at a URL and gives the JSON it answers.
/// http, patch, change, json, api, rest
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "PATCH JSON",
    basic("url"),
    uncached,
    effect = "idempotent"
)]
pub(super) struct JSONPatchRequest {
    /// Where to send the request.
    url: String,
    /// The body.
    #[prop(ty = "dict")]
    data: Map,
}

impl Process for JSONPatchRequest {
    type Output = Answer;

    async fn process(self, cx: &NodeCx) -> Result<Answer, NodeError> {
        exchange("PATCH", &self.url, Some(self.data), cx).await
    }
}

async fn exchange(
    method: &str,
    url: &str,
    data: Option<Map>,
    cx: &NodeCx,
) -> Result<Answer, NodeError> {
    let mut request = Exchange::new(method, url)?.header("accept", JSON);
    if let Some(data) = data {
        let body = serde_json::to_vec(&Value::from(data))
            .map_err(|e| NodeError::bad("data", format!("{e} (expected what JSON can write)")))?;
        request = request.body(JSON, body);
    }
    let response = request.send_ok(cx).await?;
    // Nothing to read where the server had nothing to say.
    if response.status == 204 || response.body.is_empty() {
        return Ok(Answer {
            output: Map::new().into(),
        });
    }
    let output = serde_json::from_slice(&response.body).map_err(|e| {
        NodeError::new(format!(
            "{method} request: the answer of {} is not JSON: {e}",
            host_of(url)
        ))
    })?;
    Ok(Answer { output })
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn json_goes_out_and_comes_in() {
        let net = Net::new(|r| {
            assert_eq!(r.method, "PATCH");
            assert!(r.headers.contains(&("accept".into(), JSON.into())));
            assert!(r.headers.contains(&("content-type".into(), JSON.into())));
            Ok(answer(200, ("a", "b"), r.body.as_ref().unwrap()))
        });
        let data = Value::map([("n", Value::from(1i64)), ("t", "é".into())]);
        let run = case::<JSONPatchRequest>()
            .set("url", "https://x.org/")
            .set("data", data.clone())
            .within(net.cx(None));
        assert_eq!(run.value().await.unwrap(), data);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_json_is_told() {
        let net = Net::new(|r| {
            let body: &[u8] = if r.url.ends_with("empty") {
                b""
            } else {
                b"<html>"
            };
            Ok(answer(200, ("a", "b"), body))
        });
        let run = |url: &str| {
            case::<JSONGetRequest>()
                .set("url", url)
                .within(net.cx(None))
                .value()
        };
        let said = run("https://x.org/?k=secret")
            .await
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("x.org is not JSON") && !said.contains("secret"),
            "{said}"
        );
        assert_eq!(run("https://x.org/empty").await.unwrap(), Map::new().into());
    }

    #[tokio::test]
    async fn a_request_that_changes_something_is_named_after_its_execution() {
        let net = Net::new(|_| Ok(answer(200, ("a", "b"), b"{}")));
        let cx = || {
            let cx = net.cx(None);
            cx.begin_effect(0);
            cx
        };
        let url = "https://x.org/";
        let post = case::<JSONPostRequest>().set("url", url).within(cx());
        post.run().await.unwrap();
        let get = case::<JSONGetRequest>().set("url", url).within(cx());
        get.run().await.unwrap();
        let seen = net.seen.lock().unwrap();
        let key = |i: usize| {
            let mut headers = seen[i].headers.iter();
            headers
                .find(|(name, _)| name == "idempotency-key")
                .map(|(_, v)| v.as_str())
        };
        assert_eq!((key(0), key(1)), (Some("job:node:0"), None));
    }
}
