//! The durable rows of the product: workflows, jobs, and the migrations that shape their tables.
//!
//! This is the only crate that speaks SQL. It must not know HTTP, the engine or graphs: graphs,
//! parameters, tags and settings pass through as JSON text whose meaning is never looked into; the large ones of a job
//! are files beside the database. Callers choose ids and times; the store writes what it is told and refuses what would lose somebody else's write.
//!
//! SQL is written in the dialect SQLite and PostgreSQL share: `$1` placeholders, text ids, times as
//! `i64` microseconds in UTC, JSON as text, flags as 0 or 1, `ON CONFLICT … RETURNING`. A PostgreSQL
//! schema has to declare ids with `COLLATE "C"`, because page order compares them byte by byte.

mod api_keys;
mod assets;
mod blobs;
mod collections;
mod connection;
mod error;
mod etag;
mod filter;
mod folder;
mod ids;
mod inspect;
mod jobs;
mod listing;
mod loops;
mod messages;
mod migrations;
mod oauth_credentials;
mod page;
mod payloads;
mod predictions;
mod reader;
mod run_state;
mod secrets;
mod settings;
mod sql;
mod stats;
mod store;
mod threads;
mod triggers;
mod versions;
mod workflows;
mod workspaces;
mod writer;

pub use api_keys::{ApiKeyRow, MAX_API_KEYS};
pub use assets::{
    AssetFilter, AssetPatch, AssetRow, DeletedAsset, MAX_ASSET_DEPTH, MAX_ASSET_ROWS, PlacedAsset,
};
pub use blobs::{
    BadKey, Blob, BlobCondition, BlobError, BlobInfo, BlobKey, BlobReader, Blobs, S3Settings,
    Upload, missing_blobs,
};
pub use collections::{
    CollectionDocument, CollectionPatch, CollectionRange, CollectionRow, DocumentVectors,
    MAX_COLLECTIONS, NewCollectionDocument, PutDocuments,
};
pub use error::{Cause, StoreError};
pub use ids::{MAX_ID_BYTES, new_id, now_micros};
pub use inspect::{Inspection, inspect};
pub use jobs::{
    DeadOwner, Expected, FinishJob, INTERRUPTED_ERROR, JobFilter, JobPayload, JobRow, JobStatus,
    NewJob, StatusChange, Suspension, UnfinishedJob, UnknownStatus, job_etag,
};
pub use loops::{
    BrowserKind, BrowserRow, DEAD_LETTERS_KEPT, DeadLetterRow, EnquiryKind, EnquiryRow, LoopRow,
    LoopStateRow, LoopTokenRow, MAX_ENQUIRIES, MAX_NODE_FILES, MAX_PEOPLE, NewPerson,
    NewThrottleRule, NodeDataRow, NodeFileRow, PersonRow, PutNodeFile, RunningLoop,
    ThrottleRuleRow, WebhookSecretRow,
};
pub use messages::MessageRow;
pub use migrations::{MigrationState, MigrationStatus};
pub use oauth_credentials::{MAX_OAUTH_ACCOUNTS, OauthCredentialRow, OauthTokens, SealedTokens};
pub use page::{MAX_PAGE_ROWS, Page};
pub use predictions::{CostTotals, MAX_COST_GROUPS, PredictionFilter, PredictionRow};
pub use run_state::{CheckpointJob, NodeRecord, NodeRecordStatus};
pub use secrets::{PutSecret, ReplacedSecret, SecretRow};
pub use settings::SettingChange;
pub use stats::{Distribution, StoreStats};
pub use store::{Options, Store};
pub use threads::ThreadRow;
pub use triggers::{
    Delivered, FireTrigger, ListedTrigger, MAX_NODE_ID_BYTES, SeenTrigger, TriggerInput, TriggerRow,
};
pub use versions::{AutosaveRules, Autosaved, NewVersion, VersionRow};
pub use workflows::{
    ChangedGraph, FilledSchemas, IfMatch, Saved, WORKFLOW_COLUMNS, WorkflowFilter, WorkflowRow,
};
pub use workspaces::{WorkspaceRow, WorkspaceUpdate};
pub use writer::Pending;
