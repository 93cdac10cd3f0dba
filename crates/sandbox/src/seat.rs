//! One child process and the task that owns it: turns go in, replies come out, time is kept, death is explained.
//!
//! It must not know sessions or expressions; to it a turn is bytes with a time limit.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::pool::Roster;
use super::wire::{self, Confinement, FrameError, Reply, Request};

/// How much longer than its limit a turn may take before the process is killed: the child ends it by itself if it can.
const GRACE: Duration = Duration::from_millis(500);
/// How long a cancelled turn may take to end by itself.
const CANCEL_GRACE: Duration = Duration::from_millis(250);
/// The same when other scripts on the child would lose their `state`.
const SHARED_CANCEL_GRACE: Duration = Duration::from_secs(1);
/// How long a new process may take to be ready, and a frame to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Replies a caller may leave unread before the child has to wait.
const BACKLOG: usize = 64;

/// A caller's grip on one child process.
#[derive(Debug)]
pub(super) struct Seat {
    jobs: mpsc::UnboundedSender<Job>,
    pub(super) tally: Arc<Tally>,
}

/// What the pool counts to choose a child.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) turns: AtomicUsize,
    pub(super) sessions: AtomicUsize,
    ended: OnceLock<Arc<str>>,
}

enum Job {
    Turn(Turn),
    Close(u64),
}

struct Turn {
    frame: Bytes,
    limit: Option<Duration>,
    events: mpsc::Sender<Event>,
}

/// What a turn brings.
#[derive(Debug)]
pub(super) enum Event {
    /// A reply within the turn.
    Reply(Reply),
    /// The reply that ends the turn, and how long the child worked.
    End(Reply, Duration),
    /// The process ended. When the turn had not begun it can be tried elsewhere.
    Gone(Gone),
}

/// Why there is no process any more.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub(super) begun: bool,
    pub(super) overtime: bool,
    pub(super) reason: Arc<str>,
}

/// The replies of one turn; dropping it before the end cancels the turn.
pub(super) struct Replies {
    events: mpsc::Receiver<Event>,
    tally: Arc<Tally>,
}

impl Seat {
    /// The grip, and the task to spawn for a process just started.
    pub(super) fn new(
        child: Child,
        data: u64,
        idle: Duration,
        roster: Weak<Roster>,
    ) -> (Arc<Seat>, impl Future<Output = ()> + use<>) {
        let (jobs, queue) = mpsc::unbounded_channel();
        let tally = Arc::new(Tally::default());
        let keeper = Keeper {
            queue,
            tally: tally.clone(),
            idle,
            roster,
        };
        (Arc::new(Seat { jobs, tally }), keeper.run(child, data))
    }

    /// Queues a turn. The tally has been raised by the pool, under its lock.
    pub(super) fn turn(&self, frame: Bytes, limit: Option<Duration>) -> Replies {
        let (sender, events) = mpsc::channel(BACKLOG);
        // A refused job drops the sender, which the receiver reads as an ended process.
        let _ = self.jobs.send(Job::Turn(Turn {
            frame,
            limit,
            events: sender,
        }));
        Replies {
            events,
            tally: self.tally.clone(),
        }
    }

    /// Tells the child to forget a script.
    pub(super) fn close(&self, session: u64) {
        let _ = self.jobs.send(Job::Close(session));
    }

    /// Whether the process is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.tally.ended.get().is_some() || self.jobs.is_closed()
    }

    /// Waits until the process is gone.
    pub(super) async fn end(&self) {
        self.jobs.closed().await;
    }

    /// Why the process is gone.
    pub(super) fn ending(&self) -> Arc<str> {
        self.tally
            .ended
            .get()
            .cloned()
            .unwrap_or_else(|| "it was closed".into())
    }
}

impl Replies {
    pub(super) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => {
                let reason = self
                    .tally
                    .ended
                    .get()
                    .cloned()
                    .unwrap_or_else(|| "it was closed".into());
                Event::Gone(Gone {
                    begun: false,
                    overtime: false,
                    reason,
                })
            }
        }
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.tally.turns.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The task's side of a seat.
struct Keeper {
    queue: mpsc::UnboundedReceiver<Job>,
    tally: Arc<Tally>,
    idle: Duration,
    roster: Weak<Roster>,
}

struct Pipes {
    to: ChildStdin,
    from: ChildStdout,
}

/// Why the task stops.
enum Stop {
    Idle,
    Broken { reason: String, overtime: bool },
}

impl Stop {
    fn broken(reason: impl Into<String>) -> Self {
        Stop::Broken {
            reason: reason.into(),
            overtime: false,
        }
    }
}

impl Keeper {
    async fn run(mut self, mut child: Child, data: u64) {
        let (stop, current) = match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => self.serve(&mut child, Pipes { to, from }, data).await,
            _ => (Stop::broken("it has no pipes"), None),
        };
        let (reason, overtime) = match stop {
            Stop::Idle => ("it had nothing to do".to_owned(), false),
            Stop::Broken { reason, overtime } => (reason, overtime),
        };
        let reason: Arc<str> = reason.into();
        let _ = self.tally.ended.set(reason.clone());
        if let Some(roster) = self.roster.upgrade() {
            roster.remove(&self.tally);
        }
        let _ = child.start_kill();
        if let Some(events) = current {
            let gone = Event::Gone(Gone {
                begun: true,
                overtime,
                reason: reason.clone(),
            });
            let _ = timeout(PATIENCE, events.send(gone)).await;
        }
        self.queue.close();
        while let Ok(job) = self.queue.try_recv() {
            if let Job::Turn(turn) = job {
                let gone = Gone {
                    begun: false,
                    overtime: false,
                    reason: reason.clone(),
                };
                let _ = turn.events.try_send(Event::Gone(gone));
            }
        }
        let _ = timeout(PATIENCE, child.wait()).await;
    }

    /// Works until the process is no longer wanted or no longer works; also gives the caller whose turn it was.
    async fn serve(
        &mut self,
        child: &mut Child,
        mut pipes: Pipes,
        data: u64,
    ) -> (Stop, Option<mpsc::Sender<Event>>) {
        match timeout(PATIENCE, greet(&mut pipes, data)).await {
            Ok(Ok(confinement)) => {
                if let Some(roster) = self.roster.upgrade() {
                    roster.note(confinement);
                }
            }
            Ok(Err(error)) => return (Stop::broken(explain(child, error).await), None),
            Err(_) => return (Stop::broken("it was not ready in time"), None),
        }
        loop {
            let job = tokio::select! {
                job = self.queue.recv() => job,
                status = child.wait() => return (Stop::broken(describe(status.ok())), None),
                () = sleep(self.idle) => {
                    if self.roster.upgrade().is_none_or(|roster| roster.retire(&self.tally)) {
                        return (Stop::Idle, None);
                    }
                    continue;
                }
            };
            match job {
                None => return (Stop::Idle, None),
                Some(Job::Close(session)) => {
                    if let Err(stop) = send(&mut pipes.to, &Request::Close { session }).await {
                        return (stop, None);
                    }
                }
                Some(Job::Turn(turn)) if turn.events.is_closed() => {}
                Some(Job::Turn(turn)) => {
                    if let Err(stop) = take_turn(child, &mut pipes, &turn, &self.tally).await {
                        return (stop, Some(turn.events));
                    }
                }
            }
        }
    }
}

async fn greet(pipes: &mut Pipes, data: u64) -> Result<Confinement, FrameError> {
    pipes
        .to
        .write_all(&wire::encode(&Request::Setup { data })?)
        .await?;
    match wire::receive(&mut pipes.from).await? {
        Reply::Ready(confinement) => Ok(confinement),
        _ => Err(FrameError::Io(std::io::ErrorKind::InvalidData.into())),
    }
}

async fn send(to: &mut ChildStdin, request: &Request) -> Result<(), Stop> {
    let frame = wire::encode(request).map_err(|error| Stop::broken(error.to_string()))?;
    match timeout(PATIENCE, to.write_all(&frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Stop::broken(format!("its pipe is closed ({error})"))),
        Err(_) => Err(Stop::broken("it does not read its pipe")),
    }
}

async fn take_turn(
    child: &mut Child,
    pipes: &mut Pipes,
    turn: &Turn,
    tally: &Tally,
) -> Result<(), Stop> {
    let began = Instant::now();
    match timeout(PATIENCE, pipes.to.write_all(&turn.frame)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(Stop::broken(explain(child, error.into()).await)),
        Err(_) => return Err(Stop::broken("it does not read its pipe")),
    }
    let ended = {
        let replies = forward(&mut pipes.from, &turn.events, began);
        tokio::pin!(replies);
        let mut deadline = turn
            .limit
            .and_then(|limit| began.checked_add(limit.saturating_add(GRACE)));
        let mut cancelled = false;
        loop {
            tokio::select! {
                ended = &mut replies => break ended,
                () = turn.events.closed(), if !cancelled => {
                    cancelled = true;
                    let is_shared = tally.sessions.load(Ordering::Relaxed) > 1;
                    let grace = if is_shared { SHARED_CANCEL_GRACE } else { CANCEL_GRACE };
                    deadline = Some(Instant::now() + grace);
                    send(&mut pipes.to, &Request::Cancel).await?;
                }
                () = sleep_until(deadline.unwrap_or(began)), if deadline.is_some() => {
                    return Err(if cancelled {
                        Stop::broken("a script was cancelled and did not stop")
                    } else {
                        Stop::Broken { reason: "a script ran longer than its limit".into(), overtime: true }
                    });
                }
            }
        }
    };
    match ended {
        Ok(()) => Ok(()),
        Err(error) => Err(Stop::broken(explain(child, error).await)),
    }
}

/// Passes replies on until the turn ends. A caller who has left does not stop it: the turn must be read to its end.
async fn forward(
    from: &mut ChildStdout,
    events: &mpsc::Sender<Event>,
    began: Instant,
) -> Result<(), FrameError> {
    loop {
        let reply: Reply = wire::receive(from).await?;
        if reply.ends_turn() {
            let _ = events.send(Event::End(reply, began.elapsed())).await;
            return Ok(());
        }
        let _ = events.send(Event::Reply(reply)).await;
    }
}

/// What to say of a pipe that broke: the way the process ended, when it did.
async fn explain(child: &mut Child, error: FrameError) -> String {
    match error {
        FrameError::Io(_) => match timeout(CANCEL_GRACE, child.wait()).await {
            Ok(status) => describe(status.ok()),
            Err(_) => "it closed its pipes".to_owned(),
        },
        other => format!("it sent something unexpected ({other})"),
    }
}

fn describe(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "it ended".to_owned();
    };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let meaning = match signal {
            6 => "it gave up, most often for lack of memory",
            4 | 7 | 8 | 11 => "it crashed",
            9 => "it was killed from outside",
            24 => "it used up its processor time",
            31 => "it made a forbidden system call",
            _ => "it was stopped",
        };
        return format!("{meaning} (signal {signal})");
    }
    match status.code() {
        Some(code) => format!("it stopped with code {code}"),
        None => "it ended".to_owned(),
    }
}
