//! Models and collections as tools show them.

use std::sync::Arc;

use nodetool_providers::ModelKind;
use nodetool_sdk::collections::Collections;
use nodetool_sdk::models::Models;
use nodetool_sdk::{BoxFuture, Value};

use super::Shelves;
use crate::services::{Caller, CollectionService, ModelService};

/// What the services of models and collections have.
pub(crate) struct Shelf {
    pub(crate) models: ModelService,
    pub(crate) collections: CollectionService,
}

fn word(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Language => "language",
        ModelKind::Image => "image",
        ModelKind::Video => "video",
        ModelKind::Tts => "tts",
        ModelKind::Asr => "asr",
        ModelKind::Embedding => "embedding",
    }
}

impl Shelves for Shelf {
    fn models<'a>(
        &'a self,
        caller: &'a Caller,
        kind: &'a str,
        provider: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Value>, String>> {
        Box::pin(async move {
            let listed = self.models.list_all(&caller.user_id).await;
            let listed = listed
                .iter()
                .filter(|p| provider.is_empty() || p.provider == provider);
            let models = listed.flat_map(|p| p.models.iter().map(|model| (&p.provider, model)));
            let models = models.filter(|(_, m)| kind.is_empty() || word(m.kind) == kind);
            let told = models.map(|(provider, model)| {
                Value::map([
                    ("provider", Value::from(provider.as_str())),
                    ("id", model.id.as_str().into()),
                    ("name", model.name.as_str().into()),
                    ("kind", word(model.kind).into()),
                ])
            });
            Ok(told.collect())
        })
    }

    fn list_collections<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Vec<Value>, String>> {
        Box::pin(async move {
            let listed = self.collections.list(caller).await;
            let listed = listed.map_err(|e| e.to_string())?;
            let told = listed.into_iter().map(|collection| {
                Value::map([
                    ("name", Value::from(collection.name)),
                    (
                        "count",
                        i64::try_from(collection.count).unwrap_or(i64::MAX).into(),
                    ),
                ])
            });
            Ok(told.collect())
        })
    }

    fn collections(&self, caller: &Caller) -> Arc<dyn Collections> {
        self.collections.of(caller)
    }

    fn language(&self, caller: &Caller) -> Arc<dyn Models> {
        self.models.of(caller)
    }
}
