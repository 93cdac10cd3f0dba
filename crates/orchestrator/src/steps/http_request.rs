//! Sends an HTTP request; a failure on the way is a result like any other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::services::{HttpRequest as Request, HttpResponse as Response};
use nodetool_sdk::steps::{FieldKind, FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{Map, NodeError, Value};
use tokio::time::Instant;
use url::Url;

use crate::{Fields, FormStep};

/// Seconds an exchange may take when nothing is said.
const TIMEOUT_S: f64 = 30.0;

/// It keeps nothing.
#[derive(Default)]
pub(super) struct HttpRequest;

impl FormStep for HttpRequest {
    const IDENTIFIER: &'static str = "http-request";
    const CLASS: &'static str = "HttpRequestNode";
    const LABEL: Option<&'static str> = Some("HTTP Request");
    const DESCRIPTION: Option<&'static str> = Some(
        "Sends an HTTP request and adds status, headers and body of the answer. Redirects are not followed.",
    );
    const CATEGORY: &'static str = "Http";
    const EFFECTS: bool = true;

    fn form() -> Option<FormSpec> {
        let same = |word| (word, word);
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let auth = vec![("", "None"), ("basic", "Basic"), ("bearer", "Bearer")];
        let timeout = FieldKind::Float {
            min: Some(0.1),
            max: None,
        };
        let password = FieldKind::Password { max: Some(255) };
        let bearer = FieldKind::Password { max: Some(2048) };
        let fields = vec![
            FieldSpec::new("method", FieldKind::Choice(methods.map(same).to_vec()))
                .label("Method")
                .initial("GET")
                .help("Method of the request; GET unless it is named."),
            FieldSpec::text("url")
                .label("URL")
                .longest(2048)
                .required()
                .help("Whole address, with http or https."),
            FieldSpec::json("headers")
                .label("Headers")
                .help("JSON object of names and values."),
            FieldSpec::json("query_params")
                .label("Query params")
                .help("JSON object of names and values that are added to the address."),
            FieldSpec::json("body")
                .label("Body")
                .help("What POST, PUT and PATCH send: an object or array as JSON, else as it is."),
            FieldSpec::new("timeout_seconds", timeout)
                .label("Timeout (seconds)")
                .initial(TIMEOUT_S)
                .help("Time for the whole exchange."),
            FieldSpec::new("auth_type", FieldKind::Choice(auth))
                .label("Auth type")
                .initial("")
                .help("How the request says who sends it."),
            FieldSpec::text("auth_username")
                .label("Auth username")
                .longest(255)
                .help("User name, for basic authentication."),
            FieldSpec::new("auth_password", password)
                .label("Auth password")
                .help("Password, for basic authentication."),
            FieldSpec::new("auth_bearer_token", bearer)
                .label("Bearer token")
                .help("Token, for bearer authentication."),
        ];
        Some(FormSpec {
            name: "HttpRequestForm",
            fields,
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let request = request(fields)?;
        let begun = Instant::now();
        let answer = cx.node.services().http.send_once(request).await;
        let took = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (status, headers, body, error) = match answer {
            Ok(response) => (
                i64::from(response.status),
                headers_of(&response),
                body_of(&response),
                Value::Null,
            ),
            Err(failure) => {
                let error = Value::map([
                    ("message", Value::from(failure.message)),
                    ("type", failure.kind.into()),
                ]);
                (0, Map::new(), Value::Null, error)
            }
        };
        let result = Value::map([
            ("status", Value::Int(status)),
            ("headers", headers.into()),
            ("body", body),
            ("duration_ms", took.into()),
            ("error", error),
        ]);
        token.put("http_request", result);
        Ok(Flow::Go(token))
    }
}

fn request(fields: &Fields) -> Result<Request, NodeError> {
    let method = match fields.text("method") {
        "" => "GET".to_owned(),
        method => method.to_ascii_uppercase(),
    };
    let mut headers: Vec<(String, String)> = object(fields, "headers")?
        .iter()
        .map(|(name, value)| (name.to_string(), text_of(value)))
        .collect();
    let mut set = |name: &str, value: String, replace: bool| {
        let at = headers
            .iter()
            .position(|(n, _)| n.eq_ignore_ascii_case(name));
        match at {
            Some(at) if replace => headers[at].1 = value,
            Some(_) => {}
            None => headers.push((name.to_owned(), value)),
        }
    };
    match fields.text("auth_type") {
        "basic" => {
            let pair = format!(
                "{}:{}",
                fields.text("auth_username"),
                fields.text("auth_password")
            );
            set(
                "authorization",
                format!("Basic {}", STANDARD.encode(pair)),
                true,
            );
        }
        "bearer" => {
            let value = format!("Bearer {}", fields.text("auth_bearer_token"));
            set("authorization", value, true);
        }
        _ => {}
    }
    let body = fields.text("body");
    let sends = matches!(method.as_str(), "POST" | "PUT" | "PATCH") && !body.is_empty();
    if sends
        && matches!(
            serde_json::from_str(body),
            Ok(Value::Map(_) | Value::List(_))
        )
    {
        set("content-type", "application/json".to_owned(), false);
    }
    Ok(Request {
        method,
        url: address(fields)?,
        headers,
        body: sends.then(|| body.to_owned().into()),
        timeout_s: Some(fields.float("timeout_seconds").unwrap_or(TIMEOUT_S)),
    })
}

/// The URL with the parameters. One that cannot be read stays as it is: the client says what is wrong with it.
fn address(fields: &Fields) -> Result<String, NodeError> {
    let text = fields.text("url");
    let params = object(fields, "query_params")?;
    let Ok(mut url) = Url::parse(text) else {
        return Ok(text.to_owned());
    };
    if !params.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &params {
            match value {
                Value::List(values) => {
                    for value in values.iter() {
                        pairs.append_pair(name, &text_of(value));
                    }
                }
                value => {
                    pairs.append_pair(name, &text_of(value));
                }
            }
        }
    }
    Ok(url.into())
}

/// The JSON object of a field; empty when the field is, or when it holds something else than an object.
fn object(fields: &Fields, name: &str) -> Result<Map, NodeError> {
    let text = fields.text(name).trim();
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Map(map)) => Ok(std::sync::Arc::unwrap_or_clone(map)),
        Ok(_) => Ok(Map::new()),
        Err(e) => Err(format!("Invalid JSON in {name}: {e}").into()),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) => text.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// Headers by name; several of one name in one text.
fn headers_of(response: &Response) -> Map {
    let mut headers = Map::new();
    for (name, value) in &response.headers {
        let joined = match headers.get(name.as_str()).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        headers.insert(name.as_str().into(), joined.into());
    }
    headers
}

fn body_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| String::from_utf8_lossy(&response.body).into_owned().into())
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::HttpFailure;
    use serde_json::json;

    use super::super::testing::{Net, answer, data, refusal};
    use super::*;

    fn header(request: &Request, name: &str) -> Option<String> {
        let mut all = request.headers.iter();
        all.find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.clone())
    }

    #[tokio::test]
    async fn an_answer_is_added_with_its_body_as_json_or_text() {
        let net = Net::new(|request| {
            let mut response = match request.url.contains("/text") {
                true => answer(404, "no {json"),
                false => answer(201, r#"{"a": [1]}"#),
            };
            response.headers = vec![("x".into(), "1".into()), ("x".into(), "2".into())];
            Ok(response)
        });
        let form = json!({"method": "GET", "url": "https://a.example/p"});
        let out = data::<HttpRequest>(form, json!({"old": 1}), &net.cx()).await;
        let result = &out["http_request"];
        assert_eq!((&out["old"], &result["status"]), (&json!(1), &json!(201)));
        assert_eq!(result["body"], json!({"a": [1]}));
        assert_eq!(result["headers"], json!({"x": "1, 2"}));
        assert!(result["duration_ms"].is_i64() && result["error"].is_null());
        let form = json!({"method": "GET", "url": "https://a.example/text"});
        let out = data::<HttpRequest>(form, json!({"http_request": 0}), &net.cx()).await;
        assert_eq!(out["http_request_2"]["body"], "no {json");
        assert_eq!(out["http_request_2"]["status"], 404);
        let seen = net.seen();
        assert_eq!(seen[0].timeout_s, Some(30.0));
        assert!(seen[0].body.is_none() && seen[0].headers.is_empty());
    }

    #[tokio::test]
    async fn a_failure_on_the_way_is_a_result_with_status_0() {
        let net = Net::new(|_| {
            Err(HttpFailure {
                kind: "ConnectionError",
                message: "nobody there".into(),
            })
        });
        let form = json!({"method": "GET", "url": "no url", "timeout_seconds": 2});
        let out = data::<HttpRequest>(form, json!({}), &net.cx()).await;
        let result = &out["http_request"];
        assert_eq!(result["status"], 0);
        assert_eq!(
            result["error"],
            json!({"message": "nobody there", "type": "ConnectionError"})
        );
        assert_eq!(net.seen()[0].url, "no url");
        assert_eq!(net.seen()[0].timeout_s, Some(2.0));
    }

    #[tokio::test]
    async fn parameters_headers_and_credentials_go_with_the_request() {
        let net = Net::new(|_| Ok(answer(200, "")));
        let cx = net.cx();
        let form = json!({
            "method": "POST", "url": "https://a.example/p?q=1", "body": "[1, 2]",
            "query_params": r#"{"a": "x y", "n": 2, "l": [1, true], "none": null}"#,
            "headers": r#"{"X-Mine": 7, "Authorization": "other"}"#,
            "auth_type": "basic", "auth_username": "ann", "auth_password": "p:w",
        });
        let out = data::<HttpRequest>(form, json!({}), &cx).await;
        assert_eq!(out["http_request"]["body"], "");
        let form = json!({
            "method": "PATCH", "url": "https://a.example/", "body": "plain",
            "auth_type": "bearer", "auth_bearer_token": "t",
        });
        data::<HttpRequest>(form, json!({}), &cx).await;
        let form =
            json!({"method": "DELETE", "url": "https://a.example/", "body": "{}", "headers": "[]"});
        data::<HttpRequest>(form, json!({}), &cx).await;
        let seen = net.seen();
        assert_eq!(
            seen[0].url,
            "https://a.example/p?q=1&a=x+y&n=2&l=1&l=true&none="
        );
        assert_eq!(header(&seen[0], "x-mine").unwrap(), "7");
        assert_eq!(
            header(&seen[0], "authorization").unwrap(),
            "Basic YW5uOnA6dw=="
        );
        assert_eq!(
            header(&seen[0], "content-type").unwrap(),
            "application/json"
        );
        assert_eq!(seen[0].body.as_deref(), Some(&b"[1, 2]"[..]));
        assert_eq!(header(&seen[1], "authorization").unwrap(), "Bearer t");
        assert_eq!(header(&seen[1], "content-type"), None);
        assert_eq!(seen[1].body.as_deref(), Some(&b"plain"[..]));
        assert!(seen[2].body.is_none() && seen[2].headers.is_empty());
    }

    #[tokio::test]
    async fn headers_and_parameters_that_are_no_json_are_refused() {
        let net = Net::new(|_| Ok(answer(200, "")));
        for name in ["headers", "query_params"] {
            let form = json!({"method": "GET", "url": "https://a.example/", name: "{x"});
            let said = refusal::<HttpRequest>(form, json!({}), &net.cx()).await;
            assert!(
                said.starts_with(&format!("Invalid JSON in {name}: ")),
                "{said}"
            );
        }
        assert!(net.seen().is_empty());
    }
}
