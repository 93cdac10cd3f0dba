//! A server process of the built program, on a free port, over a folder of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::Client;

/// How long anything may take that takes milliseconds; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A server at work; dropping it kills it.
pub(crate) struct TestServer {
    child: Child,
    address: SocketAddr,
    folder: Arc<TempDir>,
    log: Arc<Mutex<String>>,
    reader: std::thread::JoinHandle<()>,
}

/// The program with nothing of this machine's environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodetool"));
    command.env_clear().stdin(Stdio::null());
    // What listens on this machine is no part of a test.
    command.env("NODETOOL_DISCOVER_MODELS", "false");
    command
}

/// A folder for one test.
pub(crate) fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary folder"))
}

impl TestServer {
    /// A server over an empty folder.
    pub(crate) fn start() -> Self {
        Self::start_over(folder(), &[])
    }

    /// A server with more arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_over(folder(), arguments)
    }

    /// A server over a folder that may have been another's before.
    pub(crate) fn start_over(folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        let path = folder.path().to_owned();
        Self::start_at(&path, folder, arguments)
    }

    /// A server over a path within a folder.
    pub(crate) fn start_at(path: &Path, folder: Arc<TempDir>, arguments: &[&str]) -> Self {
        Self::start_there(&[], path, folder, arguments)
    }

    /// A server with an environment over a path within a folder.
    pub(crate) fn start_there(
        environment: &[(&str, &str)],
        path: &Path,
        folder: Arc<TempDir>,
        arguments: &[&str],
    ) -> Self {
        let mut command = program();
        if arguments.contains(&"production") {
            command.env("SECRETS_MASTER_KEY", "a key for tests");
        }
        command.envs(environment.iter().copied());
        command.args(["serve", "--port", "0", "--data-dir"]);
        command.arg(path).args(arguments);
        Self::spawn(command, folder)
    }

    /// A server with an environment and more arguments.
    pub(crate) fn start_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = folder();
        let path = folder.path().to_owned();
        Self::start_there(environment, &path, folder, arguments)
    }

    /// The server a command starts, once it listens.
    pub(crate) fn spawn(mut command: Command, folder: Arc<TempDir>) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("its standard error"));
        let log = Arc::new(Mutex::new(String::new()));
        let (tx, rx) = mpsc::channel();
        let shared = log.clone();
        // Reads to the end of the process, which would otherwise wait for somebody to take its log lines.
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    // Nobody asks again after the first.
                    let _ = tx.send(address);
                }
                let mut log = shared.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let address = rx.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the server did not start:\n{}", log.lock().unwrap())
        });
        TestServer {
            child,
            address,
            folder,
            log,
            reader,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Its data folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged a text.
    pub(crate) async fn logs(&self, text: &str) {
        within(text, async {
            while !self.log().contains(text) {
                pace().await;
            }
        })
        .await;
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process is there");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.expect("its resident memory") * 1024
    }

    /// The most memory that was ever resident, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the process is there");
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.expect("its largest resident memory") * 1024
    }

    /// Processor time used so far, in ticks.
    pub(crate) fn processor_time(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("the process is there");
        // The name in brackets may hold anything; user and system time are the 12th and 13th word after it.
        let words: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |i: usize| words[i].parse::<u64>().expect("a number of ticks");
        ticks(11) + ticks(12)
    }

    /// Its number among the processes.
    pub(crate) fn pid(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.expect("a process id")
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process takes signals");
    }

    /// Tells it that its files have changed.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Asks it to stop, as `kill` does.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to stop, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Waits for its end, then gives its status, its log and its folder.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String, Arc<TempDir>) {
        let status = within("the end of the server", async {
            loop {
                if let Some(status) = self.child.try_wait().expect("its status") {
                    break status;
                }
                pace().await;
            }
        })
        .await;
        within("its last words", async {
            while !self.reader.is_finished() {
                pace().await;
            }
        })
        .await;
        (status, self.log(), self.folder.clone())
    }

    /// Ends it without a chance to tidy up; gives its folder.
    pub(crate) async fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().expect("the process takes signals");
        self.ended().await.2
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `http://127.0.0.1:43210`, the first address in the line that says where it listens.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listens on http")?;
    let (_, rest) = rest.split_once("://")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The result of something that must not hang.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// The time between two looks at something that comes about by itself.
pub(crate) async fn pace() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Waits for a file to be there.
pub(crate) async fn appears(path: &Path) {
    within(&path.display().to_string(), async {
        while !path.exists() {
            pace().await;
        }
    })
    .await;
}
