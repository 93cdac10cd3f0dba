//! Says how near two texts are to each other.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};

use super::embedding::{cosine, embed, model};
use crate::{Fields, FormStep};

/// It keeps nothing.
#[derive(Default)]
pub(super) struct CosineSimilarity;

impl FormStep for CosineSimilarity {
    const IDENTIFIER: &'static str = "cosine-similarity";
    const CLASS: &'static str = "CosineSimilarityNode";
    const LABEL: Option<&'static str> = Some("Cosine Similarity");
    const DESCRIPTION: Option<&'static str> =
        Some("Compares two texts by the cosine of the vectors an embedding model makes of them.");
    const CATEGORY: &'static str = "Data";

    fn form() -> Option<FormSpec> {
        let field = |name, label| FieldSpec::textarea(name).label(label).required();
        Some(FormSpec {
            name: "CosineSimilarityForm",
            fields: vec![
                field("data_1", "Data 1").help("The one text."),
                field("data_2", "Data 2").help("The other text."),
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
        let texts = ["data_1", "data_2"].map(|name| fields.text(name).to_owned());
        let vectors = embed(Self::IDENTIFIER, texts.to_vec(), cx).await?;
        let score = cosine(&vectors[0], &vectors[1]);
        token
            .data
            .insert("cosine_similarity".into(), Value::Float(score));
        Ok(Flow::Go(token))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::embedding::testing::counting;
    use super::super::testing::{context, data};
    use super::*;

    #[tokio::test]
    async fn the_score_is_a_number_that_replaces_an_earlier_one() {
        let (_, cx) = counting();
        let form = json!({"data_1": "aab", "data_2": "aaaabb"});
        let out = data::<CosineSimilarity>(form, json!({"cosine_similarity": 7}), &cx).await;
        assert!((out["cosine_similarity"].as_f64().unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(out.as_object().unwrap().len(), 1);
        let form = json!({"data_1": "a", "data_2": "b"});
        let out = data::<CosineSimilarity>(form, json!({}), &cx).await;
        assert!(out["cosine_similarity"].as_f64().unwrap().abs() < 1e-9);
    }

    #[tokio::test]
    async fn without_a_model_it_cannot_be_set_up() {
        let said = CosineSimilarity
            .setup(&context())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            said.starts_with("cosine-similarity needs an embedding model, which is not available")
        );
    }
}
