//! Which fields a model takes, as it says itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_sdk::models::ModelError;
use reqwest::Method;
use serde_json::{Map, Value};

use super::name::Name;
use crate::Account;

/// Most models whose fields are remembered.
const MOST: usize = 64;

/// What a model says of itself.
#[derive(Default)]
pub(super) struct Schema {
    /// Its fields; nothing when they are not known.
    pub(super) fields: Option<Map<String, Value>>,
    /// Its newest version.
    pub(super) latest: Option<String>,
    /// Named sets of choices.
    components: Value,
}

impl Schema {
    /// From `openapi_schema` and the id of a version.
    fn read(version: &Value) -> Self {
        let components = version["openapi_schema"]["components"]["schemas"].clone();
        Schema {
            fields: components["Input"]["properties"].as_object().cloned(),
            latest: version["id"].as_str().map(str::to_owned),
            components,
        }
    }

    /// The first of these names that the model has; the first of all when its fields are not known.
    pub(super) fn find<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        match &self.fields {
            None => names.first().copied(),
            Some(fields) => names
                .iter()
                .find(|name| fields.contains_key(**name))
                .copied(),
        }
    }

    /// What it says of a field.
    pub(super) fn field(&self, name: &str) -> &Value {
        self.fields
            .as_ref()
            .and_then(|fields| fields.get(name))
            .unwrap_or(&Value::Null)
    }

    /// What a field can be, when that is a set.
    pub(super) fn choices(&self, name: &str) -> Option<&[Value]> {
        let field = self.field(name);
        let reference = field["allOf"][0]["$ref"]
            .as_str()
            .or_else(|| field["$ref"].as_str());
        let named = reference
            .and_then(|path| path.rsplit('/').next())
            .map(|name| &self.components[name]["enum"]);
        let choices = field["enum"].as_array().or_else(|| named?.as_array())?;
        Some(choices)
    }

    /// The names of its fields, for messages.
    pub(super) fn names(&self) -> String {
        let fields = self.fields.iter().flatten();
        fields
            .take(40)
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Schemas that were asked for.
#[derive(Default)]
pub(super) struct Schemas(Mutex<HashMap<String, Arc<Schema>>>);

impl Schemas {
    /// What a model says of itself; of a version without a name nothing is known.
    pub(super) async fn of(
        &self,
        account: &Account,
        name: &Name,
    ) -> Result<Arc<Schema>, ModelError> {
        let Some(model) = &name.model else {
            return Ok(Arc::default());
        };
        let path = match &name.version {
            Some(version) => format!("models/{model}/versions/{version}"),
            None => format!("models/{model}"),
        };
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&path)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = account
            .json(
                account.signed(Method::GET, &path),
                account.patience.first_byte,
            )
            .await?;
        let version = match &name.version {
            Some(_) => &answer,
            None => &answer["latest_version"],
        };
        let schema = Arc::new(Schema::read(version));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(path, schema.clone());
        Ok(schema)
    }
}
