//! Collections and models of the user.

use nodetool_sdk::Value;
use nodetool_sdk::collections::{DocumentRange, FoundDocument, Look, Search};

use super::arguments::{Arguments, cut};
use super::{Desk, Shelves};

/// Characters of a document that are given.
const MOST_CHARS: usize = 4_000;
/// Documents that may be left out first.
const MOST_OFFSET: usize = 10_000_000;

fn shown(document: FoundDocument) -> Value {
    let (text, left_out) = cut(&document.text, MOST_CHARS);
    Value::map([
        ("id", Value::from(document.id)),
        ("text", text.into()),
        ("truncated", left_out.into()),
        ("metadata", document.metadata.into()),
        ("distance", document.distance.map(f64::from).into()),
    ])
}

impl Desk {
    pub(super) fn shelves(&self) -> Result<&dyn Shelves, String> {
        let shelves = self.house.shelves.as_deref();
        shelves.ok_or_else(|| "there are no models and collections here".into())
    }

    pub(super) async fn list_collections(&self) -> Result<Value, String> {
        let listed = self.shelves()?.list_collections(&self.scope.caller).await?;
        Ok(Value::map([("collections", Value::from(listed))]))
    }

    pub(super) async fn get_collection(&self, arguments: &Arguments) -> Result<Value, String> {
        let name = arguments.text("collection");
        let collections = self.shelves()?.collections(&self.scope.caller);
        let count = collections.count(name).await.map_err(|e| e.to_string())?;
        Ok(Value::map([
            ("name", Value::from(name)),
            ("count", i64::try_from(count).unwrap_or(i64::MAX).into()),
        ]))
    }

    pub(super) async fn get_documents_from_collection(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let ids = arguments.texts("ids");
        let limit = arguments.count("limit", 50, 200).max(1);
        if ids.len() > limit {
            return Err(format!("ids: expected at most {limit}, the limit"));
        }
        let range = DocumentRange {
            ids: ids.into_iter().map(str::to_owned).collect(),
            limit,
            offset: arguments.count("offset", 0, MOST_OFFSET),
        };
        let collections = self.shelves()?.collections(&self.scope.caller);
        let found = collections.documents(arguments.text("collection"), range);
        let found = found.await.map_err(|e| e.to_string())?;
        let documents = Value::list(found.into_iter().map(shown));
        Ok(Value::map([("documents", documents)]))
    }

    pub(super) async fn query_collection(&self, arguments: &Arguments) -> Result<Value, String> {
        let Some(query) = arguments.given("query") else {
            return Err("query: expected a text".into());
        };
        let collections = self.shelves()?.collections(&self.scope.caller);
        let search = Search {
            look: Look::Both {
                text: query.to_owned(),
                k: 60.0,
                min_word: 3,
            },
            limit: arguments.count("n_results", 5, 50).max(1),
            filter: None,
        };
        let found = collections
            .search(arguments.text("collection"), search)
            .await;
        let found = found.map_err(|e| e.to_string())?;
        Ok(Value::map([(
            "documents",
            Value::list(found.into_iter().map(shown)),
        )]))
    }

    pub(super) async fn list_models(&self, arguments: &Arguments) -> Result<Value, String> {
        let (kind, provider) = (
            arguments.text("kind").trim(),
            arguments.text("provider").trim(),
        );
        let query = arguments.text("query").trim().to_lowercase();
        let listed = self
            .shelves()?
            .models(&self.scope.caller, kind, provider)
            .await?;
        let hit = |model: &Value| {
            let text = |key: &str| model.get(key).and_then(Value::as_str).unwrap_or_default();
            query.is_empty()
                || text("id").to_lowercase().contains(&query)
                || text("name").to_lowercase().contains(&query)
        };
        let found: Vec<Value> = listed.into_iter().filter(hit).collect();
        let total = found.len();
        let shown = found.into_iter().take(arguments.count("limit", 100, 500));
        Ok(Value::map([
            ("models", Value::list(shown)),
            ("total", total.into()),
        ]))
    }
}
