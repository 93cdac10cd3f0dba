//! Steps: the nodes of loops. A token comes in, a token and a route go out; a producer makes the tokens.
//!
//! The engine drives steps and knows nothing of forms and templates; whoever implements [`Step`] has bound its form
//! before its own code runs. Source: orchestrator spec 1.2 to 1.5, 7.2.

mod compat;
mod context;
mod events;
mod form;
mod queue;
mod registry;
mod token;

use std::fmt;
use std::sync::Arc;

use nodetool_protocol::{Map, Value};

use crate::{BoxFuture, NodeError};

pub use compat::Compat;
pub use context::{
    FlowCx, Mode, Runtime, StepCx, StepRequest, WebhookCall, WebhookInbox, Webhooks,
};
pub use events::{LoopSink, StepDone, StepNode, Unwatched};
pub use form::{Check, Choice, FieldKind, FieldSpec, FormSpec, Loader};
pub use queue::{Popped, QUEUE_ROOM, QueueJournal, TokenQueue};
pub use registry::Steps;
pub use token::{COMPLETED, Token};

/// The way out of an ordinary step.
pub const DEFAULT: &str = "default";
/// The way into the body of a loop step.
pub const BODY: &str = "subdag";

/// What kind of step a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Begins each iteration; has no input.
    Producer,
    /// The iteration waits for it and for all after it.
    Blocking,
    /// Ends its path.
    NonBlocking,
    /// Chooses `yes` or `no`.
    Conditional,
    /// Its body is run for each item.
    Loop,
}

impl StepKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            StepKind::Producer => "ProducerNode",
            StepKind::Blocking => "BlockingNode",
            StepKind::NonBlocking => "NonBlockingNode",
            StepKind::Conditional => "ConditionalNode",
            StepKind::Loop => "LoopNode",
        }
    }

    /// Its inputs: id and label.
    pub fn input_ports(self) -> &'static [(&'static str, &'static str)] {
        match self {
            StepKind::Producer => &[],
            _ => &[(DEFAULT, "In")],
        }
    }

    /// Its outputs: id and label.
    pub fn output_ports(self) -> &'static [(&'static str, &'static str)] {
        match self {
            StepKind::Conditional => &[("yes", "Yes"), ("no", "No")],
            StepKind::Loop => &[(DEFAULT, "Out"), (BODY, "Body")],
            _ => &[(DEFAULT, "Out")],
        }
    }
}

/// What the engine makes of a step, beside running it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepRole {
    /// An ordinary step.
    #[default]
    Plain,
    /// Its tokens come from a queue that writers fill.
    QueueReader,
    /// Its tokens go to the queues of the readers it is connected to.
    QueueWriter,
    /// Its tokens are calls from outside; the entry of workflows that are called like a function.
    Webhook,
    /// Its data is the response of a workflow that is called like a function.
    Response,
}

/// Where a step's code runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pool {
    /// On the runtime.
    #[default]
    Async,
    /// At most ten at once in a run.
    Thread,
}

/// How a step's work ended.
#[derive(Debug)]
pub enum Flow {
    /// On by `default`.
    Go(Token),
    /// On by this route.
    Route(Arc<str>, Token),
    /// The body runs for each item, then on by `default`.
    Each(Vec<Value>, Token),
    /// A producer has no more tokens: the sentinel.
    Completed(Token),
}

/// Faults of a form: field to messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FormFaults {
    /// Messages by field, in the order of the form.
    pub fields: Vec<(String, Vec<String>)>,
    /// Whether the values were bad before anything was rendered.
    pub readiness: bool,
    /// The form with its faults, as clients show it.
    pub schema: Option<Value>,
}

impl FormFaults {
    /// `field: message; field: message`.
    pub fn text(&self) -> String {
        let each = |(field, messages): &(String, Vec<String>)| {
            messages
                .iter()
                .map(|m| format!("{field}: {m}"))
                .collect::<Vec<_>>()
                .join("; ")
        };
        self.fields.iter().map(each).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for FormFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.readiness {
            "Form validation failed: "
        } else {
            "Invalid field values: "
        };
        write!(f, "{prefix}{}", self.text())
    }
}

/// Why a step did not finish.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Its form holds values it cannot use.
    #[error("{0}")]
    Form(Box<FormFaults>),
    /// Its own code says why.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// One step of one loop: made, readied, set up once, run for each token, cleaned up once.
pub trait Step: Send {
    /// Whether its configuration can be used at all, before anything runs.
    ///
    /// # Errors
    /// The faults by field.
    fn ready(&self) -> Result<(), Box<FormFaults>>;

    /// Once, before the first token.
    fn setup<'a>(&'a mut self, cx: &'a StepCx) -> BoxFuture<'a, Result<(), StepError>> {
        let _ = cx;
        Box::pin(std::future::ready(Ok(())))
    }

    /// One token. A producer is given an empty one. Never called with a sentinel.
    fn run<'a>(
        &'a mut self,
        token: Token,
        cx: &'a StepCx,
    ) -> BoxFuture<'a, Result<Flow, StepError>>;

    /// Once, after the last token, however the loop ended; with the sentinel when that is how. The step may be set up
    /// again after it.
    fn cleanup<'a>(&'a mut self, last: Option<&'a Token>, cx: &'a StepCx) -> BoxFuture<'a, ()> {
        let _ = (last, cx);
        Box::pin(std::future::ready(()))
    }
}

/// What a step is made of.
#[derive(Clone, Debug, Default)]
pub struct StepConfig {
    /// Id of the node.
    pub id: Arc<str>,
    /// Raw values of its form, templates and all.
    pub form: Map,
    /// Settings beside the form, such as `queue_name`.
    pub config: Map,
    /// What counts as a template.
    pub compat: Compat,
}

type Make = dyn Fn(StepConfig) -> Box<dyn Step> + Send + Sync;

/// A registered step type.
pub struct StepDef {
    /// Name in graphs, such as `http-request`.
    pub identifier: Arc<str>,
    /// Class name clients know it by.
    pub class: Arc<str>,
    /// Name people read, where it has one.
    pub label: Option<Arc<str>>,
    /// What it does.
    pub description: Option<Arc<str>>,
    /// Group it is listed in.
    pub category: Arc<str>,
    /// File name of its icon.
    pub icon: Option<Arc<str>>,
    /// What kind of step it is.
    pub kind: StepKind,
    /// What the engine makes of it.
    pub role: StepRole,
    /// Where its code runs.
    pub pool: Pool,
    /// Its form, if it has one.
    pub form: Option<Arc<FormSpec>>,
    /// Workflow types it may be part of: out of `production` and `api`.
    pub supports: &'static [&'static str],
    /// Whether it changes something outside the run.
    pub effects: bool,
    /// Makes one.
    pub make: Box<Make>,
}

impl fmt::Debug for StepDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepDef")
            .field("identifier", &self.identifier)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
