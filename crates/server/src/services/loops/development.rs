//! Building a workflow: one node is run with values of its own, and what it was given and gave is kept.
//!
//! Source: orchestrator spec 1.8.4, 3.5, 3.6.

use std::sync::Arc;
use std::time::Duration;

use nodetool_protocol::{Map, Node, Value};
use nodetool_sdk::steps::{Mode, StepConfig, StepDef, StepKind};
use nodetool_store::{NodeDataRow, now_micros};

use super::editing::NodeChange;
use super::masks::{mask, unmask};
use super::opened::{Opened, object};
use super::projection::{config, type_name};
use super::sessions::Key;
use super::single::{Items, Ran, Single, shown};
use super::{EditError, LoopFailure, LoopService, drive, ids};
use crate::services::Caller;
use crate::services::workflows::to_json;

/// What is kept of a node that ends within this time is kept at once; else its input is kept while it runs.
const QUICK: Duration = Duration::from_millis(2);

/// A run of one node.
#[derive(Clone, Debug)]
pub(crate) struct NodeRun {
    pub(crate) node_id: String,
    /// `None` runs it with the form it has.
    pub(crate) form: Option<Map>,
    pub(crate) input: Map,
    pub(crate) session: Option<String>,
    pub(crate) timeout: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    /// The node as clients know it.
    pub(crate) node_id: String,
    pub(crate) node_type: Arc<str>,
    pub(crate) input: Map,
    pub(crate) form: Map,
    /// The token and the way out it chose, or why there is none.
    pub(crate) output: Result<(Value, Arc<str>), String>,
}

/// What came of one item of a for-each node.
#[derive(Clone, Debug)]
pub(crate) struct Iterated {
    pub(crate) node_id: String,
    /// The state of the loop.
    pub(crate) for_each: Map,
    /// What the sinks of the body gave, and the data after it.
    pub(crate) output: Result<(Vec<Map>, Map), String>,
}

/// A node that is about to run by itself.
struct Prepared {
    key: Arc<str>,
    shown: String,
    node_type: Arc<str>,
    def: Arc<StepDef>,
    form: Map,
    config: Map,
    input: Map,
    /// What it last gave.
    before: Map,
}

impl Prepared {
    fn input_text(&self) -> String {
        to_json(&Value::from(self.input.clone()))
    }
}

impl LoopService {
    /// The workflow, and the node of it that is to run.
    async fn prepare(
        &self,
        caller: &Caller,
        workflow_id: &str,
        run: &NodeRun,
    ) -> Result<(Opened, Prepared), LoopFailure> {
        let (opened, values) = self.opened_at(caller, workflow_id, &run.node_id).await?;
        let node: &Node = opened.node(&run.node_id)?;
        let def = self.def(&node.node_type)?;
        let mut input = values.merged_input(&opened.graph, &node.id);
        // What the request says itself wins, so that sending the merged input again changes nothing.
        for (key, value) in &run.input {
            input.insert(key.clone(), value.clone());
        }
        let prepared = Prepared {
            key: node.id.clone(),
            shown: ids::node_id(&opened.id, &node.id),
            node_type: type_name(&node.node_type).into(),
            // Where a client sends back what it was shown of a secret, that stays.
            form: match &run.form {
                Some(given) => unmask(Some(&def), given.clone(), &node.data),
                None => node.data.clone(),
            },
            config: config(node),
            input,
            before: values.output(&node.id),
            def,
        };
        Ok((opened, prepared))
    }

    /// Runs a node. Its form and input are kept whatever comes of it, what it gave and what templates keep for the
    /// workflow if it is well.
    async fn run_kept(
        &self,
        caller: &Caller,
        opened: &Opened,
        prepared: &Prepared,
        single: Single,
    ) -> Result<Result<Ran, LoopFailure>, LoopFailure> {
        let runtime = single.flow.runtime.clone();
        let run = async {
            let run = self.run_single(caller, opened.loaded.clone(), single);
            tokio::pin!(run);
            let input = prepared.input_text();
            tokio::select! {
                biased;
                ran = &mut run => Ok::<_, LoopFailure>((ran, Some(input))),
                () = tokio::time::sleep(QUICK) => {
                    self.keep(opened, prepared, Some(input), None).await?;
                    Ok((run.await, None))
                }
            }
        };
        let (form, run) = tokio::join!(self.keep_form(caller, opened, prepared), run);
        form?;
        let (ran, input) = run?;
        let output = match &ran {
            Ok(Ran::Done(token, _) | Ran::Item(_, token)) => {
                Some(to_json(&Value::from(token.data.clone())))
            }
            _ => None,
        };
        let is_well = output.is_some();
        if input.is_some() || is_well {
            self.keep(opened, prepared, input, output).await?;
        }
        if is_well && runtime.version() > 0 {
            self.keep_runtime(&opened.id, &runtime).await;
        }
        Ok(ran)
    }

    /// Keeps the form and the input of a node that does not run.
    async fn keep_given(
        &self,
        caller: &Caller,
        opened: &Opened,
        prepared: &Prepared,
    ) -> Result<(), LoopFailure> {
        self.keep_form(caller, opened, prepared).await?;
        self.keep(opened, prepared, Some(prepared.input_text()), None)
            .await
    }

    async fn keep_form(
        &self,
        caller: &Caller,
        opened: &Opened,
        prepared: &Prepared,
    ) -> Result<(), LoopFailure> {
        let kept = opened.graph.nodes.iter().find(|n| n.id == prepared.key);
        if kept.is_none_or(|node| node.data == prepared.form) {
            return Ok(());
        }
        let change = NodeChange {
            form_values: Some(prepared.form.clone()),
            ..NodeChange::default()
        };
        let changed = self
            .change_node(caller, &opened.id, &prepared.key, change)
            .await;
        changed.map(drop).map_err(|e| match e {
            EditError::NoWorkflow => LoopFailure::NoWorkflow,
            EditError::Workflow(e) => e.into(),
            e => LoopFailure::Refused(e.to_string()),
        })
    }

    async fn keep(
        &self,
        opened: &Opened,
        prepared: &Prepared,
        input_data: Option<String>,
        output_data: Option<String>,
    ) -> Result<(), LoopFailure> {
        let row = NodeDataRow {
            node_id: prepared.key.to_string(),
            updated_at: now_micros(),
            input_data,
            output_data,
        };
        Ok(self.0.store.put_node_data(&opened.id, vec![row]).await?)
    }

    /// Runs one node.
    pub(crate) async fn execute_node(
        &self,
        caller: &Caller,
        workflow_id: &str,
        run: NodeRun,
    ) -> Result<Executed, LoopFailure> {
        let (opened, prepared) = self.prepare(caller, workflow_id, &run).await?;
        let runtime = object(&opened.row.runtime_state);
        let flow = self.development(caller, opened.env(), runtime);
        let failed = |error: String| Executed {
            node_id: prepared.shown.clone(),
            node_type: prepared.node_type.clone(),
            input: prepared.input.clone(),
            form: mask(Some(&prepared.def), &prepared.form),
            output: Err(error),
        };
        let is_loop = prepared.def.kind == StepKind::Loop;
        let items = if is_loop {
            match self.body(&opened, &prepared) {
                Ok(plan) => Items::All(plan),
                Err(error) => {
                    self.keep_given(caller, &opened, &prepared).await?;
                    return Ok(failed(error));
                }
            }
        } else {
            Items::Leave
        };
        let single = Single {
            def: prepared.def.clone(),
            config: StepConfig {
                id: prepared.shown.as_str().into(),
                form: prepared.form.clone(),
                config: prepared.config.clone(),
                compat: self.steps().compat(),
            },
            flow,
            input: prepared.input.clone(),
            timeout: run.timeout,
            session: run.session.map(|session| Key {
                user_id: caller.user_id.as_str().into(),
                workflow_id: opened.id.clone(),
                session: session.into(),
                node: prepared.key.clone(),
            }),
            items,
        };
        // The engine knows the node by the graph's id.
        let single = if is_loop {
            Single {
                config: StepConfig {
                    id: prepared.key.clone(),
                    ..single.config
                },
                ..single
            }
        } else {
            single
        };
        let (token, route) = match self.run_kept(caller, &opened, &prepared, single).await? {
            Ok(Ran::Done(token, _)) if is_loop => {
                let output = Value::map([("data", Value::from(token.data))]);
                return Ok(Executed {
                    output: Ok((output, "default".into())),
                    ..failed(String::new())
                });
            }
            Ok(Ran::Done(token, route)) => (token, route),
            Ok(Ran::Form(faults)) => {
                return Err(LoopFailure::Form {
                    node: prepared.shown,
                    faults,
                });
            }
            Ok(Ran::Failed(error)) => return Ok(failed(error)),
            Ok(Ran::Item(..) | Ran::NoItem(_) | Ran::NoLoop) => {
                return Ok(failed("The step gave nothing".into()));
            }
            Err(e @ LoopFailure::TimedOut(_)) => return Ok(failed(e.to_string())),
            Err(e) => return Err(e),
        };
        Ok(Executed {
            output: Ok((shown(&token), route)),
            ..failed(String::new())
        })
    }

    /// A for-each node and what can be reached from it, checked.
    fn body(
        &self,
        opened: &Opened,
        prepared: &Prepared,
    ) -> Result<Arc<nodetool_engine::LoopPlan>, String> {
        let mut scope = opened.scope(&prepared.key);
        let own = scope.nodes.iter_mut().find(|n| n.id == prepared.key);
        if let Some(own) = own {
            own.data.clone_from(&prepared.form);
        }
        drive::plan(&scope, self.steps(), Mode::Development)
    }

    /// Runs the body of a for-each node for one item: the one that is asked for, else the one after the last.
    pub(crate) async fn execute_item(
        &self,
        caller: &Caller,
        workflow_id: &str,
        run: NodeRun,
        index: Option<usize>,
    ) -> Result<Iterated, LoopFailure> {
        let (opened, prepared) = self.prepare(caller, workflow_id, &run).await?;
        let refused = |error: String, for_each: Map| {
            Ok(Iterated {
                node_id: prepared.shown.clone(),
                for_each,
                output: Err(error),
            })
        };
        if prepared.def.kind != StepKind::Loop {
            let text = format!("Node {} is not a LoopNode (for-each)", prepared.shown);
            return refused(text, Map::new());
        }
        let before = prepared.before.get("forEachNode");
        let last = before.and_then(|b| b.get("state")?.get("index")?.as_i64());
        let next = last.and_then(|n| usize::try_from(n + 1).ok()).unwrap_or(0);
        let index = index.unwrap_or(next);
        let results = before.and_then(|b| b.get("results")?.as_list().map(<[Value]>::to_vec));
        let mut results = results.unwrap_or_default();
        // An item that runs again takes the place of what it gave before, and of all after it.
        results.truncate(index);
        let plan = match self.body(&opened, &prepared) {
            Ok(plan) => plan,
            Err(error) => {
                self.keep_given(caller, &opened, &prepared).await?;
                return refused(error, Map::new());
            }
        };
        let flow = self.development(caller, opened.env(), object(&opened.row.runtime_state));
        let single = Single {
            def: prepared.def.clone(),
            config: StepConfig {
                id: prepared.key.clone(),
                form: prepared.form.clone(),
                config: prepared.config.clone(),
                compat: self.steps().compat(),
            },
            flow,
            input: prepared.input.clone(),
            timeout: run.timeout,
            session: None,
            items: Items::One(plan, index, results),
        };
        match self.run_kept(caller, &opened, &prepared, single).await? {
            Ok(Ran::Item(sinks, token)) => {
                let for_each = token.data.get("forEachNode").and_then(Value::as_map);
                Ok(Iterated {
                    node_id: prepared.shown,
                    for_each: for_each.cloned().unwrap_or_default(),
                    output: Ok((sinks, token.data)),
                })
            }
            Ok(Ran::NoItem(items)) => {
                let text = format!("iteration_index {index} out of range [0, {})", items.len());
                let for_each = Map::from_iter([
                    ("input".into(), Value::from(items)),
                    ("results".into(), Value::list([])),
                ]);
                refused(text, for_each)
            }
            Ok(Ran::Form(faults)) => Err(LoopFailure::Form {
                node: prepared.shown,
                faults,
            }),
            Ok(Ran::Failed(error)) => refused(error, Map::new()),
            Ok(Ran::Done(..) | Ran::NoLoop) => refused("The node gave no items".into(), Map::new()),
            Err(e @ LoopFailure::TimedOut(_)) => refused(e.to_string(), Map::new()),
            Err(e) => Err(e),
        }
    }
}
