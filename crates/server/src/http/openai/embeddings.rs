//! `POST /v1/embeddings`.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::Value;
use nodetool_sdk::models::EmbedRequest;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::json;
use super::asked::{Fields, JsonObject, wrong_type};
use super::errors::{OpenAiError, OpenAiRefusal};
use super::{OpenAiState, messages, usage};
use crate::services::Caller;

/// Most texts of a request.
const MAX_TEXTS: usize = 2048;
/// Longest vector that can be asked for.
const MAX_DIMENSIONS: i64 = 65_536;

/// Texts to turn into vectors.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct EmbeddingsAsked {
    model: Option<String>,
    /// A text, or up to 2048 of them.
    input: AskedTexts,
    /// `float` or `base64`: 32 bit little-endian floats.
    encoding_format: Option<String>,
    #[schema(minimum = 1, maximum = 65536)]
    dimensions: Option<u32>,
}

/// A text or several.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
enum AskedTexts {
    One(String),
    Several(Vec<String>),
}

/// Vectors in the order of the texts.
#[derive(Serialize, ToSchema)]
pub(super) struct EmbeddingsMade {
    /// `list`.
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: EmbeddingUsage,
}

#[derive(Serialize, ToSchema)]
struct Embedding {
    /// `embedding`.
    object: &'static str,
    index: usize,
    /// Numbers, or base64 text.
    #[schema(value_type = Vector)]
    embedding: Vector,
}

/// A vector in the form that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

#[derive(Serialize, ToSchema)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Turns texts into vectors.
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingsAsked,
    responses((status = 200, body = EmbeddingsMade), (status = 400, body = OpenAiRefusal), (status = 404, body = OpenAiRefusal),
        (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn create_embeddings(
    State(state): State<OpenAiState>,
    caller: Caller,
    body: JsonObject,
) -> Result<Response, OpenAiError> {
    let fields = body.fields();
    let texts = texts(&fields)?;
    let base64 = fields.word("encoding_format", &["float", "base64"])? == Some("base64");
    let dimensions = fields.whole("dimensions", 1, MAX_DIMENSIONS)?;
    let asked = fields.text("model")?.unwrap_or_default();
    let (provider, model, shown) = state.meant(&caller, asked).await?;
    let request = EmbedRequest {
        provider,
        model,
        texts: texts.clone(),
        dimensions: dimensions.and_then(|d| u32::try_from(d).ok()),
        ..EmbedRequest::default()
    };
    let made = state.models.of(&caller).embed(request).await?;
    let tokens = match made.usage {
        Some(usage) => usage.input,
        None => usage::count(texts.join("\n")).await,
    };
    let data = made.vectors.into_iter().enumerate();
    let data = data.map(|(index, vector)| Embedding {
        object: "embedding",
        index,
        embedding: match base64 {
            true => Vector::Base64(packed(&vector)),
            false => Vector::Numbers(vector),
        },
    });
    Ok(json(&EmbeddingsMade {
        object: "list",
        data: data.collect(),
        model: shown,
        usage: EmbeddingUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    }))
}

fn packed(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

fn texts(fields: &Fields<'_>) -> Result<Vec<String>, OpenAiError> {
    let input = fields.need("input")?;
    if let Value::List(items) = input {
        let tokens = |item: &Value| matches!(item, Value::Int(_) | Value::List(_));
        if items.iter().any(tokens) {
            let message = "Lists of tokens are not taken, since models have different tokens: send 'input' as text.";
            return Err(OpenAiError::unsupported("input", message));
        }
    } else if !matches!(input, Value::Str(_)) {
        return Err(wrong_type(
            "input",
            "a string or an array of strings",
            input,
        ));
    }
    let texts = messages::texts(fields, "input", MAX_TEXTS)?;
    if texts.is_empty() {
        let message = "Invalid 'input': empty array. Expected at least one text.";
        return Err(OpenAiError::bad("input", "empty_array", message));
    }
    if let Some(i) = texts.iter().position(|text| text.is_empty()) {
        let at = if texts.len() == 1 {
            "input".to_owned()
        } else {
            format!("input[{i}]")
        };
        let message = format!("Invalid '{at}': an empty text has no vector.");
        return Err(OpenAiError::bad(&at, "empty_string", message));
    }
    Ok(texts.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_packed_as_little_endian_floats() {
        assert_eq!(packed(&[1.0, -2.5]), "AACAPwAAIMA=");
    }
}
