//! The one thread that writes: it takes every queued command, commits them together, then answers.
//!
//! A small write that finds nothing queued and nobody writing is committed where it was asked for: handing it to the
//! thread and waiting for the answer would take several times as long as the write.
//!
//! A command that fails is undone alone. When the database undoes a whole batch (disk full, I/O error),
//! its commands are tried again one by one, so that each gets the answer it earned. Nobody is answered
//! before the commit that holds their write. It must not know what the commands write.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use crate::StoreError;
use crate::error::During;
use crate::folder::Folder;
use crate::stats::{StoreStats, Tally};

/// Commands in one transaction at most, so that the first of them is not answered too late.
const BATCH_COMMANDS: usize = 512;

/// What may wait for the writer, in KiB of text; each command weighs at least one. 64 MiB in all.
const QUEUE_KIB: u32 = 64 << 10;

/// Most text one command may carry: a quarter of the queue.
pub(crate) const MAX_COMMAND_BYTES: usize = 16 << 20;

/// Most a command may carry whose large values go to files and whose caller waits: all of the queue.
pub(crate) const MAX_LOAD_BYTES: usize = 64 << 20;

/// Folding the log back is asked for after about this much was written, or when idle.
///
/// That is an estimate; SQLite's own limit (see `connection`) bounds the log exactly.
const CHECKPOINT_BYTES: usize = 4 << 20;

/// About what a transaction adds to the log: the page of 4 KiB at the end of each index.
const BATCH_LOG_BYTES: usize = 8 * 4096;

/// About what each command adds beyond its text.
const COMMAND_LOG_BYTES: usize = 1024;

/// Text a write may carry to be committed where it was asked for.
const AT_ONCE_BYTES: usize = 16 << 10;

/// How long nothing has to happen before the log is folded back.
const IDLE: Duration = Duration::from_millis(250);

/// A closure that reads through the writer's connection.
pub(crate) type Read = Box<dyn FnOnce(&Connection) + Send>;

enum Message {
    Write(Box<dyn Command>),
    /// Writes were committed elsewhere; the log is due to be folded back when things are quiet.
    Fold,
    Read(Read),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// A write that can be tried, undone, tried again, and answered once.
trait Command: Send {
    /// Does the write and keeps its result; true when it worked.
    fn apply(&mut self, db: &Connection) -> bool;
    /// Replaces the result: the write did not reach the disk.
    fn fail(&mut self, error: StoreError);
    /// Hands the result to whoever still waits for it.
    fn answer(self: Box<Self>);
    /// Text carried, for bounding the log.
    fn bytes(&self) -> usize;
}

struct Write<T, F> {
    run: F,
    bytes: usize,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Command for Write<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, StoreError> + Send,
{
    fn apply(&mut self, db: &Connection) -> bool {
        self.result = (self.run)(db);
        self.result.is_ok()
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Err(error);
    }

    fn answer(self: Box<Self>) {
        // A dropped handle is fine: the write is kept all the same.
        let _ = self.reply.send(self.result);
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The answer of a queued write; the write happens whether or not this is awaited.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<Result<T, StoreError>>);

impl<T> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(answer.unwrap_or(Err(StoreError::Closed)))
    }
}

/// The grip on the writer thread.
pub(crate) struct Writer {
    queue: Sender<Message>,
    shared: Arc<Desk>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread shares with callers that write at once.
struct Desk {
    /// The one connection that writes; nothing once it is closed.
    db: Mutex<Option<Connection>>,
    /// Commands queued and not yet committed. While there are any, later ones queue behind them.
    queued: AtomicUsize,
    /// About what was added to the log since it was folded back.
    unfolded: AtomicUsize,
    tally: Tally,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a batch and counts what it added to the log.
    fn commit(&self, db: &Connection, batch: &mut Vec<Box<dyn Command>>) -> usize {
        let bytes = log_bytes(batch);
        let (began, writes) = (Instant::now(), batch.len());
        commit_batch(db, batch);
        self.tally.committed(writes, began.elapsed());
        self.unfolded.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

impl Writer {
    pub(crate) fn start(db: Connection, folder: Option<Folder>) -> std::io::Result<Self> {
        let (queue, messages) = channel();
        let shared = Arc::new(Desk {
            db: Mutex::new(Some(db)),
            queued: AtomicUsize::new(0),
            unfolded: AtomicUsize::new(0),
            tally: Tally::default(),
        });
        let desk = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&desk, folder, &messages))?;
        Ok(Self {
            queue,
            shared,
            room: Arc::new(Semaphore::new(QUEUE_KIB as usize)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues a write at once, or says that there is no room.
    pub(crate) fn enqueue<T, F>(&self, bytes: usize, run: F) -> Result<Pending<T>, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.room)
            .try_acquire_many_owned(weight(bytes))
            .map_err(|error| match error {
                TryAcquireError::NoPermits => StoreError::QueueFull,
                TryAcquireError::Closed => StoreError::Closed,
            })?;
        let (command, answer) = command(bytes, run, permit);
        self.queue_up(command)?;
        Ok(answer)
    }

    /// Waits for room, queues a write and waits until it is committed.
    pub(crate) async fn write<T, F>(&self, bytes: usize, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&self.room)
            .acquire_many_owned(weight(bytes))
            .await
            .map_err(|_| StoreError::Closed)?;
        let (command, answer) = command(bytes, run, permit);
        match self.write_at_once(bytes, command) {
            None => {}
            Some(command) => self.queue_up(command)?,
        }
        answer.await
    }

    /// Commits a small write here and now; gives it back when it has to queue.
    fn write_at_once(&self, bytes: usize, command: Box<dyn Command>) -> Option<Box<dyn Command>> {
        let desk = &self.shared;
        if bytes > AT_ONCE_BYTES || desk.queued.load(Ordering::Acquire) > 0 {
            return Some(command);
        }
        let Ok(guard) = desk.db.try_lock() else {
            return Some(command);
        };
        let Some(db) = guard.as_ref() else {
            return Some(command);
        };
        let unfolded = desk.commit(db, &mut vec![command]);
        drop(guard);
        // The thread learns of the first write after a quiet time, and when the log has grown.
        let before = unfolded.saturating_sub(BATCH_LOG_BYTES + COMMAND_LOG_BYTES + bytes);
        if before == 0 || (before < CHECKPOINT_BYTES && unfolded >= CHECKPOINT_BYTES) {
            let _ = self.queue.send(Message::Fold);
        }
        None
    }

    fn queue_up(&self, command: Box<dyn Command>) -> Result<(), StoreError> {
        self.shared.queued.fetch_add(1, Ordering::AcqRel);
        self.queue
            .send(Message::Write(command))
            .map_err(|_| StoreError::Closed)
    }

    /// Numbers about what was written.
    pub(crate) fn stats(&self) -> StoreStats {
        let queued = self.shared.queued.load(Ordering::Relaxed);
        self.shared.tally.read(queued)
    }

    /// Runs a read between two batches.
    pub(crate) fn read(&self, read: Read) -> Result<(), StoreError> {
        self.queue
            .send(Message::Read(read))
            .map_err(|_| StoreError::Closed)
    }

    /// Commits what is queued, closes the connection and ends the thread. Closing twice is fine.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.queue.send(Message::Close(reply)).is_err() {
            return Ok(());
        }
        let closed = answer.await.unwrap_or(Ok(()));
        self.join();
        closed
    }

    fn join(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic of the thread has already reached every waiter as `Closed`.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    /// Keeps writes whose handles were dropped: the thread ends only after the queue is empty.
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        let _ = self.queue.send(Message::Close(reply));
        self.join();
    }
}

fn command<T, F>(
    bytes: usize,
    run: F,
    permit: OwnedSemaphorePermit,
) -> (Box<dyn Command>, Pending<T>)
where
    T: Send + 'static,
    F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let command = Box::new(Write {
        run,
        bytes,
        result: Err(StoreError::Closed),
        reply,
        _permit: permit,
    });
    (command, Pending(answer))
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).map_or(QUEUE_KIB, |kib| kib.min(QUEUE_KIB))
}

fn run(desk: &Desk, folder: Option<Folder>, messages: &Receiver<Message>) {
    let fold = || {
        desk.unfolded.store(0, Ordering::Relaxed);
        folder.iter().for_each(Folder::fold);
    };
    let mut batch: Vec<Box<dyn Command>> = Vec::new();
    loop {
        let Some(first) = next_message(messages, desk, fold) else {
            return;
        };
        let other = gather(first, messages, &mut batch);
        let mut guard = desk.lock();
        let Some(db) = guard.as_ref() else {
            return;
        };
        if !batch.is_empty() {
            let commands = batch.len();
            desk.commit(db, &mut batch);
            desk.queued.fetch_sub(commands, Ordering::AcqRel);
        }
        match other {
            Some(Message::Read(read)) => read(db),
            Some(Message::Close(reply)) => {
                // The last connection to close removes the log, and that should be this one.
                drop(folder);
                let closed = guard.take().map_or(Ok(()), |db| {
                    db.close()
                        .map_err(|(_, error)| error)
                        .during("close the database")
                });
                let _ = reply.send(closed);
                return;
            }
            Some(Message::Write(_) | Message::Fold) | None => {}
        }
        drop(guard);
        if desk.unfolded.load(Ordering::Relaxed) >= CHECKPOINT_BYTES {
            fold();
        }
    }
}

/// About how much a batch adds to the log.
fn log_bytes(batch: &[Box<dyn Command>]) -> usize {
    let commands: usize = batch
        .iter()
        .map(|command| command.bytes() + COMMAND_LOG_BYTES)
        .sum();
    BATCH_LOG_BYTES + commands
}

/// Waits for work; uses a quiet moment to fold the log back.
fn next_message(messages: &Receiver<Message>, desk: &Desk, fold: impl Fn()) -> Option<Message> {
    while desk.unfolded.load(Ordering::Relaxed) > 0 {
        match messages.recv_timeout(IDLE) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => fold(),
        }
    }
    messages.recv().ok()
}

/// Moves every queued write into the batch; stops at the first message that is not a write.
fn gather(
    first: Message,
    messages: &Receiver<Message>,
    batch: &mut Vec<Box<dyn Command>>,
) -> Option<Message> {
    let mut message = first;
    loop {
        match message {
            Message::Write(command) => batch.push(command),
            Message::Fold => {}
            other => return Some(other),
        }
        if batch.len() >= BATCH_COMMANDS {
            return None;
        }
        message = match messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
        };
    }
}

fn commit_batch(db: &Connection, batch: &mut Vec<Box<dyn Command>>) {
    let single = batch.len() == 1;
    if single || !commit_together(db, batch) {
        commit_each(db, batch);
    }
    batch.drain(..).for_each(Command::answer);
}

/// One transaction for all; false when none of it was kept.
fn commit_together(db: &Connection, batch: &mut [Box<dyn Command>]) -> bool {
    if let Err(error) = begin(db) {
        batch
            .iter_mut()
            .for_each(|command| command.fail(error.clone()));
        return true;
    }
    let applied = batch
        .iter_mut()
        .all(|command| apply_isolated(db, command.as_mut()));
    if applied && execute(db, "COMMIT").is_ok() {
        return true;
    }
    undo(db);
    false
}

/// One transaction for each. Once none can begin, the rest do not wait for a lock in turn.
fn commit_each(db: &Connection, batch: &mut [Box<dyn Command>]) {
    let mut refused = None;
    for command in batch {
        match refused.clone().map_or_else(|| begin(db), Err) {
            Ok(()) => finish_alone(db, command.as_mut()),
            Err(error) => {
                command.fail(error.clone());
                refused = Some(error);
            }
        }
    }
}

fn finish_alone(db: &Connection, command: &mut dyn Command) {
    if !command.apply(db) {
        undo(db);
    } else if let Err(error) = execute(db, "COMMIT").during("commit a transaction") {
        undo(db);
        command.fail(error);
    }
}

/// Applies one command so that its failure leaves no trace; false when the transaction is gone.
fn apply_isolated(db: &Connection, command: &mut dyn Command) -> bool {
    if execute(db, "SAVEPOINT command").is_err() {
        return false;
    }
    let undone = command.apply(db) || execute(db, "ROLLBACK TO command").is_ok();
    undone && !db.is_autocommit() && execute(db, "RELEASE command").is_ok()
}

fn begin(db: &Connection) -> Result<(), StoreError> {
    // IMMEDIATE takes the write lock now, where waiting is safe; a later upgrade could not wait.
    execute(db, "BEGIN IMMEDIATE").during("begin a transaction")
}

/// Ends a transaction without keeping it, unless SQLite already did.
fn undo(db: &Connection) {
    if !db.is_autocommit() {
        let _ = execute(db, "ROLLBACK");
    }
}

fn execute(db: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(|_| ())
}

#[cfg(test)]
mod tests;
