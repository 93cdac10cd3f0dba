//! What a script may ask of its host: the guarded network, files of the workspace, secrets, time, chance and the log.
//!
//! It must not know how scripts are run. Every argument comes from the script and is checked here.

use std::fs::{self, File};
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use nodetool_sdk::services::{HttpRequest, ScriptHost};
use nodetool_sdk::{BoxFuture, Map, NodeCx, NodeError, Severity, Value, Workspace};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::http::idempotency;

const MAX_HEADERS: usize = 100;
const MAX_LISTED: usize = 10_000;
const MAX_SLEEP_MS: f64 = 86_400_000.0;
const MAX_LOG_LINE: usize = 10_000;

/// Answers one script on behalf of one node.
pub(super) struct NodeHost<'a> {
    /// The node.
    pub(super) cx: &'a NodeCx,
    /// Most bytes of one answer.
    pub(super) max_bytes: usize,
    /// Requests sent so far.
    pub(super) requests: AtomicU64,
}

impl ScriptHost for NodeHost<'_> {
    fn call<'a>(&'a self, name: &'a str, args: Vec<Value>) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move {
            let args = Args { name, args };
            match name {
                "fetch" => self.fetch(args).await,
                "workspace.read" => self.read(args).await,
                "workspace.write" => self.write(args).await,
                "workspace.list" => self.list(args).await,
                "getSecret" => {
                    let key = args.text(0, "the key")?;
                    let secret = self.cx.services().secrets.get(key).await;
                    secret.map(Value::from).map_err(told)
                }
                "uuid" => Ok(uuid::Uuid::new_v4().to_string().into()),
                "sleep" => {
                    let ms = args.number(0, "milliseconds")?.clamp(0.0, MAX_SLEEP_MS);
                    sleep(Duration::from_secs_f64(ms / 1000.0)).await;
                    Ok(Value::Null)
                }
                "log" => {
                    self.log(&args);
                    Ok(Value::Null)
                }
                _ => Err(format!("'{name}' is not offered to scripts")),
            }
        })
    }
}

impl NodeHost<'_> {
    /// `fetch(url, {method, headers, body, timeout})`; the timeout is in seconds.
    async fn fetch(&self, args: Args<'_>) -> Result<Value, String> {
        let url = args.text(0, "the URL")?.to_owned();
        let init = args.get(1);
        let option = |key: &str| init.get(key).filter(|v| !v.is_null());
        let method = match option("method") {
            None => "GET".to_owned(),
            Some(v) => match v.as_str() {
                Some(m)
                    if !m.is_empty()
                        && m.len() <= 16
                        && m.chars().all(|c| c.is_ascii_alphabetic()) =>
                {
                    m.to_ascii_uppercase()
                }
                _ => return Err(args.refused("the method", v, "a word such as GET")),
            },
        };
        let headers = match option("headers") {
            None => Vec::new(),
            Some(v) => header_pairs(v)
                .ok_or_else(|| args.refused("the headers", v, "an object of at most 100 texts"))?,
        };
        let body = match option("body") {
            None => None,
            Some(v) => {
                Some(content(v).ok_or_else(|| args.refused("the body", v, "text or bytes"))?)
            }
        };
        let timeout_s = match option("timeout") {
            None => None,
            Some(v) => match v.as_f64() {
                Some(s) if s > 0.0 && s.is_finite() => Some(s),
                _ => return Err(args.refused("the timeout", v, "seconds above 0")),
            },
        };
        let mut request = HttpRequest {
            method,
            url,
            headers,
            body,
            timeout_s,
        };
        let nth = self.requests.fetch_add(1, Ordering::Relaxed);
        idempotency::name(&mut request, self.cx, Some(nth));
        let response = self.cx.services().http.send(request).await.map_err(told)?;
        self.check_size("The response", response.body.len())?;
        let mut headers = Map::new();
        for (name, value) in response.headers {
            // A header that comes twice reads as one list, as scripts expect.
            let joined = match headers.get(&*name).and_then(Value::as_str) {
                Some(before) => format!("{before}, {value}"),
                None => value,
            };
            headers.insert(name.into(), joined.into());
        }
        Ok(Value::map([
            ("status", Value::from(u32::from(response.status))),
            ("ok", (200..300).contains(&response.status).into()),
            ("url", response.url.into()),
            ("headers", headers.into()),
            ("body", response.body.into()),
        ]))
    }

    /// `workspace.read(path, "text" | "bytes")`.
    async fn read(&self, args: Args<'_>) -> Result<Value, String> {
        let path = args.text(0, "the path")?.to_owned();
        let as_text = match args.get(1) {
            Value::Null => true,
            v => match v.as_str() {
                Some("text") => true,
                Some("bytes") => false,
                _ => return Err(args.refused("the kind", v, "'text' or 'bytes'")),
            },
        };
        let max = self.max_bytes;
        let shown = path.clone();
        let bytes = self
            .with_files(move |workspace| {
                let file = workspace.resolve(&path)?;
                refuse_other_than_file(&file, &path)?;
                let mut bytes = Vec::new();
                let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
                File::open(file)?.take(limit).read_to_end(&mut bytes)?;
                Ok(bytes)
            })
            .await?;
        self.check_size(&format!("File '{shown}'"), bytes.len())?;
        if !as_text {
            return Ok(Bytes::from(bytes).into());
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(format!(
                "File '{shown}' is no UTF-8 text; read it as 'bytes'"
            )),
        }
    }

    /// `workspace.write(path, text or bytes)`; missing folders are made.
    async fn write(&self, args: Args<'_>) -> Result<Value, String> {
        let path = args.text(0, "the path")?.to_owned();
        let given = args.get(1);
        let bytes =
            content(given).ok_or_else(|| args.refused("the content", given, "text or bytes"))?;
        self.with_files(move |workspace| {
            let file = workspace.resolve(&path)?;
            if file.exists() {
                refuse_other_than_file(&file, &path)?;
            } else if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            Ok(fs::write(file, bytes)?)
        })
        .await?;
        Ok(Value::Null)
    }

    /// `workspace.list(path)`: names in order, those of folders with a slash at the end.
    async fn list(&self, args: Args<'_>) -> Result<Value, String> {
        let path = match args.get(0) {
            Value::Null => String::new(),
            _ => args.text(0, "the path")?.to_owned(),
        };
        let names = self
            .with_files(move |workspace| {
                let mut names = Vec::new();
                for entry in fs::read_dir(workspace.resolve(&path)?)? {
                    let entry = entry?;
                    let mut name = entry.file_name().to_string_lossy().into_owned();
                    if entry.file_type()?.is_dir() {
                        name.push('/');
                    }
                    names.push(name);
                    if names.len() > MAX_LISTED {
                        return Err(NodeError::new(format!(
                            "Folder '{path}' holds more than {MAX_LISTED} entries"
                        )));
                    }
                }
                names.sort_unstable();
                Ok(names)
            })
            .await?;
        Ok(Value::list(names.into_iter().map(Value::from)))
    }

    /// `log(level, text)`, or `log(text)`.
    fn log(&self, args: &Args<'_>) {
        let (level, line) = match (args.get(0).as_str(), args.get(1)) {
            (Some(level), line) if !line.is_null() => (level, line),
            _ => ("info", args.get(0)),
        };
        let severity = match level {
            "error" => Severity::Error,
            "warn" | "warning" => Severity::Warning,
            _ => Severity::Info,
        };
        let line = match line.as_str() {
            Some(text) => text.chars().take(MAX_LOG_LINE).collect(),
            None => line.preview(MAX_LOG_LINE),
        };
        self.cx.log(severity, line);
    }

    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Workspace) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, String> {
        let workspace = self.cx.workspace().map_err(told)?;
        match spawn_blocking(move || work(&workspace)).await {
            Ok(result) => result.map_err(told),
            Err(_) => Err("the work on files was interrupted".into()),
        }
    }

    fn check_size(&self, what: &str, bytes: usize) -> Result<(), String> {
        if bytes > self.max_bytes {
            return Err(format!(
                "{what} has more than {} bytes; raise `max_response_mb` to take it",
                self.max_bytes
            ));
        }
        Ok(())
    }
}

/// The arguments of one call.
struct Args<'a> {
    name: &'a str,
    args: Vec<Value>,
}

impl Args<'_> {
    fn get(&self, index: usize) -> &Value {
        self.args.get(index).unwrap_or(&Value::Null)
    }

    fn text(&self, index: usize, what: &str) -> Result<&str, String> {
        let value = self.get(index);
        value
            .as_str()
            .ok_or_else(|| self.refused(what, value, "text"))
    }

    fn number(&self, index: usize, what: &str) -> Result<f64, String> {
        let value = self.get(index);
        match value.as_f64() {
            Some(number) if !number.is_nan() => Ok(number),
            _ => Err(self.refused(what, value, "a number")),
        }
    }

    fn refused(&self, what: &str, value: &Value, expected: &str) -> String {
        let name = self.name;
        format!("{name}: {what} is {} (expected {expected})", value.kind())
    }
}

fn told(error: NodeError) -> String {
    error.to_string()
}

fn content(value: &Value) -> Option<Bytes> {
    match value {
        Value::Str(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
        Value::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// Headers from an object of texts or a list of pairs.
fn header_pairs(value: &Value) -> Option<Vec<(String, String)>> {
    let pair = |name: &str, value: &Value| Some((name.to_owned(), value.as_str()?.to_owned()));
    let pairs: Option<Vec<_>> = match value {
        Value::Map(map) => map.iter().map(|(k, v)| pair(k, v)).collect(),
        Value::List(items) => items
            .iter()
            .map(|item| match item.as_list() {
                Some([name, value]) => pair(name.as_str()?, value),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    pairs.filter(|pairs| pairs.len() <= MAX_HEADERS)
}

/// Fails for folders and for files that are none, such as pipes, which would be waited on for ever.
fn refuse_other_than_file(path: &std::path::Path, name: &str) -> Result<(), NodeError> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    Err(NodeError::new(format!("'{name}' is not a file")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::services::{Http, HttpResponse, Services};
    use nodetool_sdk::testing::context_with;

    use super::*;

    async fn ask(cx: &NodeCx, name: &str, args: &[Value]) -> Result<Value, String> {
        let host = NodeHost {
            cx,
            max_bytes: 16,
            requests: AtomicU64::new(0),
        };
        host.call(name, args.to_vec()).await
    }

    #[tokio::test]
    async fn files_are_written_read_and_listed_inside_the_workspace_only() {
        let folder = tempfile::tempdir().unwrap();
        let cx = context_with(Services::none(), Some(folder.path().to_owned()));
        let path = Value::from("sub/a.txt");
        ask(&cx, "workspace.write", &[path.clone(), "hällo".into()])
            .await
            .unwrap();
        let text = ask(&cx, "workspace.read", std::slice::from_ref(&path)).await;
        assert_eq!(text, Ok("hällo".into()));
        let bytes = ask(&cx, "workspace.read", &[path, "bytes".into()]).await;
        assert_eq!(bytes, Ok(Bytes::from("hällo").into()));
        let root = ask(&cx, "workspace.list", &[]).await;
        assert_eq!(root, Ok(Value::list(["sub/".into()])));
        for (call, says) in [
            (("workspace.read", "../a"), "inside the workspace"),
            (("workspace.read", "/etc/passwd"), "inside the workspace"),
            (("workspace.read", "sub"), "not a file"),
            (("workspace.list", "none"), ""),
        ] {
            let error = ask(&cx, call.0, &[call.1.into()]).await.unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        fs::write(folder.path().join("big"), [b'x'; 17]).unwrap();
        let error = ask(&cx, "workspace.read", &["big".into()]).await;
        assert!(error.unwrap_err().contains("max_response_mb"));
    }

    struct Echo;

    impl Http for Echo {
        fn send<'a>(
            &'a self,
            request: HttpRequest,
        ) -> BoxFuture<'a, Result<HttpResponse, NodeError>> {
            Box::pin(async move {
                Ok(HttpResponse {
                    status: 201,
                    headers: request.headers,
                    body: request.body.unwrap_or_default(),
                    url: format!("{} {}", request.method, request.url),
                })
            })
        }
    }

    #[tokio::test]
    async fn fetch_goes_through_the_one_client_and_its_options_are_checked() {
        let services = Services {
            http: Arc::new(Echo),
            ..Services::none()
        };
        let cx = context_with(services, None);
        let fetch = |key: &'static str, value: Value| {
            let init = Value::map([("method", "post".into()), (key, value)]);
            let cx = &cx;
            async move { ask(cx, "fetch", &["http://x/".into(), init]).await }
        };
        let pairs = Value::list([
            Value::list(["a".into(), "1".into()]),
            Value::list(["a".into(), "2".into()]),
        ]);
        let answer = fetch("headers", pairs).await.unwrap();
        assert_eq!(answer.get("status"), Some(&Value::Int(201)));
        assert_eq!(answer.get("url"), Some(&"POST http://x/".into()));
        let headers = answer.get("headers").unwrap();
        assert_eq!(headers.get("a"), Some(&"1, 2".into()));
        for (key, value, says) in [
            ("headers", Value::Int(1), "headers"),
            ("body", Value::Int(1), "body"),
            ("timeout", Value::Int(-1), "timeout"),
            ("method", "GET / HTTP".into(), "method"),
            ("body", "x".repeat(17).into(), "max_response_mb"),
        ] {
            let error = fetch(key, value).await.unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sleep_ids_secrets_and_unknown_names_are_answered() {
        let cx = context_with(Services::none(), None);
        assert_eq!(ask(&cx, "sleep", &[5000i64.into()]).await, Ok(Value::Null));
        assert!(ask(&cx, "sleep", &[f64::NAN.into()]).await.is_err());
        let id = ask(&cx, "uuid", &[]).await.unwrap();
        assert_ne!(id, ask(&cx, "uuid", &[]).await.unwrap());
        let secret = ask(&cx, "getSecret", &["NONE".into()]).await;
        assert_eq!(secret, Ok(Value::Null));
        let error = ask(&cx, "eval", &[]).await.unwrap_err();
        assert!(error.contains("'eval'"), "{error}");
    }
}
