//! Scores how well two texts belong together, as wholes and sentence by sentence.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use super::embedding::{cosine, embed, model};
use crate::{Fields, FormStep};

/// Most sentences of a text that are looked at.
const MAX_SENTENCES: usize = 64;

/// It keeps nothing.
#[derive(Default)]
pub(super) struct CrossEncoder;

impl FormStep for CrossEncoder {
    const IDENTIFIER: &'static str = "cross-encoder";
    const CLASS: &'static str = "CrossEncoderNode";
    const LABEL: Option<&'static str> = Some("Cross Encoder");
    const DESCRIPTION: Option<&'static str> = Some(
        "Scores how well two texts belong together. It is made of embeddings, not of a reranking model: the mean of how \
         near the whole texts are and how near each sentence is to the nearest one of the other text.",
    );
    const CATEGORY: &'static str = "Data";

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "CrossEncoderForm",
            fields: vec![
                FieldSpec::textarea("text_1")
                    .required()
                    .help("The one text."),
                FieldSpec::textarea("text_2")
                    .required()
                    .help("The other text."),
            ],
            check: None,
        })
    }

    async fn setup(&mut self, cx: &StepCx) -> Result<(), NodeError> {
        model(Self::IDENTIFIER, cx).await.map(drop)
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let (one, two) = (fields.text("text_1"), fields.text("text_2"));
        let (ones, twos) = (sentences(one), sentences(two));
        let wholes = [one, two].map(str::to_owned);
        let count = ones.len();
        let texts = wholes.into_iter().chain(ones).chain(twos).collect();
        let vectors = embed(Self::IDENTIFIER, texts, cx).await?;
        let (ones, twos) = vectors[2..].split_at(count);
        let whole = cosine(&vectors[0], &vectors[1]);
        let parts = f64::midpoint(nearest(ones, twos), nearest(twos, ones));
        token.put(
            "cross_encoder_score",
            Value::Float(f64::midpoint(whole, parts)),
        );
        Ok(Flow::Go(token))
    }
}

/// The sentences of a text; the text itself when it has none.
fn sentences(text: &str) -> Vec<String> {
    let parts = text.split(['.', '!', '?', '\n']).map(str::trim);
    let parts: Vec<String> = parts
        .filter(|part| !part.is_empty())
        .take(MAX_SENTENCES)
        .map(str::to_owned)
        .collect();
    if parts.is_empty() {
        vec![text.to_owned()]
    } else {
        parts
    }
}

/// How near each vector is to the nearest of the others, on the mean.
#[expect(clippy::cast_precision_loss, reason = "counts of sentences")]
fn nearest(from: &[Vec<f32>], to: &[Vec<f32>]) -> f64 {
    let best = |a: &Vec<f32>| to.iter().map(|b| cosine(a, b)).fold(-1.0, f64::max);
    from.iter().map(best).sum::<f64>() / from.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::embedding::testing::counting;
    use super::super::testing::{context, data};
    use super::*;

    async fn score(one: &str, two: &str) -> f64 {
        let (_, cx) = counting();
        let form = json!({"text_1": one, "text_2": two});
        let out = data::<CrossEncoder>(form, json!({}), &cx).await;
        out["cross_encoder_score"].as_f64().unwrap()
    }

    #[tokio::test]
    async fn texts_that_share_a_sentence_are_nearer_than_those_that_share_none() {
        assert!((score("a. b.", "b! a?").await - 1.0).abs() < 1e-9);
        assert!(score("a", "b").await.abs() < 1e-9);
        let some = score("aaaa. b.", "b.").await;
        assert!(some > 0.3 && some < 1.0, "{some}");
        assert!((score("...", "...").await).abs() < 1e-9);
    }

    #[tokio::test]
    async fn without_a_model_it_cannot_be_set_up() {
        let said = CrossEncoder
            .setup(&context())
            .await
            .unwrap_err()
            .to_string();
        assert!(said.starts_with("cross-encoder needs an embedding model, which is not available"));
    }
}
