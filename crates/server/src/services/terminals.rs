//! Shells on the server's own machine, each in a pseudo terminal of its own.
//!
//! A shell gets a clean environment: none of the server's tokens and keys. Whoever has opened one ends it, and with it
//! what runs in it. It must not know how its bytes travel to people.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use pty_process::{Command, Pts, Pty, Size, WritePty};
use rustix::process::{Pid, Signal, getsid, kill_process_group};
use tokio::process::Child;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Terminals open at the same time.
const MOST: usize = 8;
/// Time what runs in a terminal has to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// Time until a killed process is gone.
const BURIAL: Duration = Duration::from_secs(5);
/// The shell where nothing names another.
const SHELL: &str = "/bin/sh";
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
/// Most rows and columns.
const MOST_CELLS: i64 = 1000;

/// Whether a variable of the server's environment is one that shells get.
pub(crate) fn is_passed_to_shells(name: &str) -> bool {
    let one = ["HOME", "USER", "LANG", "PATH", "SHELL", "TZ"].contains(&name);
    one || name.starts_with("LC_")
}

/// What terminals are, and who gets one.
#[derive(Clone, Debug)]
pub(crate) struct TerminalSettings {
    /// Whether there are any.
    pub(crate) enabled: bool,
    /// Whether callers have to show a token.
    pub(crate) enforced: bool,
    /// What runs in them; the shell of the environment otherwise.
    pub(crate) shell: Option<PathBuf>,
    /// Where they begin.
    pub(crate) home: Option<PathBuf>,
    /// All that shells get of the server's environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Why there is no terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TerminalError {
    #[error("{MOST} terminals are open already")]
    TooMany,
    #[error("the pseudo terminal cannot be made: {0}")]
    Pty(pty_process::Error),
    #[error("{} cannot be started: {source}", .shell.display())]
    Start {
        shell: PathBuf,
        source: pty_process::Error,
    },
}

/// The terminals of this process; clones share them.
#[derive(Clone)]
pub(crate) struct Terminals {
    settings: Arc<TerminalSettings>,
    room: Arc<Semaphore>,
}

impl Terminals {
    pub(crate) fn new(settings: TerminalSettings) -> Self {
        Terminals {
            settings: Arc::new(settings),
            room: Arc::new(Semaphore::new(MOST)),
        }
    }

    /// Whether there are any.
    pub(crate) fn are_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// Whether callers have to show a token.
    pub(crate) fn are_for_token_holders(&self) -> bool {
        self.settings.enforced
    }

    /// Starts a shell.
    pub(crate) fn open(&self) -> Result<Terminal, TerminalError> {
        let room = self.room.clone().try_acquire_owned();
        let room = room.map_err(|_| TerminalError::TooMany)?;
        let (pty, pts) = pty_process::open().map_err(TerminalError::Pty)?;
        pty.resize(Size::new(ROWS, COLUMNS))
            .map_err(TerminalError::Pty)?;
        let child = self.start(pts)?;
        Ok(Terminal {
            pty,
            shell: Shell { child, _room: room },
        })
    }

    fn start(&self, pts: Pts) -> Result<Child, TerminalError> {
        let settings = &self.settings;
        let named = |name: &str| {
            let variables = settings.environment.iter();
            let mut found = variables.filter(|(n, v)| n == name && !v.is_empty());
            found.next().map(|(_, value)| value.clone())
        };
        let shell = settings.shell.clone();
        let shell = shell.or_else(|| named("SHELL").map(PathBuf::from));
        let shell = shell.unwrap_or_else(|| PathBuf::from(SHELL));
        let home = settings.home.clone().filter(|home| home.is_dir());
        let mut command = Command::new(&shell)
            .arg("-l")
            .env_clear()
            .envs(settings.environment.iter().map(|(n, v)| (n, v)))
            .env("SHELL", &shell)
            .env("TERM", "xterm-256color")
            .current_dir(home.clone().unwrap_or_else(|| PathBuf::from("/")))
            .kill_on_drop(true);
        if let Some(home) = home {
            command = command.env("HOME", home);
        }
        command
            .spawn(pts)
            .map_err(|source| TerminalError::Start { shell, source })
    }
}

/// An open terminal, and what runs in it.
pub(crate) struct Terminal {
    /// What it shows is read here, what is typed is written here.
    pub(crate) pty: Pty,
    pub(crate) shell: Shell,
}

/// Sets the size of a terminal; sizes beyond reason are brought into it.
pub(crate) fn resize_terminal(terminal: &WritePty<'_>, rows: i64, columns: i64) {
    let cells = |n: i64| u16::try_from(n.clamp(1, MOST_CELLS)).unwrap_or(1);
    let size = Size::new(cells(rows), cells(columns));
    if let Err(e) = terminal.resize(size) {
        tracing::debug!(error = %e, "a terminal was not resized");
    }
}

/// A process group to be ended, while it is of the session it was found in.
struct Group {
    leader: Pid,
    session: Pid,
}

impl Group {
    /// Its leader's number may be another process's by now; that one is in another session.
    fn signal(&self, signal: Signal) {
        if getsid(Some(self.leader)).is_ok_and(|session| session == self.session) {
            // It may have ended in between.
            let _ = kill_process_group(self.leader, signal);
        }
    }
}

/// The process a terminal was opened for.
pub(crate) struct Shell {
    child: Child,
    _room: OwnedSemaphorePermit,
}

impl Shell {
    /// Waits for its end; what it exits with, the way shells tell it.
    pub(crate) async fn ended(&mut self) -> i32 {
        match self.child.wait().await {
            Ok(status) => code(status),
            Err(e) => {
                tracing::warn!(error = %e, "a shell cannot be waited for");
                -1
            }
        }
    }

    /// Ends it, together with what runs in the foreground: first by asking, then by force. Does not come back before
    /// the process is gone.
    pub(crate) async fn end(mut self, terminal: Pty) {
        let groups = self.groups(&terminal);
        // It is gone for whoever runs in it.
        drop(terminal);
        for signal in [Signal::HUP, Signal::TERM, Signal::CONT] {
            groups.iter().for_each(|group| group.signal(signal));
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_ok() {
            return;
        }
        groups.iter().for_each(|group| group.signal(Signal::KILL));
        if tokio::time::timeout(BURIAL, self.child.wait())
            .await
            .is_err()
        {
            tracing::warn!("a shell does not end, although it was killed");
        }
    }

    /// The groups of the shell and of the foreground; none once the shell has ended.
    fn groups(&self, terminal: &Pty) -> Vec<Group> {
        let shell = self.child.id().and_then(|id| i32::try_from(id).ok());
        let Some(session) = shell.and_then(Pid::from_raw) else {
            return Vec::new();
        };
        let foreground = rustix::termios::tcgetpgrp(terminal).ok();
        let foreground = foreground.filter(|group| *group != session);
        let leaders = foreground.into_iter().chain([session]);
        leaders.map(|leader| Group { leader, session }).collect()
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let signalled = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(signalled).unwrap_or(-1)
}
