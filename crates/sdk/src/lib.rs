//! What a node author imports: the node traits, inputs and emitter, the node's context, services and the registry.
//!
//! A node is a struct: its fields are the properties, its doc comment the description. It must not know the engine,
//! the store or the server; what it needs from them comes through [`NodeCx`].

pub mod accounts;
pub mod agent;
pub mod browsers;
pub mod collections;
pub mod compat;
mod context;
mod definition;
pub mod derive;
pub mod dial;
mod error;
mod io;
pub mod media_type;
pub mod models;
mod node;
pub mod programs;
pub mod public_address;
mod refs;
mod registry;
pub mod search;
pub mod services;
pub mod steps;
pub mod testing;
pub mod tools;
mod value_type;
mod workspace;

extern crate self as nodetool_sdk;

/// The words on the wire, for crates that build on the sdk.
pub use nodetool_protocol as protocol;

pub use context::{ControlledNode, EventSink, NodeCx, NodeInfo, RunCx, Variables};
pub use definition::{Behaviour, Effect, NodeDef, Props, Role};
pub use error::NodeError;
pub use io::{
    ControlEvent, ControlMessage, Emit, Emitted, Emitter, InputSource, Inputs, SlotValues,
};
pub use node::{DynamicOutputs, Generate, Node, Nothing, Outputs, Pipe, Process};
pub use nodetool_macros::{Node, Outputs, ValueType};
pub use nodetool_protocol::{
    CONTROL_HANDLE, Map, NodeMetadata, OutputSlot, Property, Severity, SyncMode, TypeMetadata,
    Value, catalogue,
};
pub use refs::{
    AsrModel, AudioRef, Chunk, CollectionRef, ColorRef, DataframeRef, Date, DateTime, DocumentRef,
    EmbeddingModel, FaissIndex, FolderRef, FontRef, HfModel, HtmlRef, ImageModel, ImageRef,
    ImageSize, JsonRef, LanguageModel, LlamaModel, Message, Model3dRef, NpArray, PlotlyConfig,
    RecordType, SvgElement, SvgRef, TextRef, ToolName, TtsModel, VideoModel, VideoRef,
};
pub use registry::Registry;
pub use value_type::{Number, ValueType};
pub use workspace::Workspace;

/// A boxed future, as erased node functions and services return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
