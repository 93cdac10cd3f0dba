//! Answers with named fields: the schema of the outputs a node instance declares, and the values for them.

use std::sync::Arc;

use nodetool_sdk::agent::json_in;
use nodetool_sdk::protocol::json_schema;
use nodetool_sdk::{Map, NodeError, NodeInfo, TypeMetadata, Value};

/// Fields by name and type.
#[derive(Clone, Debug)]
pub(crate) struct Fields(Vec<(Arc<str>, TypeMetadata)>);

impl Fields {
    /// The outputs declared on the node; nothing when there are none.
    pub(crate) fn declared(node: &NodeInfo) -> Option<Fields> {
        let types = node.dynamic_output_types.iter().cloned();
        // A type that is not known is any.
        let types = types.chain(std::iter::repeat_with(TypeMetadata::any));
        let fields: Vec<_> = node.dynamic_outputs.iter().cloned().zip(types).collect();
        (!fields.is_empty()).then_some(Fields(fields))
    }

    /// The outputs declared on the node beside those of its type.
    pub(crate) fn declared_beside(node: &NodeInfo, own: &[&str]) -> Option<Fields> {
        let mut fields = Fields::declared(node)?;
        fields.0.retain(|(name, _)| !own.contains(&&**name));
        (!fields.0.is_empty()).then_some(fields)
    }

    /// The outputs declared on the node, of which there has to be one.
    pub(crate) fn required(node: &NodeInfo) -> Result<Fields, NodeError> {
        Fields::declared(node).ok_or_else(|| {
            let message = "declares no outputs (expected one output for each field that is wanted)";
            NodeError::bad("dynamic_outputs", message)
        })
    }

    /// JSON Schema of an object of exactly these fields.
    pub(crate) fn schema(&self) -> Value {
        let properties = self.0.iter().map(|(n, t)| (n.clone(), json_schema(t)));
        let properties: Map = properties.collect();
        let names = self.0.iter().map(|(n, _)| Value::Str(n.clone()));
        Value::map([
            ("type", "object".into()),
            ("properties", properties.into()),
            ("required", Value::list(names)),
            ("additionalProperties", false.into()),
        ])
    }

    /// The values in what a model says.
    pub(crate) fn read(&self, said: &str) -> Result<Map, String> {
        let answer = json_in(said).ok_or("there is no JSON in the answer")?;
        self.take(&answer)
    }

    /// The values of an answer, fitted to their types; what was not asked for is left out.
    pub(crate) fn take(&self, answer: &Value) -> Result<Map, String> {
        let Some(answer) = answer.as_map() else {
            let kind = answer.kind();
            return Err(format!("the answer is a JSON {kind}, not an object"));
        };
        let mut taken = Map::with_capacity(self.0.len());
        for (name, ty) in &self.0 {
            let Some(value) = answer.get(name) else {
                return Err(format!("the answer lacks the field `{name}`"));
            };
            if value.is_null() {
                continue;
            }
            let fitted = ty.assign(value.clone());
            let fitted = fitted.map_err(|e| format!("the field `{name}` of the answer is {e}"))?;
            taken.insert(name.clone(), fitted);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&str, &str)]) -> Fields {
        let node = NodeInfo {
            dynamic_outputs: of.iter().map(|(n, _)| Arc::from(*n)).collect(),
            dynamic_output_types: of.iter().map(|(_, t)| t.parse().unwrap()).collect(),
            ..NodeInfo::default()
        };
        Fields::required(&node).unwrap()
    }

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_schema_names_every_declared_output() {
        let want = r#"{"type":"object","properties":{"title":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}},"required":["title","tags"],"additionalProperties":false}"#;
        let schema = fields(&[("title", "str"), ("tags", "list[str]")]).schema();
        assert_eq!(schema, json(want));
        let none = Fields::required(&NodeInfo::default()).unwrap_err();
        assert!(none.to_string().contains("declares no outputs"), "{none}");
    }

    #[test]
    fn values_are_fitted_and_what_does_not_fit_is_named() {
        let fields = fields(&[("n", "int"), ("note", "str")]);
        let taken = fields.take(&json(r#"{"n":3.0,"note":null,"more":1}"#));
        let want: Map = [("n".into(), 3i64.into())].into_iter().collect();
        assert_eq!(taken, Ok(want));
        for (answer, said) in [
            (r#"{"n":1}"#, "lacks the field `note`"),
            (r#"{"n":"x","note":""}"#, "the field `n`"),
            ("[1]", "not an object"),
        ] {
            let refused = fields.take(&json(answer)).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
