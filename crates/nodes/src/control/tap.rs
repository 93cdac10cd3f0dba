//! `nodetool.control.Tap`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Severity, Value};

use super::item::Item;
use super::setting::Setting;

/// Longest rendering of an item in the log, in characters.
const SHOWN: usize = 500;

/// Passes everything on and writes each item to the log.
/// tap, debug, log, inspect, print, stream
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Tap {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// What the lines begin with.
    #[prop(default = "tap")]
    label: String,
}

impl Pipe for Tap {
    type Output = Item;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Item>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut label = Setting::start("label", self.label, inputs).await?;
        while let Some(output) = inputs.recv("input_item").await {
            let label = label.latest(inputs)?;
            if cx.run.events.listening() {
                let line = format!("[{label}] {}", output.preview(SHOWN));
                cx.log(Severity::Info, line);
            }
            out.emit(Item { output }).await?;
        }
        Ok(())
    }
}
