//! Workflows that a model makes: saved, run as they are, drawn, and started without waiting for them.

use std::sync::Arc;

use nodetool_protocol::{DocumentFault, Graph};
use nodetool_sdk::Value;

use super::Desk;
use super::arguments::Arguments;
use super::workflows::told;
use crate::services::workflow_body::{Beyond, write};
use crate::services::{Example, SaveWorkflow, StartRun, read_graph};

/// Faults that are told.
const MOST_FAULTS: usize = 20;
/// Names of examples that are told when none fits.
const MOST_NAMES: usize = 100;

/// The graph in the arguments, or everything that is wrong with it.
fn graph(arguments: &Arguments) -> Result<Graph, String> {
    let given = arguments.get("graph").cloned().unwrap_or_default();
    Graph::from_value(given).map_err(|faults| {
        let one = |fault: &DocumentFault| format!("{}: {}", fault.path.join("."), fault.message);
        let faults: Vec<String> = faults.iter().take(MOST_FAULTS).map(one).collect();
        format!("graph: {}", faults.join("; "))
    })
}

impl Desk {
    pub(super) async fn create_workflow(&self, arguments: &Arguments) -> Result<Value, String> {
        let Some(name) = arguments.given("name") else {
            return Err("name: expected a text".into());
        };
        let text = |key: &str| arguments.given(key).map(str::to_owned);
        let save = SaveWorkflow {
            name: name.to_owned(),
            access: "private".into(),
            tool_name: text("tool_name"),
            description: text("description"),
            graph: Some(graph(arguments)?),
            ..SaveWorkflow::default()
        };
        let saved = self.house.workflows.create(&self.scope.caller, save).await;
        let saved = saved.map_err(told)?;
        Ok(Value::map([
            ("workflow_id", Value::from(saved.id)),
            ("name", saved.name.into()),
        ]))
    }

    pub(super) async fn run_graph(&self, arguments: &Arguments) -> Result<Value, String> {
        let graph = graph(arguments)?;
        let workflows = &self.house.workflows;
        let loaded = Arc::new(workflows.plan_graph(&self.scope.caller, &graph));
        self.run_loaded(loaded, arguments.object("params")).await
    }

    pub(super) async fn start_background_job(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let id = arguments.text("workflow_id");
        let loaded = self.house.workflows.load(&self.scope.caller, id).await;
        let loaded = self.checked_run(loaded.map_err(told)?)?;
        let caller = self.scope.caller.clone();
        let start = StartRun {
            depth: self.scope.depth + 1,
            inside: self.scope.inside.clone(),
            ..StartRun::new(caller, loaded, arguments.object("params"))
        };
        let feed = self.house.jobs.start(start).await;
        let feed = feed.map_err(|e| e.to_string())?;
        let job_id = feed.subject().job_id.clone();
        Ok(Value::map([("job_id", Value::from(job_id))]))
    }

    pub(super) async fn export_workflow_digraph(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let id = arguments.text("workflow_id");
        let row = self.house.workflows.get(&self.scope.caller, id).await;
        let row = row.map_err(told)?;
        let graph = read_graph(&row.id, &row.graph).map_err(told)?;
        Ok(dot(&graph).into())
    }

    /// Draws a stored workflow or a graph that is given.
    pub(super) async fn generate_dot_graph(&self, arguments: &Arguments) -> Result<Value, String> {
        match (arguments.given("workflow_id"), arguments.get("graph")) {
            (Some(_), None) => self.export_workflow_digraph(arguments).await,
            (None, Some(_)) => Ok(dot(&graph(arguments)?).into()),
            _ => Err("expected either workflow_id or graph".into()),
        }
    }

    /// An example, by its name and, where several packages have one of that name, by its package.
    pub(super) fn get_example_workflow(&self, arguments: &Arguments) -> Result<Value, String> {
        let Some(name) = arguments.given("example_name") else {
            return Err("example_name: expected a text".into());
        };
        let package = arguments.given("package_name");
        let examples = self.house.examples.all();
        let fits = |e: &&Arc<Example>| {
            e.row.name == name && package.is_none_or(|p| e.row.package_name.as_deref() == Some(p))
        };
        let Some(found) = examples.iter().find(fits) else {
            let names = examples.iter().map(|e| e.row.name.as_str());
            let names: Vec<&str> = names.take(MOST_NAMES).collect();
            return Err(format!(
                "example_name: there is no such example; there are: {}",
                names.join(", ")
            ));
        };
        serde_json::from_slice(&write(&found.row, Beyond::default())).map_err(|e| e.to_string())
    }
}

/// A graph in the language of Graphviz.
fn dot(graph: &Graph) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut drawn = String::from("digraph workflow {\n");
    for node in &graph.nodes {
        let (id, label) = (quoted(&node.id), quoted(&node.node_type));
        drawn.push_str(&format!("  {id} [label={label}];\n"));
    }
    for edge in &graph.edges {
        let (source, target) = (quoted(&edge.source), quoted(&edge.target));
        let handles = format!("{} -> {}", edge.source_handle, edge.target_handle);
        let label = quoted(&handles);
        drawn.push_str(&format!("  {source} -> {target} [label={label}];\n"));
    }
    drawn.push_str("}\n");
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let graph: Graph = serde_json::from_value(serde_json::json!({
            "nodes": [{ "id": "a\"b\\", "type": "x.Y", "data": {} }, { "id": "c", "type": "x.Z", "data": {} }],
            "edges": [{ "source": "a\"b\\", "sourceHandle": "output", "target": "c", "targetHandle": "value" }],
        }))
        .unwrap();
        let want = "digraph workflow {\n  \"a\\\"b\\\\\" [label=\"x.Y\"];\n  \"c\" [label=\"x.Z\"];\n  \"a\\\"b\\\\\" -> \"c\" [label=\"output -> value\"];\n}\n";
        assert_eq!(dot(&graph), want);
    }
}
