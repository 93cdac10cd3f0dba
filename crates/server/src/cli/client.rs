//! The HTTP client behind every command that talks to a server. It knows how the API is spoken, not what it is about.

use std::time::Duration;

use anyhow::{Context, bail};
use nodetool_protocol::Value;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Body, Method, Response, StatusCode, Url, redirect};

use crate::outbound::tls;

mod socket;

pub(super) use socket::Socket;

/// Time for an answer that is no stream.
const PATIENCE: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(10);
/// Largest answer, and largest line of a stream.
const MOST: usize = 512 << 20;
/// What is read of a refusal.
const REFUSAL: usize = 64 << 10;
/// Field errors told in one line.
const TOLD: usize = 5;

/// Speaks to one server.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<HeaderValue>,
    /// The second factor of administrators.
    admin_token: Option<HeaderValue>,
    /// The server is in this process and ends with the command.
    pub(super) here: bool,
}

/// An answer that is no success, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{told}")]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    told: String,
}

/// One request: where, with what, and the id it is about, for errors.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, String)],
    pub(super) body: Option<Body>,
    pub(super) content_type: Option<String>,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) about: &'a str,
}

impl<'a> Ask<'a> {
    /// A request without query and body, about the third part of its path.
    pub(super) fn new(method: Method, path: &'a [&'a str]) -> Self {
        Ask {
            method,
            path,
            query: &[],
            body: None,
            content_type: None,
            headers: &[],
            about: path.get(2).copied().unwrap_or_default(),
        }
    }

    /// With a JSON body.
    pub(super) fn json(self, body: &Value) -> anyhow::Result<Self> {
        Ok(Ask {
            body: Some(serde_json::to_vec(body)?.into()),
            content_type: Some("application/json".into()),
            ..self
        })
    }
}

impl Client {
    /// A client of the server at a URL.
    pub(super) fn new(url: &str, token: Option<&str>, here: bool) -> anyhow::Result<Self> {
        let base = read_url(url)?;
        let token = match token {
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .context("--token: a token has no line breaks or control characters")?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config()?)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("nodetool/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            // A proxy cannot reach this machine's own address.
            http = http.no_proxy();
        }
        let http = http.build().context("cannot make an HTTP client")?;
        Ok(Client {
            http,
            base,
            token,
            admin_token: None,
            here,
        })
    }

    /// The same client for somebody who holds the administrators' token, too.
    pub(super) fn administering(self, token: &str) -> anyhow::Result<Self> {
        let mut value = HeaderValue::from_str(token)
            .context("--admin-token: a token has no line breaks or control characters")?;
        value.set_sensitive(true);
        Ok(Client {
            admin_token: Some(value),
            ..self
        })
    }

    /// The address of the server, without a slash at its end.
    pub(super) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The JSON of a resource.
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> anyhow::Result<Value> {
        let ask = Ask {
            query,
            ..Ask::new(Method::GET, path)
        };
        self.ask(ask).await
    }

    /// Sends a request and reads the JSON of its answer.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> anyhow::Result<Value> {
        let answer = async {
            let response = self.open(ask).await?;
            self.json(response).await
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer,
            Err(_) => bail!(
                "{} did not answer within {} s",
                self.address(),
                PATIENCE.as_secs()
            ),
        }
    }

    /// The JSON of an answer.
    pub(super) async fn json(&self, mut response: Response) -> anyhow::Result<Value> {
        let body = read(&mut response, MOST).await?;
        serde_json::from_slice(&body).with_context(|| {
            format!(
                "{} answered something that is no JSON; is it a NodeTool server?",
                self.address()
            )
        })
    }

    /// Sends a request; what comes back is a success whose body is still to be read, or a socket that was asked for.
    pub(super) async fn open(&self, ask: Ask<'_>) -> anyhow::Result<Response> {
        let mut url = self.base.clone();
        // A base that has no path was refused when it was read.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let mut request = self.http.request(ask.method, url.clone());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(token) = &self.admin_token {
            request = request.header("x-admin-token", token);
        }
        if let Some(content_type) = ask.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = ask.body {
            request = request.body(body);
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(e) => bail!("{}", self.unreachable(&e)),
        };
        if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let status = response.status();
        let header = |name| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(plain(value))
        };
        if status.is_redirection() {
            let to = header(LOCATION.as_str()).unwrap_or_else(|| "another address".into());
            bail!(
                "{} sends its clients to {to}; pass that to --api-url",
                self.address()
            );
        }
        let id = header("x-request-id");
        let body = read(&mut response, REFUSAL).await.unwrap_or_default();
        let told = refusal(&body);
        let told = self.refused(status, told, ask.about, url.path(), id.as_deref());
        Err(Refused { status, told }.into())
    }

    fn unreachable(&self, e: &reqwest::Error) -> String {
        let address = self.address();
        if e.is_connect() || e.is_timeout() {
            return format!(
                "no server answers at {address} ({}); `nodetool serve` starts one, --api-url names another",
                cause(e)
            );
        }
        format!("the connection to {address} broke: {}", cause(e))
    }

    fn refused(
        &self,
        status: StatusCode,
        told: Option<String>,
        about: &str,
        path: &str,
        id: Option<&str>,
    ) -> String {
        let address = self.address();
        let generic = told.as_deref().is_none_or(|t| t == "Not Found");
        match status {
            StatusCode::UNAUTHORIZED => {
                let what = if self.token.is_some() {
                    "refuses this token"
                } else {
                    "asks for a token"
                };
                let told = told.map(|t| format!(" ({t})")).unwrap_or_default();
                format!("{address} {what}{told}: pass --token TOKEN or set NODETOOL_TOKEN")
            }
            StatusCode::NOT_FOUND if generic && (about.is_empty() || told.is_none()) => {
                if self.here {
                    return format!("this version has no {path}");
                }
                format!("{address} has no {path}: an older server, or a URL that is not its root")
            }
            StatusCode::NOT_FOUND if !about.is_empty() => {
                let told = told.unwrap_or_default();
                format!("{}: {}", told.trim_end_matches('.'), plain(about))
            }
            _ => {
                let told = told.unwrap_or_else(|| format!("{address} answered {status}"));
                // The log of a server inside this command is nowhere to be read.
                let id = id
                    .filter(|_| !self.here)
                    .map(|id| format!("; request {id} in the server's log"))
                    .unwrap_or_default();
                format!("{told} ({}{id})", status.as_u16())
            }
        }
    }
}

/// A server's URL: http or https, with a host, without user, query and fragment.
fn read_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    url.with_context(|| {
        // It may hold a password.
        let shown = text.rsplit('@').next().unwrap_or_default();
        format!("--api-url {shown}: expected a server's address, e.g. http://127.0.0.1:7777")
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The innermost reason: the outer ones only repeat the URL.
fn cause(e: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = e;
    while let Some(source) = inner.source() {
        inner = source;
    }
    plain(&inner.to_string())
}

/// A whole body, or as much of it as is wanted.
async fn read(response: &mut Response, most: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|e| anyhow::anyhow!("the answer broke off: {}", cause(&e)))?
    {
        if chunk.len() > most - body.len() {
            bail!("the answer has more than {} MiB", most >> 20);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the body of a refusal says, in one line: `detail`, then each field and what is wrong with it.
fn refusal(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = match body.get("detail").or_else(|| body.get("error")) {
        Some(Value::Str(text)) => plain(text),
        // Servers of other makes list the faults right there.
        Some(Value::List(_)) => String::new(),
        _ => return None,
    };
    let faults = body.get("errors").or_else(|| body.get("detail"));
    let faults = faults.and_then(Value::as_list).unwrap_or_default();
    let mut told: Vec<String> = faults.iter().take(TOLD).map(field_error).collect();
    if faults.len() > TOLD {
        told.push(format!("and {} more", faults.len() - TOLD));
    }
    Some(match (text.is_empty(), told.is_empty()) {
        (_, true) => text,
        (true, false) => told.join("; "),
        (false, false) => format!("{text}: {}", told.join("; ")),
    })
}

fn field_error(fault: &Value) -> String {
    let part = |p: &Value| p.as_str().map_or_else(|| p.preview(40), str::to_owned);
    let place = fault.get("loc").and_then(Value::as_list);
    let place: Vec<String> = place.unwrap_or_default().iter().map(part).collect();
    let msg = fault
        .get("msg")
        .and_then(Value::as_str)
        .unwrap_or("invalid");
    plain(&format!("{} {msg}", place.join(".")))
}

/// Text from elsewhere as one line that cannot steer the terminal.
pub(super) fn plain(text: &str) -> String {
    let calm = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(calm).collect::<String>().trim().to_owned()
}

/// The lines of a body, as they come.
pub(super) struct Lines {
    response: Response,
    buffer: Vec<u8>,
    /// Bytes at the front that were given out, and bytes known to hold no line end.
    given: usize,
    searched: usize,
}

impl Lines {
    pub(super) fn new(response: Response) -> Self {
        Lines {
            response,
            buffer: Vec::new(),
            given: 0,
            searched: 0,
        }
    }

    /// The next line that is not empty; nothing at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            while let Some(end) = self.buffer[self.searched..]
                .iter()
                .position(|b| *b == b'\n')
            {
                let end = self.searched + end;
                let line = self.buffer[self.given..end].to_vec();
                (self.given, self.searched) = (end + 1, end + 1);
                if !line.is_empty() {
                    return Ok(Some(line));
                }
            }
            self.buffer.drain(..self.given);
            (self.given, self.searched) = (0, self.buffer.len());
            if self.buffer.len() > MOST {
                bail!(
                    "the server sent a line of more than {} MiB without an end",
                    MOST >> 20
                );
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|e| anyhow::anyhow!("the stream broke off: {}", cause(&e)))? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(std::mem::take(&mut self.buffer)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_servers_are_taken_and_passwords_are_not_repeated() {
        for good in [
            "http://127.0.0.1:7777",
            "https://a.example/nodetool/",
            "http://[::1]:1",
        ] {
            assert!(read_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:7777",
            "ftp://a",
            "http://",
            "http://a?b=c",
            "http://a#b",
        ] {
            assert!(read_url(bad).is_err(), "{bad}");
        }
        let told = read_url("http://me:secret@a").unwrap_err().to_string();
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_refusal_is_one_line_with_its_fields() {
        let body =
            r#"{"detail":"Bad\u001b[2J","errors":[{"loc":["body","a",0],"msg":"no\nnumber"}]}"#;
        assert_eq!(
            refusal(body.as_bytes()).as_deref(),
            Some("Bad [2J: body.a.0 no number")
        );
        let listed = r#"{"detail":[{"loc":["query","limit"],"msg":"too large"}]}"#;
        assert_eq!(
            refusal(listed.as_bytes()).as_deref(),
            Some("query.limit too large")
        );
        assert_eq!(refusal(b"<html>"), None);
        assert_eq!(refusal(b"{}"), None);
    }
}
