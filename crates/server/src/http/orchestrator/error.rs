//! An answer that is not a success, as clients of the Orchestrator read it (spec 3.1): the words of both generations.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::Compat;
use utoipa::ToSchema;

use crate::http::{ApiError, json};
use crate::services::loops::{EdgeFault, EditError};

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
    TooLarge,
    Validation,
    RateLimited,
    Internal,
    NoRoom,
    Unavailable,
}

/// Marks an answer that has the form already.
#[derive(Clone, Copy)]
pub(super) struct Shaped;

/// A refusal, as it is written; more keys may stand beside these.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of what is written, for the API description"
)]
pub(crate) struct EnvelopeBody {
    /// What is wrong, for people.
    error: String,
    /// What is wrong, for programs.
    code: String,
    #[schema(value_type = Object)]
    details: Map,
    /// `error` again.
    detail: String,
    error_code: String,
    /// Messages by field.
    #[schema(required = false, value_type = Object)]
    errors: Option<Map>,
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
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Validation => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The kind of a refusal that has this status.
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => ErrorCode::Unauthorized,
            StatusCode::FORBIDDEN => ErrorCode::Forbidden,
            StatusCode::NOT_FOUND => ErrorCode::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
            StatusCode::REQUEST_TIMEOUT => ErrorCode::ExecutionTimeout,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ErrorCode::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
            StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::Validation,
            StatusCode::TOO_MANY_REQUESTS => ErrorCode::RateLimited,
            StatusCode::INSUFFICIENT_STORAGE => ErrorCode::NoRoom,
            StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Unavailable,
            status if status.is_server_error() => ErrorCode::Internal,
            _ => ErrorCode::InvalidRequest,
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
            ErrorCode::TooLarge => ("PAYLOAD_TOO_LARGE", "PayloadTooLarge"),
            ErrorCode::NoRoom => ("INSUFFICIENT_STORAGE", "InsufficientStorage"),
            ErrorCode::Unavailable => ("UNAVAILABLE", "ServiceUnavailable"),
        }
    }
}

/// The body of a refusal; more keys may stand beside its own.
#[derive(Clone, Debug)]
pub(crate) struct Envelope(Box<Told>);

/// What a refusal says.
#[derive(Clone, Debug)]
struct Told {
    code: ErrorCode,
    text: String,
    details: Map,
    errors: Map,
    more: Map,
}

impl Envelope {
    /// A refusal of this kind, and why.
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Envelope(Box::new(Told {
            code,
            text: text.into(),
            details: Map::new(),
            errors: Map::new(),
            more: Map::new(),
        }))
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
        let list = match self.0.errors.get(name) {
            Some(Value::List(before)) => before.iter().cloned().chain([message]).collect(),
            _ => vec![message],
        };
        self.0.errors.insert(name.into(), Value::from(list));
        self.0.details = self.0.errors.clone();
        self
    }

    /// The faults of fields as keys of the body, too, as clients of `/api/auth` read them.
    #[must_use]
    pub(crate) fn with_fields(mut self) -> Self {
        let errors = self.0.errors.clone();
        self.0.more.extend(errors);
        self
    }

    /// What `details` says.
    #[must_use]
    pub(crate) fn details(mut self, details: Map) -> Self {
        self.0.details = details;
        self
    }

    /// Another key of the body.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(key.into(), value.into());
        self
    }
}

/// Forms and workflows that cannot be used are refused with 400 in the profile `reference` (spec 2.6, 3.1).
pub(super) fn told_as(compat: Compat, mut response: Response) -> Response {
    let unfit = response.extensions().get() == Some(&ErrorCode::Validation);
    if unfit && compat == Compat::Reference {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

/// What the other routes say in their words.
impl From<ApiError> for Envelope {
    fn from(e: ApiError) -> Self {
        let text = match e.faults() {
            faults if faults.is_empty() => e.detail().to_owned(),
            faults => faults,
        };
        Envelope::new(ErrorCode::of(e.status()), text)
    }
}

impl From<EditError> for Envelope {
    fn from(e: EditError) -> Self {
        let text = e.to_string();
        match e {
            EditError::NoWorkflow => Envelope::not_found("Workflow", text),
            EditError::NoNode => Envelope::not_found("Node", text),
            EditError::NoConnection => Envelope::not_found("Connection", text),
            EditError::NoFile => Envelope::not_found("NodeFile", text),
            EditError::Edge(EdgeFault::ToItself) => {
                Envelope::invalid(text.clone()).field("target_node", text)
            }
            EditError::Edge(EdgeFault::NoSource | EdgeFault::NoTarget | EdgeFault::Exists)
            | EditError::Invalid(_) => Envelope::invalid(text),
            EditError::Field { field, reason } => Envelope::invalid(text).field(field, reason),
            EditError::Contended => Envelope::new(ErrorCode::Conflict, text),
            EditError::Workflow(e) => ApiError::from(e).into(),
            EditError::Blob(e) => Envelope::internal("the contents of a node file failed", &e),
        }
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        let Told {
            code: kind,
            text,
            details,
            errors,
            more,
        } = *self.0;
        let (code, error_code) = kind.words();
        let mut body = Map::from_iter([
            ("error".into(), Value::str(text.as_str())),
            ("code".into(), code.into()),
            ("details".into(), Value::from(details)),
            ("detail".into(), Value::str(text)),
            ("error_code".into(), error_code.into()),
        ]);
        if !errors.is_empty() {
            body.insert("errors".into(), Value::from(errors));
        }
        body.extend(more);
        let mut response = json(&Value::from(body));
        response.extensions_mut().insert(Shaped);
        response.extensions_mut().insert(kind);
        *response.status_mut() = kind.status();
        if kind == ErrorCode::Unauthorized {
            let realm = HeaderValue::from_static("Bearer realm=\"api\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}
