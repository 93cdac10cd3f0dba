//! Secret values of forms at rest: encrypted in the graph, readable only while their workflow runs (spec 8.1, S17).
//!
//! A value that holds a template is no secret itself and stays as it is.

use nodetool_orchestrator::form::MASK;
use nodetool_protocol::{Graph, Map, Value};
use nodetool_sdk::steps::StepDef;

use super::masks::secret_fields;
use super::{EditError, LoopFailure, LoopService};
use crate::sensitive::Sensitive;

/// How an encrypted value begins.
pub(super) const SEALED: &str = "sealed:v1:";

/// A secret value that stands in the clear, if this is one. What clients are shown of a secret is none.
fn clear(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let template = text.contains("{{") || text.contains("{%");
    let hidden = text == MASK || text.starts_with(SEALED);
    (!text.is_empty() && !template && !hidden).then_some(text)
}

impl LoopService {
    /// The values of a form as they are stored.
    pub(super) async fn sealed(
        &self,
        user_id: &str,
        def: Option<&StepDef>,
        mut values: Map,
    ) -> Result<Map, EditError> {
        for name in secret_fields(def) {
            let Some(text) = clear(values.get(name)) else {
                continue;
            };
            let text = Sensitive::new(text);
            let sealed = self.0.secrets.seal_text(user_id, text).await.map_err(|e| {
                tracing::error!(error = %e, "a value of a form cannot be encrypted");
                EditError::Invalid(format!("{name}: cannot be encrypted: {e}"))
            })?;
            values.insert(name.into(), format!("{SEALED}{sealed}").into());
        }
        Ok(values)
    }

    /// The values of a form as its step gets them.
    pub(super) async fn unsealed(
        &self,
        user_id: &str,
        def: Option<&StepDef>,
        mut values: Map,
    ) -> Result<Map, LoopFailure> {
        for name in secret_fields(def) {
            let text = values.get(name).and_then(Value::as_str);
            let Some(sealed) = text.and_then(|text| text.strip_prefix(SEALED)) else {
                continue;
            };
            let opened = self.0.secrets.open_text(user_id, sealed).await;
            let opened = opened.map_err(|e| {
                LoopFailure::Refused(format!("{name}: cannot be decrypted ({e}); set it again"))
            })?;
            values.insert(name.into(), opened.expose().into());
        }
        Ok(values)
    }

    /// A graph whose steps may run.
    pub(super) async fn unsealed_graph(
        &self,
        user_id: &str,
        mut graph: Graph,
    ) -> Result<Graph, LoopFailure> {
        for node in &mut graph.nodes {
            let def = self.steps().get(&node.node_type);
            let values = std::mem::take(&mut node.data);
            node.data = self.unsealed(user_id, def.as_deref(), values).await?;
        }
        Ok(graph)
    }
}
