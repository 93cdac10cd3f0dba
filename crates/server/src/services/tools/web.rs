//! Pages, requests and downloads, all through the guarded client.

use bytes::Bytes;
use nodetool_sdk::services::{HttpRequest, HttpResponse};
use nodetool_sdk::{Map, Value};

use super::Desk;
use super::arguments::{Arguments, cut};
use super::files::write_bytes;
use super::scripts::NoHost;

/// Characters of a body or page that are given.
const MOST_CHARS: usize = 100_000;
/// Most headers of a request.
const MOST_HEADERS: usize = 50;
/// Seconds of a request.
const SECONDS: f64 = 120.0;

/// Turns a page into Markdown; the page comes from anywhere and is read where it can do no harm.
const TO_MARKDOWN: &str =
    "import { toMarkdown } from '@nodetool-ai/sandbox-html'; return await toMarkdown(html)";
const HTML_PACKAGE: &str = "@nodetool-ai/sandbox-html";

impl Desk {
    pub(super) async fn browser(&self, arguments: &Arguments) -> Result<Value, String> {
        let accept =
            "text/html,application/xhtml+xml,text/*;q=0.9,application/json;q=0.9,*/*;q=0.1";
        let response = self
            .send(HttpRequest {
                method: "GET".into(),
                url: arguments.text("url").to_owned(),
                headers: vec![("accept".into(), accept.into())],
                body: None,
                timeout_s: Some(SECONDS),
            })
            .await?;
        if response.status >= 400 {
            return Err(format!("the page answered with status {}", response.status));
        }
        let kind = content_type(&response);
        if !is_text(&kind) {
            return Err(format!("the address leads to {kind}, which is no page"));
        }
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let title = if kind.contains("html") {
            title(&text)
        } else {
            None
        };
        let content = if kind.contains("html") {
            self.markdown(text).await?
        } else {
            text
        };
        let (shown, left_out) = cut(&content, MOST_CHARS);
        Ok(Value::map([
            ("url", Value::from(response.url)),
            ("title", title.into()),
            ("content", shown.into()),
            ("truncated", left_out.into()),
        ]))
    }

    async fn markdown(&self, html: String) -> Result<String, String> {
        let inputs = Map::from_iter([("html".into(), html.into())]);
        let packages = vec![HTML_PACKAGE.to_owned()];
        let mut yielded = Vec::new();
        let made = self.script(TO_MARKDOWN, packages, inputs, &NoHost, &mut yielded);
        match made.await {
            Ok(Value::Str(text)) => Ok(text.to_string()),
            Ok(other) => Err(format!("the page became {}, not a text", other.kind())),
            Err(e) => Err(format!("the page cannot be read: {e}")),
        }
    }

    pub(super) async fn http_request(&self, arguments: &Arguments) -> Result<Value, String> {
        let mut headers = headers(arguments.get("headers"))?;
        let body = match arguments.get("body") {
            None => None,
            Some(Value::Str(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Some(value) => {
                if !headers
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                {
                    headers.push(("content-type".into(), "application/json".into()));
                }
                Some(serde_json::to_vec(value).map_err(|e| e.to_string())?.into())
            }
        };
        let timeout = arguments.get("timeout").and_then(Value::as_f64);
        let response = self
            .send(HttpRequest {
                method: method(arguments.given("method"))?,
                url: arguments.text("url").to_owned(),
                headers,
                body,
                timeout_s: Some(timeout.unwrap_or(60.0).clamp(0.1, SECONDS)),
            })
            .await?;
        let kind = content_type(&response);
        let text = String::from_utf8(response.body.to_vec());
        let (body, left_out) = match &text {
            Ok(text) => {
                let (shown, left_out) = cut(text, MOST_CHARS);
                (Value::from(shown), left_out)
            }
            Err(_) => (
                format!("<{} bytes of {kind}>", response.body.len()).into(),
                true,
            ),
        };
        Ok(Value::map([
            ("status", Value::from(u32::from(response.status))),
            ("url", response.url.into()),
            ("headers", header_map(&response.headers).into()),
            ("body", body),
            ("truncated", left_out.into()),
        ]))
    }

    pub(super) async fn download_file(&self, arguments: &Arguments) -> Result<Value, String> {
        let path = arguments.text("path").to_owned();
        // Known before anything is fetched.
        self.with_files({
            let path = path.clone();
            move |workspace| {
                workspace
                    .resolve(&path)
                    .map(drop)
                    .map_err(|e| e.to_string())
            }
        })
        .await?;
        let response = self
            .send(HttpRequest {
                method: "GET".into(),
                url: arguments.text("url").to_owned(),
                headers: Vec::new(),
                body: None,
                timeout_s: Some(SECONDS),
            })
            .await?;
        if !(200..300).contains(&response.status) {
            return Err(format!(
                "the address answered with status {}",
                response.status
            ));
        }
        let kind = content_type(&response);
        let body = response.body;
        self.with_files(move |workspace| {
            write_bytes(workspace, &path, &body, false)?;
            Ok(Value::map([
                ("path", Value::from(path.as_str())),
                ("size", body.len().into()),
                ("content_type", kind.into()),
            ]))
        })
        .await
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, String> {
        self.house
            .http
            .send(request)
            .await
            .map_err(|e| e.to_string())
    }
}

/// A method, GET when there is none.
pub(super) fn method(given: Option<&str>) -> Result<String, String> {
    match given {
        None => Ok("GET".into()),
        Some(word) if word.len() <= 16 && word.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Ok(word.to_ascii_uppercase())
        }
        Some(_) => Err("method: expected a word such as GET".into()),
    }
}

/// Headers of an object of texts.
pub(super) fn headers(given: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let expected = || format!("headers: expected an object of at most {MOST_HEADERS} texts");
    let map = given.as_map().ok_or_else(expected)?;
    if map.len() > MOST_HEADERS {
        return Err(expected());
    }
    let pair = |(name, value): (&std::sync::Arc<str>, &Value)| match value {
        Value::Str(text) => Ok((name.to_string(), text.to_string())),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
            Ok((name.to_string(), value.preview(40)))
        }
        _ => Err(expected()),
    };
    map.iter().map(pair).collect()
}

/// Headers as an object; one that comes twice reads as one list.
pub(super) fn header_map(headers: &[(String, String)]) -> Map {
    let mut map = Map::new();
    for (name, value) in headers.iter().take(200) {
        let joined = match map.get(name.as_str()).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        map.insert(name.as_str().into(), joined.into());
    }
    map
}

fn content_type(response: &HttpResponse) -> String {
    let header = response
        .headers
        .iter()
        .find(|(name, _)| name == "content-type");
    let kind = header.map_or("text/html", |(_, value)| value.as_str());
    kind.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/")
        || kind.contains("json")
        || kind.contains("xml")
        || kind.contains("html")
}

/// The title of a page, where it stands plainly.
fn title(html: &str) -> Option<String> {
    let (head, _) = cut(html, 100_000);
    let lower = head.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let open = start + lower[start..].find('>')? + 1;
    let end = open + lower[open..].find("</title")?;
    let text = head[open..end]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    Some(cut(&text, 300).0.to_owned()).filter(|t| !t.is_empty())
}
