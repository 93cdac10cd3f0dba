//! `nodetool.variable.SetVariable`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::check_name;

/// Keeps a value under a name for the rest of the run, and passes it on.
/// variable, set, store, assign, state, share
#[derive(Node)]
#[node(namespace = "nodetool.variable", uncached, again)]
pub(super) struct SetVariable {
    /// The name.
    name: String,
    /// The value.
    value: Value,
}

/// The value that was stored; null is a value too.
#[derive(Outputs)]
pub(super) struct Stored {
    output: Value,
}

impl Process for SetVariable {
    type Output = Stored;

    async fn process(self, cx: &NodeCx) -> Result<Stored, NodeError> {
        check_name(&self.name)?;
        cx.run.variables.set(&self.name, self.value.clone());
        Ok(Stored { output: self.value })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{case, context};

    use super::*;

    #[tokio::test]
    async fn the_value_is_stored_under_its_name_and_a_name_is_required() {
        let cx = context();
        let run = cx.run.clone();
        let set = case::<SetVariable>()
            .set("name", "label")
            .set("value", 7i64);
        assert_eq!(set.within(cx).value().await.unwrap(), Value::Int(7));
        assert_eq!(run.variables.get("label"), Some(Value::Int(7)));
        let error = case::<SetVariable>().run().await.unwrap_err().to_string();
        assert!(error.contains("`name`"), "{error}");
    }
}
