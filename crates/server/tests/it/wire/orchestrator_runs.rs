//! Runs of the Orchestrator API (orchestrator spec 9; tests are named by the number of their case).

mod calls;
mod development;
mod execution;
mod faults;
mod loops;
mod restarts;
mod webhooks;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::server::{pace, within};

/// A workflow under construction.
pub(super) struct Flow<'a> {
    pub(super) client: &'a Client,
    pub(super) id: String,
}

impl<'a> Flow<'a> {
    /// An empty production workflow.
    pub(super) async fn new(client: &'a Client) -> Self {
        Self::of(client, json!({ "name": "Flow" })).await
    }

    /// A workflow that is called, and active.
    pub(super) async fn api(client: &'a Client) -> Self {
        let flow = Self::of(client, json!({ "name": "Api", "workflow_type": "api" })).await;
        flow.post("activate", &json!({})).await.ok();
        flow
    }

    pub(super) async fn of(client: &'a Client, body: Value) -> Self {
        let made = client.post("/api/workflow/", &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        Flow { client, id }
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/api/workflow/{}/{rest}/", self.id)
    }

    /// Adds a node with a form; gives its id.
    pub(super) async fn node(&self, kind: &str, form: Value) -> String {
        let body = json!({ "nodeTemplate": kind, "form_values": form });
        let made = self.post("nodes/add", &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn counter(&self, min: i64, max: i64) -> String {
        self.node("counter", count(min, max)).await
    }

    /// A step that adds `data_transformer` with this JSON.
    pub(super) async fn transformer(&self, output: &str) -> String {
        let form = json!({ "overwrite": false, "output_template": output });
        self.node("data-transformer", form).await
    }

    pub(super) async fn edge(&self, source: &str, target: &str) {
        self.edge_from(source, "default", target).await;
    }

    pub(super) async fn edge_from(&self, source: &str, handle: &str, target: &str) {
        let body = json!({ "source": source, "target": target, "sourceHandle": handle });
        let made = self.post("connections/add", &body).await;
        assert_eq!(made.status, 201, "{made:?}");
    }

    pub(super) async fn post(&self, rest: &str, body: &Value) -> Reply {
        self.client.post(&self.path(rest), body).await
    }

    pub(super) async fn get(&self, rest: &str) -> Reply {
        self.client.get(&self.path(rest)).await
    }

    pub(super) async fn start(&self) -> Value {
        self.client
            .call(Method::POST, &self.path("start_execution"))
            .await
            .ok()
    }

    pub(super) async fn stop(&self) -> Value {
        self.client
            .call(Method::POST, &self.path("stop_execution"))
            .await
            .ok()
    }

    pub(super) async fn state(&self) -> Value {
        self.get("execution_state").await.ok()
    }

    pub(super) async fn task(&self) -> Value {
        self.get("task_status").await.ok()
    }

    /// The workflow itself.
    pub(super) async fn object(&self) -> Value {
        let path = format!("/api/workflow/{}/", self.id);
        self.client.get(&path).await.ok()
    }

    /// Waits for the state to be as it should.
    pub(super) async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        within(what, async {
            loop {
                let state = self.state().await;
                if is(&state) {
                    return state;
                }
                pace().await;
            }
        })
        .await
    }

    /// The state once a run has ended.
    pub(super) async fn ended(&self) -> Value {
        self.until("the end of a run", |state| {
            matches!(state["status"].as_str(), Some("completed" | "failed"))
        })
        .await
    }

    /// Runs it over the other API; gives what its nodes did, as `status node`, and the end.
    pub(super) async fn watched(&self) -> (Vec<(String, String)>, Value) {
        let id = self.id.replace('-', "");
        let stream = self.client.run_lines(&id, &json!({})).await;
        let lines = stream.lines().await;
        let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let nodes = lines.iter().filter(|line| line["type"] == "node_update");
        let told = nodes
            .map(|line| (text(line, "status"), text(line, "node_id")))
            .collect();
        (told, lines.last().cloned().unwrap_or_default())
    }

    /// Runs one node; gives the whole answer.
    pub(super) async fn run_node(&self, node: &str, more: Value) -> Reply {
        let mut body = json!({ "node_id": node });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        self.post("execute_and_save_node", &body).await
    }

    pub(super) async fn output_of(&self, node: &str) -> Value {
        let output = self.get(&format!("nodes/{node}/output")).await.ok();
        output["output_data"].clone()
    }
}

/// The form of a counter.
pub(super) fn count(min: i64, max: i64) -> Value {
    json!({ "min_value": min, "max_value": max, "direction": "increment", "step": 1 })
}

/// The nodes that completed, in order.
fn completed(told: &[(String, String)]) -> Vec<&str> {
    let done = told.iter().filter(|(status, _)| status == "completed");
    done.map(|(_, node)| node.as_str()).collect()
}

/// The text of a refusal.
#[track_caller]
pub(super) fn error(reply: &Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{reply:?}");
    reply.json()["error"].as_str().unwrap().to_owned()
}
