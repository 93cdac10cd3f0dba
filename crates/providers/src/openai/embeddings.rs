//! Texts to vectors, in batches that the provider takes.

use nodetool_sdk::models::{EmbedRequest, Embeddings, ModelError};
use serde_json::Value;

use super::body::{Body, texts};
use super::dialect::Batch;
use super::{Client, contents};

/// Most numbers of a vector.
const MOST_DIMENSIONS: usize = 1 << 16;

impl Client {
    pub(super) async fn vectors(&self, request: EmbedRequest) -> Result<Embeddings, ModelError> {
        let Some(batch) = self.dialect.embeds else {
            return Err(self.unsupported("model", "vectors"));
        };
        let model = self.model(&request.model)?;
        let mut all = Embeddings::default();
        for part in batches(&request.texts, &batch) {
            let mut body = Body::default();
            body.set("model", model.as_str());
            body.set("input", texts(part));
            if batch.base64 {
                body.set("encoding_format", "base64");
            }
            body.set_some(batch.dimensions, request.dimensions);
            let post = self.post("/embeddings", &body.into_value())?;
            let patience = self.account.patience.first_byte;
            let answer = self.account.json(post, patience).await?;
            let vectors = read(&answer, part.len()).map_err(|what| self.account.nonsense(what))?;
            all.vectors.extend(vectors);
            if let Some(input) = answer["usage"]["prompt_tokens"].as_u64() {
                let usage = all.usage.get_or_insert_default();
                usage.input += input;
                let cost = answer["usage"]["cost"].as_f64();
                usage.cost = cost.map(|cost| usage.cost.unwrap_or(0.0) + cost);
            }
        }
        let length = all.vectors.first().map_or(0, Vec::len);
        if all.vectors.iter().any(|vector| vector.len() != length) {
            return Err(self.account.nonsense("vectors of different lengths"));
        }
        Ok(all)
    }
}

/// Cuts a list of texts; each piece has at least one.
fn batches<'a>(texts: &'a [String], batch: &Batch) -> Vec<&'a [String]> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, text) in texts.iter().enumerate() {
        let full = at - start == batch.texts || bytes + text.len() > batch.bytes;
        if full && at > start {
            batches.push(&texts[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += text.len();
    }
    if start < texts.len() {
        batches.push(&texts[start..]);
    }
    batches
}

/// The vectors of an answer, in the order of the texts.
fn read(answer: &Value, count: usize) -> Result<Vec<Vec<f32>>, String> {
    let data = answer["data"].as_array();
    let data = data.ok_or("vectors that are no list")?;
    if data.len() != count {
        return Err(format!("{} vectors for {count} texts", data.len()));
    }
    let mut vectors = vec![Vec::new(); count];
    for (at, item) in data.iter().enumerate() {
        let index = item["index"].as_u64().map_or(at, |index| index as usize);
        let place = vectors.get_mut(index).filter(|place| place.is_empty());
        let place = place.ok_or("vectors that are counted wrongly")?;
        *place = vector(&item["embedding"]).ok_or("a vector that is none")?;
    }
    Ok(vectors)
}

/// A vector: numbers, or base64 of little-endian floats.
fn vector(value: &Value) -> Option<Vec<f32>> {
    let vector: Vec<f32> = match value {
        Value::Array(numbers) => {
            let numbers = numbers.iter().take(MOST_DIMENSIONS + 1);
            let numbers = numbers.map(|number| number.as_f64().map(|number| number as f32));
            numbers.collect::<Option<_>>()?
        }
        Value::String(text) => {
            let bytes = contents::from_base64(text)?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return None;
            }
            numbers.iter().map(|n| f32::from_le_bytes(*n)).collect()
        }
        _ => return None,
    };
    let fits = !vector.is_empty() && vector.len() <= MOST_DIMENSIONS;
    (fits && vector.iter().all(|number| number.is_finite())).then_some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_by_texts_and_bytes() {
        let texts: Vec<String> = ["aaaa", "b", "c", "dddddddd", "e"].map(String::from).into();
        let batch = Batch {
            texts: 2,
            bytes: 5,
            ..Batch::SMALL
        };
        let lengths: Vec<usize> = batches(&texts, &batch).iter().map(|b| b.len()).collect();
        assert_eq!(lengths, [2, 1, 1, 1]);
        assert!(batches(&[], &batch).is_empty());
    }
}
