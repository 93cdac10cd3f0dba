//! The HTTP surface: routers merged, one line logged per request, errors in one shape. It calls services only.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use tower::Layer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use utoipa_axum::router::OpenApiRouter;

use crate::config::Mode;
use crate::extensions::{self, Extension};
use crate::mcp::{self, Offer};
use crate::services::downloads::{DownloadService, ModelLibrary, Ollama};
use crate::services::{
    AssetService, BrowserService, ChatService, CollectionService, EnquiryService, ExampleService,
    FileService, GoogleService, JobService, LoopService, MachineService, MetricsService,
    ModelService, OAuthService, PackageService, PredictionService, SecretsService, SettingsService,
    Terminals, ThreadService, ToolService, TriggerService, VersionService, WorkflowService,
    WorkspaceService,
};
use crate::surfaces::Families;
use crate::ws::Sockets;

mod admin;
mod approvals;
mod apps;
mod assets;
mod auth;
mod chat;
mod collections;
mod conditions;
mod cors;
mod costs;
mod error;
mod examples;
mod exports;
mod extract;
mod files;
mod gate;
mod hygiene;
mod jobs;
mod keys;
mod machine;
mod memory;
mod messages;
mod metrics;
mod model_admin;
mod models;
mod nodes;
mod oauth;
mod openai;
mod openapi;
mod orchestrator;
mod origins;
mod paced;
mod packages;
mod pages;
mod peer;
mod predictions;
mod rate;
mod requests;
mod runs;
mod secrets;
mod settings;
mod site;
mod skills;
mod storage;
mod streams;
mod system;
mod threads;
mod transfer;
mod triggers;
mod unavailable;
mod users;
mod versions;
mod workflow_names;
mod workflows;
mod workspaces;

pub(crate) use auth::{Door, NotAdmitted, bearer};
pub(crate) use chat::chat_surface;
pub(crate) use error::{ApiError, Refusal};
pub(crate) use extract::BodyLimits;
pub(crate) use gate::not_admin;
pub(crate) use metrics::NumbersAccess;
pub(crate) use nodes::Catalogue;
pub(crate) use openai::{OpenAiParts, OpenAiState};
pub(crate) use origins::{Origins, is_local_origin};
pub(crate) use peer::FORWARDED;
pub(crate) use rate::Rates;
pub(crate) use site::{Front, RESERVED};

/// What handlers work with.
pub(crate) struct App {
    pub(crate) workflows: WorkflowService,
    pub(crate) jobs: JobService,
    pub(crate) loops: LoopService,
    pub(crate) browsers: BrowserService,
    pub(crate) enquiries: EnquiryService,
    pub(crate) triggers: TriggerService,
    pub(crate) versions: VersionService,
    pub(crate) examples: Arc<ExampleService>,
    pub(crate) sockets: Sockets,
    pub(crate) assets: AssetService,
    /// `GET /api/nodes/metadata`, made once.
    pub(crate) catalogue: Catalogue,
    /// Whether the server is run for others, so that what only suits an author's own machine is off.
    pub(crate) production: bool,
    /// Whether the server is its one user's own machine, so that files and folders of it may be named.
    pub(crate) own_machine: bool,
    pub(crate) mode: Mode,
    /// What every request passes.
    pub(crate) door: Arc<Door>,
    /// Address clients reach the server at; empty for the one they use.
    pub(crate) api_url: String,
    pub(crate) started: Instant,
    pub(crate) models: ModelService,
    pub(crate) tools: ToolService,
    /// What the OpenAI-compatible routes work with.
    pub(crate) openai: OpenAiState,
    pub(crate) threads: ThreadService,
    pub(crate) collections: CollectionService,
    pub(crate) chat: ChatService,
    pub(crate) predictions: PredictionService,
    pub(crate) workspaces: WorkspaceService,
    pub(crate) files: FileService,
    pub(crate) settings: SettingsService,
    pub(crate) secrets: SecretsService,
    pub(crate) machine: MachineService,
    pub(crate) packages: PackageService,
    pub(crate) oauth: OAuthService,
    pub(crate) google: GoogleService,
    /// Nothing where the route of terminals is not there.
    pub(crate) terminals: Option<Terminals>,
    pub(crate) downloads: DownloadService,
    pub(crate) library: ModelLibrary,
    pub(crate) ollama: Ollama,
    /// Largest uploaded file in bytes.
    pub(crate) upload_limit: u64,
    pub(crate) bodies: BodyLimits,
    pub(crate) rates: Rates,
    pub(crate) metrics: MetricsService,
    /// Who may see the numbers.
    pub(crate) numbers: NumbersAccess,
}

/// The shared state of all handlers.
pub(crate) type AppState = Arc<App>;

/// What serves requests: the routes, behind the layer that drops a trailing slash.
pub(crate) type Surface = NormalizePath<Router>;

/// What a server has beside the API.
pub(crate) struct Extent {
    pub(crate) families: Families,
    pub(crate) front: Front,
    pub(crate) extensions: Vec<Extension>,
}

/// Every route of a server. `/x/` is `/x` everywhere.
pub(crate) fn surface(app: AppState, extent: Extent) -> Surface {
    let Extent {
        families,
        front,
        extensions,
    } = extent;
    let (routes, description) = routes(&families, &app).split_for_parts();
    let mut routes = routes.merge(pages::demo()).merge(approvals::pages());
    if front.docs {
        let document = openapi::document(&description, "NodeTool", env!("CARGO_PKG_VERSION"));
        let document = document.map(bytes::Bytes::from);
        let answer = move || std::future::ready(document.clone().map(json_response));
        routes = routes
            .merge(pages::docs())
            .route("/openapi.json", axum::routing::get(answer));
    }
    routes = routes.merge(app.sockets.routes(&families));
    if families.orchestrator {
        routes = routes.merge(app.sockets.loop_routes(app.loops.clone()));
        routes = routes.merge(app.sockets.video_routes(app.browsers.clone()));
    }
    if let Some(terminals) = app.terminals.as_ref().filter(|_| families.terminal_ws) {
        routes = routes.merge(app.sockets.terminal_routes(terminals.clone()));
    }
    if families.mcp {
        let offer = Offer::new(app.tools.clone(), app.workflows.clone());
        routes = routes.merge(mcp::routes(offer));
    }
    let (front, door) = (Arc::new(front), app.door.clone());
    let entrance = auth::Entrance {
        door: door.clone(),
        front: front.clone(),
    };
    let for_strangers = app.mode == Mode::Public;
    let enforced = door.accounts.enforced();
    let files = front.clone();
    let mut routes = extensions::mount(routes, extensions, for_strangers, enforced)
        .fallback(move |request| site::answer(files.clone(), request))
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() });
    if app.rates.requests.is_some() {
        let counted = (app.clone(), front);
        routes = routes.layer(middleware::from_fn_with_state(counted, rate::limit));
    }
    if app.production {
        routes = routes.layer(middleware::map_response(error::tell_briefly));
    }
    let routes = routes
        .layer(middleware::from_fn_with_state(entrance, auth::pass))
        .layer(middleware::from_fn(openai::shape))
        .layer(middleware::from_fn(orchestrator::shape))
        .layer(middleware::from_fn_with_state(door, cors::tell))
        .layer(middleware::map_response(hygiene::complete))
        .layer(middleware::from_fn(requests::track))
        .with_state(app);
    NormalizePathLayer::trim_trailing_slash().layer(routes)
}

/// The routes of each resource, with their descriptions.
fn routes(families: &Families, app: &App) -> OpenApiRouter<AppState> {
    let mut routes = OpenApiRouter::new()
        .merge(system::router())
        .merge(metrics::router());
    if families.default_api {
        routes = routes.merge(api(app.mode, app.own_machine));
    }
    if families.openai {
        routes = routes.merge(openai::router(app.openai.clone()));
    }
    if families.orchestrator {
        routes = routes.merge(orchestrator::router(app.loops.steps().compat()));
    }
    if families.deploy_workflows {
        routes = routes
            .merge(workflows::worker_router())
            .merge(runs::worker_router());
    }
    if families.deploy_admin {
        routes = routes.merge(model_admin::router()).merge(admin::router());
    }
    if families.deploy_storage {
        routes = routes.merge(storage::deploy_router());
    }
    if families.deploy_collections {
        routes = routes.merge(collections::deploy_router());
    }
    routes
}

/// The routes under `/api`; some only where the server is its user's own machine.
fn api(mode: Mode, own_machine: bool) -> OpenApiRouter<AppState> {
    let mut routes = OpenApiRouter::new()
        .merge(nodes::router())
        .merge(workflows::router())
        .merge(versions::router())
        .merge(examples::router())
        .merge(apps::router())
        .merge(exports::router())
        .merge(workflow_names::router())
        .merge(runs::router())
        .merge(jobs::router())
        .merge(threads::router())
        .merge(collections::router())
        .merge(messages::router())
        .merge(costs::router())
        .merge(workspaces::router())
        .merge(settings::router())
        .merge(secrets::router())
        .merge(secrets::admin_router())
        .merge(memory::router())
        .merge(machine::router())
        .merge(skills::router())
        .merge(unavailable::router())
        .merge(users::router())
        .merge(keys::router())
        .merge(triggers::router())
        .merge(assets::router())
        .merge(storage::router())
        .merge(approvals::router())
        .merge(oauth::router())
        .merge(models::router());
    if mode == Mode::Desktop {
        routes = routes
            .merge(predictions::router())
            .merge(packages::router())
            .merge(unavailable::desktop_router());
        if own_machine {
            routes = routes.merge(files::router());
        }
    }
    routes
}

/// JSON bytes that are ready to send.
pub(crate) fn json_response(bytes: impl Into<bytes::Bytes>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], bytes.into()).into_response()
}

/// A value as a JSON response.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => json_response(bytes),
        Err(e) => ApiError::internal("a response cannot be written as JSON", &e).into_response(),
    }
}
