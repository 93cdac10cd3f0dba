//! `POST /v1/responses`: what is asked, and the answer in one piece. The answer in pieces: `stream`.
//!
//! Nothing is stored: `store` is taken, since clients send it without asking, and the answer says `"store": false`.
//! What needs a stored response is refused by its name.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use utoipa::ToSchema;

use super::asked::JsonObject;
use super::begin::{begin, collect};
use super::errors::{OpenAiError, OpenAiRefusal};
use super::usage::Estimate;
use super::{OpenAiState, unique};
use crate::services::Caller;

mod asked;
mod input;
mod output;
mod stream;

use output::Report;

/// What is asked of a model.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct ResponseAsked {
    model: Option<String>,
    /// A text, or the items of a conversation.
    input: AskedInput,
    instructions: Option<String>,
    /// Whether the answer comes as server-sent events.
    stream: Option<bool>,
    #[schema(minimum = 1)]
    max_output_tokens: Option<u32>,
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    parallel_tool_calls: Option<bool>,
    /// Taken and ignored: nothing is stored.
    store: Option<bool>,
    /// Functions the model may call.
    #[schema(value_type = Option<Vec<Object>>, max_items = 128)]
    tools: Option<()>,
}

/// A text, or the items of a conversation.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
enum AskedInput {
    Text(String),
    #[schema(value_type = Vec<Object>)]
    Items(()),
}

/// An answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct ResponseMade {
    id: String,
    /// `response`.
    object: String,
    created_at: u64,
    model: String,
    /// `completed` or `incomplete`.
    status: String,
    /// Items: `message`, `function_call`, `reasoning`, `image_generation_call`.
    #[schema(value_type = Vec<Object>)]
    output: (),
    #[schema(value_type = Object)]
    usage: (),
}

/// Has a model answer: in one piece, or with `stream` as typed server-sent events, `response.completed` last.
///
/// Nothing is stored: `store` is taken and ignored, and `previous_response_id`, `conversation` and `background` are refused.
#[utoipa::path(post, path = "/v1/responses", tag = "openai", request_body = ResponseAsked,
    responses((status = 200, description = "The answer, or its pieces", content((ResponseMade = "application/json"), (String = "text/event-stream"))),
        (status = 400, body = OpenAiRefusal), (status = 404, body = OpenAiRefusal), (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn create_response(
    State(state): State<OpenAiState>,
    caller: Caller,
    body: JsonObject,
) -> Result<Response, OpenAiError> {
    let fields = body.fields();
    let streams = fields.flag("stream")?.unwrap_or(false);
    let mut request = asked::read(&fields)?;
    let mut echo = asked::echo(&fields);
    drop(body);
    let model = state.choose(&caller, &mut request).await?;
    echo.insert("model".into(), model.into());
    echo.insert("id".into(), unique("resp_").into());
    let report = Report::new(echo, Estimate::of(&request));
    let begun = begin(state.open(caller, request)).await?;
    if streams {
        return Ok(stream::response(begun, report));
    }
    let answer = collect(begun).await?;
    Ok(super::super::json(&json!(report.of_answer(answer).await)))
}
