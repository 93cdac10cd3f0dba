//! An answer that is not a success, as clients of the Orchestrator read it (spec 3.1): the words of both generations.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};

use crate::http::json;

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    ExecutionTimeout,
    Conflict,
    Validation,
    RateLimited,
    Internal,
}

impl ErrorCode {
    fn status(self) -> StatusCode {
        match self {
            ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::ExecutionTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::Validation => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// `code` and `error_code`.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            ErrorCode::InvalidRequest => ("INVALID_REQUEST", "ValidationError"),
            ErrorCode::Unauthorized => ("UNAUTHORIZED", "UnauthorizedError"),
            ErrorCode::Forbidden => ("FORBIDDEN", "ForbiddenError"),
            ErrorCode::NotFound => ("NOT_FOUND", "NotFoundError"),
            ErrorCode::MethodNotAllowed => ("METHOD_NOT_ALLOWED", "MethodNotAllowed"),
            ErrorCode::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", "UnsupportedMediaType"),
            ErrorCode::ExecutionTimeout => ("EXECUTION_TIMEOUT", "ExecutionTimeout"),
            ErrorCode::Conflict => ("CONFLICT", "ConflictError"),
            ErrorCode::Validation => ("VALIDATION_ERROR", "ValidationError"),
            ErrorCode::RateLimited => ("RATE_LIMITED", "RateLimited"),
            ErrorCode::Internal => ("INTERNAL_ERROR", "InternalServerError"),
        }
    }
}

/// The body of a refusal; more keys may stand beside its own.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    code: ErrorCode,
    text: String,
    details: Map,
    errors: Map,
    more: Map,
}

impl Envelope {
    /// A refusal of this kind, and why.
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Envelope {
            code,
            text: text.into(),
            details: Map::new(),
            errors: Map::new(),
            more: Map::new(),
        }
    }

    /// A request that cannot be read or carried out.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, text)
    }

    /// Nothing of this kind is there for the caller: `Workflow`, `Node`, `NodeType`, ….
    pub(crate) fn not_found(resource: &'static str, text: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, text).with("resource_type", resource)
    }

    /// What the server itself got wrong; the cause goes to the log only.
    pub(crate) fn internal(what: &'static str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "{what}");
        Self::new(ErrorCode::Internal, "Internal server error")
    }

    /// A fault of one field; told as text, in `errors` and in `details`.
    #[must_use]
    pub(crate) fn field(mut self, name: &str, message: impl Into<String>) -> Self {
        let message = Value::str(message.into());
        let list = match self.errors.get(name) {
            Some(Value::List(before)) => before.iter().cloned().chain([message]).collect(),
            _ => vec![message],
        };
        self.errors.insert(name.into(), Value::from(list));
        self.details = self.errors.clone();
        self
    }

    /// The faults of fields as keys of the body, too, as clients of `/api/auth` read them.
    #[must_use]
    pub(crate) fn with_fields(mut self) -> Self {
        for (field, faults) in &self.errors {
            self.more.insert(field.clone(), faults.clone());
        }
        self
    }

    /// What `details` says.
    #[must_use]
    pub(crate) fn details(mut self, details: Map) -> Self {
        self.details = details;
        self
    }

    /// Another key of the body.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.into(), value.into());
        self
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        let (code, error_code) = self.code.words();
        let mut body = Map::from_iter([
            ("error".into(), Value::str(self.text.as_str())),
            ("code".into(), code.into()),
            ("details".into(), Value::from(self.details)),
            ("detail".into(), Value::str(self.text)),
            ("error_code".into(), error_code.into()),
        ]);
        if !self.errors.is_empty() {
            body.insert("errors".into(), Value::from(self.errors));
        }
        body.extend(self.more);
        let mut response = json(&Value::from(body));
        *response.status_mut() = self.code.status();
        if self.code == ErrorCode::Unauthorized {
            let realm = HeaderValue::from_static("Bearer realm=\"api\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}
