//! `nodetool.workflows.base_node`: comments, groups, previews, bare inputs and outputs, and the tool result.

use nodetool_sdk::{
    Behaviour, Emitter, Generate, Map, Node, NodeCx, NodeDef, NodeError, Outputs, Registry, Role,
    Value,
};

use crate::input::plain;
use crate::output::sink;
use crate::table::{entry, property, slot};

pub(super) fn register(r: &mut Registry) {
    r.add::<ToolResult>();
    for mut def in [
        comment(),
        group(),
        preview(),
        sink(
            "nodetool.workflows.base_node.Output",
            "any",
            "What all outputs have in common.\noutput, result, base",
        ),
        plain(
            "nodetool.workflows.base_node.Input",
            "any",
            "What all inputs have in common.\ninput, parameter, base",
        ),
    ] {
        // Clients know these by themselves.
        def.hidden = true;
        r.add_def(def);
    }
}

/// Makes its inputs the result of the workflow, where an agent uses the workflow as a tool.
/// tool, agent, result, return, function
#[derive(Node)]
#[node(namespace = "nodetool.workflows.base_node", kind = Generate, dynamic)]
struct ToolResult {
    /// The inputs.
    #[prop(dynamic)]
    values: Map,
}

/// What the tool gave.
#[derive(Outputs)]
struct Returned {
    result: Value,
}

impl Generate for ToolResult {
    type Output = Returned;

    async fn generate(self, out: &Emitter<'_, Returned>, cx: &NodeCx) -> Result<(), NodeError> {
        out.emit(Returned {
            result: self.values.clone().into(),
        })
        .await?;
        cx.tool_result(self.values);
        Ok(())
    }
}

fn comment() -> NodeDef {
    let mut color = property("comment_color", "str", "Colour of the box.");
    color.default = "#f0f0f0".into();
    let mut text = property("comment", "any", "Text, or the editor's document.");
    text.default = Map::new().into();
    annotation(
        "nodetool.workflows.base_node.Comment",
        "A note beside the nodes.\ncomment, note, text, annotation",
        vec![property("headline", "str", "Headline."), text, color],
    )
}

fn group() -> NodeDef {
    annotation(
        "nodetool.workflows.base_node.Group",
        "A frame around nodes; it changes nothing in how they run.\ngroup, frame, organize, container",
        Vec::new(),
    )
}

fn annotation(
    node_type: &str,
    description: &str,
    properties: Vec<nodetool_sdk::Property>,
) -> NodeDef {
    let metadata = entry(node_type, description, properties, Vec::new());
    let mut def = NodeDef::new(metadata, Behaviour::Inert);
    def.role = Role::Annotation;
    def.cacheable = false;
    def
}

fn preview() -> NodeDef {
    let mut metadata = entry(
        "nodetool.workflows.base_node.Preview",
        "Shows the values it gets and passes them on.\npreview, show, inspect, debug",
        vec![
            property("value", "any", "What is shown."),
            property("name", "str", "Name of the preview."),
        ],
        vec![slot("output", "any")],
    );
    metadata.is_streaming_output = true;
    let mut def = NodeDef::new(metadata, Behaviour::Inert);
    def.role = Role::Preview;
    def.cacheable = false;
    def
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::protocol::JobEvent;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Recorder, case};
    use nodetool_sdk::{NodeInfo, RunCx, Variables};

    use super::*;

    #[tokio::test]
    async fn a_tool_result_is_passed_on_and_told() {
        let events = Arc::new(Recorder::default());
        let run = RunCx {
            job_id: "j".into(),
            workflow_id: "w".into(),
            user_id: "1".into(),
            depth: 0,
            services: Services::none(),
            variables: Variables::default(),
            workspace: None,
            events: events.clone(),
        };
        let node = NodeInfo {
            id: "n".into(),
            title: "Tool Result".into(),
            node_type: ToolResult::TYPE.into(),
            ..NodeInfo::default()
        };
        let given = case::<ToolResult>()
            .set("answer", 42i64)
            .within(NodeCx::new(Arc::new(run), Arc::new(node)))
            .run()
            .await
            .unwrap();
        let want: Map = [("answer".into(), 42i64.into())].into_iter().collect();
        assert_eq!(given[0]["result"], want.clone().into());
        assert!(matches!(
            &events.events()[..],
            [JobEvent::ToolResultUpdate { node_id, result, .. }] if &**node_id == "n" && *result == want
        ));
    }
}
