//! A model provider that costs nothing, and the load to measure what our proxy adds to it.
//!
//! Knows just enough HTTP for both: the point is to measure the server between them, not this.
//!
//! ```text
//! chat_load stub PORT                       a provider that speaks OpenAI's protocol, and one that never answers at /dead
//! chat_load turns DIRECT PROXY TURNS TOKENS first and each further token, in turns through and past the proxy
//! chat_load crowd URL STREAMS TOKENS        so many streams at once; the longest silence of each
//! ```

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match words[..] {
            ["stub", port] => stub(port.parse()?).await,
            ["turns", direct, proxy, turns, tokens] => {
                compare(direct, proxy, turns.parse()?, tokens.parse()?).await
            }
            ["crowd", url, streams, tokens] => crowd(url, streams.parse()?, tokens.parse()?).await,
            _ => Err(
                "chat_load stub PORT | turns DIRECT PROXY TURNS TOKENS | crowd URL STREAMS TOKENS"
                    .into(),
            ),
        }
    })
}

/// Reads a request: its first line and its body.
async fn request(socket: &mut TcpStream) -> Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0_usize);
            while bytes.len() < end + 4 + length {
                if socket.read_buf(&mut bytes).await? == 0 {
                    return Ok(None);
                }
            }
            let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
            let line = head.lines().next().unwrap_or_default().to_owned();
            return Ok(Some((line, body)));
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// A number in a JSON text.
fn number(body: &str, key: &str) -> Option<u64> {
    let (_, rest) = body.split_once(&format!("\"{key}\":"))?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

async fn stub(port: u16) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listens on http://{}", listener.local_addr()?);
    let mut serving = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        serving.spawn(async move {
            // A client that goes away is no fault.
            let _ = answer(socket).await;
        });
        while serving.try_join_next().is_some() {}
    }
}

async fn answer(mut socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    while let Some((line, body)) = request(&mut socket).await? {
        if line.contains("/dead") {
            std::future::pending::<()>().await;
        }
        if line.contains("/models") {
            let list = r#"{"object":"list","data":[{"id":"stub-model","object":"model"}]}"#;
            let length = list.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{list}"
            );
            socket.write_all(answer.as_bytes()).await?;
            continue;
        }
        // `seed` is the pause between two tokens in microseconds.
        let pause = number(&body, "seed")
            .map(Duration::from_micros)
            .filter(|p| !p.is_zero());
        let tokens = number(&body, "max_tokens").or_else(|| number(&body, "max_completion_tokens"));
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .await?;
        for at in 0..tokens.unwrap_or(10) {
            let delta = format!(
                "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"stub-model\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"word{at} \"}},\"finish_reason\":null}}]}}\n\n"
            );
            let chunk = format!("{:x}\r\n{delta}\r\n", delta.len());
            socket.write_all(chunk.as_bytes()).await?;
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        let end = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"stub-model\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let end = format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len());
        socket.write_all(end.as_bytes()).await?;
    }
    Ok(())
}

/// What one stream took.
struct Took {
    first: Duration,
    whole: Duration,
    /// The longest time between two pieces.
    silence: Duration,
    tokens: usize,
}

/// `http://host:port/path` into address and path.
fn parts(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").ok_or("an http URL")?;
    Ok(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

async fn stream(socket: &mut TcpStream, url: &str, tokens: u64, pause: u64) -> Result<Took> {
    let (host, path) = parts(url)?;
    let body = format!(
        "{{\"model\":\"stub/stub-model\",\"stream\":true,\"max_tokens\":{tokens},\"seed\":{pause},\"messages\":[{{\"role\":\"user\",\"content\":\"go\"}}]}}"
    );
    let request = format!(
        "POST {path}/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let began = Instant::now();
    socket.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::with_capacity(1 << 16);
    let (mut seen, mut found, mut searched) = (None, 0, 0);
    let (mut last, mut silence) = (began, Duration::ZERO);
    loop {
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(format!("broke off: {}", String::from_utf8_lossy(&bytes)).into());
        }
        let now = Instant::now();
        if seen.is_some() {
            silence = silence.max(now - last);
        }
        last = now;
        let window = &bytes[searched..];
        let new = window.windows(9).filter(|w| *w == b"\"content\"").count();
        found += new;
        if found > 0 {
            seen.get_or_insert(now - began);
        }
        if bytes.ends_with(b"0\r\n\r\n") && window.windows(6).any(|w| w == b"[DONE]") {
            return Ok(Took {
                first: seen.ok_or_else(|| String::from_utf8_lossy(&bytes).into_owned())?,
                whole: now - began,
                silence,
                tokens: found,
            });
        }
        // A word that is cut in two is seen with its second half.
        searched = bytes.len().saturating_sub(8);
        if new > 0 && bytes.ends_with(b"\"content\"") {
            searched = bytes.len();
        }
        if searched > 1 << 20 {
            bytes.drain(..searched);
            searched = 0;
        }
    }
}

fn middle(mut times: Vec<f64>, share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}

async fn compare(direct: &str, proxy: &str, turns: usize, tokens: u64) -> Result<()> {
    let mut sockets = [
        TcpStream::connect(parts(direct)?.0).await?,
        TcpStream::connect(parts(proxy)?.0).await?,
    ];
    let (mut first, mut each) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for turn in 0..turns + 5 {
        for (way, url) in [direct, proxy].into_iter().enumerate() {
            sockets[way].set_nodelay(true)?;
            // A flood of tokens is written in larger pieces, so the first one is timed where no other follows it.
            let alone = stream(&mut sockets[way], url, 1, 0).await?;
            let took = stream(&mut sockets[way], url, tokens, 0).await?;
            if turn >= 5 {
                first[way].push(alone.first.as_secs_f64() * 1e6);
                let rest = (took.whole - took.first).as_secs_f64() * 1e6;
                each[way].push(rest / (tokens.max(2) - 1) as f64);
            }
        }
    }
    for (what, [past, through]) in [("first token", first), ("each token", each)] {
        for share in [0.5, 0.95] {
            let (past, through) = (middle(past.clone(), share), middle(through.clone(), share));
            println!(
                "{what:12} p{:<2.0} past {past:9.1} µs  through {through:9.1} µs  added {:9.1} µs",
                share * 100.0,
                through - past
            );
        }
    }
    Ok(())
}

async fn crowd(url: &str, streams: usize, tokens: u64) -> Result<()> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..streams {
        let url = url.to_owned();
        running.spawn(async move {
            let mut socket = TcpStream::connect(parts(&url)?.0).await?;
            socket.set_nodelay(true)?;
            stream(&mut socket, &url, tokens, 10_000).await
        });
    }
    let (mut silences, mut firsts, mut whole) = (Vec::new(), Vec::new(), 0);
    while let Some(done) = running.join_next().await {
        let took = done??;
        silences.push(took.silence.as_secs_f64() * 1e3);
        firsts.push(took.first.as_secs_f64() * 1e3);
        whole += usize::from(took.tokens as u64 >= tokens);
    }
    println!(
        "{whole} of {streams} streams whole in {:.1} s; first token p50 {:.1} ms, p99 {:.1} ms; longest silence of a stream p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        began.elapsed().as_secs_f64(),
        middle(firsts.clone(), 0.5),
        middle(firsts, 0.99),
        middle(silences.clone(), 0.5),
        middle(silences.clone(), 0.99),
        middle(silences, 1.0)
    );
    Ok(())
}
