//! A node type as the engine sees it: metadata, flags and one erased function.

use std::fmt;
use std::sync::Arc;

use nodetool_protocol::{Map, NodeMetadata, SyncMode, Value};
use smallvec::SmallVec;

use crate::derive::Shape;
use crate::{
    BoxFuture, Emit, Emitted, Emitter, Generate, InputSource, Inputs, NodeCx, NodeError, Outputs,
    Pipe, Process, ValueType,
};

/// What the engine makes of a node, beside running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An ordinary node.
    Plain,
    /// Fed by run parameters.
    Input,
    /// Its items are the results of the run.
    Output,
    /// Shows its items and passes them on.
    Preview,
    /// Never executed.
    Annotation,
}

/// What happens when an execution is made a second time, after its process was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing outside the run changes.
    #[default]
    Pure,
    /// The same change again, under the same [`effect_key`](NodeCx::effect_key): it counts once.
    Idempotent,
    /// The change happens twice.
    Once,
}

/// The property values of one execution.
#[derive(Clone, Debug, Default)]
pub struct Props {
    /// By index of the declared property.
    pub values: SmallVec<[Value; 4]>,
    /// Undeclared inputs of dynamic nodes.
    pub dynamic: Map,
}

impl Props {
    /// Takes a declared property as its Rust type.
    pub fn take<T: ValueType>(&mut self, index: usize, name: &str) -> Result<T, NodeError> {
        let value = self
            .values
            .get_mut(index)
            .map(std::mem::take)
            .unwrap_or_default();
        T::from_value(value).map_err(|e| NodeError::bad(name, e))
    }

    /// Takes the undeclared inputs.
    pub fn take_dynamic(&mut self) -> Map {
        std::mem::take(&mut self.dynamic)
    }
}

type ProcessFn =
    dyn for<'a> Fn(Props, &'a NodeCx) -> BoxFuture<'a, Result<Emitted, NodeError>> + Send + Sync;
type GenerateFn = dyn for<'a> Fn(Props, &'a dyn Emit, &'a NodeCx) -> BoxFuture<'a, Result<(), NodeError>>
    + Send
    + Sync;
type PipeFn = dyn for<'a> Fn(
        Props,
        &'a mut dyn InputSource,
        &'a dyn Emit,
        &'a NodeCx,
    ) -> BoxFuture<'a, Result<(), NodeError>>
    + Send
    + Sync;

/// The code of a node type.
pub enum Behaviour {
    /// None: the role says it all.
    Inert,
    /// One result per batch.
    Process(Box<ProcessFn>),
    /// Many emissions per batch.
    Generate(Box<GenerateFn>),
    /// Reads its inputs itself.
    Pipe(Box<PipeFn>),
}

/// A registered node type.
pub struct NodeDef {
    /// Catalogue entry.
    pub metadata: NodeMetadata,
    /// What the engine makes of it.
    pub role: Role,
    /// Its code.
    pub behaviour: Behaviour,
    /// Whether equal inputs give equal results that may be reused.
    pub cacheable: bool,
    /// How it combines inputs when the document does not say.
    pub sync_mode: SyncMode,
    /// Handles that need an edge.
    pub required_inputs: Vec<String>,
    /// Whether it stays out of listings.
    pub hidden: bool,
    /// Whether values it gives are neither collected nor routed.
    pub routes: bool,
    /// Seconds after which an execution fails; `None` for no limit.
    pub timeout_s: Option<f64>,
    /// What an execution changes outside the run.
    pub effect: Effect,
    /// Whether a resumed run executes it again though it had finished, because it leaves something in the run beside
    /// its outputs.
    pub again: bool,
    /// Whether an execution builds on those before it, so that a resumed run makes all of them again.
    pub stateful: bool,
    /// Whether it begins runs: in a run that was begun at another node it stays silent.
    pub begins_runs: bool,
}

impl fmt::Debug for NodeDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeDef")
            .field("node_type", &self.metadata.node_type)
            .field("role", &self.role)
            .finish()
    }
}

impl NodeDef {
    /// A definition of the given metadata and code; for node types that are data rather than structs.
    pub fn new(metadata: NodeMetadata, behaviour: Behaviour) -> Self {
        let streams = matches!(behaviour, Behaviour::Generate(_));
        NodeDef {
            cacheable: !metadata.is_dynamic && !metadata.is_streaming_output && !streams,
            metadata,
            role: Role::Plain,
            behaviour,
            sync_mode: SyncMode::OnAny,
            required_inputs: Vec::new(),
            hidden: false,
            routes: true,
            timeout_s: None,
            effect: Effect::Pure,
            again: false,
            stateful: false,
            begins_runs: false,
        }
    }

    /// Whether the node reads its inbox itself.
    pub fn is_streaming_input(&self) -> bool {
        matches!(self.behaviour, Behaviour::Pipe(_))
            || matches!(self.role, Role::Output | Role::Preview)
    }

    fn of<O: Outputs>(shape: &Shape, behaviour: Behaviour) -> Self {
        let mut metadata = shape.metadata();
        metadata.outputs = O::slots();
        let mut def = NodeDef::new(metadata, behaviour);
        def.role = shape.role;
        def.cacheable &= !shape.uncached && shape.role == Role::Plain;
        def.cacheable &= shape.effect == Effect::Pure && !shape.again;
        def.sync_mode = shape.sync_mode();
        def.required_inputs = shape.required.iter().map(|s| (*s).into()).collect();
        def.hidden = shape.hidden;
        def.effect = shape.effect;
        def.again = shape.again;
        def.stateful = shape.stateful;
        def
    }

    /// The definition of a value-in, value-out node.
    pub fn process<N: Process>() -> Self {
        Self::of::<N::Output>(
            &N::shape(),
            Behaviour::Process(Box::new(|mut props, cx| {
                Box::pin(
                    async move { Ok(N::from_props(&mut props)?.process(cx).await?.into_emitted()) },
                )
            })),
        )
    }

    /// The definition of a value-in, many-out node.
    pub fn generate<N: Generate>() -> Self {
        Self::of::<N::Output>(
            &N::shape(),
            Behaviour::Generate(Box::new(|mut props, sink, cx| {
                Box::pin(async move {
                    N::from_props(&mut props)?
                        .generate(&Emitter::new(sink), cx)
                        .await
                })
            })),
        )
    }

    /// The definition of a stream-in, stream-out node.
    pub fn pipe<N: Pipe>() -> Self {
        Self::of::<N::Output>(
            &N::shape(),
            Behaviour::Pipe(Box::new(|mut props, source, sink, cx| {
                Box::pin(async move {
                    N::from_props(&mut props)?
                        .pipe(&mut Inputs::new(source), &Emitter::new(sink), cx)
                        .await
                })
            })),
        )
    }

    /// Index of a declared property.
    pub fn property_index(&self, name: &str) -> Option<usize> {
        self.metadata.properties.iter().position(|p| p.name == name)
    }

    /// Index of a declared output slot.
    pub fn slot_index(&self, name: &str) -> Option<usize> {
        self.metadata.outputs.iter().position(|s| s.name == name)
    }

    /// The property values when nothing is set.
    pub fn defaults(&self) -> Props {
        Props {
            values: self
                .metadata
                .properties
                .iter()
                .map(|p| p.default.clone())
                .collect(),
            dynamic: Map::new(),
        }
    }

    /// The last segment of the type name.
    pub fn class_name(&self) -> &str {
        self.metadata
            .node_type
            .rsplit('.')
            .next()
            .unwrap_or(&self.metadata.node_type)
    }
}

/// A definition as registries share it.
pub(crate) type SharedDef = Arc<NodeDef>;
