//! A few threads that read, each through its own read-only connection.
//!
//! A database in memory has one connection only; its reads go through the writer thread, between two
//! batches. It must not know what is read.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::StoreError;
use crate::connection::open_reader;
use crate::writer::{Read, Writer};

/// Reads that may wait for a thread; more callers wait for room first.
const WAITING_READS: usize = 1024;

/// The grip on the reader threads.
pub(crate) struct Readers {
    queue: Mutex<Option<Sender<Read>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    /// Starts `count` threads on a file.
    pub(crate) fn start(path: &Path, count: usize, busy: Duration) -> Result<Self, StoreError> {
        let (queue, reads) = channel();
        let reads = Arc::new(Mutex::new(reads));
        let readers = Self::new(Some(queue));
        for number in 0..count {
            let db = open_reader(path, busy)?;
            let reads = Arc::clone(&reads);
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&db, &reads))
                .map_err(|source| StoreError::open(path, source))?;
            readers
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(thread);
        }
        Ok(readers)
    }

    /// No threads: for a database in memory.
    pub(crate) fn none() -> Self {
        Self::new(None)
    }

    fn new(queue: Option<Sender<Read>>) -> Self {
        Self {
            queue: Mutex::new(queue),
            threads: Mutex::new(Vec::new()),
            room: Arc::new(Semaphore::new(WAITING_READS)),
        }
    }

    /// Runs a query on a reader thread.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (read, answer) = self.prepare(query).await?;
        {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = queue.as_ref().ok_or(StoreError::Closed)?;
            queue.send(read).map_err(|_| StoreError::Closed)?;
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs a query on the writer thread.
    pub(crate) async fn read_through<T, F>(
        &self,
        writer: &Writer,
        query: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (read, answer) = self.prepare(query).await?;
        writer.read(read)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn prepare<T, F>(
        &self,
        query: F,
    ) -> Result<(Read, oneshot::Receiver<Result<T, StoreError>>), StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit: OwnedSemaphorePermit = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |db| {
            // The caller may have gone while this waited; then the query is not worth its time.
            if !reply.is_closed() {
                let _ = reply.send(query(db));
            }
            drop(permit);
        });
        Ok((read, answer))
    }

    /// Lets waiting reads finish and ends the threads. Closing twice is fine.
    pub(crate) fn close(&self) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A panic of the thread has already reached its caller as `Closed`.
            let _ = thread.join();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn run(db: &Connection, reads: &Mutex<Receiver<Read>>) {
    loop {
        let read = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match read {
            Ok(read) => read(db),
            Err(_) => return,
        }
    }
}
