//! Shells over sockets (socket spec 12.3, rows 58 and 59).

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::super::server::{TestServer, pace, within};
use super::client::{Got, MODES, Mode, Socket, open, try_open};

const PATHS: [&str; 3] = ["/terminal", "/ws/terminal", "/ws/terminal/"];
const DISABLED: &str = "Terminal access disabled";
/// What only the server may know.
const TOKEN: &str = "kept-from-shells-1";
const KEY: &str = "kept-from-shells-2";

/// A server with terminals, and the home folder their shells begin in.
struct Desk {
    server: TestServer,
    home: TempDir,
}

impl Desk {
    fn start() -> Self {
        Self::start_with(&[], &[])
    }

    fn start_with(more: &[(&str, &str)], arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = home.path().to_str().expect("a readable path");
        let own = [
            ("NODETOOL_ENABLE_TERMINAL_WS", "1"),
            ("NODETOOL_TERMINAL_SHELL", "/bin/sh"),
            ("HOME", folder),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LC_ALL", "C"),
            ("SERVER_AUTH_TOKEN", TOKEN),
            ("SECRETS_MASTER_KEY", KEY),
        ];
        let environment: Vec<_> = own.iter().chain(more).copied().collect();
        let server = TestServer::start_in(&environment, arguments);
        Desk { server, home }
    }

    async fn open(&self, mode: Mode) -> Shown {
        let socket = open(&self.server, "/terminal", mode).await;
        Shown {
            socket,
            text: String::new(),
            parts: 0,
        }
    }
}

/// A terminal and what it has shown so far.
struct Shown {
    socket: Socket,
    text: String,
    parts: usize,
}

impl Shown {
    async fn send(&mut self, message: Value) {
        self.socket.send(&message).await;
    }

    async fn input(&mut self, text: &str) {
        self.send(json!({ "type": "input", "data": text })).await;
    }

    /// The next message that is no output.
    async fn told(&mut self) -> Value {
        loop {
            let message = self.socket.next().await;
            if message["type"] != "output" {
                return message;
            }
            self.text += message["data"].as_str().expect("a text");
            self.parts += 1;
        }
    }

    /// Reads until a text is shown; what is shown after it and on the same line.
    async fn until(&mut self, text: &str) -> String {
        within(text, async {
            loop {
                let after = self.text.split_once(text).map(|(_, after)| after);
                if let Some((line, _)) = after.and_then(|after| after.split_once('\n')) {
                    return line.trim_end().to_owned();
                }
                let message = self.socket.next().await;
                assert_eq!(message["type"], "output", "{message}");
                self.text += message["data"].as_str().expect("a text");
                self.parts += 1;
            }
        })
        .await
    }

    /// The number a command prints. What is typed is shown, too, so that the mark before it is put together by the shell.
    async fn number(&mut self, command: &str) -> u32 {
        self.input(&format!("printf 'num''ber=%s\\n' \"{command}\"\n"))
            .await;
        let number = self.until("number=").await;
        self.text.clear();
        number.parse().unwrap_or_else(|e| panic!("{number}: {e}"))
    }
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn goes_away(pid: u32) {
    within("the end of a process", async {
        while exists(pid) {
            pace().await;
        }
    })
    .await;
}

async fn refused(
    server: &TestServer,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (u16, String) {
    opened(server, path, headers)
        .await
        .expect("an accepted socket")
        .closed()
        .await
}

/// A socket that was asked for with more headers; the status of a refusal otherwise.
async fn opened(
    server: &TestServer,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, u16> {
    let mut request = format!("ws://localhost{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let tcp = TcpSocket::new_v4().unwrap();
    // A client that does not read shows soon.
    tcp.set_recv_buffer_size(8 << 10).unwrap();
    let tcp = tcp.connect(server.address()).await.expect("a server");
    match within("a socket to open", client_async(request, tcp)).await {
        Ok((inner, _)) => Ok(Socket::over(inner, Mode::Text)),
        Err(tokio_tungstenite::tungstenite::Error::Http(r)) => Err(r.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

#[tokio::test]
async fn case_58_terminals_are_off_unless_the_environment_asks_for_them() {
    let wanted = ("NODETOOL_ENABLE_TERMINAL_WS", "1");
    let production = [
        wanted,
        ("ENV", "production"),
        ("SECRETS_MASTER_KEY", "k"),
        ("ADMIN_TOKEN", "t"),
    ];
    let off = |word| vec![("NODETOOL_ENABLE_TERMINAL_WS", word)];
    for environment in [
        vec![],
        off(""),
        off("0"),
        off("False"),
        off("no"),
        production.to_vec(),
    ] {
        let server = TestServer::start_in(&environment, &[]);
        for path in PATHS {
            let told = refused(&server, path, &[]).await;
            assert_eq!(told, (1008, DISABLED.to_owned()), "{environment:?} {path}");
        }
    }
}

#[tokio::test]
async fn no_settings_file_turns_terminals_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    std::fs::write(&file, "enable_terminal = true\n").unwrap();
    let mut command = super::super::server::program();
    command
        .args(["serve", "--port", "0", "--config"])
        .arg(&file);
    command.arg("--data-dir").arg(folder.path().join("data"));
    let ended = command.output().expect("the program starts");
    assert!(!ended.status.success());
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.contains("enable_terminal"), "{told}");
}

#[tokio::test]
async fn case_59_a_shell_runs_what_is_typed_and_ends_when_told() {
    let desk = Desk::start();
    for mode in MODES {
        let mut terminal = desk.open(mode).await;
        terminal.input("echo h''i\n").await;
        terminal.until("hi").await;
        terminal.send(json!({ "type": "zz" })).await;
        let unknown = json!({ "type": "error", "message": "Unknown message type" });
        assert_eq!(terminal.told().await, unknown);
        terminal.input("exit\n").await;
        let exit = json!({ "type": "exit", "code": 0 });
        assert_eq!(terminal.told().await, exit);
        let closed = (1000, "Terminal session closed".to_owned());
        assert_eq!(terminal.socket.closed().await, closed);
    }
    assert!(desk.server.log().contains("terminal.opened"));
}

#[tokio::test]
async fn the_code_of_a_shell_is_told_even_when_it_is_killed() {
    let desk = Desk::start();
    for (typed, code) in [("exit 7\n", 7), ("kill -9 $$\n", 137)] {
        let mut terminal = desk.open(Mode::Text).await;
        terminal.input(typed).await;
        let exit = json!({ "type": "exit", "code": code });
        assert_eq!(terminal.told().await, exit);
    }
}

#[tokio::test]
async fn what_a_shell_says_last_comes_before_its_end() {
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Text).await;
    terminal
        .input("printf '%03000d=%s\\n' 0 la''st; exit\n")
        .await;
    assert_eq!(terminal.told().await["type"], "exit");
    let zeros = "0".repeat(3000);
    assert!(terminal.text.contains(&format!("{zeros}=last")));
}

#[tokio::test]
async fn the_first_message_decides_the_encoding_and_silence_means_binary() {
    let desk = Desk::start();
    let mut silent = desk.open(Mode::Binary).await;
    let (first, mode) = silent.socket.next_as().await;
    assert_eq!((&first["type"], mode), (&json!("output"), Mode::Binary));
    let mut terminal = desk.open(Mode::Text).await;
    terminal.send(json!({ "type": "ping" })).await;
    let pong = terminal.told().await;
    assert!(pong["ts"].as_f64() > Some(1e9), "{pong}");
    let ping = super::client::encode(&json!({ "type": "ping" }), Mode::Binary);
    terminal.socket.send_raw(ping).await;
    // It comes as the first message came.
    assert_eq!(terminal.told().await["type"], "pong");
}

#[tokio::test]
async fn messages_that_make_no_sense_are_refused_one_by_one() {
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Text).await;
    for (message, told) in [
        (json!([1]), "Unknown message type"),
        (json!({ "type": 7 }), "Unknown message type"),
        (json!({ "type": "input" }), "data must be a text"),
        (json!({ "type": "input", "data": 7 }), "data must be a text"),
        (
            json!({ "type": "resize", "cols": "x", "rows": 3 }),
            "cols and rows must be whole numbers",
        ),
    ] {
        terminal.send(message.clone()).await;
        let refused = json!({ "type": "error", "message": told });
        assert_eq!(terminal.told().await, refused, "{message}");
    }
    terminal.socket.send_raw(Message::text("{bad")).await;
    let refused = terminal.told().await;
    let told = refused["message"].as_str().unwrap();
    assert!(told.starts_with("not JSON"), "{told}");
    let large = json!({ "type": "input", "data": "x".repeat(2 << 20) });
    terminal.send(large).await;
    assert_eq!(terminal.socket.closed().await.0, 1009);
}

#[tokio::test]
async fn a_terminal_has_the_size_it_is_given() {
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Binary).await;
    for (rows, columns, expected) in [
        (None, None, "24 80"),
        (Some(40), Some(120), "40 120"),
        (Some(0), Some(-5), "1 1"),
        (Some(70_000), Some(1i64 << 40), "1000 1000"),
    ] {
        if let (Some(rows), Some(columns)) = (rows, columns) {
            let resize = json!({ "type": "resize", "cols": columns, "rows": rows });
            terminal.send(resize).await;
        }
        terminal.input("echo si''ze=$(stty size)\n").await;
        assert_eq!(terminal.until("size=").await, expected);
        terminal.text.clear();
    }
}

#[tokio::test]
async fn a_shell_begins_at_home_and_knows_nothing_of_the_server() {
    let secrets = [
        ("HF_TOKEN", "kept-from-shells-3"),
        ("USER", "ada"),
        ("TZ", "UTC"),
    ];
    let desk = Desk::start_with(&secrets, &[]);
    let mut terminal = desk.open(Mode::Text).await;
    terminal
        .input("env | sort; tty; pwd -P; echo e''nd\n")
        .await;
    terminal.until("end").await;
    let home = desk.home.path().canonicalize().unwrap();
    let shown = &terminal.text;
    for expected in [
        "TERM=xterm-256color",
        "USER=ada",
        "TZ=UTC",
        "LC_ALL=C",
        "SHELL=/bin/sh",
        "/dev/pts/",
        home.to_str().unwrap(),
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    for kept in ["kept-from-shells", "NODETOOL", "TOKEN", "KEY"] {
        assert!(!shown.contains(kept), "{kept}: {shown}");
    }
}

#[tokio::test]
async fn no_character_is_cut_in_two() {
    const PATTERN: &str = "xä€😀";
    const COUNT: usize = 3000;
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Text).await;
    std::fs::write(desk.home.path().join("t"), PATTERN.repeat(COUNT)).unwrap();
    terminal.input("cat t; echo e''nd\n").await;
    terminal.until("end").await;
    assert!(terminal.text.contains(&PATTERN.repeat(COUNT)));
    assert!(terminal.parts > 4, "{} parts", terminal.parts);
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_what_it_does_not_read() {
    let desk = Desk::start();
    let mut socket = opened(&desk.server, "/terminal", &[]).await.unwrap();
    let endless = "i=0; while :; do printf '%01000d\\n' $i; i=$((i+1)); echo $i > n; done\n";
    socket
        .send(&json!({ "type": "input", "data": endless }))
        .await;
    let file = desk.home.path().join("n");
    let count = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.trim().parse().unwrap_or(0u64)
    };
    let before = desk.server.memory();
    let stopped = within("the output to stop", async {
        let (mut last, mut same) = (0, 0);
        while same < 200 {
            pace().await;
            let now = count();
            // A file that is being written is empty for a moment.
            same = if now == last && now > 0 { same + 1 } else { 0 };
            last = now;
        }
        last
    })
    .await;
    let grown = desk.server.memory().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes for {stopped} lines");
    within("the output to go on", async {
        while count() <= stopped {
            assert_eq!(socket.next().await["type"], "output");
        }
    })
    .await;
    // The way in is open all the while.
    socket
        .send(&json!({ "type": "input", "data": "\u{3}exit\n" }))
        .await;
    assert_eq!(socket.until("exit").await["code"], 130);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_processes_along() {
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Text).await;
    let shell = terminal.number("$$").await;
    terminal
        .input("sh -c 'echo chi''ld=$$; exec sleep 1000'\n")
        .await;
    let child: u32 = terminal.until("child=").await.parse().unwrap();
    assert!(exists(shell) && exists(child));
    drop(terminal);
    goes_away(child).await;
    goes_away(shell).await;
}

#[tokio::test]
async fn what_does_not_want_to_end_is_ended() {
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Text).await;
    terminal.input("trap '' HUP TERM INT\n").await;
    let shell = terminal.number("$$").await;
    terminal
        .input("sh -c 'echo chi''ld=$$; exec sleep 1000'\n")
        .await;
    let child: u32 = terminal.until("child=").await.parse().unwrap();
    drop(terminal);
    goes_away(child).await;
    goes_away(shell).await;
}

#[tokio::test]
async fn a_server_that_stops_takes_its_shells_along() {
    let desk = Desk::start();
    let mut terminal = desk.open(Mode::Text).await;
    terminal.input("trap '' HUP TERM INT\n").await;
    let shell = terminal.number("$$").await;
    desk.server.terminate();
    let closed = (1012, "Server draining".to_owned());
    assert_eq!(terminal.socket.closed().await, closed);
    let (status, log, _) = desk.server.ended().await;
    assert!(status.success(), "{log}");
    assert!(!exists(shell), "{log}");
}

#[tokio::test]
async fn there_are_eight_terminals_at_a_time() {
    let desk = Desk::start();
    let mut all = Vec::new();
    for _ in 0..8 {
        let mut terminal = desk.open(Mode::Text).await;
        terminal.send(json!({ "type": "ping" })).await;
        assert_eq!(terminal.told().await["type"], "pong");
        all.push(terminal);
    }
    let full = (1013, "Too many terminals are open".to_owned());
    assert_eq!(refused(&desk.server, "/terminal", &[]).await, full);
    drop(all.pop());
    within("room for another terminal", async {
        loop {
            let mut socket = open(&desk.server, "/terminal", Mode::Text).await;
            socket.send(&json!({ "type": "ping" })).await;
            if let Got::Message(..) = socket.any().await {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_other_sites_and_callers_of_proxies_get_no_shell() {
    const FOREIGN: &str = "Terminal access from external origin is not allowed.";
    const EXTERNAL: &str = "External terminal access requires configured authentication.";
    let desk = Desk::start();
    for path in PATHS {
        for (header, told) in [
            (("origin", "https://evil.example"), FOREIGN),
            (("origin", "http://localhost.evil.example"), FOREIGN),
            (("origin", "null"), FOREIGN),
            (("x-forwarded-for", "127.0.0.1"), EXTERNAL),
            (("forwarded", "for=10.0.0.1"), EXTERNAL),
        ] {
            let refused = refused(&desk.server, path, &[header]).await;
            assert_eq!(refused, (1008, told.to_owned()), "{header:?}");
        }
        let own = [("origin", "http://localhost:3000")];
        let mut socket = opened(&desk.server, path, &own).await.unwrap();
        socket.send(&json!({ "type": "ping" })).await;
        socket.until("pong").await;
    }
    assert!(desk.server.log().contains("terminal.refused"));
}

#[tokio::test]
async fn a_shell_that_cannot_be_started_is_told() {
    let missing = [("NODETOOL_TERMINAL_SHELL", "/nowhere/sh")];
    let desk = Desk::start_with(&missing, &[]);
    let told = refused(&desk.server, "/terminal", &[]).await;
    assert_eq!(told, (1011, "Shell failed to start".to_owned()));
}

#[tokio::test]
async fn only_a_desktop_has_terminals() {
    let token = [("authorization", "Bearer kept-from-shells-1")];
    let private = ["--mode", "private", "--auth-provider", "static"];
    let desk = Desk::start_with(&[], &private);
    for path in PATHS {
        assert_eq!(opened(&desk.server, path, &token).await.err(), Some(404));
    }
    let desk = Desk::start();
    assert!(
        try_open(&desk.server, "/terminal", Mode::Text)
            .await
            .is_ok()
    );
    let asked = desk.server.client().get("/terminal").await;
    assert_eq!(asked.status, 426);
}
