//! The socket of browsers that are watched (orchestrator spec 4.5). Browsers of steps have no window here, so it says
//! so and closes.

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::{Close, READ_BUFFER, Sockets, WRITE_BUFFER, address, no_socket, writer};
use crate::listener::ClientAddr;

const ABSENT: Close = Close {
    code: 1011,
    reason: "Browsers cannot be watched on this server",
};
const SAID: &str = r#"{"type":"error","message":"Browsers cannot be watched on this server"}"#;
/// Largest message of a client; none is read.
const LARGEST: usize = 16 << 10;

/// Takes a connection, says what is not there, and closes it.
pub(super) async fn open(
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
        return (
            StatusCode::FORBIDDEN,
            "Sockets are not for pages of other sites",
        )
            .into_response();
    }
    let admitted = door.admit(&headers, uri.query(), address(from)).await;
    let counted = sockets.0.open.token();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .on_upgrade(move |mut socket: WebSocket| async move {
            let _counted = counted;
            let close = match admitted {
                Ok(_) => ABSENT,
                Err(why) => return writer::say_goodbye(socket, why.into()).await,
            };
            // Whoever has gone needs no goodbye.
            if socket.send(Message::Text(SAID.into())).await.is_ok() {
                writer::say_goodbye(socket, close).await;
            }
        })
}
