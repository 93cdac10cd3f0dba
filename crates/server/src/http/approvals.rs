//! Approvals: the routes for those who use the API, and the page behind a link that works once.

use axum::Router;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, GraphBody, JsonBody, Path};
use super::jobs::job_reply;
use super::pages::hashes;
use super::{ApiError, AppState, Refusal, json};
use crate::services::{
    Approval, Caller, LINK_SECONDS, LINK_SECONDS_MOST, LinkError, Question, ResumeError, TimeText,
};

/// Longest comment, in characters.
const COMMENT: usize = 10_000;
/// Largest form.
const FORM: usize = 128 << 10;

const PAGE: &str = include_str!("../../assets/approve.html");

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_approval_link))
        .routes(routes!(approve_job))
}

/// The pages behind links, for people.
pub(super) fn pages() -> Router<AppState> {
    Router::new().route(
        "/approve/{job_id}/{token}",
        get(show_question)
            .post(take_answer)
            .layer(DefaultBodyLimit::max(FORM)),
    )
}

/// How long the link is to work.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
struct NewLink {
    /// 7 days when absent.
    #[schema(minimum = 1, maximum = 7_776_000)]
    expires_in_seconds: Option<i64>,
}

/// A link that answers a job once, for whoever has it.
#[derive(Serialize, ToSchema)]
struct Link {
    /// Path on this server; it is not shown again.
    url: String,
    expires_at: TimeText,
}

/// Makes a link through which a suspended job can be answered once; an earlier link of the job stops working.
#[utoipa::path(post, path = "/api/jobs/{job_id}/approval-link", tag = "jobs", params(("job_id" = String, Path)),
    request_body = Option<NewLink>,
    responses((status = 200, body = Link), (status = 404, body = Refusal), (status = 409, body = Refusal),
        (status = 422, body = Refusal), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn create_approval_link(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object_or_empty()?);
    let seconds = match f.take("expires_in_seconds") {
        None => LINK_SECONDS,
        Some(given) => {
            let seconds = given
                .as_i64()
                .filter(|s| (1..=LINK_SECONDS_MOST).contains(s));
            if seconds.is_none() {
                let msg = format!("expected a whole number from 1 to {LINK_SECONDS_MOST}");
                let loc = ["body", "expires_in_seconds"];
                f.refuse([FieldError::at("int_type", &loc, msg)]);
            }
            seconds.unwrap_or(LINK_SECONDS)
        }
    };
    f.finish()?;
    let link = app.jobs.approval_link(&caller, &job_id, seconds).await?;
    Ok(json(&Link {
        url: link.path,
        expires_at: TimeText(link.expires_at),
    }))
}

/// A decision about what a job waits for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
struct Decision {
    approved: bool,
    /// Goes on in place of the value that waits.
    #[schema(value_type = Option<serde_json::Value>)]
    data: (),
    /// At most 10,000 characters.
    comment: Option<String>,
}

/// Approves or rejects what a suspended job waits for.
#[utoipa::path(post, path = "/api/jobs/{job_id}/approve", tag = "jobs", params(("job_id" = String, Path)),
    request_body = Decision,
    responses((status = 200, body = super::jobs::JobBody), (status = 404, body = Refusal), (status = 409, body = Refusal),
        (status = 422, body = Refusal), (status = 503, body = Refusal), (status = 507, body = Refusal)))]
async fn approve_job(
    State(app): State<AppState>,
    caller: Caller,
    Path(job_id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let approved = f.flag("approved");
    let data = f.take("data").filter(|d| !d.is_null());
    let comment = f.text("comment");
    let mut missing = Vec::new();
    if approved.is_none() {
        let loc = ["body", "approved"];
        missing.push(FieldError::at("missing", &loc, "expected true or false"));
    }
    if comment
        .as_ref()
        .is_some_and(|c| c.chars().count() > COMMENT)
    {
        let msg = format!("expected at most {COMMENT} characters");
        let loc = ["body", "comment"];
        missing.push(FieldError::at("string_too_long", &loc, msg));
    }
    f.refuse(missing);
    f.finish()?;
    let approval = Approval {
        approved: approved.unwrap_or(false),
        data,
        comment,
    };
    app.jobs.approve(&caller, &job_id, approval).await?;
    job_reply(&app, &caller, &job_id).await
}

type Place = Result<axum::extract::Path<(String, String)>, PathRejection>;

async fn show_question(State(app): State<AppState>, place: Place) -> Response {
    let Ok(axum::extract::Path((job_id, token))) = place else {
        return refused(&LinkError::Unknown);
    };
    match app.jobs.question(&job_id, &token).await {
        Ok(question) => page(StatusCode::OK, "Your decision is needed", &asked(&question)),
        Err(e) => refused(&e),
    }
}

async fn take_answer(
    State(app): State<AppState>,
    place: Place,
    form: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(axum::extract::Path((job_id, token))) = place else {
        return refused(&LinkError::Unknown);
    };
    let Ok(form) = form else {
        let text = "<p>The form could not be read, or is too large.</p>";
        return page(StatusCode::PAYLOAD_TOO_LARGE, "Nothing was sent", text);
    };
    let mut approval = Approval::default();
    let mut decided = false;
    for (key, value) in url::form_urlencoded::parse(&form) {
        match (&*key, &*value) {
            ("decision", "approve" | "reject") => {
                decided = true;
                approval.approved = value == "approve";
            }
            ("comment", "") => {}
            ("comment", text) => approval.comment = Some(text.chars().take(COMMENT).collect()),
            _ => {}
        }
    }
    if !decided {
        let text = "<p>The form says neither “approve” nor “reject”.</p>";
        return page(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Nothing was decided",
            text,
        );
    }
    let word = if approval.approved {
        "approved"
    } else {
        "rejected"
    };
    match app.jobs.answer_link(&job_id, &token, approval).await {
        Ok(()) => {
            let text = format!("<p>It was {word}. You can close this page.</p>");
            page(StatusCode::OK, "Thank you", &text)
        }
        Err(e) => refused(&e),
    }
}

fn refused(e: &LinkError) -> Response {
    let (status, title, text) = match e {
        LinkError::Unknown => (
            StatusCode::NOT_FOUND,
            "No such link",
            "Check that the whole address was copied. A newer link for the same question replaces older ones.",
        ),
        LinkError::Over => (
            StatusCode::GONE,
            "This link is over",
            "The question was answered, was withdrawn, or has been open for too long.",
        ),
        LinkError::Resume(ResumeError::BadAnswer(_)) => (
            StatusCode::CONFLICT,
            "This cannot be approved here",
            "The job waits for a decision of another kind.",
        ),
        LinkError::Resume(ResumeError::ShuttingDown) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Not now",
            "The server is shutting down; try again later. Nothing was decided.",
        ),
        LinkError::Resume(e) => {
            tracing::error!(error = %e, "an approval failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "The decision was not taken; try again later.",
            )
        }
    };
    page(status, title, &format!("<p>{text}</p>"))
}

fn asked(question: &Question) -> String {
    let message = escaped(&question.message);
    let value = match &*question.value {
        "" => String::new(),
        value => format!("<pre>{}</pre>", escaped(value)),
    };
    format!(
        "<p class=\"message\">{message}</p>{value}<form method=\"post\">\
         <label>Comment <textarea name=\"comment\" rows=\"4\" maxlength=\"{COMMENT}\"></textarea></label>\
         <button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"reject\" class=\"no\">Reject</button></form>"
    )
}

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

pub(super) fn page(status: StatusCode, title: &str, content: &str) -> Response {
    // One pass each, and the title is ours: nothing in the content is taken for a mark.
    let html = PAGE.replace("{title}", title);
    let html = html.replacen("{content}", content, 1);
    let policy = format!(
        "default-src 'none'; style-src{}; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        hashes(PAGE, "<style>", "</style>")
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, html).into_response()
}
