//! Vectors of texts: by the built-in way, or by a model of a provider, some texts at a time.

use nodetool_sdk::models::{EmbedRequest, ModelError, ModelErrorKind};
use nodetool_sdk::search::hashed;
use nodetool_store::CollectionRow;

use super::{CollectionError, CollectionService};
use crate::services::Caller;

/// Texts of one call of a model.
const BATCH: usize = 64;

/// Whether vectors are made without a model.
fn is_built_in(provider: &str, model: &str) -> bool {
    let whole = hashed::MODEL;
    let (home, name) = whole.split_once('/').unwrap_or(("", whole));
    provider.is_empty() && model == whole || provider == home && (model == name || model == whole)
}

impl CollectionService {
    /// The vectors of texts, as a collection has them.
    pub(super) async fn embed(
        &self,
        caller: &Caller,
        row: &CollectionRow,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, CollectionError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        if is_built_in(&row.embedding_provider, &row.embedding_model) {
            let work = move || texts.iter().map(|text| hashed::embed(text)).collect();
            return blocking(work).await;
        }
        let models = (self.0.models)(caller);
        let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
        let mut dimensions = row.dimensions;
        for batch in texts.chunks(BATCH) {
            let request = EmbedRequest {
                provider: row.embedding_provider.clone(),
                model: row.embedding_model.clone(),
                texts: batch.to_vec(),
                ..EmbedRequest::default()
            };
            let made = models.embed(request).await;
            let made = made.map_err(|e| refusal(row, e))?.vectors;
            let wrong = |reason| {
                let model = row.embedding_model.clone();
                Err(CollectionError::Vectors { model, reason })
            };
            if made.len() != batch.len() {
                let (made, asked) = (made.len(), batch.len());
                return wrong(format!("{made} vectors for {asked} texts"));
            }
            for vector in &made {
                if dimensions == 0 {
                    dimensions = vector.len();
                }
                if vector.len() != dimensions || vector.is_empty() {
                    let (found, name) = (vector.len(), &row.name);
                    return wrong(format!(
                        "a vector of {found} numbers, expected {dimensions} for the collection {name}"
                    ));
                }
                if vector.iter().any(|x| !x.is_finite()) {
                    return wrong("a vector with a number that is not finite".to_owned());
                }
            }
            vectors.extend(made);
        }
        Ok(vectors)
    }
}

fn refusal(row: &CollectionRow, mut source: ModelError) -> CollectionError {
    if source.kind == ModelErrorKind::Internal {
        tracing::error!(error = %source, "a model could not be called");
        source.message = "a fault of the server".to_owned();
    }
    CollectionError::Model {
        model: row.embedding_model.clone(),
        source: Box::new(source),
    }
}

/// Does work that takes a core for a while where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CollectionError> {
    // It is only ever broken off when the program ends.
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| CollectionError::ShuttingDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_way_is_known_by_each_of_its_spellings() {
        for (provider, model, expected) in [
            ("", "local/hash-384", true),
            ("local", "hash-384", true),
            ("local", "local/hash-384", true),
            ("", "hash-384", false),
            ("openai", "local/hash-384", false),
            ("local", "echo", false),
        ] {
            assert_eq!(is_built_in(provider, model), expected, "{provider} {model}");
        }
    }
}
