//! Contexts with scripted models for the tests beside the nodes.

use std::sync::Arc;

use nodetool_sdk::models::{ChatEvent, FinishReason, Models};
use nodetool_sdk::services::Services;
use nodetool_sdk::testing::{Recorder, Scripted, ScriptedModels, context_of, node_info};
use nodetool_sdk::{NodeCx, NodeInfo, Value};

use super::selector;

/// Characters of a piece of an answer: few, so that what reads answers meets every place they can be cut at.
const PIECE: usize = 3;

/// A chosen language model.
pub(crate) fn language_model() -> Value {
    selector("language_model", "scripted", "one", "One")
}

/// An answer in very small pieces.
pub(crate) fn in_pieces(text: &str) -> Scripted {
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(PIECE).map(|c| c.iter().collect());
    let events = pieces.map(ChatEvent::Text);
    let end = ChatEvent::Finish(FinishReason::Stop);
    Scripted::events(events.chain([end]).map(Ok))
}

/// Models with these answers, each in very small pieces.
pub(crate) fn saying<const N: usize>(texts: [&str; N]) -> Arc<ScriptedModels> {
    Arc::new(ScriptedModels::new(texts.map(in_pieces)))
}

/// Services with these models and nothing else.
pub(crate) fn services(models: &Arc<ScriptedModels>) -> Services {
    let models: Arc<dyn Models> = models.clone();
    Services {
        models,
        ..Services::none()
    }
}

/// A context with these models.
pub(crate) fn with(models: &Arc<ScriptedModels>) -> NodeCx {
    of_node(node_info(), models)
}

/// A context of a node that declares these outputs, by name and type.
pub(crate) fn declaring(models: &Arc<ScriptedModels>, outputs: &[(&str, &str)]) -> NodeCx {
    let node = NodeInfo {
        dynamic_outputs: outputs.iter().map(|(name, _)| Arc::from(*name)).collect(),
        dynamic_output_types: outputs.iter().map(|(_, ty)| ty.parse().unwrap()).collect(),
        ..node_info()
    };
    of_node(node, models)
}

/// A context of a node with these models.
pub(crate) fn of_node(node: NodeInfo, models: &Arc<ScriptedModels>) -> NodeCx {
    context_of(node, services(models), None, Arc::new(Recorder::default()))
}
