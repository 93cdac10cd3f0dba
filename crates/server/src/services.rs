//! Use cases: what HTTP, sockets and the command line all call. No HTTP types, no SQL.

mod accounts;
mod assets;
mod auth;
mod browsers;
mod changes;
mod chat;
mod closing;
mod collections;
pub(crate) mod downloads;
mod enquiries;
mod examples;
mod feeds;
mod files;
mod folders;
mod google;
mod jobs;
mod logins;
pub(crate) mod loops;
mod machine;
mod metrics;
mod models;
mod oauth;
mod outbox;
mod packages;
mod predictions;
mod programs;
mod providers;
pub(crate) mod retention;
mod schemas;
mod scripts;
mod secrets;
mod settings;
mod site;
mod skills;
mod stats;
mod terminals;
mod threads;
mod tools;
mod triggers;
mod versions;
mod windows;
pub(crate) mod workflow_body;
mod workflow_models;
mod workflows;
mod workspaces;

pub(crate) use accounts::{Caller, OWNER};
pub(crate) use assets::{
    AssetError, AssetOrigin, AssetService, Bucket, Buckets, ChangeAsset, CreateAsset, Incoming,
    Reach, ScratchAssets, THUMBNAIL, Thumbnail, content_types, thumbnail_name,
};
pub(crate) use auth::{
    Accounts, HOLDS, KeyError, LONGEST_KEY_NAME, MOST_DAYS, NewKey, NewToken, PeopleError, Record,
    Refused, Registration, Role, SignedIn, TicketError, UsersError, UsersFile, is_email,
};
pub(crate) use browsers::{
    Act as BrowserAct, BrowserError, BrowserService, BrowserSettings, Button as BrowserButton,
    Frame as BrowserFrame, Input as BrowserInput, Journey as BrowserJourney, Key as BrowserKey,
    Motion as BrowserMotion, Pool as BrowserPool, Rule as ThrottleRule, Seen as BrowserSeen,
    Session as BrowserSession, SessionConfig, Viewer as BrowserViewer, WatchError,
};
pub(crate) use changes::{Change, Changes, Happened};
pub(crate) use chat::{
    AskFault, ChatAsk, ChatError, ChatFeed, ChatFrame, ChatParts, ChatService, ChatSettings,
    ChatWatch, InferenceAsk, KeptTurns, Manifest, NamingError, TakenTurns, TitleError, error_frame,
    permission_mode,
};
pub(crate) use closing::explicit_types;
pub(crate) use collections::{
    ChangeCollection, Collection, CollectionError, CollectionService, DocumentPages, Found,
    MAX_FILE as MAX_COLLECTION_FILE, ModelsOf, PutDocument, Query as CollectionQuery, Through,
    Ways as CollectionWays, base_name,
};
pub(crate) use enquiries::{
    ENQUIRY_STATUSES, EnquiryChange, EnquiryError, EnquiryService, enquiry_name,
};
pub(crate) use examples::{Example, ExampleError, ExampleService};
pub(crate) use feeds::{Begin, Feed, Feeds, Frame, Kept, LogLine, Shelving, Subject, Taken, Watch};
pub(crate) use files::FileService;
pub(crate) use folders::{Entry, FolderError};
pub(crate) use google::{
    GoogleAccount, GoogleError, GoogleParts, GoogleService, GoogleSignIn, GoogleStart, MAX_SCOPES,
    SCOPE_KEYS,
};
pub(in crate::services) use jobs::user_workspace;
pub(crate) use jobs::{
    ActiveJob, Approval, Followed, InputError, JobService, JobServiceParts, LINK_SECONDS,
    LINK_SECONDS_MOST, Limits, LinkError, Question, Recovery, ResumeError, RetryError, RunError,
    StartRun,
};
pub(crate) use logins::{FailedLogins, network_of, now_seconds};
pub(crate) use loops::{LoopParts, LoopService};
pub(crate) use machine::{MachineError, MachineFolders, MachineService};
pub(crate) use metrics::{Counted, MetricsError, MetricsService, metrics};
pub(crate) use models::{Keys, Ledger, ModelParts, ModelService, ModelSettings, of_kind};
pub(crate) use oauth::{
    OAuthError, OAuthProvider, OAuthService, OAuthSettings, SignInError, SignInReturn,
};
pub(crate) use outbox::{ListJobs, TimeText, time_text, zulu_text};
pub(crate) use packages::{BUILT_IN, PackageService};
pub(crate) use predictions::{Calls, NewPrediction, PredictionError, PredictionService};
pub(crate) use programs::MachinePrograms;
pub(crate) use providers::PROVIDERS;
pub(crate) use retention::Retention;
pub(crate) use schemas::interface_schemas;
pub(crate) use scripts::{CHILD_COMMAND, SandboxedScripts};
pub(crate) use secrets::{
    AwsSecret, ImportedSecret, KeyFiles, KeyPlaces, MAX_DESCRIPTION, MAX_IMPORT, MAX_SECRET,
    NewMasterKey, NewSecret, Origin, RunSecrets, Safe, SecretsError, SecretsParts, SecretsService,
    Seen, in_environment, registered, rotate,
};
pub(crate) use settings::{ChangeSettings, Kind, RefusedSetting, SettingsError, SettingsService};
pub(crate) use site::{Site, SiteFile};
pub(crate) use skills::Skill;
pub(crate) use stats::{Sample, Sampler};
pub(crate) use terminals::{
    Terminal, TerminalError, TerminalSettings, Terminals, is_passed_to_shells, resize_terminal,
};
pub(crate) use threads::{
    MOST_MESSAGES, NewMessage, Slice, ThreadError, ThreadService, ThreadsOf, base64_bytes, fetch,
    keep_media, mime_of, record, spoken, to_row,
};
pub(crate) use tools::{
    Human, HumanQuestion, McpServer, McpServers, SearchPlaces, Shelf, ToolScope, ToolService,
    ToolServiceParts, WeakTools,
};
pub(crate) use triggers::{
    Accepted, Saves, TriggerError, TriggerFault, TriggerJob, TriggerService, TriggerServiceParts,
    WebhookRequest, saves,
};
pub(crate) use versions::{Autosave, AutosaveSettings, SaveType, VersionError, VersionService};
pub(crate) use windows::{Standing, Windows};
pub(crate) use workflow_models::{WORKFLOW_FAILED, WORKFLOW_PREFIX, WorkflowFile, WorkflowModels};
pub(crate) use workflows::{
    Loaded, SaveWorkflow, WorkflowError, WorkflowService, read_graph, to_json,
};
pub(crate) use workspaces::{
    SaveWorkspace, Workspace, WorkspaceError, WorkspaceRules, WorkspaceService,
};
