//! HTTPS: certificates made for the test, exchanged while the server runs, and what clients get that speak otherwise.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

use super::graphs::greeting;
use super::server::{TestServer, folder, pace, program, within};

const NAME: &str = "nodetool.test";

/// An authority, and the chain and key of a server it vouches for.
struct Made {
    root: CertificateDer<'static>,
    chain: String,
    key: KeyPair,
}

fn made() -> Made {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let root_key = KeyPair::generate().unwrap();
    let root_params = authority("root");
    let root = root_params.self_signed(&root_key).unwrap();
    let root_issuer = Issuer::new(root_params, root_key);
    let between_key = KeyPair::generate().unwrap();
    let between_params = authority("between");
    let between = between_params
        .signed_by(&between_key, &root_issuer)
        .unwrap();
    let between_issuer = Issuer::new(between_params, between_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([NAME.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &between_issuer).unwrap();
    Made {
        root: root.der().clone(),
        chain: leaf.pem() + &between.pem(),
        key,
    }
}

/// The two files, private as they should be.
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn in_folder(folder: &Path) -> Self {
        Files {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }

    fn write(&self, cert: &str, key: &str) {
        std::fs::write(&self.cert, cert).unwrap();
        std::fs::write(&self.key, key).unwrap();
        std::fs::set_permissions(&self.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn arguments(&self) -> [&str; 4] {
        let (cert, key) = (self.cert.to_str().unwrap(), self.key.to_str().unwrap());
        ["--tls-cert", cert, "--tls-key", key]
    }
}

/// A server with a certificate, and the authority behind it.
fn start(folder: &Path, more: &[&str]) -> (TestServer, Files, Made) {
    let (files, made) = (Files::in_folder(folder), made());
    files.write(&made.chain, &made.key.serialize_pem());
    let arguments: Vec<&str> = files
        .arguments()
        .into_iter()
        .chain(["--server-name", NAME])
        .chain(more.iter().copied())
        .collect();
    (TestServer::start_with(&arguments), files, made)
}

/// A connection that believes one authority.
async fn connect(
    address: SocketAddr,
    root: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    within(
        "a handshake",
        TlsConnector::from(Arc::new(config)).connect(name, stream),
    )
    .await
}

/// One request over a connection of its own.
async fn ask(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    method: Method,
    path: &str,
    body: &Value,
) -> (u16, Bytes) {
    let stream = connect(address, root).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut task = JoinSet::new();
    task.spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", NAME)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    within(path, async {
        let answer = send.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            answer.into_body().collect().await.unwrap().to_bytes(),
        )
    })
    .await
}

async fn logs(server: &TestServer, wanted: &str) {
    within(wanted, async {
        while !server.log().contains(wanted) {
            pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_workflow_is_saved_and_run_over_https_and_watched_over_wss() {
    let folder = folder();
    let (server, _, made) = start(folder.path(), &[]);
    assert!(!server.log().contains("WARN"), "{}", server.log());
    let (at, root) = (server.address(), &made.root);
    let body = json!({ "name": "W", "access": "private", "graph": greeting() });
    let (status, saved) = ask(at, root, Method::POST, "/api/workflows", &body).await;
    assert_eq!(status, 200);
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    let path = format!("/api/workflows/{}/run", saved["id"].as_str().unwrap());
    let (status, ran) = ask(
        at,
        root,
        Method::POST,
        &path,
        &json!({ "params": { "name": "x" } }),
    )
    .await;
    assert_eq!((status, &ran[..]), (200, &br#"{"out":"x"}"#[..]));
    let (status, large) = ask(at, root, Method::GET, "/api/nodes/metadata", &Value::Null).await;
    assert!(
        status == 200 && large.len() > 100_000,
        "{status} {}",
        large.len()
    );

    let stream = connect(at, root).await.unwrap();
    let url = format!("wss://{NAME}/ws");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    socket
        .send(Message::text(r#"{"type":"ping"}"#))
        .await
        .unwrap();
    within("a pong", async {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                let got: Value = serde_json::from_str(&text).unwrap();
                if got["type"] == "pong" {
                    break;
                }
            }
        }
    })
    .await;
    server.terminate();
    let closed = within("the close", async {
        loop {
            if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
                break frame;
            }
        }
    })
    .await;
    assert!(closed.is_some());
    drop(socket);
    let (status, log, _) = server.ended().await;
    assert!(
        status.success() && !log.contains("did not end in time"),
        "{log}"
    );
}

#[tokio::test]
async fn commands_on_the_same_machine_find_a_server_that_speaks_https() {
    let folder = folder();
    let (server, _, _) = start(folder.path(), &[]);
    let listed = program()
        .args(["workflows", "list", "--json", "--data-dir"])
        .arg(server.folder())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success(), "{told}");
}

#[tokio::test]
async fn a_new_pair_is_taken_on_sighup_and_a_broken_one_is_not() {
    let folder = folder();
    let (server, files, first) = start(folder.path(), &[]);
    let at = server.address();
    // Stays with the certificate it began with.
    let kept = connect(at, &first.root).await.unwrap();

    let second = made();
    files.write(&second.chain, &second.key.serialize_pem());
    server.hang_up();
    logs(&server, "were read again").await;
    assert_eq!(
        ask(at, &second.root, Method::GET, "/health", &Value::Null)
            .await
            .0,
        200
    );
    let refused = connect(at, &first.root).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");

    let third = made();
    for (n, (cert, key)) in [
        (third.chain.as_str(), second.key.serialize_pem()),
        ("nonsense", third.key.serialize_pem()),
        (
            &third.chain,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
        ),
        (&third.chain, String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        files.write(cert, &key);
        server.hang_up();
        within("the refusal of a pair", async {
            while server.log().matches("the old ones stay in use").count() <= n {
                pace().await;
            }
        })
        .await;
        assert_eq!(
            ask(at, &second.root, Method::GET, "/health", &Value::Null)
                .await
                .0,
            200
        );
    }
    drop(kept);
    files.write(&third.chain, &third.key.serialize_pem());
    server.hang_up();
    within("another pair", async {
        while server.log().matches("were read again").count() < 2 {
            pace().await;
        }
    })
    .await;
    assert_eq!(
        ask(at, &third.root, Method::GET, "/health", &Value::Null)
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn clients_that_speak_something_else_do_not_disturb() {
    let folder = folder();
    let (server, _, made) = start(folder.path(), &["--header-seconds", "1"]);
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let mut plain = TcpStream::connect(server.address()).await.unwrap();
    plain
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut read = String::new();
    within("an answer", plain.read_to_string(&mut read))
        .await
        .unwrap();
    assert!(
        read.starts_with("HTTP/1.1 400 Bad Request\r\n") && read.contains("speaks HTTPS"),
        "{read}"
    );
    let mut garbage = TcpStream::connect(server.address()).await.unwrap();
    garbage
        .write_all(b"\x16\x03\x01\x00\x05hello")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // An alert, or nothing.
    let _ = within("the end", garbage.read_to_end(&mut bytes)).await;
    assert!(!bytes.starts_with(b"HTTP"));
    let asked = ask(
        server.address(),
        &made.root,
        Method::GET,
        "/health",
        &Value::Null,
    )
    .await;
    assert_eq!(asked.0, 200);
    // The limits hold behind TLS, too.
    let mut slow = connect(server.address(), &made.root).await.unwrap();
    slow.write_all(b"GET / HT").await.unwrap();
    let mut read = Vec::new();
    let _ = within("the end of a drip", slow.read_to_end(&mut read)).await;
    assert!(
        read.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&read)
    );
    server.terminate();
    let (status, log, _) = server.ended().await;
    assert!(
        status.success() && !log.contains("did not end in time"),
        "{log}"
    );
}

#[tokio::test]
async fn keys_come_in_the_forms_programs_write_them() {
    let folder = folder();
    let (files, made) = (Files::in_folder(folder.path()), made());
    // The older form of an elliptic key stands inside the newer one, after 29 bytes that say what it is.
    let inside = base64::engine::general_purpose::STANDARD.encode(&made.key.serialized_der()[29..]);
    let older = format!("-----BEGIN EC PRIVATE KEY-----\n{inside}\n-----END EC PRIVATE KEY-----\n");
    files.write(&made.chain, &older);
    let server = TestServer::start_with(&files.arguments());
    let asked = ask(
        server.address(),
        &made.root,
        Method::GET,
        "/health",
        &Value::Null,
    )
    .await;
    assert_eq!(asked.0, 200);
}

#[tokio::test]
async fn a_key_that_others_can_read_is_warned_of() {
    let folder = folder();
    let (files, made) = (Files::in_folder(folder.path()), made());
    files.write(&made.chain, &made.key.serialize_pem());
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let server = TestServer::start_with(&files.arguments());
    assert!(
        server.log().contains("can read the key file"),
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn one_file_without_the_other_or_a_bad_one_is_refused_in_one_sentence() {
    let folder = folder();
    let (files, made) = (Files::in_folder(folder.path()), made());
    files.write(&made.chain, &self::made().key.serialize_pem());
    let [cert_flag, cert, key_flag, key] = files.arguments();
    let nothing = folder.path().join("nothing");
    let nothing = nothing.to_str().unwrap();
    for (arguments, wanted) in [
        (&[cert_flag, cert][..], "--tls-cert needs --tls-key"),
        (&[key_flag, key], "--tls-key needs --tls-cert"),
        (&[cert_flag, cert, key_flag, key], "do not work together"),
        (&[cert_flag, nothing, key_flag, key], "No such file"),
        (&[cert_flag, key, key_flag, key], "there is no certificate"),
        (
            &[cert_flag, cert, key_flag, cert],
            "there is no private key",
        ),
    ] {
        let refused = program()
            .args(["serve", "--port", "0", "--data-dir"])
            .arg(folder.path().join("data"))
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{told}");
        assert!(told.contains(wanted) && told.lines().count() == 1, "{told}");
    }
}
