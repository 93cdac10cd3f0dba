//! `nodetool.agents.ControlAgent`.

use std::sync::Arc;

use nodetool_sdk::protocol::json_schema;
use nodetool_sdk::{
    ControlledNode, DynamicOutputs, LanguageModel, Map, Node, NodeCx, NodeError, Process, Property,
    Registry, Value,
};

use super::control_tools::{current, fitted, shown};
use crate::models::{Question, fill};
use crate::table::slot;

const SLOT: &str = "__control_output__";

const SYSTEM: &str = "\
You set the properties of nodes in a workflow.
- You are told which nodes you control: their types, and for each property its value now, its type and what it is for.
- Work out from the instructions and the values which properties should be different, and to what.
- Answer with a JSON object of property names and values, such as {\"threshold\": 0.95, \"mode\": \"fast\"}.
- Name only properties the nodes have, with values of their types. Leave out what stays as it is.";

/// Sets the properties of the nodes its control edges lead to, and has them run once.
/// control, agent, properties, parameters, decide, language model, llm
///
/// All of them get the same properties; only those that every one of them has can be set.
#[derive(Node)]
#[node(namespace = "nodetool.agents", uncached, effect = "idempotent")]
struct ControlAgent {
    /// The model that decides.
    model: LanguageModel,
    /// How it is to decide.
    #[prop(default = SYSTEM)]
    system: String,
    /// Most tokens of its answer.
    #[prop(default = 2048, min = 1, max = 100000)]
    max_tokens: i64,
}

/// What it gives is told to the nodes it controls, so it is no value on an edge.
pub(super) fn register(r: &mut Registry) {
    let mut def = ControlAgent::definition();
    def.metadata.outputs = vec![slot(SLOT, "dict[str,any]")];
    r.add_def(def);
}

impl Process for ControlAgent {
    type Output = DynamicOutputs;

    async fn process(self, cx: &NodeCx) -> Result<DynamicOutputs, NodeError> {
        let controlled = &cx.node.controlled[..];
        let Some(first) = controlled.first() else {
            let message = "the node controls nothing (expected a control edge to another node)";
            return Err(NodeError::new(message));
        };
        let common: Vec<&Property> = shown(&first.def)
            .filter(|p| controlled.iter().all(|node| has(node, p)))
            .collect();
        if common.is_empty() {
            let message = "the controlled nodes have no property in common that could be set";
            return Err(NodeError::new(message));
        }
        let context = serde_json::to_string(&context(controlled)).unwrap_or_default();
        let question = Question {
            model: self.model,
            system: self.system,
            text: format!("The nodes you control:\n{context}"),
            max_tokens: Some(self.max_tokens),
            ..Question::default()
        };
        let request = question.request(cx, "system").await?;
        let answer = fill(cx, request, "properties", schema(&common)).await?;
        let answer = answer.as_map().cloned().unwrap_or_default();
        let mut properties = answer.clone();
        for node in controlled {
            properties = fitted(&node.def, answer.clone()).map_err(|e| {
                let title = &node.title;
                NodeError::new(format!("the model set what `{title}` cannot take: {e}"))
            })?;
        }
        let event = Value::map([("properties", Value::from(properties))]);
        Ok(DynamicOutputs([(SLOT.into(), event)].into_iter().collect()))
    }
}

fn has(node: &ControlledNode, property: &Property) -> bool {
    shown(&node.def).any(|p| p.name == property.name && p.ty == property.ty)
}

/// What the model is told of the nodes.
fn context(controlled: &[ControlledNode]) -> Value {
    let nodes = controlled.iter().map(|node| {
        let properties = shown(&node.def).map(|p| {
            let description = p.description.clone().unwrap_or_default();
            let about = Value::map([
                ("value", current(node, &p.name).unwrap_or_default()),
                ("type", p.ty.to_string().into()),
                ("description", description.into()),
                ("default", p.default.clone()),
            ]);
            (Arc::from(&*p.name), about)
        });
        let properties: Map = properties.collect();
        let about = Value::map([
            ("node_id", node.id.clone().into()),
            ("node_type", node.def.metadata.node_type.as_str().into()),
            ("title", node.title.clone().into()),
            ("properties", properties.into()),
        ]);
        (node.id.clone(), about)
    });
    nodes.collect::<Map>().into()
}

fn schema(properties: &[&Property]) -> Value {
    let properties = properties
        .iter()
        .map(|p| (Arc::from(&*p.name), json_schema(&p.ty)));
    Value::map([
        ("type", "object".into()),
        ("properties", properties.collect::<Map>().into()),
        ("additionalProperties", false.into()),
    ])
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{case, node_info};
    use nodetool_sdk::{NodeDef, NodeInfo};

    use super::*;
    use crate::models::testing::{language_model, of_node, saying};

    /// Stands for a node that is controlled.
    /// test
    #[derive(Node)]
    #[node(namespace = "test")]
    struct Gate {
        /// Where it opens.
        #[prop(default = 0.5, min = 0, max = 1)]
        threshold: f64,
    }

    impl Process for Gate {
        type Output = f64;
        async fn process(self, _: &NodeCx) -> Result<f64, NodeError> {
            Ok(self.threshold)
        }
    }

    fn controlling(
        models: &Arc<nodetool_sdk::testing::ScriptedModels>,
        defs: Vec<NodeDef>,
    ) -> NodeCx {
        let controlled = defs.into_iter().enumerate().map(|(i, def)| ControlledNode {
            id: format!("n{i}").into(),
            title: "Gate".into(),
            props: def.defaults(),
            def: Arc::new(def),
        });
        let node = NodeInfo {
            controlled: controlled.collect(),
            ..node_info()
        };
        of_node(node, models)
    }

    #[tokio::test]
    async fn the_properties_the_model_chooses_are_told_to_the_nodes() {
        let models = saying([r#"{"threshold":0.75}"#]);
        let given = case::<ControlAgent>()
            .set("model", language_model())
            .within(controlling(&models, vec![Gate::definition()]))
            .run()
            .await
            .unwrap();
        let event = given[0][SLOT].get("properties").unwrap();
        assert_eq!(event.get("threshold"), Some(&0.75.into()));
        let said = models.requests()[0].messages[1].plain_text();
        assert!(said.contains(r#""value":0.5,"type":"float""#), "{said}");
    }

    #[tokio::test]
    async fn values_out_of_bounds_are_refused_and_so_is_controlling_nothing() {
        for (answer, defs, said) in [
            (
                r#"{"threshold":2}"#,
                vec![Gate::definition()],
                "(expected 0 to 1)",
            ),
            ("{}", Vec::new(), "controls nothing"),
            (
                "{}",
                vec![Gate::definition(), ControlAgent::definition()],
                "no property in common",
            ),
        ] {
            let models = saying([answer]);
            let run = case::<ControlAgent>()
                .set("model", language_model())
                .within(controlling(&models, defs));
            let refused = run.run().await.unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
