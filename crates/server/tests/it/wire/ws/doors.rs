//! Who opens a socket (socket spec 1.3, 1.4; conformance rows 2 to 4; HTTP spec row 90).

use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::super::server::{TestServer, within};
use futures_util::StreamExt;
use tokio::net::TcpStream;

/// The code and reason of the close that comes first, if one does before anything else.
async fn closed(server: &TestServer, path: &str, token: Option<&str>) -> Option<(u16, String)> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut request = format!("ws://localhost{path}")
        .into_client_request()
        .unwrap();
    if let Some(token) = token {
        let value = token.parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let (mut socket, _) = client_async(request, stream)
        .await
        .expect("the upgrade is accepted");
    let first = within("a first message", socket.next()).await;
    match first.expect("a message").expect("a proper one") {
        Message::Close(frame) => {
            let frame = frame.expect("a reason");
            Some((frame.code.into(), frame.reason.to_string()))
        }
        _ => None,
    }
}

#[tokio::test]
async fn cases_2_to_4_and_90_sockets_know_tokens_by_header_and_by_query() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "tok"),
        ("NODETOOL_SYSTEM_STATS", "1"),
    ];
    let server = TestServer::start_in(&environment, &["--mode", "private"]);
    let missing = Some((1008, "Missing authentication".to_owned()));
    let invalid = Some((1008, "Invalid authentication".to_owned()));
    for path in ["/ws", "/updates"] {
        for (query, token, expected) in [
            ("", None, &missing),
            ("?api_key=&token=", None, &missing),
            ("", Some("Basic tok"), &missing),
            ("?api_key=wrong", None, &invalid),
            ("?api_key=wrong&token=tok", None, &invalid),
            ("?api_key=tok", Some("Bearer wrong"), &invalid),
            ("?api_key=tok", None, &None),
            ("?token=tok", None, &None),
            ("", Some("bearer tok"), &None),
            ("?token=tok", Some("Basic x"), &None),
        ] {
            let told = closed(&server, &format!("{path}{query}"), token).await;
            assert_eq!(&told, expected, "{path}{query} {token:?}");
        }
    }
    assert!(!server.log().contains("tok="), "{}", server.log());
}
