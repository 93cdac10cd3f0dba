//! Loads web pages in a browser and gives the requests they make.

use std::time::Duration;

use nodetool_sdk::browsers::{Capture, Captured, PageOptions, WaitMode};
use nodetool_sdk::steps::{FieldKind, FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use super::browser::{
    needs_browser, open, session_field, throttle_field, urls, urls_field, wait_field,
};
use super::credential_headers::without_credentials;
use crate::{Fields, FormStep};

/// Most bytes of a body when nothing is said, and at all.
const BODY: i64 = 10 << 20;
const MAX_BODY: i64 = 64 << 20;
/// Milliseconds a page may take when nothing is said, and at all.
const TIMEOUT_MS: i64 = 30_000;
const MAX_TIMEOUT_MS: i64 = 600_000;

/// It keeps nothing.
#[derive(Default)]
pub(super) struct NetworkInterceptor;

impl FormStep for NetworkInterceptor {
    const IDENTIFIER: &'static str = "playwright-network-interceptor";
    const CLASS: &'static str = "NetworkInterceptor";
    const CATEGORY: &'static str = "Browser";

    fn form() -> Option<FormSpec> {
        let types = vec![
            ("xhr", "XHR"),
            ("fetch", "Fetch"),
            ("xhr,fetch", "XHR and fetch"),
            ("all", "All"),
        ];
        let methods = vec![
            ("GET", "GET"),
            ("POST", "POST"),
            ("GET,POST", "GET and POST"),
            ("all", "All"),
        ];
        let yes_no = vec![("true", "Yes"), ("false", "No")];
        Some(FormSpec {
            name: "NetworkInterceptorForm",
            fields: vec![
                urls_field(),
                session_field(),
                wait_field(),
                throttle_field(),
                FieldSpec::new("capture_resource_types", FieldKind::Choice(types))
                    .initial("xhr,fetch")
                    .help("Which kinds of requests are kept."),
                FieldSpec::text("url_pattern")
                    .longest(2048)
                    .help("Part of the address of requests that are kept; `*` stands for anything."),
                FieldSpec::new("http_methods", FieldKind::Choice(methods))
                    .initial("all")
                    .help("Methods of requests that are kept."),
                FieldSpec::text("status_codes")
                    .longest(255)
                    .help("Status codes of answers that are kept, such as `200, 300-399, 4xx`; empty for all."),
                FieldSpec::new("include_response_body", FieldKind::Choice(yes_no))
                    .initial("true")
                    .help("Whether the bodies of answers are kept."),
                FieldSpec::integer("max_response_size")
                    .least(1)
                    .most(MAX_BODY)
                    .initial(BODY)
                    .help("Most bytes of one body; larger ones are left out."),
                FieldSpec::integer("return_timeout")
                    .least(1)
                    .most(MAX_TIMEOUT_MS)
                    .initial(TIMEOUT_MS)
                    .help("Milliseconds each page may take."),
            ],
            check: Some(|values| {
                let codes = values.get("status_codes").and_then(Value::as_str);
                match statuses(codes.unwrap_or_default()) {
                    Ok(_) => Vec::new(),
                    Err(why) => vec![("status_codes", why)],
                }
            }),
        })
    }

    async fn setup(&mut self, cx: &StepCx) -> Result<(), NodeError> {
        needs_browser(Self::IDENTIFIER, cx)
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let urls = urls(fields, &token.data)?;
        let capture = capture(fields)?;
        let wait = WaitMode::of(fields.text("wait_mode")).unwrap_or_default();
        let limit = fields.int("return_timeout").unwrap_or(TIMEOUT_MS);
        let limit = Duration::from_millis(limit.clamp(1, MAX_TIMEOUT_MS).unsigned_abs());
        let mut visited = Vec::with_capacity(urls.len());
        for url in urls {
            let options = PageOptions {
                throttle: fields.flag("respect_domain_throttle"),
                capture: Some(capture.clone()),
            };
            let mut page = open(Self::IDENTIFIER, fields, options, cx).await?;
            let (end, error) = match page.goto(&url, wait, limit).await {
                Ok(visit) => (Value::from(visit.url), None),
                Err(NodeError::Stopped) => return Err(NodeError::Stopped),
                Err(e) => (Value::Null, Some(("error", Value::from(e.to_string())))),
            };
            // What went over the network before a page failed is what people look for then.
            let kept = page.captured().await?.into_iter().map(noted);
            let entry = [
                ("url", Value::from(url)),
                ("final_url", end),
                ("dom_content", Value::Null),
                ("network_requests", Value::list(kept)),
            ];
            visited.push(Value::map(entry.into_iter().chain(error)));
        }
        token.put("network_interceptor", visited.into());
        Ok(Flow::Go(token))
    }
}

fn capture(fields: &Fields) -> Result<Capture, NodeError> {
    let list = |name: &str, absent: &str| -> Vec<String> {
        let text = match fields.text(name) {
            "" => absent,
            text => text,
        };
        match text {
            "all" => Vec::new(),
            text => text.split(',').map(|word| word.trim().to_owned()).collect(),
        }
    };
    let size = fields
        .int("max_response_size")
        .unwrap_or(BODY)
        .clamp(1, MAX_BODY);
    Ok(Capture {
        resource_types: list("capture_resource_types", "xhr,fetch"),
        methods: list("http_methods", "all"),
        url_pattern: fields.text("url_pattern").to_owned(),
        statuses: statuses(fields.text("status_codes"))
            .map_err(|why| NodeError::bad("status_codes", why))?,
        bodies: fields.text("include_response_body") != "false",
        max_body: usize::try_from(size).unwrap_or_default(),
    })
}

/// `200, 300-399, 4xx` as ranges.
fn statuses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let code = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|c| (100..1000).contains(c))
    };
    let range = |part: &str| -> Option<(u16, u16)> {
        if let Some(hundreds) = part.to_ascii_lowercase().strip_suffix("xx") {
            let first = code(&format!("{hundreds}00"))?;
            return Some((first, first + 99));
        }
        match part.split_once('-') {
            Some((from, to)) => Some((code(from)?, code(to)?)).filter(|(from, to)| from <= to),
            None => code(part).map(|code| (code, code)),
        }
    };
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let wrong = || format!("found `{part}`, expected codes such as 200, 300-399 or 4xx");
            range(part).ok_or_else(wrong)
        })
        .collect()
}

fn noted(kept: Captured) -> Value {
    let request = Value::map([
        ("url", Value::from(kept.url)),
        ("method", kept.method.into()),
        ("headers", without_credentials(&kept.request_headers).into()),
        ("resource_type", kept.resource_type.into()),
        ("post_data", kept.request_body.into()),
    ]);
    let response = kept.status.map(|status| {
        let body = kept
            .response_body
            .map(|body| serde_json::from_str::<Value>(&body).unwrap_or_else(|_| Value::from(body)));
        Value::map([
            ("status", Value::Int(i64::from(status))),
            (
                "headers",
                without_credentials(&kept.response_headers).into(),
            ),
            ("body", body.into()),
            ("too_large", kept.too_large.into()),
        ])
    });
    Value::map([("request", request), ("response", response.into())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::browser::fake::Browser;
    use super::super::testing::{data, map, refusal};
    use super::*;

    fn form() -> serde_json::Value {
        json!({"urls": "https://a.example/", "session_name": "pool:1", "wait_mode": "load",
            "capture_resource_types": "xhr", "http_methods": "GET,POST", "status_codes": "2xx"})
    }

    #[tokio::test]
    async fn requests_that_pass_the_filters_are_given_without_credentials() {
        let request = |kind: &str, status| Captured {
            resource_type: kind.into(),
            method: "POST".into(),
            url: "https://a.example/api".into(),
            request_headers: map(json!({"cookie": "x", "accept": "*/*"})),
            request_body: Some("sent".into()),
            status: Some(status),
            response_headers: map(json!({"set-cookie": "x", "content-type": "application/json"})),
            response_body: Some(r#"{"a": 1}"#.into()),
            too_large: false,
        };
        let browser = Browser {
            requests: vec![
                request("xhr", 201),
                request("xhr", 404),
                request("image", 200),
            ],
            ..Browser::default()
        };
        let (cx, _) = browser.cx();
        let out = data::<NetworkInterceptor>(form(), json!({}), &cx).await;
        assert_eq!(
            out["network_interceptor"],
            json!([{"url": "https://a.example/", "final_url": "https://a.example/#end", "dom_content": null,
            "network_requests": [{
                "request": {"url": "https://a.example/api", "method": "POST", "headers": {"accept": "*/*"},
                    "resource_type": "xhr", "post_data": "sent"},
                "response": {"status": 201, "headers": {"content-type": "application/json"},
                    "body": {"a": 1}, "too_large": false},
            }]}])
        );
    }

    #[tokio::test]
    async fn a_page_that_fails_has_its_error() {
        let (cx, _) = Browser::default().cx();
        let mut form = form();
        form["urls"] = json!("https://down.example/");
        let out = data::<NetworkInterceptor>(form, json!({}), &cx).await;
        let entry = &out["network_interceptor"][0];
        assert_eq!(
            (&entry["error"], &entry["final_url"]),
            (&json!("nobody there"), &json!(null))
        );
        assert_eq!(entry["network_requests"], json!([]));
    }

    #[tokio::test]
    async fn status_codes_are_codes_and_ranges() {
        let all = statuses("200, 300-399,4xx,,").unwrap();
        assert_eq!(all, [(200, 200), (300, 399), (400, 499)]);
        for wrong in ["x", "99", "300-200", "1000", "9999xx", "xx"] {
            assert!(statuses(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
        let (cx, _) = Browser::default().cx();
        let mut form = form();
        form["status_codes"] = json!("ok");
        let said = refusal::<NetworkInterceptor>(form, json!({}), &cx).await;
        assert!(said.contains("`status_codes`"), "{said}");
    }
}
