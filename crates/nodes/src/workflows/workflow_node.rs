//! `nodetool.workflows.workflow_node.Workflow`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodetool_sdk::{DynamicOutputs, Emitter, Generate, Map, Node, NodeCx, NodeError, Value};
use tokio::sync::mpsc;

/// How deep workflows may run workflows; one that runs itself would never end.
const MAX_DEPTH: u32 = 16;
/// Outputs of the inner run that may wait for the nodes behind this one.
const MAX_WAITING: usize = 100_000;

/// Runs another stored workflow; its results leave on the slots of their names.
/// workflow, subworkflow, nested, call, reuse
///
/// The inputs are the parameters of the other workflow.
#[derive(Node)]
#[node(
    namespace = "nodetool.workflows.workflow_node",
    kind = Generate,
    dynamic,
    dynamic_outputs,
    uncached,
    hidden
)]
pub(super) struct Workflow {
    /// Which workflow.
    workflow_id: String,
    /// Its parameters.
    #[prop(dynamic)]
    params: Map,
}

impl Generate for Workflow {
    type Output = DynamicOutputs;

    async fn generate(
        self,
        out: &Emitter<'_, DynamicOutputs>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        if self.workflow_id.trim().is_empty() {
            return Err(NodeError::bad(
                "workflow_id",
                "\"\" (expected the id of a stored workflow)",
            ));
        }
        if cx.run.depth >= MAX_DEPTH {
            return Err(NodeError::new(format!(
                "Workflow {} would run more than {MAX_DEPTH} workflows deep; does it run itself?",
                self.workflow_id
            )));
        }
        let (tx, mut rx) = mpsc::unbounded_channel::<(Arc<str>, Value)>();
        let waiting = AtomicUsize::new(0);
        let run = async {
            // Owned here, so that the end of the run ends the loop below.
            let tx = tx;
            let mut take = |name: Arc<str>, value: Value| {
                if waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING {
                    let _ = tx.send((name, value));
                }
            };
            let workflows = &cx.services().workflows;
            Ok(workflows
                .run(&self.workflow_id, self.params, cx, &mut take)
                .await)
        };
        let pass_on = async {
            while let Some((name, value)) = rx.recv().await {
                if waiting.load(Ordering::Relaxed) > MAX_WAITING {
                    return Err(NodeError::new(format!(
                        "More than {MAX_WAITING} outputs of workflow {} wait for the nodes behind it",
                        self.workflow_id
                    )));
                }
                waiting.fetch_sub(1, Ordering::Relaxed);
                out.emit_named(&name, value).await?;
            }
            Ok(())
        };
        // What came before a failure is passed on first; a failure to pass on ends the inner run.
        let (outcome, ()) = tokio::try_join!(run, pass_on)?;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Services, Workflows};
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    /// Gives `n` back that many times, counted up; fails on "bad" at the end.
    struct Counting;

    impl Workflows for Counting {
        fn run<'a>(
            &'a self,
            workflow_id: &'a str,
            params: Map,
            _: &'a NodeCx,
            on_output: &'a mut (dyn FnMut(Arc<str>, Value) + Send),
        ) -> BoxFuture<'a, Result<(), NodeError>> {
            Box::pin(async move {
                let n = params.get("n").and_then(Value::as_i64).unwrap_or(0);
                for i in 0..n {
                    on_output("i".into(), i.into());
                    if workflow_id == "slow" {
                        tokio::task::yield_now().await;
                    }
                }
                if workflow_id == "bad" {
                    return Err("it broke".into());
                }
                Ok(())
            })
        }
    }

    async fn run(id: &str, n: i64) -> Result<Vec<Map>, NodeError> {
        let mut services = Services::none();
        services.workflows = Arc::new(Counting);
        case::<Workflow>()
            .set("workflow_id", id)
            .set("n", n)
            .within(context_with(services, None))
            .run()
            .await
    }

    #[tokio::test]
    async fn outputs_leave_by_name_in_order() {
        for id in ["fast", "slow"] {
            let given = run(id, 3).await.unwrap();
            let given: Vec<_> = given.iter().map(|m| m["i"].clone()).collect();
            assert_eq!(given, [0i64, 1, 2].map(Value::from));
        }
    }

    #[tokio::test]
    async fn a_failure_of_the_other_workflow_is_a_failure_of_the_node() {
        assert_eq!(run("bad", 1).await.unwrap_err().to_string(), "it broke");
        let nothing = run(" ", 1).await.unwrap_err().to_string();
        assert!(nothing.contains("`workflow_id`"), "{nothing}");
    }

    #[tokio::test]
    async fn outputs_that_nobody_takes_do_not_pile_up_without_end() {
        let refused = run("fast", MAX_WAITING as i64 + 1).await.unwrap_err();
        assert!(
            refused.to_string().contains("wait for the nodes"),
            "{refused}"
        );
    }
}
