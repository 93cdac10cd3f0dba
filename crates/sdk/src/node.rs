//! The three shapes of a dataflow node and what they give.

use nodetool_protocol::{Map, OutputSlot, Value};

use crate::derive::Shape;
use crate::{Emitted, Emitter, Inputs, NodeCx, NodeDef, NodeError, Props, ValueType};

/// A node type; implemented by `#[derive(Node)]`.
pub trait Node: Sized + Send + 'static {
    /// Full type name.
    const TYPE: &'static str;
    /// Metadata and flags, outputs aside.
    fn shape() -> Shape;
    /// A fresh node of the current property values.
    fn from_props(props: &mut Props) -> Result<Self, NodeError>;
    /// The registry entry.
    fn definition() -> NodeDef;
}

/// Value in, value out: runs once per batch of inputs.
pub trait Process: Node {
    /// What it gives.
    type Output: Outputs;
    /// One execution.
    fn process(self, cx: &NodeCx) -> impl Future<Output = Result<Self::Output, NodeError>> + Send;
}

/// Value in, many out: runs once per batch of inputs and emits as it goes.
pub trait Generate: Node {
    /// What each emission holds.
    type Output: Outputs;
    /// One execution.
    fn generate(
        self,
        out: &Emitter<'_, Self::Output>,
        cx: &NodeCx,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;
}

/// Stream in, stream out: runs once and reads its inputs itself.
///
/// `self` holds the configured property values; what arrives on connected handles comes through `inputs`, as sent.
pub trait Pipe: Node {
    /// What each emission holds.
    type Output: Outputs;
    /// The whole life of the node in one run.
    fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Self::Output>,
        cx: &NodeCx,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;
}

/// What a node gives: its slots and one emission.
pub trait Outputs: Send + 'static {
    /// The declared slots.
    fn slots() -> Vec<OutputSlot>;
    /// The values by slot.
    fn into_emitted(self) -> Emitted;
}

/// A single value leaves on the slot `output`; null leaves nothing.
impl<T: ValueType> Outputs for T {
    fn slots() -> Vec<OutputSlot> {
        vec![OutputSlot::new("output", crate::derive::slot_type::<T>())]
    }
    fn into_emitted(self) -> Emitted {
        match self.into_value() {
            Value::Null => Emitted::nothing(),
            v => Emitted::one(0, v),
        }
    }
}

/// A node without outputs.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Outputs for Nothing {
    fn slots() -> Vec<OutputSlot> {
        Vec::new()
    }
    fn into_emitted(self) -> Emitted {
        Emitted::nothing()
    }
}

/// Values by slot name, for nodes whose outputs are declared per instance.
#[derive(Clone, Debug, Default)]
pub struct DynamicOutputs(pub Map);

impl Outputs for DynamicOutputs {
    fn slots() -> Vec<OutputSlot> {
        Vec::new()
    }
    fn into_emitted(self) -> Emitted {
        Emitted::Named(self.0)
    }
}
