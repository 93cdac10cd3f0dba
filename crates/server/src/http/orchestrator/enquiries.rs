//! Requests for a demo and messages to those who run the server (orchestrator spec 3.10, other routes; S16): anybody may
//! write, administrators read.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use nodetool_store::{EnquiryKind, EnquiryRow};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{created, listed};
use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use super::{Envelope, ErrorCode};
use crate::http::extract::Query;
use crate::http::gate::Admin;
use crate::http::rate::address_of;
use crate::http::{AppState, json};
use crate::services::loops::ids;
use crate::services::{
    Caller, ENQUIRY_STATUSES, EnquiryChange, EnquiryError, TimeText, enquiry_name, is_email,
};

/// Largest body that somebody unknown may send.
const LARGEST: usize = 64 << 10;
/// Longest name of a person or a company, in characters.
const MAX_NAME: usize = 100;
/// Longest address mail goes to.
const MAX_EMAIL: usize = 254;
/// Longest message, in characters.
const MAX_MESSAGE: usize = 4000;
/// Most rows of one answer.
const MAX_ROWS: i64 = 500;

/// Whether a request brings something that anybody may write: it needs no token.
pub(in crate::http) fn is_enquiry(parts: &Parts) -> bool {
    let path = parts.uri.path().trim_end_matches('/');
    parts.method == Method::POST
        && ["/api/demo-requests", "/api/contact/submissions"].contains(&path)
}

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_demo_requests, create_demo_request))
        .routes(routes!(
            get_demo_request,
            replace_demo_request,
            update_demo_request,
            delete_demo_request
        ))
        .routes(routes!(update_demo_request_status))
        .routes(routes!(list_contact_submissions, create_contact_submission))
        .routes(routes!(
            get_contact_submission,
            update_contact_submission,
            delete_contact_submission
        ))
}

/// What somebody has written.
#[derive(Serialize, ToSchema)]
struct EnquiryBody {
    id: String,
    name: String,
    email: String,
    company: String,
    message: String,
    /// `new`, `contacted`, `scheduled`, `completed` or `rejected`.
    status: String,
    created_at: TimeText,
    updated_at: TimeText,
}

impl From<EnquiryRow> for EnquiryBody {
    fn from(row: EnquiryRow) -> Self {
        EnquiryBody {
            id: ids::shown(&row.id),
            name: row.name,
            email: row.email,
            company: row.company,
            message: row.message,
            status: row.status,
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
        }
    }
}

/// What somebody writes who wants a demo.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct DemoRequest {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(max_length = 254)]
    email: String,
    #[schema(max_length = 100)]
    company: Option<String>,
    #[schema(max_length = 4000)]
    message: Option<String>,
}

/// What somebody writes who wants an answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct ContactRequest {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(max_length = 254)]
    email: String,
    #[schema(max_length = 100)]
    company: Option<String>,
    #[schema(min_length = 1, max_length = 4000)]
    message: String,
}

/// How far it has come.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct StatusRequest {
    #[schema(pattern = "^(new|contacted|scheduled|completed|rejected)$")]
    status: String,
}

impl From<EnquiryError> for Envelope {
    fn from(e: EnquiryError) -> Self {
        let text = e.to_string();
        match e {
            EnquiryError::NotFound(kind) => Envelope::not_found(enquiry_name(kind), text),
            EnquiryError::TooOften => Envelope::new(ErrorCode::RateLimited, text),
            EnquiryError::TooMany => Envelope::new(ErrorCode::NoRoom, text),
            EnquiryError::Store(e) => Envelope::internal("enquiries cannot be kept", &e),
        }
    }
}

/// What is asked of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All that the form has, from somebody unknown.
    New,
    /// All that the form has.
    Whole,
    /// Anything.
    Part,
    /// The status.
    Status,
}

fn read(kind: EnquiryKind, mut asked: Asked, wanted: Wanted) -> Result<EnquiryChange, Envelope> {
    let required: &[&str] = match (wanted, kind) {
        (Wanted::Part, _) => &[],
        (Wanted::Status, _) => &["status"],
        (Wanted::New | Wanted::Whole, EnquiryKind::Demo) => &["name", "email"],
        (Wanted::New | Wanted::Whole, EnquiryKind::Contact) => &["name", "email", "message"],
    };
    for name in required {
        asked.require(name);
    }
    let mut change = EnquiryChange::default();
    if wanted != Wanted::New {
        change.status = asked.word("status", &ENQUIRY_STATUSES);
    }
    if wanted != Wanted::Status {
        change.name = asked.filled("name", MAX_NAME);
        change.email = asked.filled("email", MAX_EMAIL);
        if change
            .email
            .as_deref()
            .is_some_and(|email| !is_email(email))
        {
            asked.fault("email", "Enter a valid email address.");
        }
        let text = |given: Option<Option<String>>| given.map(Option::unwrap_or_default);
        change.company = text(asked.text("company", MAX_NAME));
        change.message = match kind {
            EnquiryKind::Demo => text(asked.text("message", MAX_MESSAGE)),
            EnquiryKind::Contact => asked.filled("message", MAX_MESSAGE),
        };
    }
    asked.finish()?;
    Ok(change)
}

async fn list(app: &AppState, kind: EnquiryKind, query: &Query) -> Result<Response, Envelope> {
    let status = query.text("status").filter(|status| !status.is_empty());
    if let Some(other) = status.filter(|status| !ENQUIRY_STATUSES.contains(status)) {
        let other: String = other.chars().take(80).collect();
        let text = format!("\"{other}\" is not a valid choice.");
        return Err(Envelope::invalid(format!("status: {text}")).field("status", text));
    }
    let limit = query.int("limit", 100, 1, MAX_ROWS)?;
    let offset = query.int("offset", 0, 0, i64::MAX)?;
    let rows = app.enquiries.list(kind, status, limit, offset).await?;
    Ok(listed::<EnquiryBody>(rows))
}

async fn create(app: &AppState, kind: EnquiryKind, request: Request) -> Result<Response, Envelope> {
    let from = address_of(request.extensions());
    let sent = read(kind, Asked::read(request, LARGEST).await?, Wanted::New)?;
    let row = app.enquiries.create(kind, from, sent).await?;
    Ok(created(&EnquiryBody::from(row)))
}

async fn get(app: &AppState, kind: EnquiryKind, id: &str) -> Result<Response, Envelope> {
    let row = app.enquiries.get(kind, id).await?;
    Ok(json(&EnquiryBody::from(row)))
}

async fn change(
    app: &AppState,
    by: &Caller,
    (kind, id): (EnquiryKind, &str),
    asked: Asked,
    wanted: Wanted,
) -> Result<Response, Envelope> {
    app.enquiries.get(kind, id).await?;
    let change = read(kind, asked, wanted)?;
    let row = app.enquiries.change(by, kind, id, change).await?;
    Ok(json(&EnquiryBody::from(row)))
}

async fn delete(
    app: &AppState,
    by: &Caller,
    kind: EnquiryKind,
    id: &str,
) -> Result<Response, Envelope> {
    app.enquiries.delete(by, kind, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The requests for a demo, newest first; for administrators.
#[utoipa::path(get, path = "/api/demo-requests", tag = "enquiries",
    params(("status" = Option<String>, Query, description = "Only those of this status"),
        ("limit" = Option<i64>, Query, description = "1 to 500; 100 when absent"),
        ("offset" = Option<i64>, Query, description = "How many are passed over")),
    responses((status = 200, body = [EnquiryBody]), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 422, body = EnvelopeBody)))]
async fn list_demo_requests(
    State(app): State<AppState>,
    _: Admin,
    query: Query,
) -> Result<Response, Envelope> {
    list(&app, EnquiryKind::Demo, &query).await
}

/// Asks for a demo; anybody may, ten times a minute.
#[utoipa::path(post, path = "/api/demo-requests", tag = "enquiries", request_body = DemoRequest,
    responses((status = 201, body = EnquiryBody), (status = 400, body = EnvelopeBody), (status = 413, body = EnvelopeBody),
        (status = 415, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 507, body = EnvelopeBody)))]
async fn create_demo_request(
    State(app): State<AppState>,
    request: Request,
) -> Result<Response, Envelope> {
    create(&app, EnquiryKind::Demo, request).await
}

/// One request for a demo; for administrators.
#[utoipa::path(get, path = "/api/demo-requests/{id}", tag = "enquiries", params(("id" = String, Path)),
    responses((status = 200, body = EnquiryBody), (status = 403, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn get_demo_request(
    State(app): State<AppState>,
    _: Admin,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    get(&app, EnquiryKind::Demo, &id).await
}

/// Changes a request for a demo; name and email have to be there. For administrators.
#[utoipa::path(put, path = "/api/demo-requests/{id}", tag = "enquiries", params(("id" = String, Path)),
    request_body = DemoRequest,
    responses((status = 200, body = EnquiryBody), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn replace_demo_request(
    State(app): State<AppState>,
    Admin(by): Admin,
    Parted(id): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(&app, &by, (EnquiryKind::Demo, &id), asked, Wanted::Whole).await
}

/// Changes what is named of a request for a demo; for administrators.
#[utoipa::path(patch, path = "/api/demo-requests/{id}", tag = "enquiries", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, body = EnquiryBody), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_demo_request(
    State(app): State<AppState>,
    Admin(by): Admin,
    Parted(id): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(&app, &by, (EnquiryKind::Demo, &id), asked, Wanted::Part).await
}

/// Deletes a request for a demo; for administrators.
#[utoipa::path(delete, path = "/api/demo-requests/{id}", tag = "enquiries", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn delete_demo_request(
    State(app): State<AppState>,
    Admin(by): Admin,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    delete(&app, &by, EnquiryKind::Demo, &id).await
}

/// Says how far a request for a demo has come; for administrators.
#[utoipa::path(post, path = "/api/demo-requests/{id}/update_status", tag = "enquiries", params(("id" = String, Path)),
    request_body = StatusRequest,
    responses((status = 200, body = EnquiryBody), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_demo_request_status(
    State(app): State<AppState>,
    Admin(by): Admin,
    Parted(id): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(&app, &by, (EnquiryKind::Demo, &id), asked, Wanted::Status).await
}

/// The messages to those who run the server, newest first; for administrators.
#[utoipa::path(get, path = "/api/contact/submissions", tag = "enquiries",
    params(("status" = Option<String>, Query, description = "Only those of this status"),
        ("limit" = Option<i64>, Query, description = "1 to 500; 100 when absent"),
        ("offset" = Option<i64>, Query, description = "How many are passed over")),
    responses((status = 200, body = [EnquiryBody]), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 422, body = EnvelopeBody)))]
async fn list_contact_submissions(
    State(app): State<AppState>,
    _: Admin,
    query: Query,
) -> Result<Response, Envelope> {
    list(&app, EnquiryKind::Contact, &query).await
}

/// Writes to those who run the server; anybody may, ten times a minute.
#[utoipa::path(post, path = "/api/contact/submissions", tag = "enquiries", request_body = ContactRequest,
    responses((status = 201, body = EnquiryBody), (status = 400, body = EnvelopeBody), (status = 413, body = EnvelopeBody),
        (status = 415, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 507, body = EnvelopeBody)))]
async fn create_contact_submission(
    State(app): State<AppState>,
    request: Request,
) -> Result<Response, Envelope> {
    create(&app, EnquiryKind::Contact, request).await
}

/// One message; for administrators.
#[utoipa::path(get, path = "/api/contact/submissions/{id}", tag = "enquiries", params(("id" = String, Path)),
    responses((status = 200, body = EnquiryBody), (status = 403, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn get_contact_submission(
    State(app): State<AppState>,
    _: Admin,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    get(&app, EnquiryKind::Contact, &id).await
}

/// Changes what is named of a message, such as its status; for administrators.
#[utoipa::path(patch, path = "/api/contact/submissions/{id}", tag = "enquiries", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, body = EnquiryBody), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_contact_submission(
    State(app): State<AppState>,
    Admin(by): Admin,
    Parted(id): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(&app, &by, (EnquiryKind::Contact, &id), asked, Wanted::Part).await
}

/// Deletes a message; for administrators.
#[utoipa::path(delete, path = "/api/contact/submissions/{id}", tag = "enquiries", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn delete_contact_submission(
    State(app): State<AppState>,
    Admin(by): Admin,
    Parted(id): Parted<String>,
) -> Result<Response, Envelope> {
    delete(&app, &by, EnquiryKind::Contact, &id).await
}
