//! Workflows of the user: looked at, checked, run, and as tools of their own.

use std::sync::Arc;

use nodetool_protocol::Graph;
use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::tools::Tool;
use nodetool_sdk::{Map, Value};
use nodetool_store::{WorkflowFilter, WorkflowRow};

use super::Desk;
use super::arguments::{Arguments, cut};
use super::names::sanitised;
use crate::services::WorkflowError;
use crate::services::workflow_body::{Beyond, write};

/// Rows of one page, and pages that are looked through.
const PAGE: usize = 500;
const MOST_PAGES: usize = 10;
/// Characters of a graph that are given.
const MOST_GRAPH: usize = 2 << 20;

/// A workflow that is a tool.
pub(super) struct WorkflowTool {
    pub(super) id: String,
    tool_name: String,
    description: String,
    parameters: Value,
}

impl WorkflowTool {
    fn of(row: WorkflowRow) -> Self {
        let schema = row.input_schema.as_deref().map(serde_json::from_str);
        let schema: Value = schema.and_then(Result::ok).unwrap_or_default();
        let description = row.description.filter(|d| !d.trim().is_empty());
        WorkflowTool {
            tool_name: row.tool_name.unwrap_or_default(),
            description: description.unwrap_or(row.name),
            parameters: parameters(&schema),
            id: row.id,
        }
    }

    pub(super) fn tool(&self) -> Tool {
        Tool {
            spec: ToolSpec {
                name: sanitised(&format!("workflow_{}", self.tool_name)),
                description: cut(&self.description, 1_000).0.to_owned(),
                parameters: self.parameters.clone(),
                ..ToolSpec::default()
            },
            // What its nodes do is theirs.
            effects: true,
        }
    }
}

/// The schema of a workflow's inputs, where those with a value of their own may be left out.
fn parameters(schema: &Value) -> Value {
    let properties = schema.get("properties").and_then(Value::as_map);
    let properties = properties.cloned().unwrap_or_default();
    let required = schema.get("required").and_then(Value::as_list);
    let must = |name: &&Value| {
        let property = name.as_str().and_then(|n| properties.get(n));
        property.is_some_and(|p| p.get("default").is_none())
    };
    let required: Vec<Value> = required
        .unwrap_or_default()
        .iter()
        .filter(must)
        .cloned()
        .collect();
    Value::map([
        ("type", Value::from("object")),
        ("properties", properties.into()),
        ("required", required.into()),
    ])
}

pub(super) fn told(error: WorkflowError) -> String {
    match error {
        WorkflowError::NotFound => "workflow_id: there is no such workflow".into(),
        error => error.to_string(),
    }
}

impl Desk {
    /// The user's workflows, last saved first, without graphs.
    async fn pages(
        &self,
        has_tool_name: bool,
        mut take: impl FnMut(&WorkflowRow) -> bool,
    ) -> Result<(), String> {
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let columns = [
                "id",
                "name",
                "description",
                "tool_name",
                "tags",
                "run_mode",
                "updated_at",
            ];
            let filter = WorkflowFilter {
                user_id: Some(self.scope.caller.user_id.clone()),
                has_tool_name,
                columns: Some(columns.to_vec()),
                ..WorkflowFilter::default()
            };
            let page = self
                .house
                .workflows
                .list(filter, PAGE, &cursor)
                .await
                .map_err(told)?;
            for row in &page.rows {
                if !take(row) {
                    return Ok(());
                }
            }
            if page.next.is_empty() {
                return Ok(());
            }
            cursor = page.next;
        }
        Ok(())
    }

    /// The user's workflow of this tool name; of several, the one saved last.
    pub(super) async fn workflow_tool(
        &self,
        tool_name: &str,
    ) -> Result<Option<WorkflowTool>, String> {
        let mut id = None;
        let full = format!("workflow_{tool_name}");
        self.pages(true, |row| {
            let name = row.tool_name.as_deref().unwrap_or_default();
            // The model knows the name that providers take.
            if !name.is_empty()
                && (name == tool_name || sanitised(&format!("workflow_{name}")) == full)
            {
                id = Some(row.id.clone());
            }
            id.is_none()
        })
        .await?;
        let Some(id) = id else { return Ok(None) };
        match self.house.workflows.get(&self.scope.caller, &id).await {
            Ok(row) => Ok(Some(WorkflowTool::of(row))),
            Err(WorkflowError::NotFound) => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }

    pub(super) async fn list_workflows(&self, arguments: &Arguments) -> Result<Value, String> {
        let query = arguments.text("query").trim().to_lowercase();
        let limit = arguments.count("limit", 50, 100);
        let mut found = Vec::new();
        self.pages(false, |row| {
            let hay = [Some(&row.name), row.description.as_ref()];
            let hit = hay
                .iter()
                .flatten()
                .any(|t| t.to_lowercase().contains(&query));
            if hit {
                let tags = serde_json::from_str::<Value>(&row.tags).unwrap_or_default();
                found.push(Value::map([
                    ("id", Value::from(row.id.as_str())),
                    ("name", row.name.as_str().into()),
                    (
                        "description",
                        row.description.as_deref().map(|d| cut(d, 300).0).into(),
                    ),
                    ("tags", tags),
                    ("tool_name", row.tool_name.as_deref().into()),
                    ("run_mode", row.run_mode.as_deref().into()),
                ]));
            }
            found.len() < limit
        })
        .await?;
        Ok(Value::map([("workflows", Value::from(found))]))
    }

    pub(super) async fn get_workflow(&self, arguments: &Arguments) -> Result<Value, String> {
        let id = arguments.text("workflow_id");
        let row = self
            .house
            .workflows
            .get(&self.scope.caller, id)
            .await
            .map_err(told)?;
        let without_graph = row.graph.len() > MOST_GRAPH;
        let beyond = Beyond {
            without_graph,
            ..Beyond::default()
        };
        serde_json::from_slice(&write(&row, beyond)).map_err(|e| e.to_string())
    }

    pub(super) async fn run_workflow(&self, arguments: &Arguments) -> Result<Value, String> {
        let params = arguments.object("params");
        self.run_workflow_by_id(arguments.text("workflow_id"), params)
            .await
    }

    pub(super) async fn run_workflow_by_id(&self, id: &str, params: Map) -> Result<Value, String> {
        let loaded = self
            .house
            .workflows
            .load(&self.scope.caller, id)
            .await
            .map_err(told)?;
        self.run_loaded(loaded, params).await
    }

    pub(super) async fn validate_workflow(&self, arguments: &Arguments) -> Result<Value, String> {
        let loaded = match (arguments.given("workflow_id"), arguments.get("graph")) {
            (Some(id), None) => {
                let loaded = self.house.workflows.load(&self.scope.caller, id).await;
                loaded.map_err(told)?
            }
            (None, Some(graph)) => match Graph::from_value(graph.clone()) {
                Ok(graph) => Arc::new(self.house.workflows.plan_graph(&self.scope.caller, &graph)),
                Err(faults) => {
                    let issue = |fault: &nodetool_protocol::DocumentFault| {
                        let place = fault.path.join(".");
                        Value::map([(
                            "message",
                            Value::from(format!("{place}: {}", fault.message)),
                        )])
                    };
                    return Ok(verdict(faults.iter().take(50).map(issue).collect()));
                }
            },
            _ => return Err("expected either workflow_id or graph".into()),
        };
        let issues = loaded.issues().into_iter().take(50).map(Value::from);
        Ok(verdict(issues.collect()))
    }
}

fn verdict(issues: Vec<Value>) -> Value {
    Value::map([
        ("valid", Value::from(issues.is_empty())),
        ("issues", issues.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_with_a_value_of_their_own_may_be_left_out() {
        let schema = r#"{"type":"object","required":["a","b"],"properties":{"a":{"type":"string","default":""},"b":{"type":"object"}}}"#;
        let told = parameters(&serde_json::from_str(schema).unwrap());
        assert_eq!(told.get("required"), Some(&Value::list(["b".into()])));
        assert_eq!(parameters(&Value::Null).type_tag(), Some("object"));
    }
}
