//! Use cases: what HTTP, sockets and the command line all call. No HTTP types, no SQL.

mod accounts;
mod assets;
mod changes;
mod events;
mod jobs;
mod outbox;
mod schemas;
mod scripts;
mod workflows;

pub(crate) use accounts::Caller;
pub(crate) use assets::LocalAssets;
pub(crate) use changes::{Changes, Happened};
pub(crate) use events::{EventStream, channel};
pub(crate) use jobs::{JobService, JobServiceParts, RunError, StartRun, Started};
pub(crate) use outbox::{ListJobs, TimeText};
pub(crate) use schemas::interface_schemas;
pub(crate) use scripts::{CHILD_COMMAND, SandboxedScripts};
pub(crate) use workflows::{Loaded, SaveWorkflow, WorkflowError, WorkflowService};
