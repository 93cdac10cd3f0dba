//! The client against real servers on this machine: one tiny HTTP server per test, on a port of its own.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;

type Answer = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// Answers each request with what a function makes of its head and body, and keeps all requests.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept): (Arc<Answer>, _) = (Arc::new(answer), seen.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, answer.clone(), kept.clone()));
            }
        });
        Server {
            port,
            seen,
            _task: task,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Answer>, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                seen.lock().unwrap().push(text.clone());
                let _ = stream.write_all(&answer(&text)).await;
                return;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn redirect(to: &str) -> Vec<u8> {
    answer("302 Found", &format!("location: {to}\r\n"), b"")
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        timeout_s: None,
    }
}

fn options(allow: &[&str]) -> OutboundOptions {
    OutboundOptions {
        allow: allow.iter().map(|a| (*a).to_owned()).collect(),
        ..OutboundOptions::default()
    }
}

fn client(allow: &[&str]) -> Outbound {
    Outbound::new(options(allow)).unwrap()
}

/// A client whose names stand for these addresses, and a count of how often it asked.
fn client_knowing(
    allow: &[&str],
    known: impl Fn(usize) -> Vec<IpAddr> + Send + Sync + 'static,
) -> (Outbound, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup = Lookup(Arc::new(move |_| {
        let found = known(count.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            io::Result::Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
        })
    }));
    (
        Outbound::with_lookup(options(allow), lookup).unwrap(),
        asked,
    )
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn refusal(client: &Outbound, url: &str) -> String {
    client.exchange(get(url)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_listed_host_is_reached_and_its_answer_comes_whole() {
    let server =
        Server::start(|_| answer("201 Created", "X-Two: a\r\nx-two: b\r\n", b"hello")).await;
    let mut request = get(&server.url("/p?q=1#part"));
    request.method = "post".into();
    request.headers = vec![("X-Mine".into(), "yes".into())];
    request.body = Some(Bytes::from_static(b"sent"));
    let response = client(&["127.0.0.1"]).exchange(request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (201, &b"hello"[..]));
    let two: Vec<_> = response
        .headers
        .iter()
        .filter(|(n, _)| n == "x-two")
        .collect();
    assert_eq!(two.len(), 2);
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /p?q=1 HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("x-mine: yes") && seen.ends_with("sent"),
        "{seen}"
    );
    assert!(seen.contains("user-agent: NodeTool/"), "{seen}");
}

#[tokio::test]
async fn an_address_that_is_not_listed_gets_no_connection() {
    let server = Server::start(|_| answer("200 OK", "", b"secret")).await;
    let said = refusal(&client(&[]), &server.url("/")).await;
    assert!(
        said.contains("`127.0.0.1` are refused") && said.contains("loopback"),
        "{said}"
    );
    let said = refusal(&client(&[]), &format!("http://localhost:{}/", server.port)).await;
    assert!(
        said.contains("`localhost` are refused") && said.contains("loopback"),
        "{said}"
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_public_name_with_a_local_address_is_refused() {
    let server = Server::start(|_| answer("200 OK", "", b"secret")).await;
    for ip in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "fd00:ec2::254",
    ] {
        let ip: IpAddr = ip.parse().unwrap();
        let (client, _) = client_knowing(&[], move |_| vec![ip]);
        let said = refusal(&client, &format!("http://www.example.com:{}/", server.port)).await;
        assert!(
            said.contains("`www.example.com` are refused"),
            "{ip}: {said}"
        );
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_connection_goes_to_the_checked_address_and_the_name_is_asked_once() {
    let server = Server::start(|_| answer("200 OK", "", b"ok")).await;
    // The first answer is permitted by the list, every later one is not.
    let (client, asked) = client_knowing(&["127.0.0.1"], |n| {
        vec![if n == 0 {
            LOCAL
        } else {
            Ipv4Addr::new(127, 0, 0, 2).into()
        }]
    });
    let url = format!("http://rebind.example:{}/", server.port);
    let response = client.exchange(get(&url)).await.unwrap();
    assert_eq!(&response.body[..], b"ok");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let said = refusal(&client, &url).await;
    assert!(said.contains("127.0.0.2"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn of_several_addresses_only_the_permitted_are_tried() {
    let server = Server::start(|_| answer("200 OK", "", b"ok")).await;
    let (client, _) = client_knowing(&["127.0.0.1"], |_| {
        vec![
            Ipv4Addr::new(10, 0, 0, 1).into(),
            Ipv4Addr::new(127, 0, 0, 2).into(),
            LOCAL,
        ]
    });
    let url = format!("http://mixed.example:{}/", server.port);
    assert_eq!(client.exchange(get(&url)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_listed_name_is_reached_at_its_local_address() {
    let server = Server::start(|_| answer("200 OK", "", b"ok")).await;
    let (client, _) = client_knowing(&["nas.home"], |_| vec![LOCAL]);
    let url = format!("http://nas.home:{}/", server.port);
    assert_eq!(client.exchange(get(&url)).await.unwrap().status, 200);
    let said = refusal(&client, &format!("http://other.home:{}/", server.port)).await;
    assert!(said.contains("`other.home` are refused"), "{said}");
}

#[tokio::test]
async fn every_redirect_is_checked_again() {
    for to in [
        "http://10.0.0.1/",
        "http://2130706434/",
        "//[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
    ] {
        let server = Server::start(move |_| redirect(to)).await;
        let said = refusal(&client(&["127.0.0.1"]), &server.url("/")).await;
        assert!(
            said.contains("refused") || said.contains("scheme"),
            "{to}: {said}"
        );
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn redirects_are_followed_to_the_end_but_not_for_ever() {
    let server = Server::start(|request| {
        let left: usize = request[5..].split(' ').next().unwrap().parse().unwrap();
        match left {
            0 => answer("200 OK", "", b"end"),
            n => redirect(&format!("/{}", n - 1)),
        }
    })
    .await;
    let client = client(&["127.0.0.1"]);
    let response = client.exchange(get(&server.url("/10"))).await.unwrap();
    assert_eq!(
        (&response.body[..], response.url),
        (&b"end"[..], server.url("/0"))
    );
    let said = refusal(&client, &server.url("/11")).await;
    assert!(said.contains("redirected more than 10 times"), "{said}");
}

#[tokio::test]
async fn secrets_stay_with_the_origin_they_were_meant_for() {
    let second = Server::start(|_| answer("200 OK", "", b"")).await;
    let to = second.url("/second");
    let first = Server::start(move |request| {
        if request.starts_with("GET /same") {
            redirect(&to)
        } else {
            redirect("/same")
        }
    })
    .await;
    let mut request = get(&first.url("/").replace("127.0.0.1", "user:pw@127.0.0.1"));
    request.headers = vec![
        ("Cookie".into(), "c=1".into()),
        ("Accept".into(), "a/b".into()),
    ];
    let response = client(&["127.0.0.1"]).exchange(request).await.unwrap();
    assert_eq!(response.url, second.url("/second"));
    let own = first.seen();
    assert_eq!(own.len(), 2);
    assert!(
        own.iter()
            .all(|r| r.contains("authorization: Basic dXNlcjpwdw==") && r.contains("cookie: c=1"))
    );
    let other = second.seen().remove(0);
    assert!(
        !other.contains("authorization") && !other.contains("cookie"),
        "{other}"
    );
    assert!(other.contains("accept: a/b"), "{other}");
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// One uncompressed block of at most 64 KiB, then the empty last block.
fn brotli(data: &[u8]) -> Vec<u8> {
    let head = (u32::try_from(data.len()).unwrap() - 1) << 4 | 1 << 20;
    [&head.to_le_bytes()[..3], data, &[3]].concat()
}

#[tokio::test]
async fn compressed_bodies_arrive_unfolded() {
    for (name, packed) in [
        ("gzip", gzip(b"hello hello")),
        ("br", brotli(b"hello hello")),
    ] {
        let encoding = format!("content-encoding: {name}\r\n");
        let server = Server::start(move |_| answer("200 OK", &encoding, &packed)).await;
        let response = client(&["127.0.0.1"])
            .exchange(get(&server.url("/")))
            .await
            .unwrap();
        assert_eq!(&response.body[..], b"hello hello", "{name}");
        let seen = server.seen().remove(0);
        let accepted = seen.lines().find(|l| l.starts_with("accept-encoding: "));
        assert!(accepted.is_some_and(|l| l.contains(name)), "{seen}");
    }
}

#[tokio::test]
async fn bodies_are_cut_off_at_the_limit_announced_streamed_or_unfolded() {
    let large = vec![b'x'; 2000];
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = format!("3e8\r\n{0}\r\n3e8\r\n{0}\r\n0\r\n\r\n", "x".repeat(1000));
    let bomb = gzip(&vec![0; 8 << 20]);
    assert!(bomb.len() < 20_000);
    for packed in [
        answer("200 OK", "", &large),
        [chunked.as_bytes(), pieces.as_bytes()].concat(),
        answer("200 OK", "content-encoding: gzip\r\n", &bomb),
    ] {
        let server = Server::start(move |_| packed.clone()).await;
        let mut options = options(&["127.0.0.1"]);
        options.max_body = 1999;
        let tight = Outbound::new(options.clone()).unwrap();
        let said = refusal(&tight, &server.url("/")).await;
        assert!(
            said.contains("`127.0.0.1` is larger than 1999 bytes"),
            "{said}"
        );
        options.max_body = 8 << 20;
        let wide = Outbound::new(options).unwrap();
        assert_eq!(
            wide.exchange(get(&server.url("/"))).await.unwrap().status,
            200
        );
    }
}

#[tokio::test]
async fn a_head_request_may_announce_more_than_the_limit() {
    let server =
        Server::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n".to_vec())
            .await;
    let mut request = get(&server.url("/"));
    request.method = "HEAD".into();
    let response = client(&["127.0.0.1"]).exchange(request).await.unwrap();
    assert!(response.body.is_empty());
}

#[tokio::test]
async fn a_silent_server_ends_in_a_message_with_host_and_limit() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut request = get(&format!("http://user:pw@127.0.0.1:{port}/path?token=1"));
    request.timeout_s = Some(0.05);
    let said = client(&["127.0.0.1"])
        .exchange(request)
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(said, "The request to `127.0.0.1` took longer than 0.05 s");
}

#[tokio::test]
async fn failures_name_the_host_and_the_reason_and_no_secret() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let garbage = Server::start(|_| b"not http at all\r\n\r\n".to_vec()).await;
    let client = client(&["127.0.0.1"]);
    for (port, why) in [(port, "refused"), (garbage.port, "invalid HTTP")] {
        let said = refusal(
            &client,
            &format!("http://user:pw@127.0.0.1:{port}/path?token=1"),
        )
        .await;
        assert!(
            said.starts_with("The request to `127.0.0.1` failed: "),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
        for secret in ["user", "pw", "path", "token"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_fails_an_https_url() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let mut plain = JoinSet::new();
    plain.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(&answer("200 OK", "", b"hi"))
            .await
            .unwrap();
        stream
    });
    let said = refusal(&client(&["127.0.0.1"]), &url).await;
    assert!(
        said.starts_with("The request to `127.0.0.1` failed: "),
        "{said}"
    );
}

#[tokio::test]
async fn unknown_names_and_odd_time_limits_are_told_apart() {
    let (client, _) = client_knowing(&[], |_| Vec::new());
    let said = refusal(&client, "http://nowhere.example/").await;
    assert!(
        said.contains("`nowhere.example` could not be resolved"),
        "{said}"
    );
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 3601.0] {
        let mut request = get("http://nowhere.example/");
        request.timeout_s = Some(seconds);
        let said = client.exchange(request).await.unwrap_err().to_string();
        assert!(said.contains("time limit"), "{said}");
    }
}

#[tokio::test]
async fn nodes_get_the_same_words() {
    let http: &dyn Http = &client(&[]);
    let said = http
        .send(get("http://[::1]/?k=v"))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "Requests to `[::1]` are refused: it is a loopback address; the server's allow list can permit it"
    );
}

#[tokio::test]
async fn sent_once_a_redirect_is_the_answer_and_a_failure_has_a_kind() {
    let server = Server::start(|_| redirect("/elsewhere")).await;
    let client = client(&["127.0.0.1"]);
    let answered = client.send_once(get(&server.url("/"))).await.unwrap();
    assert_eq!(answered.status, 302);
    assert!(
        answered
            .headers
            .contains(&("location".into(), "/elsewhere".into()))
    );
    assert_eq!(server.seen().len(), 1);

    // A port nobody listens on: it was free a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let failure = client
        .send_once(get(&format!("http://127.0.0.1:{port}/")))
        .await;
    assert_eq!(failure.unwrap_err().kind, "ConnectionError");
    let failure = client.send_once(get("http://10.0.0.1/")).await;
    assert_eq!(failure.unwrap_err().kind, "RefusedError");
    let failure = client.send_once(get("no url")).await;
    assert_eq!(failure.unwrap_err().kind, "InvalidURL");
}
