//! Answers that the resources of this surface give alike.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::http::json;

/// The answer to what lists something.
pub(super) fn listed<B: Serialize>(rows: impl IntoIterator<Item: Into<B>>) -> Response {
    let bodies: Vec<B> = rows.into_iter().map(Into::into).collect();
    json(&bodies)
}

/// The answer to what made something.
pub(super) fn created<T: Serialize>(body: &T) -> Response {
    let mut response = json(body);
    *response.status_mut() = StatusCode::CREATED;
    response
}
