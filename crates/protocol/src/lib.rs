//! Words on the wire and in the database: values, types, graphs, node metadata and messages of a run.
//!
//! The contract, reviewed alone. It must not know nodes, engines, stores or servers.

mod assign;
pub mod catalogue;
mod data_uri;
mod event;
mod graph;
mod metadata;
pub mod pack;
mod schema;
mod types;
mod value;

pub use assign::Misfit;
pub use data_uri::{decode_data_uri, encode_data_uri};
pub use event::{
    EdgeStatus, JobEvent, JobStatus, JobUpdate, NodeStatus, NodeUpdate, OutputUpdate,
    RunJobRequest, RunState, Severity, output_type_of,
};
pub use graph::{
    CONTROL_HANDLE, DocumentFault, Edge, EdgeKind, Graph, Node, SyncMode, type_from_value,
    type_to_value,
};
pub use metadata::{NodeMetadata, OutputSlot, Property, title_of_class, title_of_property};
pub use schema::json_schema;
pub use types::TypeMetadata;
pub use value::{Map, Value};
