//! Vectors of texts by the user's embedding model, and how near they are to each other.
//!
//! The model is named by the secret `EMBEDDING_MODEL`, as `provider/model`; `local/hash-384` needs no provider and
//! compares words.

use nodetool_sdk::NodeError;
use nodetool_sdk::models::{EmbedRequest, ModelErrorKind};
use nodetool_sdk::search::hashed;
use nodetool_sdk::steps::StepCx;

/// Secret with the name of the model.
pub(super) const MODEL: &str = "EMBEDDING_MODEL";
/// Texts of one call of a model.
const BATCH: usize = 64;
/// Most bytes of a text.
const MAX_TEXT: usize = 256 << 10;

fn absent(identifier: &str, why: &str) -> NodeError {
    NodeError::new(format!(
        "{identifier} needs an embedding model, which is not available: {why}"
    ))
}

/// The model that is named; for setting up a step, so that it is told before anything runs.
pub(super) async fn model(identifier: &str, cx: &StepCx) -> Result<(String, String), NodeError> {
    let named = cx.node.services().secrets.get(MODEL).await?;
    let named = named.unwrap_or_default();
    match named.trim().split_once('/') {
        Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
            Ok((provider.to_owned(), model.to_owned()))
        }
        _ => {
            let why = format!(
                "the secret {MODEL} names none; expected one such as `openai/text-embedding-3-small` or `{}`",
                hashed::MODEL
            );
            Err(absent(identifier, &why))
        }
    }
}

/// The vectors of texts, in order, all of one length.
pub(super) async fn embed(
    identifier: &str,
    texts: Vec<String>,
    cx: &StepCx,
) -> Result<Vec<Vec<f32>>, NodeError> {
    if let Some(long) = texts.iter().find(|text| text.len() > MAX_TEXT) {
        let found = long.len();
        return Err(
            format!("{identifier}: a text has {found} bytes; {MAX_TEXT} are allowed").into(),
        );
    }
    let (provider, model) = model(identifier, cx).await?;
    if format!("{provider}/{model}") == hashed::MODEL {
        return super::page::blocking(move || Ok(texts.iter().map(|t| hashed::embed(t)).collect()))
            .await;
    }
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        let request = EmbedRequest {
            provider: provider.clone(),
            model: model.clone(),
            texts: batch.to_vec(),
            dimensions: None,
            node_id: Some(cx.node.node.id.clone()),
            workflow_id: Some(cx.node.run.workflow_id.clone()),
        };
        let made = cx.node.services().models.embed(request).await;
        let made = made.map_err(|e| match e.kind {
            ModelErrorKind::NoModel
            | ModelErrorKind::UnknownProvider
            | ModelErrorKind::UnknownModel
            | ModelErrorKind::MissingKey { .. }
            | ModelErrorKind::Unsupported => absent(identifier, &e.message),
            _ => NodeError::new(format!("{identifier}: {}", e.message)),
        })?;
        if made.vectors.len() != batch.len() {
            let (found, asked) = (made.vectors.len(), batch.len());
            return Err(
                format!("{identifier}: the model gave {found} vectors for {asked} texts").into(),
            );
        }
        vectors.extend(made.vectors);
    }
    let length = vectors.first().map_or(0, Vec::len);
    let usable = |v: &Vec<f32>| v.len() == length && v.iter().all(|x| x.is_finite());
    if vectors.iter().all(usable) {
        Ok(vectors)
    } else {
        Err(format!("{identifier}: the model gave vectors that cannot be compared").into())
    }
}

/// The cosine of the angle between two vectors, -1 to 1; 0 when one of them is nothing.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 {
        (dot(a, b) / lengths).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::sync::Arc;

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Secrets, Services};
    use nodetool_sdk::testing::ScriptedModels;

    use super::super::testing::context_of;
    use super::*;

    struct Named(&'static str);
    impl Secrets for Named {
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
            let value = (key == MODEL).then(|| self.0.to_owned());
            Box::pin(std::future::ready(Ok(value)))
        }
    }

    /// A context with a model whose vectors count the letters a and b.
    pub(in super::super) fn counting() -> (Arc<ScriptedModels>, StepCx) {
        let count = |text: &str, letter| text.matches(letter).count() as f32;
        let models = ScriptedModels::default()
            .with_vectors(move |text| vec![count(text, 'a'), count(text, 'b')]);
        with("fake/letters", models)
    }

    /// A context with these models.
    pub(in super::super) fn with(
        name: &'static str,
        models: ScriptedModels,
    ) -> (Arc<ScriptedModels>, StepCx) {
        let models = Arc::new(models);
        let services = Services {
            models: models.clone(),
            secrets: Arc::new(Named(name)),
            ..Services::none()
        };
        (models, context_of(services, None))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Asked, ScriptedModels};

    use super::super::testing::context;
    use super::testing::{counting, with};
    use super::*;

    #[tokio::test]
    async fn texts_are_asked_for_in_batches_of_the_named_model() {
        let (models, cx) = counting();
        let texts = vec!["ab".to_owned(); BATCH + 1];
        let vectors = embed("x", texts, &cx).await.unwrap();
        assert_eq!(vectors.len(), BATCH + 1);
        let asked = models.asked();
        assert_eq!(asked.len(), 2);
        assert!(
            matches!(&asked[0], Asked::Embed(r) if r.provider == "fake" && r.model == "letters")
        );
    }

    #[tokio::test]
    async fn without_a_model_the_step_says_what_it_needs() {
        let said = model("cross-encoder", &context())
            .await
            .unwrap_err()
            .to_string();
        let expected = "cross-encoder needs an embedding model, which is not available";
        assert!(said.starts_with(expected) && said.contains(MODEL), "{said}");
        let (_, cx) = with("nothing", ScriptedModels::default());
        assert!(model("x", &cx).await.is_err());
        let (_, cx) = with("local/hash-384", ScriptedModels::default());
        let same = embed("x", vec!["one text".into(), "one text".into()], &cx)
            .await
            .unwrap();
        assert!(cosine(&same[0], &same[1]) > 0.999);
    }

    #[tokio::test]
    async fn vectors_that_cannot_be_compared_are_refused() {
        let uneven = ScriptedModels::default().with_vectors(|text| vec![1.0; text.len()]);
        let (_, cx) = with("fake/x", uneven);
        let said = embed("x", vec!["a".into(), "bb".into()], &cx)
            .await
            .unwrap_err();
        assert!(said.to_string().contains("cannot be compared"));
        let long = vec!["a".repeat(MAX_TEXT + 1)];
        assert!(
            embed("x", long, &cx)
                .await
                .unwrap_err()
                .to_string()
                .contains("bytes")
        );
    }

    #[test]
    fn the_cosine_is_that_of_the_angle() {
        assert!((cosine(&[1.0, 0.0], &[2.0, 0.0]) - 1.0).abs() < 1e-9);
        assert!((cosine(&[1.0, 0.0], &[-1.0, 0.0]) + 1.0).abs() < 1e-9);
        assert!(cosine(&[1.0, 0.0], &[0.0, 3.0]).abs() < 1e-9);
        assert!(cosine(&[0.0, 0.0], &[1.0, 1.0]).abs() < 1e-9);
    }
}
