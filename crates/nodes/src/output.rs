//! `nodetool.output`: where the results of a run leave a graph. The engine does the work; there is no code here.

use nodetool_sdk::{Behaviour, NodeDef, Registry, Role};

use crate::table::{entry, property, slot};

pub(crate) fn register(r: &mut Registry) {
    r.add_def(sink(
        "nodetool.output.Output",
        "any",
        "Makes every value it gets a result of the run.\noutput, result, return, sink, end",
    ));
}

/// A type whose values are the results of the run.
pub(crate) fn sink(node_type: &str, ty: &str, description: &str) -> NodeDef {
    let mut metadata = entry(
        node_type,
        description,
        vec![
            property("name", "str", "Name of the result."),
            property("value", ty, "The result when nothing is wired to it."),
            property("description", "str", "What the result is."),
        ],
        vec![slot("output", ty)],
    );
    metadata.basic_fields = vec!["name".into(), "value".into()];
    metadata.is_streaming_output = true;
    let mut def = NodeDef::new(metadata, Behaviour::Inert);
    def.role = Role::Output;
    def.cacheable = false;
    def
}
