//! The one error type with a response: status, `detail`, and `errors` on 422 (HTTP spec 2.3).

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{DocumentFault, Value};
use nodetool_store::StoreError;
use serde::Serialize;

use crate::services::{
    AssetError, ExampleError, MetricsError, ResumeError, RetryError, RunError, TriggerError,
    TriggerFault, VersionError, WorkflowError,
};

/// What a refusal says, for the layer that says less of it.
#[derive(Clone)]
struct Faults {
    detail: String,
    errors: Arc<[FieldError]>,
}

/// One fault, told to strangers.
#[derive(Serialize)]
struct Brief<'a> {
    msg: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

/// Where strangers use the server, a refusal says of each fault what it is, but neither where nor what was sent.
pub(super) async fn tell_briefly(mut response: Response) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        detail: &'a str,
        errors: Vec<Brief<'a>>,
    }
    let Some(faults) = response.extensions_mut().remove::<Faults>() else {
        return response;
    };
    let errors = faults.errors.iter().map(|e| Brief {
        msg: &e.msg,
        kind: e.kind,
    });
    let body = Body {
        detail: &faults.detail,
        errors: errors.collect(),
    };
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = bytes.into();
    response
}

/// One fault of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FieldError {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) loc: Vec<serde_json::Value>,
    pub(crate) msg: String,
    pub(crate) input: Option<String>,
    /// More about the fault, where there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctx: Option<Value>,
}

impl FieldError {
    /// A fault at the given place.
    pub(crate) fn at(kind: &'static str, loc: &[&str], msg: impl Into<String>) -> Self {
        let loc = loc
            .iter()
            .map(|part| match part.parse::<u64>() {
                Ok(index) if *part != "0" || part.len() == 1 => index.into(),
                _ => (*part).into(),
            })
            .collect();
        FieldError {
            kind,
            loc,
            msg: msg.into(),
            input: None,
            ctx: None,
        }
    }
}

/// A fault of a graph document, with its place in the body.
impl From<&DocumentFault> for FieldError {
    fn from(fault: &DocumentFault) -> Self {
        let place = fault.path.iter().map(String::as_str);
        let loc: Vec<&str> = ["body", "graph"].into_iter().chain(place).collect();
        let kind = if fault.missing {
            "missing"
        } else {
            "value_error"
        };
        FieldError::at(kind, &loc, fault.message.clone())
    }
}

/// An answer that is not a success.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        ApiError {
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    pub(crate) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// More than the caller may ask for.
    pub(crate) fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// Nobody known asks.
    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with the fields of the request, as one sentence; empty where nothing is said of fields.
    pub(crate) fn faults(&self) -> String {
        let told = self.errors.iter().map(|error| {
            let cause = error.ctx.as_ref().and_then(|ctx| ctx.get("error"));
            match cause.and_then(Value::as_str) {
                Some(cause) => format!("{}: {cause}", error.msg),
                None => error.msg.clone(),
            }
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// Something this server does not do, and why.
    pub(crate) fn not_implemented(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        ApiError {
            errors,
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Request validation failed",
            )
        }
    }

    /// A query parameter that continues another list, or none.
    pub(crate) fn bad_cursor(parameter: &str) -> Self {
        Self::invalid(vec![FieldError::at(
            "value_error",
            &["query", parameter],
            "not a cursor of this list; pass what the page before gave",
        )])
    }

    /// A fault of ours: the cause goes to the log, once, beside the id of the request, which its client can quote.
    pub(crate) fn internal(what: &str, cause: &dyn std::error::Error) -> Self {
        let mut chain = cause.to_string();
        let mut source = cause.source();
        while let Some(s) = source {
            chain.push_str(": ");
            chain.push_str(&s.to_string());
            source = s.source();
        }
        tracing::error!(error = %chain, "{what}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }
}

impl From<StoreError> for ApiError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => ApiError::not_found("Not Found"),
            StoreError::AlreadyExists { kind, id } => {
                ApiError::new(StatusCode::CONFLICT, format!("{kind} {id} already exists"))
            }
            StoreError::BadCursor { .. } => ApiError::bad_cursor("cursor"),
            StoreError::InvalidInput { field, reason } => ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["body", field],
                reason,
            )]),
            StoreError::TooLarge { .. } => {
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The {e}"))
            }
            StoreError::QueueFull | StoreError::Busy { .. } => {
                tracing::warn!(error = %e, "the store is busy");
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server is busy; try again",
                )
            }
            StoreError::NoRoom { .. } => {
                tracing::error!(error = %e, "the store has no room");
                ApiError::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "The server has no room left on its disk; nothing was changed",
                )
            }
            StoreError::ReadOnly { .. } => {
                tracing::error!(error = %e, "the store cannot be written");
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server cannot write to its data folder; nothing was changed",
                )
            }
            e => ApiError::internal("the store failed", &e),
        }
    }
}

impl From<WorkflowError> for ApiError {
    fn from(e: WorkflowError) -> Self {
        match e {
            WorkflowError::NotFound => ApiError::not_found("Workflow not found"),
            WorkflowError::NoGraph => ApiError::bad_request("Invalid workflow"),
            WorkflowError::Foreign => ApiError::not_found("Workflow not found"),
            WorkflowError::Changed => ApiError::new(StatusCode::PRECONDITION_FAILED, e.to_string()),
            WorkflowError::Corrupt { .. } => {
                ApiError::internal("a stored graph cannot be read", &e)
            }
            WorkflowError::Store(e) => e.into(),
        }
    }
}

impl From<VersionError> for ApiError {
    fn from(e: VersionError) -> Self {
        match e {
            VersionError::NotFound => ApiError::not_found("Version not found"),
            VersionError::Workflow(e) => e.into(),
        }
    }
}

impl From<ExampleError> for ApiError {
    fn from(e: ExampleError) -> Self {
        match e {
            ExampleError::NoFolder => ApiError::new(StatusCode::FORBIDDEN, e.to_string()),
            ExampleError::NoGraph
            | ExampleError::UnknownPackage { .. }
            | ExampleError::NoName
            | ExampleError::TooLarge => ApiError::bad_request(e.to_string()),
            ExampleError::Write(_) => ApiError::internal("an example was not written", &e),
        }
    }
}

impl From<AssetError> for ApiError {
    fn from(e: AssetError) -> Self {
        match e {
            AssetError::NotFound | AssetError::NoWorkflow | AssetError::NoContents => {
                ApiError::not_found(&e.to_string())
            }
            AssetError::Key(_)
            | AssetError::NoIds
            | AssetError::ShortQuery
            | AssetError::NotAVideo
            | AssetError::NoThumbnailOf(_) => ApiError::bad_request(e.to_string()),
            AssetError::Field { field, reason } => ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["body", field],
                reason,
            )]),
            AssetError::TooLarge { .. } | AssetError::Quota { .. } => {
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, e.to_string())
            }
            AssetError::Changed => ApiError::new(StatusCode::PRECONDITION_FAILED, e.to_string()),
            AssetError::Foreign => ApiError::new(StatusCode::FORBIDDEN, e.to_string()),
            AssetError::NoVideoDecoder => ApiError::new(StatusCode::NOT_IMPLEMENTED, e.to_string()),
            AssetError::Thumbnail => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())
            }
            AssetError::Busy => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, e.to_string()),
            AssetError::Blob(_) => ApiError::internal("the contents of an asset failed", &e),
            AssetError::Store(e) => e.into(),
        }
    }
}

impl From<RunError> for ApiError {
    fn from(e: RunError) -> Self {
        match e {
            RunError::Workflow(e) => e.into(),
            RunError::Store(e) => e.into(),
            RunError::Taken(_) | RunError::Running(_) => {
                ApiError::new(StatusCode::CONFLICT, e.to_string())
            }
            RunError::TooMany(e) => ApiError::too_many(e.to_string()),
            RunError::ShuttingDown => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is shutting down",
            ),
        }
    }
}

impl From<MetricsError> for ApiError {
    fn from(e: MetricsError) -> Self {
        match e {
            MetricsError::Store(e) => e.into(),
            MetricsError::Text(_) => ApiError::internal("the numbers were not told", &e),
        }
    }
}

impl From<&TriggerFault> for FieldError {
    fn from(fault: &TriggerFault) -> Self {
        let loc = ["graph", "nodes", &fault.node_id, "data", fault.property];
        let msg = format!("node {}: `{}` {}", fault.node_id, fault.property, fault.why);
        FieldError::at("value_error", &loc, msg)
    }
}

impl From<TriggerError> for ApiError {
    fn from(e: TriggerError) -> Self {
        let as_told = |status| ApiError::new(status, e.to_string());
        match e {
            TriggerError::Workflow(e) => e.into(),
            TriggerError::Store(e) => e.into(),
            TriggerError::Invalid(faults) => {
                ApiError::invalid(faults.iter().map(FieldError::from).collect())
            }
            TriggerError::NotAuthorized => as_told(StatusCode::FORBIDDEN),
            TriggerError::NoTriggers | TriggerError::NotManual(_) => {
                as_told(StatusCode::BAD_REQUEST)
            }
            TriggerError::TooMany | TriggerError::Inactive => as_told(StatusCode::CONFLICT),
            TriggerError::NotFound => as_told(StatusCode::NOT_FOUND),
            TriggerError::WrongSecret => as_told(StatusCode::UNAUTHORIZED),
            TriggerError::WrongMethod => ApiError::method_not_allowed(),
            TriggerError::BadKey => ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["header", "idempotency-key"],
                e.to_string(),
            )]),
            TriggerError::ShuttingDown => RunError::ShuttingDown.into(),
        }
    }
}

/// What a refused request is told: `detail` for people, `errors` for each bad field of a 422.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of `Body` for the API description")]
pub(crate) struct Refusal {
    detail: String,
    #[schema(required = false, value_type = Vec<super::openapi::shapes::FieldFault>)]
    errors: Vec<serde_json::Value>,
}

impl From<ResumeError> for ApiError {
    fn from(e: ResumeError) -> Self {
        match e {
            ResumeError::NotFound => ApiError::not_found("Job not found"),
            ResumeError::NotResumable(_) | ResumeError::Broken(_) => {
                ApiError::conflict(e.to_string())
            }
            ResumeError::BadAnswer(msg) => ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["body", "data", "decision"],
                msg,
            )]),
            ResumeError::Store(e) => e.into(),
            ResumeError::ShuttingDown => RunError::ShuttingDown.into(),
        }
    }
}

impl From<RetryError> for ApiError {
    fn from(e: RetryError) -> Self {
        match e {
            RetryError::NotFound => ApiError::not_found("Job not found"),
            RetryError::NotEnded(_) | RetryError::Broken(_) => ApiError::conflict(e.to_string()),
            RetryError::Run(e) => e.into(),
            RetryError::Store(e) => e.into(),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Body {
            detail: &self.detail,
            errors: &self.errors,
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], bytes).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        if !self.errors.is_empty() {
            let faults = Faults {
                detail: self.detail,
                errors: self.errors.into(),
            };
            response.extensions_mut().insert(faults);
        }
        response
    }
}
