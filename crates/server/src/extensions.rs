//! Routes that a program built on this library adds to the server: where they may be, and who may call them.
//!
//! It must not know what the routes do. Built-in routes are there first and cannot be replaced.

use std::fmt;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::http::{ApiError, RESERVED, not_admin};
use crate::services::Caller;

/// Longest prefix.
const MAX_PREFIX: usize = 100;

/// Who may call the routes of an extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtensionAuth {
    /// Every user of this server; handlers learn which one from [`ExtensionUser`].
    #[default]
    User,
    /// Those who may administer this server.
    Admin,
    /// Everybody who reaches the server.
    Public,
}

/// Routes below one prefix.
pub struct Extension {
    /// The path all of its routes begin with, such as `/acme` or `/acme/reports`.
    pub prefix: String,
    /// The routes, written without the prefix.
    pub router: Router,
    /// Who may call them.
    pub auth: ExtensionAuth,
    /// Whether they may also be served by a server that strangers use.
    pub public_ok: bool,
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("prefix", &self.prefix)
            .field("auth", &self.auth)
            .field("public_ok", &self.public_ok)
            .finish_non_exhaustive()
    }
}

/// The user a request to an extension speaks for: an axum `Extension` of the request, unless its routes are public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionUser {
    /// The user's id.
    pub id: String,
}

/// Why a server with these extensions does not start.
#[derive(Debug, Error)]
pub enum ExtensionError {
    /// The prefix is no path.
    #[error(
        "the extension prefix '{prefix}' is no plain path: expected something like /acme, of letters, digits, '-', '_' and '.'"
    )]
    Malformed {
        /// The prefix as given.
        prefix: String,
    },
    /// The prefix belongs to the server.
    #[error("the extension prefix '{prefix}' is taken: paths below /{first} belong to the server")]
    BuiltIn {
        /// The prefix as given.
        prefix: String,
        /// Its first part.
        first: String,
    },
    /// Two extensions want the same paths.
    #[error(
        "the extension prefixes '{prefix}' and '{other}' overlap: each extension needs paths of its own"
    )]
    Overlapping {
        /// The later prefix.
        prefix: String,
        /// The earlier one.
        other: String,
    },
}

/// Judges the prefixes; gives the first part of each.
pub(crate) fn first_parts(extensions: &[Extension]) -> Result<Vec<String>, ExtensionError> {
    let mut firsts = Vec::with_capacity(extensions.len());
    for (i, extension) in extensions.iter().enumerate() {
        let prefix = extension.prefix.as_str();
        let malformed = || ExtensionError::Malformed {
            prefix: prefix.chars().take(MAX_PREFIX).collect(),
        };
        let parts = prefix.strip_prefix('/').ok_or_else(malformed)?;
        let plain = |part: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
        };
        if prefix.len() > MAX_PREFIX || !parts.split('/').all(plain) {
            return Err(malformed());
        }
        let first = parts.split('/').next().unwrap_or_default();
        if RESERVED.contains(&first) {
            return Err(ExtensionError::BuiltIn {
                prefix: prefix.to_owned(),
                first: first.to_owned(),
            });
        }
        let within = |a: &str, b: &str| {
            a.strip_prefix(b)
                .is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        let mut earlier = extensions[..i].iter().map(|e| e.prefix.as_str());
        if let Some(other) = earlier.find(|other| within(prefix, other) || within(other, prefix)) {
            return Err(ExtensionError::Overlapping {
                prefix: prefix.to_owned(),
                other: other.to_owned(),
            });
        }
        firsts.push(first.to_owned());
    }
    Ok(firsts)
}

/// Adds the routes of extensions, each behind its check, to those that are there. A server for strangers takes only
/// those that are meant for it.
pub(crate) fn mount<S: Clone + Send + Sync + 'static>(
    mut routes: Router<S>,
    extensions: Vec<Extension>,
    for_strangers: bool,
    enforced: bool,
) -> Router<S> {
    for extension in extensions {
        if for_strangers && !extension.public_ok {
            tracing::info!(
                extension.prefix,
                "an extension is left out: it is not meant for a public server"
            );
            continue;
        }
        let router = extension
            .router
            .layer(middleware::from_fn_with_state(
                (extension.auth, enforced),
                check,
            ))
            .with_state(());
        routes = routes.nest(&extension.prefix, router);
    }
    routes
}

/// The caller was found at the door.
async fn check(
    State((auth, enforced)): State<(ExtensionAuth, bool)>,
    mut request: Request,
    next: Next,
) -> Response {
    if auth == ExtensionAuth::Public {
        return next.run(request).await;
    }
    let Some(caller) = request.extensions().get::<Caller>() else {
        return ApiError::unauthorized("Authentication required").into_response();
    };
    if auth == ExtensionAuth::Admin && !caller.admin {
        return not_admin(enforced).into_response();
    }
    let user = ExtensionUser {
        id: caller.user_id.clone(),
    };
    request.extensions_mut().insert(user);
    next.run(request).await
}

#[cfg(test)]
mod tests;
