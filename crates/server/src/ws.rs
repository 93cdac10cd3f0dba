//! The sockets: jobs, their messages and news over one connection (socket spec 1 to 6).
//!
//! It calls services only and knows nothing of HTTP handlers, which mount its routes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use nodetool_sdk::Registry;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::http::{Door, NotAdmitted};
use crate::listener::ClientAddr;
use crate::services::downloads::DownloadService;
use crate::services::{Changes, ChatService, JobService, Sampler, WorkflowService};
use crate::surfaces::Families;
use users::Users;

mod chat;
mod command;
mod connection;
mod downloads;
mod jobs;
mod loops;
mod outgoing;
mod reconnect;
mod rpc;
mod terminal;
mod users;
mod video;
mod wire;
mod writer;

/// Bytes read from a connection at once; every idle socket holds so many.
const READ_BUFFER: usize = 4 << 10;
/// Bytes written to a connection at once, so that small messages share a packet.
const WRITE_BUFFER: usize = 16 << 10;
/// How far beyond the limit a message may be that is still read to its end, so that its sender can be told.
const OVERSIZE: usize = 16 << 20;

/// What the path says about a connection (socket spec 1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// `/ws`: everything.
    Ws,
    /// `/predict`: jobs, without news.
    Jobs,
    /// `/chat`: chats, without news; a message needs no command.
    Chat,
    /// `/updates`: news only.
    Updates,
    /// `/hf/download`: downloads of models only.
    Downloads,
}

impl Profile {
    fn has_news(self) -> bool {
        !matches!(self, Profile::Jobs | Profile::Chat)
    }
}

/// Why a connection is closed, as its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Close {
    code: u16,
    reason: &'static str,
}

impl Close {
    const DRAINING: Close = Close {
        code: 1012,
        reason: "Server draining",
    };
    const TOO_SLOW: Close = Close {
        code: 1011,
        reason: "Messages are not taken in time",
    };
    const TOO_LARGE: Close = Close {
        code: 1009,
        reason: "Message too large",
    };
    const DISMISSED: Close = Close {
        code: 1008,
        reason: "Invalid authentication",
    };
    const CROWD: Close = Close {
        code: 1013,
        reason: "Too many sockets are open",
    };
    const SILENT: Close = Close {
        code: 1011,
        reason: "No sign of life",
    };
}

impl From<NotAdmitted> for Close {
    fn from(why: NotAdmitted) -> Self {
        let reason = match why {
            NotAdmitted::Missing => "Missing authentication",
            NotAdmitted::Invalid => "Invalid authentication",
            NotAdmitted::Throttled => "Too many failed attempts",
            NotAdmitted::Unavailable => "Authentication provider not configured",
        };
        Close { code: 1008, reason }
    }
}

/// What the sockets are made of.
pub(crate) struct SocketParts {
    pub(crate) jobs: JobService,
    pub(crate) chat: ChatService,
    pub(crate) workflows: WorkflowService,
    pub(crate) changes: Changes,
    pub(crate) registry: Arc<Registry>,
    /// Tells this set of node types from another.
    pub(crate) revision: String,
    /// Largest message taken.
    pub(crate) max_message: usize,
    /// Sockets one user may have, where that is limited.
    pub(crate) per_user: Option<usize>,
    /// Whether sockets tell how busy the machine is.
    pub(crate) stats: bool,
    /// Who may open a socket.
    pub(crate) door: Arc<Door>,
    /// Downloads, where there is a socket for them.
    pub(crate) downloads: Option<DownloadService>,
}

struct House {
    parts: SocketParts,
    sampler: Sampler,
    open: TaskTracker,
    /// Whether the server is going down.
    draining: watch::Sender<bool>,
    users: Users,
}

/// Every open socket; clones share them.
#[derive(Clone)]
pub(crate) struct Sockets(Arc<House>);

impl Sockets {
    pub(crate) fn new(parts: SocketParts) -> Self {
        let open = TaskTracker::new();
        Sockets(Arc::new(House {
            parts,
            sampler: Sampler::new(open.clone()),
            open,
            draining: watch::Sender::new(false),
            users: Users::default(),
        }))
    }

    /// Closes the sockets of a user whose tokens do not count any more, or only those opened with API keys.
    pub(crate) fn close_of(&self, user_id: &str, by_key_only: bool) {
        self.0.users.dismiss(user_id, true);
        if !by_key_only {
            self.0.users.dismiss(user_id, false);
        }
    }

    /// Closes every socket; later ones are closed as they come.
    pub(crate) fn close_all(&self) {
        self.0.draining.send_replace(true);
        self.0.open.close();
    }

    /// How many sockets are open.
    pub(crate) fn count(&self) -> usize {
        self.0.open.len()
    }

    /// Waits until every socket is closed, but not for long.
    pub(crate) async fn closed(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.0.open.wait())
            .await
            .is_err()
        {
            tracing::warn!(sockets = self.0.open.len(), "sockets did not close in time");
        }
    }

    /// The routes of the sockets.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(
        &self,
        families: &Families,
    ) -> Router<S> {
        let everything = any(|s, f, h, u, w| open(Profile::Ws, s, f, h, u, w));
        let jobs = any(|s, f, h, u, w| open(Profile::Jobs, s, f, h, u, w));
        let chat = any(|s, f, h, u, w| open(Profile::Chat, s, f, h, u, w));
        let updates = any(|s, f, h, u, w| open(Profile::Updates, s, f, h, u, w));
        let mut routes = Router::new();
        if families.main_ws {
            routes = routes
                .route("/ws", everything)
                .route("/predict", jobs.clone())
                .route("/ws/predict", jobs)
                .route("/chat", chat.clone())
                .route("/ws/chat", chat);
        }
        if families.updates_ws {
            routes = routes
                .route("/updates", updates.clone())
                .route("/ws/updates", updates);
        }
        if families.hf_download_ws && self.0.parts.downloads.is_some() {
            let downloads = any(|s, f, h, u, w| open(Profile::Downloads, s, f, h, u, w));
            routes = routes
                .route("/hf/download", downloads.clone())
                .route("/ws/download", downloads);
        }
        routes.with_state(self.clone())
    }
}

/// Whose address a request has.
fn address(from: Option<Extension<ClientAddr>>) -> IpAddr {
    from.map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(from)| from.0)
}

async fn open(
    profile: Profile,
    State(sockets): State<Sockets>,
    from: Option<Extension<ClientAddr>>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return no_socket();
    };
    let door = &sockets.0.parts.door;
    if !door.origins.allows(&headers) {
        tracing::info!(target: "audit", event = "origin.refused", origin = ?headers.get(header::ORIGIN));
        let text = "Sockets are not for pages of other sites";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let admitted = door.admit(&headers, uri.query(), address(from)).await;
    let transport_limit = sockets.0.parts.max_message;
    let transport_limit = transport_limit.saturating_add(transport_limit.min(OVERSIZE));
    let counted = sockets.0.open.token();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(transport_limit)
        .max_frame_size(transport_limit)
        .on_upgrade(move |socket: WebSocket| async move {
            let _counted = counted;
            let downloads = sockets.0.parts.downloads.clone();
            let admitted = match admitted {
                Ok(caller) => caller,
                Err(why) => return writer::say_goodbye(socket, why.into()).await,
            };
            let users = sockets.0.users.clone();
            let Some(seat) = users.enter(&admitted, sockets.0.parts.per_user) else {
                return writer::say_goodbye(socket, Close::CROWD).await;
            };
            match downloads {
                Some(downloads) if profile == Profile::Downloads => {
                    let serving = downloads::serve(sockets, downloads, admitted, socket);
                    tokio::select! {
                        () = serving => {}
                        () = seat.dismissed() => {}
                    }
                }
                _ => connection::serve(sockets, admitted, profile, socket, &seat).await,
            }
        })
}

/// The answer to a request that does not ask for a socket.
fn no_socket() -> Response {
    let body = r#"{"detail":"This path is a WebSocket; connect with the WebSocket protocol"}"#;
    let head = [
        (header::CONTENT_TYPE, "application/json"),
        (header::UPGRADE, "websocket"),
    ];
    (StatusCode::UPGRADE_REQUIRED, head, body).into_response()
}
