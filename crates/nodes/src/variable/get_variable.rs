//! `nodetool.variable.GetVariable`.

use std::time::Duration;

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Outputs, Pipe, Value};
use tokio::time::timeout;

use super::check_name;

/// How long a value may be in coming. A node cannot see that nobody will set it any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gives the value kept under a name in this run.
/// variable, get, load, read, state, share
///
/// With an edge into the trigger it gives the value of the moment for each item that arrives there; without one it
/// waits for the first value.
#[derive(Node)]
#[node(namespace = "nodetool.variable", kind = Pipe)]
pub(super) struct GetVariable {
    /// The name.
    name: String,
    /// Each item that arrives here asks for the value.
    #[expect(dead_code, reason = "read from the stream")]
    trigger: Value,
}

/// The value; null is a value too.
#[derive(Outputs)]
pub(super) struct Read {
    output: Value,
}

impl Pipe for GetVariable {
    type Output = Read;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Read>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut name = self.name;
        if let Some(arrived) = inputs.recv("name").await {
            match arrived.as_str() {
                Some(text) => name = text.to_owned(),
                None => {
                    let shown = format!("{} (expected str)", arrived.kind());
                    return Err(NodeError::bad("name", shown));
                }
            }
        }
        check_name(&name)?;
        if !inputs.is_connected("trigger") {
            let output = first_value(&name, cx).await?;
            return out.emit(Read { output }).await;
        }
        while inputs.recv("trigger").await.is_some() {
            let output = first_value(&name, cx).await?;
            out.emit(Read { output }).await?;
        }
        Ok(())
    }
}

/// The value now, or the first one to come.
async fn first_value(name: &str, cx: &NodeCx) -> Result<Value, NodeError> {
    if let Some(value) = cx.run.variables.get(name) {
        return Ok(value);
    }
    let mut values = cx.run.variables.watch(name);
    let first = timeout(PATIENCE, values.wait_for(Option::is_some)).await;
    match first {
        Ok(Ok(value)) => Ok(value.clone().unwrap_or_default()),
        Ok(Err(_)) => Err(NodeError::new(format!(
            "Variable '{name}' can no longer be set in this run"
        ))),
        Err(_) => Err(NodeError::new(format!(
            "Variable '{name}' was not set within {} seconds; expected a SetVariable node of that name in this run",
            PATIENCE.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{case, context};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_trigger_it_waits_for_the_first_value() {
        let cx = context();
        let run = cx.run.clone();
        let get = case::<GetVariable>().set("name", "x").within(cx).output();
        let set = async move { run.variables.set("x", Value::Int(1)) };
        let (got, ()) = tokio::join!(get, set);
        assert_eq!(got.unwrap(), [Value::Int(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_variable_nobody_sets_is_named_after_a_while() {
        let get = case::<GetVariable>().set("name", "lost");
        let error = get.run().await.unwrap_err().to_string();
        assert!(error.contains("'lost'"), "{error}");
    }

    #[tokio::test]
    async fn each_trigger_gives_the_value_of_the_moment() {
        let cx = context();
        cx.run.variables.set("x", Value::Null);
        let get = case::<GetVariable>()
            .set("name", "x")
            .arrive("trigger", ["go", "go"])
            .within(cx);
        assert_eq!(get.output().await.unwrap(), [Value::Null, Value::Null]);
    }
}
