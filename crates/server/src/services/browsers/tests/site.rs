//! A site of this machine that browsers visit.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Answers until it is dropped.
pub(super) struct Site {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

const SCRIPTED: &str = "<!DOCTYPE html><html><head><title>t</title></head><body><p id=p></p><script>\
    fetch('/data').then(r => r.text()).then(t => { p.textContent = 'made by a ' + 'script out of ' + t; });\
    </script></body></html>";
const BUTTONS: &str = "<body><button id=hidden style='display:none'>h</button><div style='height:3000px'></div><script>\
    setTimeout(() => { const b = document.createElement('button'); b.id = 'late'; b.textContent = 'late'; \
    b.onclick = e => { if (e.isTrusted) { const d = document.createElement('p'); d.id = 'done'; d.textContent = 'd'; \
    document.body.append(d); } }; document.body.append(b); }, 200);</script></body>";
const PUSHY: &str = "<body><button id=more>more</button><script>alert('hi'); window.open('/'); \
    document.body.append(confirm('sure?') ? 'agreed' : 'answered'); \
    document.getElementById('more').onclick = () => { window.open('/', '_blank'); window.open('/', '_blank', 'noopener'); alert('again'); };</script></body>";
const PRYING: &str = "<body><img src='TO'><iframe src='TO'></iframe><link rel=stylesheet href='TO'><script>\
    const tell = t => document.body.append(' ' + t + ' '); const tries = [];\
    const attempt = p => tries.push(p.then(() => tell('rea' + 'ched'), () => tell('refused')));\
    attempt(fetch('TO', {mode: 'no-cors'})); attempt(fetch('file:///etc/passwd'));\
    attempt(new Promise((ok, no) => { const s = new WebSocket('TO'.replace('http', 'ws')); s.onopen = ok; s.onerror = no; }));\
    attempt(new Promise((ok, no) => { const w = new Worker(URL.createObjectURL(new Blob([\
    \"fetch('TO', {mode: 'no-cors'}).then(() => postMessage(1), () => postMessage(0))\"]))); \
    w.onmessage = m => m.data ? ok() : no(); w.onerror = no; }));\
    const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:UDP'}]}); peer.createDataChannel('x');\
    tries.push(new Promise(done => { peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done();\
    setTimeout(done, 3000); peer.createOffer().then(o => peer.setLocalDescription(o)); }));\
    Promise.all(tries).then(() => { const p = document.createElement('p'); p.id = 'tried'; p.textContent = 'all tried';\
    document.body.prepend(p); });</script></body>";

/// A field, a link, a link that asks for a window, and a place that is green once it is pressed; below them nothing for
/// long.
const HANDS: &str = "<!DOCTYPE html><style>body { margin: 0; height: 3000px } body > * { position: absolute; left: 0; \
    width: 200px; height: 50px }</style><input style='top: 0' oninput='location.hash = this.value'>\
    <a style='top: 100px' href='/'>on</a><a style='top: 200px' href='/data' target=_blank>aside</a>\
    <div style='top: 300px; background: red' onmousedown='this.style.background = \"lime\"' \
    ondblclick='location.hash = \"twofold\"'></div><script>onscroll = () => location.hash = 'scrolled';</script>";
const COUNTED: &str = "<body><script>sessionStorage.n = 1 + (sessionStorage.n | 0); location.hash = sessionStorage.n;\
    </script></body>";
const MOVING: &str = "<body><script>let n = 0; const move = () => { n += 1; document.body.style.background = \
    n < 60 ? `rgb(${n * 4}, 0, 0)` : 'lime'; if (n < 60) requestAnimationFrame(move); \
    else requestAnimationFrame(() => requestAnimationFrame(() => location.hash = 'done')); }; move();</script></body>";

impl Site {
    /// A site at a free port of an address.
    pub(super) async fn start(ip: Ipv4Addr) -> Site {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        let noted = seen.clone();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                noted.lock().unwrap().push("a connection".into());
                open.spawn(serve(stream, noted.clone()));
            }
        });
        Site {
            address,
            seen,
            _tasks: tasks,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came, in order.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => head.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(target.clone());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let asked = |name: &str| {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let mut found = pairs.filter(|(key, _)| key == name);
        found
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let page = "text/html";
    let (status, kind, more, body) = match path {
        "/" | "/sign-in" => {
            let cookie = "Set-Cookie: known=1; Max-Age=86400; Path=/\r\n";
            let more = if path == "/" { "" } else { cookie };
            (200, page, more.to_owned(), "<body>hello</body>".to_owned())
        }
        "/redirect" => (
            302,
            page,
            format!("Location: {}\r\n", asked("to")),
            String::new(),
        ),
        "/scripted" => (200, page, String::new(), SCRIPTED.to_owned()),
        "/data" => (
            200,
            "application/json",
            String::new(),
            "{\"n\":1}".to_owned(),
        ),
        "/buttons" => (200, page, String::new(), BUTTONS.to_owned()),
        "/hands" => (200, page, String::new(), HANDS.to_owned()),
        "/counted" => (200, page, String::new(), COUNTED.to_owned()),
        "/moving" => (200, page, String::new(), MOVING.to_owned()),
        "/pushy" => (200, page, String::new(), PUSHY.to_owned()),
        "/prying" => {
            let body = PRYING
                .replace("TO", &asked("to"))
                .replace("UDP", &asked("udp"));
            (200, page, String::new(), body)
        }
        "/framed" => {
            let body = format!("<body><iframe src='{}'></iframe></body>", asked("to"));
            (200, page, String::new(), body)
        }
        "/posting" => {
            let body = "<body><script>fetch('/echo', {method: 'POST', body: 'sent'}); fetch('/data');</script></body>";
            (200, page, String::new(), body.to_owned())
        }
        "/echo" => (200, "text/plain", String::new(), "x".repeat(1000)),
        "/cookies" => {
            let known = head.to_ascii_lowercase().contains("cookie: known=1");
            let body = if known {
                "you are known"
            } else {
                "who are you"
            };
            (200, page, String::new(), body.to_owned())
        }
        "/silent" => {
            // The browser gives up first.
            while stream.read(&mut piece).await.is_ok_and(|count| count > 0) {}
            return;
        }
        _ => (404, page, String::new(), "<body>not here</body>".to_owned()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{body}"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
