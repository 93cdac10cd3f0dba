//! JavaScript of a model, in the sandbox: with the guarded network and the workspace, without secrets.

use bytes::Bytes;
use nodetool_sdk::services::{HttpRequest, ScriptHost, ScriptLimits, ScriptResult};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};

use super::Desk;
use super::arguments::{Arguments, cut};
use super::files::write_bytes;

/// Longest code in bytes.
const MOST_CODE: usize = 256 << 10;
/// Seconds a script may take.
const SECONDS: f64 = 60.0;
/// Most bytes that leave a script, and that it is given at once.
const MOST_BYTES: usize = 8 << 20;
/// Lines of its log that are kept, and their length.
const MOST_LINES: usize = 200;
const MOST_LINE: usize = 1_000;

impl Desk {
    pub(super) async fn run_javascript(&self, arguments: &Arguments) -> Result<Value, String> {
        let code = arguments.text("code");
        if code.len() > MOST_CODE {
            return Err(format!("code: expected at most {MOST_CODE} bytes"));
        }
        let host = ToolHost {
            desk: self,
            lines: std::sync::Mutex::default(),
        };
        let inputs = Map::from_iter([("inputs".into(), arguments.object("inputs").into())]);
        let mut yielded = Vec::new();
        let ended = self
            .script(code, Vec::new(), inputs, &host, &mut yielded)
            .await;
        let lines = host
            .lines
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let result = ended.map_err(|e| {
            let log = if lines.is_empty() {
                String::new()
            } else {
                format!("\nlog:\n{}", lines.join("\n"))
            };
            format!("{e}{log}")
        })?;
        let mut told = Map::from_iter([("result".into(), result)]);
        if !yielded.is_empty() {
            told.insert("yielded".into(), yielded.into());
        }
        if !lines.is_empty() {
            told.insert(
                "log".into(),
                Value::list(lines.into_iter().map(Value::from)),
            );
        }
        Ok(told.into())
    }

    /// Runs a script once.
    pub(super) async fn script(
        &self,
        code: &str,
        packages: Vec<String>,
        inputs: Map,
        host: &dyn ScriptHost,
        yielded: &mut Vec<Value>,
    ) -> Result<Value, NodeError> {
        let limits = ScriptLimits {
            timeout_s: Some(SECONDS),
            max_output_bytes: MOST_BYTES,
        };
        let mut session = self.house.scripts.session(code, packages, limits).await?;
        let mut taken = |value: Value| {
            if yielded.len() < MOST_LINES {
                yielded.push(value);
            }
        };
        let result = session.call(inputs, host, &mut taken).await?;
        Ok(match result {
            ScriptResult::Nothing => Value::Null,
            ScriptResult::Outputs(map) => map.into(),
            ScriptResult::Value(value) => value,
        })
    }
}

/// Offers nothing.
pub(super) struct NoHost;

impl ScriptHost for NoHost {
    fn call<'a>(&'a self, name: &'a str, _: Vec<Value>) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move { Err(format!("'{name}' is not offered here")) })
    }
}

/// What a model's script may ask for. Secrets are not among it: what a page says could talk a model into sending them
/// away.
struct ToolHost<'a> {
    desk: &'a Desk,
    lines: std::sync::Mutex<Vec<String>>,
}

impl ScriptHost for ToolHost<'_> {
    fn call<'a>(&'a self, name: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move {
            let text = |at: usize| args.get(at).and_then(Value::as_str);
            let path = || text(0).map(str::to_owned).ok_or("expected a path, a text");
            match name {
                "fetch" => self.fetch(text(0), args.get(1)).await,
                "workspace.read" => {
                    let call = Map::from_iter([("path".into(), path()?.into())]);
                    let read = self.desk.read_file(&Arguments::new(call.into())).await?;
                    Ok(read.get("content").cloned().unwrap_or_default())
                }
                "workspace.write" => {
                    let path = path()?;
                    let bytes = match args.get(1) {
                        Some(Value::Str(text)) => Bytes::copy_from_slice(text.as_bytes()),
                        Some(Value::Bytes(bytes)) => bytes.clone(),
                        _ => return Err("expected the content, a text or bytes".into()),
                    };
                    let write =
                        move |w: &nodetool_sdk::Workspace| write_bytes(w, &path, &bytes, false);
                    self.desk.with_files(write).await.map(|()| Value::Null)
                }
                "workspace.list" => {
                    let call = Map::from_iter([("path".into(), text(0).unwrap_or(".").into())]);
                    let listed = self
                        .desk
                        .list_directory(&Arguments::new(call.into()))
                        .await?;
                    let entries = listed
                        .get("entries")
                        .and_then(Value::as_list)
                        .unwrap_or_default();
                    Ok(Value::list(
                        entries.iter().filter_map(|e| e.get("path").cloned()),
                    ))
                }
                "getSecret" => Err("secrets are not offered to scripts of models".into()),
                "uuid" => Ok(uuid::Uuid::new_v4().to_string().into()),
                "sleep" => {
                    let ms = args
                        .first()
                        .and_then(Value::as_f64)
                        .filter(|ms| ms.is_finite());
                    let ms = ms.ok_or("sleep: expected milliseconds, a number")?;
                    let seconds = (ms / 1000.0).clamp(0.0, SECONDS);
                    tokio::time::sleep(std::time::Duration::from_secs_f64(seconds)).await;
                    Ok(Value::Null)
                }
                "log" => {
                    let line = args.last().map(|v| {
                        v.as_str()
                            .map_or_else(|| v.preview(MOST_LINE), str::to_owned)
                    });
                    self.log(&line.unwrap_or_default());
                    Ok(Value::Null)
                }
                _ => Err(format!("'{name}' is not offered to scripts")),
            }
        })
    }
}

impl ToolHost<'_> {
    fn log(&self, line: &str) {
        let mut lines = self
            .lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if lines.len() < MOST_LINES {
            lines.push(cut(line, MOST_LINE).0.to_owned());
        }
    }

    async fn fetch(&self, url: Option<&str>, init: Option<&Value>) -> Result<Value, String> {
        let url = url.ok_or("fetch: expected the URL, a text")?;
        let option = |key: &str| init.and_then(|i| i.get(key)).filter(|v| !v.is_null());
        let body = match option("body") {
            None => None,
            Some(Value::Str(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Some(Value::Bytes(bytes)) => Some(bytes.clone()),
            Some(_) => return Err("fetch: expected the body to be a text or bytes".into()),
        };
        let request = HttpRequest {
            method: super::web::method(option("method").and_then(Value::as_str))?,
            url: url.to_owned(),
            headers: super::web::headers(option("headers"))?,
            body,
            timeout_s: Some(SECONDS),
        };
        let response = self
            .desk
            .house
            .http
            .send(request)
            .await
            .map_err(|e| e.to_string())?;
        if response.body.len() > MOST_BYTES {
            return Err(format!(
                "fetch: the response has more than {MOST_BYTES} bytes"
            ));
        }
        let headers = super::web::header_map(&response.headers);
        Ok(Value::map([
            ("status", Value::from(u32::from(response.status))),
            ("ok", (200..300).contains(&response.status).into()),
            ("url", response.url.into()),
            ("headers", headers.into()),
            ("body", response.body.into()),
        ]))
    }
}
