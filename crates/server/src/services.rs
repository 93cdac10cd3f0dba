//! Use cases: what HTTP, sockets and the command line all call. No HTTP types, no SQL.

mod accounts;
mod assets;
mod changes;
mod feeds;
mod jobs;
mod outbox;
pub(crate) mod retention;
mod schemas;
mod scripts;
mod site;
mod workflows;

pub(crate) use accounts::Caller;
pub(crate) use assets::LocalAssets;
pub(crate) use changes::{Changes, Happened};
pub(crate) use feeds::{Feed, Feeds, From as WatchFrom, Kept, LogLine, Shelving, Subject, Taken};
pub(crate) use jobs::{
    ActiveJob, Followed, InputError, JobService, JobServiceParts, Limits, Recovery, ResumeError,
    RetryError, RunError, StartRun,
};
pub(crate) use outbox::{ListJobs, TimeText};
pub(crate) use retention::Retention;
pub(crate) use schemas::interface_schemas;
pub(crate) use scripts::{CHILD_COMMAND, SandboxedScripts};
pub(crate) use site::{Site, SiteFile};
pub(crate) use workflows::{Loaded, SaveWorkflow, WorkflowError, WorkflowService};
