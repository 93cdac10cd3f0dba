//! Texts to vectors.

use std::time::Instant;

use nodetool_sdk::models::{EmbedRequest, Embeddings, ModelError, Usage};
use serde::{Deserialize, Serialize};

use super::Gemini;
use super::answer::usage;
use super::content::{Content, Part};

/// Most texts of a request.
const BATCH: usize = 100;

#[derive(Serialize)]
struct Body {
    requests: Vec<One>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One {
    model: String,
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    embeddings: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    values: Vec<f32>,
}

impl Gemini {
    pub(super) async fn vectors(&self, request: EmbedRequest) -> Result<Embeddings, ModelError> {
        let account = &self.account;
        let name = self.name(&request.model)?;
        let until = Instant::now() + account.patience.whole;
        let mut embeddings = Embeddings::default();
        for texts in request.texts.chunks(BATCH) {
            let requests = texts.iter().map(|text| One {
                model: format!("models/{name}"),
                content: Content {
                    role: None,
                    parts: vec![Part::text(text)],
                },
                output_dimensionality: request.dimensions,
            });
            let body = Body {
                requests: requests.collect(),
            };
            let left = until.saturating_duration_since(Instant::now());
            let left = left.min(account.patience.first_byte);
            let answer = self.call(name, "batchEmbedContents", &body, left).await?;
            if let Some(used) = usage(&answer) {
                let total = embeddings.usage.get_or_insert(Usage::default());
                total.input = total.input.saturating_add(used.input);
            }
            let answer = Answer::deserialize(answer).map_err(|e| account.nonsense(e))?;
            if answer.embeddings.len() != texts.len() {
                let (got, wanted) = (answer.embeddings.len(), texts.len());
                let what = format_args!("{got} vectors for {wanted} texts");
                return Err(account.nonsense(what));
            }
            let vectors = answer.embeddings.into_iter().map(|vector| vector.values);
            embeddings.vectors.extend(vectors);
        }
        let mut lengths = embeddings.vectors.iter().map(Vec::len);
        let first = lengths.next();
        if lengths.any(|length| Some(length) != first) {
            return Err(account.nonsense("vectors of several lengths"));
        }
        Ok(embeddings)
    }
}
