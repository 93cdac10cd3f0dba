//! The thread that folds the write-ahead log back into the database, so that no write waits for the
//! disk to sync. It must not know tables.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::StoreError;
use crate::connection::open_folder;

/// The grip on the folding thread; dropping it waits until the thread has let go of the file.
pub(crate) struct Folder {
    signal: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Folder {
    pub(crate) fn start(path: &Path, busy: Duration) -> Result<Self, StoreError> {
        let db = open_folder(path, busy)?;
        let (signal, signals) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-folder".to_owned())
            .spawn(move || run(&db, &signals))
            .map_err(|source| StoreError::open(path, source))?;
        Ok(Self {
            signal: Some(signal),
            thread: Some(thread),
        })
    }

    /// Asks for a fold; one that is already asked for is enough.
    pub(crate) fn fold(&self) {
        if let Some(signal) = &self.signal {
            let _ = signal.try_send(());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.signal.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(db: &Connection, signals: &Receiver<()>) {
    while signals.recv().is_ok() {
        // Folds as far as readers allow. A failure costs only disk space: the next signal tries again,
        // and past a limit SQLite does it inside a commit.
        let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}
