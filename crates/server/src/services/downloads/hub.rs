//! A client of the hub's protocol: what a repository holds, and its files from some byte on. It writes no file.
//!
//! The token is for the hub alone: files may be elsewhere, and a redirect there goes without it.

use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue,
    IF_RANGE, LOCATION, RANGE,
};
use reqwest::{Method, Response, StatusCode, Url, redirect};

use super::names::{Commit, FilePath, RepoId};
use crate::outbound::{OutboundError, tls};
use crate::sensitive::Sensitive;

mod fault;
mod listing;
mod models;

use fault::check;

pub(crate) use fault::HubError;
pub(super) use fault::broken;
pub(super) use listing::{Listing, RemoteFile};
pub(crate) use models::HubModel;

const CONNECT: Duration = Duration::from_secs(15);
/// Longest silence of a server that is answering.
const SILENCE: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 8;
/// Largest answer that is no file.
const ANSWER: usize = 32 << 20;

/// A file from some byte on.
pub(super) struct Opened {
    pub(super) response: Response,
    /// The byte it begins with: the one asked for, or the first.
    pub(super) from: u64,
}

/// What is asked, beside the URL.
#[derive(Clone, Copy)]
struct Asked<'a> {
    what: &'a str,
    token: Option<&'a Sensitive>,
    /// Where the file goes on, and what it must still be.
    range: Option<(u64, &'a str)>,
}

/// The hub at one address.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    http: reqwest::Client,
    endpoint: Url,
}

/// The hub cannot be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("`{0}` is not the address of a server; expected one such as https://huggingface.co")]
    Address(String),
    #[error(transparent)]
    Tls(#[from] OutboundError),
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
}

/// An address that the operator has set: http or https, with a host, without secrets.
pub(super) fn address(text: &str) -> Result<Url, SetupError> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    // It may hold a password.
    let shown = text.rsplit('@').next().unwrap_or_default();
    url.ok_or_else(|| SetupError::Address(shown.to_owned()))
}

/// A client for servers that the operator has named.
pub(super) fn http_client() -> Result<reqwest::Client, SetupError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config()?)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .no_gzip()
        .no_brotli()
        .user_agent(concat!("nodetool/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

impl Hub {
    pub(crate) fn new(endpoint: &str) -> Result<Self, SetupError> {
        Ok(Hub {
            http: http_client()?,
            endpoint: address(endpoint)?,
        })
    }

    /// The URL of parts of a path; each part is escaped.
    fn url<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.endpoint.clone();
        // An address that has no path was refused when it was read.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    fn file_url(&self, repo: &RepoId, revision: &str, path: &FilePath) -> Url {
        let parts = repo.as_str().split('/');
        let parts = parts.chain(["resolve", revision]);
        self.url(parts.chain(path.as_str().split('/')))
    }

    /// The size of a file of the latest commit.
    pub(crate) async fn size(
        &self,
        repo: &RepoId,
        path: &FilePath,
        token: Option<&Sensitive>,
    ) -> Result<u64, HubError> {
        let url = self.file_url(repo, super::cache::REVISION, path);
        let what = format!("{} in {}", path.as_str(), repo.as_str());
        let asked = Asked {
            what: &what,
            token,
            range: None,
        };
        // The hub's own answer says it, even where the file is elsewhere.
        let (first, last) = self.send(Method::HEAD, url, asked, 0).await?;
        let size = number(&first, "x-linked-size");
        let size = size.or_else(|| number(last.headers(), CONTENT_LENGTH));
        size.ok_or_else(|| HubError::Nonsense(format!("{what} has no size")))
    }

    /// Opens a file of a commit; its content must be the one that was listed.
    pub(super) async fn open(
        &self,
        repo: &RepoId,
        commit: &Commit,
        file: &RemoteFile,
        token: Option<&Sensitive>,
        from: u64,
    ) -> Result<Opened, HubError> {
        let url = self.file_url(repo, commit.as_str(), &file.path);
        let what = format!("{} in {}", file.path.as_str(), repo.as_str());
        let asked = Asked {
            what: &what,
            token,
            range: (from > 0).then_some((from, file.id.as_str())),
        };
        let (first, response) = self.send(Method::GET, url, asked, REDIRECTS).await?;
        let changed = || HubError::Nonsense(format!("{what} is not the file that was listed"));
        if text(&first, "x-repo-commit").is_some_and(|c| c != commit.as_str()) {
            return Err(changed());
        }
        let etag = text(&first, "x-linked-etag").map(bare_etag);
        if etag.is_some_and(|etag| etag != file.id.as_str())
            || number(&first, "x-linked-size").is_some_and(|size| size != file.size)
        {
            return Err(changed());
        }
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = text(response.headers(), CONTENT_RANGE).and_then(content_range);
                if range != Some((from, file.size)) {
                    return Err(HubError::Nonsense(format!(
                        "{what} came from another byte than asked for"
                    )));
                }
                from
            }
            _ => 0,
        };
        let whole = number(response.headers(), CONTENT_LENGTH);
        if whole.is_some_and(|length| length != file.size - from) {
            return Err(changed());
        }
        Ok(Opened { response, from })
    }

    /// Sends a request and follows where it leads; the first answer's headers and the last answer.
    async fn send(
        &self,
        method: Method,
        mut url: Url,
        asked: Asked<'_>,
        redirects: usize,
    ) -> Result<(HeaderMap, Response), HubError> {
        let mut first = None;
        for _ in 0..=REDIRECTS {
            let home = url.origin() == self.endpoint.origin();
            let mut request = self.http.request(method.clone(), url.clone());
            request = request.header(ACCEPT_ENCODING, "identity");
            if let Some(token) = asked.token.filter(|_| home) {
                request = request.header(AUTHORIZATION, bearer(token)?);
            }
            if let Some((from, id)) = asked.range {
                request = request.header(RANGE, format!("bytes={from}-"));
                if home {
                    // Elsewhere the same content goes by another tag.
                    request = request.header(IF_RANGE, format!("\"{id}\""));
                }
            }
            let response = request.send().await.map_err(|e| broken(&e))?;
            let headers = first.get_or_insert_with(|| response.headers().clone());
            if !response.status().is_redirection() {
                let headers = headers.clone();
                check(response.status(), &headers, response.headers(), asked)?;
                return Ok((headers, response));
            }
            if redirects == 0 && headers.contains_key("x-linked-size") {
                return Ok((headers.clone(), response));
            }
            let to = text(response.headers(), LOCATION).and_then(|to| url.join(to).ok());
            let to = to.filter(|to| {
                matches!(to.scheme(), "http" | "https")
                    && (url.scheme() == "http" || to.scheme() == "https")
            });
            url = to.ok_or_else(|| HubError::Nonsense("it leads to no address".into()))?;
        }
        Err(HubError::Nonsense("it leads in circles".into()))
    }

    /// The JSON of an answer, and its headers.
    async fn json(
        &self,
        url: Url,
        what: &str,
        token: Option<&Sensitive>,
    ) -> Result<(HeaderMap, serde_json::Value), HubError> {
        let asked = Asked {
            what,
            token,
            range: None,
        };
        let (_, mut response) = self.send(Method::GET, url, asked, REDIRECTS).await?;
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| broken(&e))? {
            if body.len() + chunk.len() > ANSWER {
                return Err(HubError::Nonsense(format!(
                    "an answer of more than {} MiB",
                    ANSWER >> 20
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let value = serde_json::from_slice(&body)
            .map_err(|_| HubError::Nonsense("expected JSON".into()))?;
        Ok((headers, value))
    }
}

fn bearer(token: &Sensitive) -> Result<HeaderValue, HubError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| HubError::Refused("HF_TOKEN holds characters that no token has".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn text(headers: &HeaderMap, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: impl reqwest::header::AsHeaderName) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}

fn bare_etag(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// First byte and whole size in `bytes 5-9/10`.
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to, size): (u64, u64, u64) =
        (from.parse().ok()?, to.parse().ok()?, size.parse().ok()?);
    (to.checked_add(1)? == size).then_some((from, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_only_up_to_the_end_of_the_file() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 10)));
        for bad in ["bytes 5-8/10", "bytes */10", "bytes 5-9/*", "5-9/10", ""] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
        assert_eq!(bare_etag("W/\"abc\""), "abc");
    }

    #[test]
    fn the_address_of_the_hub_names_a_server_and_no_password() {
        for good in ["https://huggingface.co", "http://127.0.0.1:1/mirror/"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["", "huggingface.co", "ftp://a", "http://a?x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
        let told = address("http://me:secret@a").unwrap_err().to_string();
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn names_of_files_are_escaped_in_urls() {
        let hub = Hub::new("http://h/mirror").unwrap();
        let repo = RepoId::parse("o/m").unwrap();
        let path = FilePath::parse("a b/c?d#e%2e.bin").unwrap();
        assert_eq!(
            hub.file_url(&repo, "main", &path).as_str(),
            "http://h/mirror/o/m/resolve/main/a%20b/c%3Fd%23e%252e.bin"
        );
    }
}
