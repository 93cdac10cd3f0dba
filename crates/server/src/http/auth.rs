//! Before any route: whose page asks, and who (HTTP spec 1.5, 3.2 to 3.6). What passes carries its [`Caller`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::orchestrator::{ICONS, is_enquiry, is_signed_call};
use super::origins::Origins;
use super::rate::address_of;
use super::site::Front;
use super::{ApiError, peer, requests, site};
use crate::sensitive::Sensitive;
use crate::services::{Accounts, Caller, FailedLogins, Refused, metrics};

const NO_TOKEN: &str = "Authorization header required. Use 'Authorization: Bearer <token>'.";
const ADMIN_TOKEN: &str = "x-admin-token";

/// Where authentication is not asked for: exactly these paths.
pub(super) const OPEN: [&str; 3] = ["/health", "/ping", "/api/health"];
const METRICS: &str = "/metrics";
/// Paths of the sockets, which tell a client that it is refused in their own way (HTTP spec 3.3).
pub(crate) const SOCKETS: [&str; 12] = [
    "/ws",
    "/predict",
    "/ws/predict",
    "/chat",
    "/ws/chat",
    "/updates",
    "/ws/updates",
    "/terminal",
    "/ws/terminal",
    "/hf/download",
    "/ws/download",
    "/ws/video",
];

/// Whether a path is that of a socket.
fn is_socket(path: &str) -> bool {
    SOCKETS.contains(&path) || path.starts_with("/ws/workflow/")
}

/// What is asked before a request gets to its route.
pub(crate) struct Door {
    pub(crate) accounts: Accounts,
    pub(crate) origins: Origins,
    /// The second factor for everything under `/admin` in production.
    pub(crate) admin_token: Option<Sensitive>,
    pub(crate) production: bool,
    /// Whether stored files may be read by everybody.
    pub(crate) public_storage: bool,
    /// Wrong tokens by address.
    pub(crate) failed_logins: FailedLogins,
}

/// The door and what is in front of it.
#[derive(Clone)]
pub(super) struct Entrance {
    pub(super) door: Arc<Door>,
    pub(super) front: Arc<Front>,
}

/// Lets a request pass to its route, or answers it.
pub(super) async fn pass(State(at): State<Entrance>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match at.door.judge(&at.front, &parts).await {
        Ok(caller) => {
            if let Some(caller) = caller {
                requests::note_caller(&caller);
                parts.extensions.insert(caller);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refused) => {
            let path = requests::safe_path(parts.uri.path());
            tracing::info!(target: "audit", event = "request.refused", http.method = %parts.method,
                http.path = path, http.status = refused.status().as_u16(), reason = refused.detail());
            let mut response = refused.into_response();
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                let minute = HeaderValue::from_static("60");
                response.headers_mut().insert(header::RETRY_AFTER, minute);
            }
            response
        }
    }
}

impl Door {
    /// Who asks, if that has to be known; or why nobody of that kind gets in.
    async fn judge(&self, front: &Front, parts: &Parts) -> Result<Option<Caller>, ApiError> {
        let (path, method, headers) = (parts.uri.path(), &parts.method, &parts.headers);
        for name in [header::HOST, header::AUTHORIZATION] {
            if headers.get_all(&name).iter().nth(1).is_some() {
                return Err(ApiError::bad_request(format!(
                    "There is more than one {name} header"
                )));
            }
        }
        // A page that is not ours fires no trigger; programs tell no origin.
        if !self.accounts.enforced() && is_public_link(path) && !self.origins.allows(headers) {
            return Err(foreign_page());
        }
        // What shows numbers asks for a token of its own.
        if OPEN.contains(&path) || path == METRICS || is_public_link(path) || is_icon(parts) {
            return Ok(None);
        }
        if !self.accounts.enforced() {
            // Sockets tell a page that it is refused in their own way.
            if is_socket(path) {
                self.check_name(headers)?;
            } else {
                self.check_page(headers)?;
            }
            if let Some(token) = shown(headers)
                && !is_sign_in(path)
                && let Some(caller) = self.accounts.verify_unasked(token).await?
            {
                return Ok(Some(caller));
            }
            let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
            let caller = Caller {
                admin: peer::is_local(from.map(|from| from.0), headers),
                ..Caller::local()
            };
            self.check_second_factor(path, headers)?;
            return Ok(Some(caller));
        }
        if *method == Method::OPTIONS || is_socket(path) || is_sign_in(path) || is_enquiry(parts) {
            return Ok(None);
        }
        if matches!(*method, Method::GET | Method::HEAD)
            && (front.is_open(path) || self.is_open_file(path))
        {
            return Ok(None);
        }
        if shown(headers).is_none() && (front.is_extension_for_all(path) || is_signed_call(parts)) {
            return Ok(None);
        }
        let caller = self.holder(parts).await?;
        self.check_second_factor(path, headers)?;
        Ok(Some(caller))
    }

    /// Whom the token of a request speaks for.
    pub(super) async fn holder(&self, parts: &Parts) -> Result<Caller, ApiError> {
        let token = shown(&parts.headers).ok_or_else(|| ApiError::unauthorized(NO_TOKEN))?;
        let from = address_of(&parts.extensions);
        self.verify(token, from).await.map_err(ApiError::from)
    }

    /// Who asks where nobody has to be known: nobody, unless the request shows a token.
    pub(super) async fn known(&self, parts: &Parts) -> Result<Option<Caller>, ApiError> {
        match shown(&parts.headers) {
            None => Ok(None),
            Some(token) if !self.accounts.enforced() => {
                Ok(self.accounts.verify_unasked(token).await?)
            }
            Some(_) => self.holder(parts).await.map(Some),
        }
    }

    /// Refuses pages that are not ours, where no token keeps them out.
    pub(super) fn check_page(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.accounts.enforced() {
            return Ok(());
        }
        self.check_name(headers)?;
        if !self.origins.allows(headers) {
            return Err(foreign_page());
        }
        Ok(())
    }

    /// Refuses names that are not this server's own.
    fn check_name(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.origins.knows_host(headers) {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "This server does not know itself by the name in the Host header; NODETOOL_SERVER_NAMES lists such names",
        ))
    }

    /// Stored files, where they are public.
    fn is_open_file(&self, path: &str) -> bool {
        self.public_storage && path.starts_with("/storage/")
    }

    fn check_second_factor(&self, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let administers = is_below(path, "/admin");
        // Users are administered by the same people, and where there is a second factor it is asked for there, too.
        let users = is_below(path, "/api/users") && self.admin_token.is_some();
        if !self.production || !(administers || users) {
            return Ok(());
        }
        let refuse = |text| Err(ApiError::new(StatusCode::FORBIDDEN, text));
        let Some(expected) = &self.admin_token else {
            if self.accounts.has_roles() {
                return Ok(());
            }
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Administration is off: ADMIN_TOKEN is not set",
            ));
        };
        match headers.get(ADMIN_TOKEN).map(HeaderValue::to_str) {
            None => refuse("Admin token required. Use X-Admin-Token header."),
            Some(Ok(token)) if expected.is(token) => Ok(()),
            Some(_) => refuse("Invalid admin token."),
        }
    }

    /// Whom a token speaks for. A right one always passes: whoever shares an address with a guesser is not locked out. Of
    /// an address that has shown too many wrong ones, only what this server knows by itself is looked at.
    async fn verify(&self, token: &str, from: IpAddr) -> Result<Caller, Refused> {
        let allowed = self.failed_logins.allowed(from);
        let verified = if allowed {
            self.accounts.verify(token).await
        } else {
            self.accounts.verify_here(token).await
        };
        match verified {
            Err(refused) if !refused.unavailable => {
                self.failed_logins.failed(from);
                Err(if allowed {
                    refused
                } else {
                    Refused::too_often()
                })
            }
            verified => verified,
        }
    }

    /// Who opens a socket: by header, else by query (socket spec 1.3).
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        from: IpAddr,
    ) -> Result<Caller, NotAdmitted> {
        if !self.accounts.enforced() {
            let token = shown(headers).map(str::to_owned);
            let token = token.or_else(|| named(query, "api_key").or_else(|| named(query, "token")));
            let Some(token) = token else {
                return Ok(Caller::local());
            };
            let caller = self.accounts.verify_unasked(&token).await;
            let caller = caller.map_err(|_| NotAdmitted::Invalid)?;
            return Ok(caller.unwrap_or_else(Caller::local));
        }
        let verified = match shown(headers) {
            Some(token) => self.verify(token, from).await,
            None => {
                let token = named(query, "api_key").or_else(|| named(query, "token"));
                let token = token.ok_or(NotAdmitted::Missing)?;
                match self.accounts.redeem(&token) {
                    Some(caller) => Ok(caller),
                    None => self.verify(&token, from).await,
                }
            }
        };
        verified.map_err(|refused| {
            metrics().auth_failure();
            if refused.unavailable {
                NotAdmitted::Unavailable
            } else if refused.throttled {
                NotAdmitted::Throttled
            } else {
                NotAdmitted::Invalid
            }
        })
    }
}

/// Why a socket is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// Nothing says who asks.
    Missing,
    /// What is said is not so.
    Invalid,
    /// Too much was said that was not so.
    Throttled,
    /// It cannot be found out now.
    Unavailable,
}

/// The token of an `Authorization` header of exactly two words, the first of them `Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut words = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_whitespace();
    let (scheme, token) = (words.next()?, words.next()?);
    (words.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token)
}

/// The token of a request: a bearer's, or an API key in one of the two headers clients of the Orchestrator use.
pub(crate) fn shown(headers: &HeaderMap) -> Option<&str> {
    if let Some(token) = bearer(headers) {
        return Some(token);
    }
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let key = text("x-api-key").or_else(|| {
        let (scheme, key) = text("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("api-key").then_some(key)
    })?;
    Some(key.trim()).filter(|key| !key.is_empty())
}

/// A part of a query that is not empty.
fn named(query: Option<&str>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

/// Paths by which somebody comes to have a token.
fn is_sign_in(path: &str) -> bool {
    ["/api/auth/register", "/api/auth/login", "/api/auth/refresh"].contains(&path)
}

fn foreign_page() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "Pages of other sites may not call this server; CORS_ORIGINS lists those that may",
    )
}

/// Whether a path is one of a folder's.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Paths whose secret is in them or in their body: webhooks, links to approve, and the way back from another login.
fn is_public_link(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).take(6).collect();
    matches!(
        parts[..],
        ["api", "triggers", _, _, "webhook"]
            | ["approve", _, _]
            | ["api", "oauth", "hf" | "github", "callback"]
            | ["api", "auth", "google", "callback"]
    )
}

/// Pictures of step types, which are the same for everybody.
fn is_icon(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD) && parts.uri.path().starts_with(ICONS)
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        if refused.throttled {
            return ApiError::too_many(refused.detail);
        }
        if refused.unavailable {
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, refused.detail);
        }
        ApiError::unauthorized(refused.detail)
    }
}

impl Front {
    /// Whether a path is that of a page or file for everybody: nothing of the API, and there only if there is a UI.
    fn is_open(&self, path: &str) -> bool {
        match path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default()
        {
            "" | "api-demo.html" | "editor" => true,
            first => {
                self.site.is_some()
                    && !site::RESERVED.contains(&first)
                    && !self.extensions.iter().any(|e| e == first)
            }
        }
    }

    fn is_extension_for_all(&self, path: &str) -> bool {
        self.open_extensions
            .iter()
            .any(|prefix| is_below(path, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_two_words() {
        let token = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, text.parse().unwrap());
            bearer(&headers).map(str::to_owned)
        };
        for good in ["Bearer tok", "bEaReR tok", " bearer\t tok "] {
            assert_eq!(token(good).as_deref(), Some("tok"), "{good:?}");
        }
        for bad in [
            "",
            "tok",
            "Bearer",
            "Bearer a b",
            "Basic tok",
            "Bearertok",
            "Bearer,tok",
        ] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_exact_paths_are_public_links() {
        for link in [
            "/api/triggers/w/n/webhook",
            "/approve/j/t",
            "/api/oauth/hf/callback",
            "/api/auth/google/callback",
        ] {
            assert!(is_public_link(link), "{link}");
        }
        for other in [
            "/api/triggers/w/n/webhook/x",
            "/api/triggers/w/n/fire",
            "/x/api/triggers/w/n/webhook",
            "/approve/j",
            "/api/oauth/hf/callback/health",
            "/api/oauth/hf/tokens",
            "/api/auth/google/initiate",
        ] {
            assert!(!is_public_link(other), "{other}");
        }
    }
}
