//! One file on its way from the hub to the disk: in pieces, from where an earlier try ended, checked at its end.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::time::Duration;

use super::DownloadError;
use super::cache::Target;
use super::digest::Hash;
use super::hub::{Hub, HubError, RemoteFile};
use super::names::{Commit, RepoId};
use super::state::Live;
use crate::sensitive::Sensitive;

/// Bytes written at once; all of a file that is in memory.
const PIECE: usize = 1 << 20;
/// Tries in a row that bring next to nothing.
const TRIES: u32 = 5;
/// First pause between two tries; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Time between two looks at a file that another process writes.
const LOOK: Duration = Duration::from_millis(250);

/// What is fetched, from where.
pub(super) struct Fetch<'a> {
    pub(super) hub: &'a Hub,
    pub(super) repo: &'a RepoId,
    pub(super) commit: &'a Commit,
    pub(super) file: &'a RemoteFile,
    pub(super) token: Option<&'a Sensitive>,
    pub(super) live: &'a Live,
}

/// A file that is not whole yet. Whoever holds it is the only one that writes.
struct Partial {
    file: File,
    hash: Hash,
    written: u64,
    _lock: File,
}

/// What is there of a file.
enum There {
    Whole,
    Part(Partial),
    /// Somebody else writes it.
    Taken,
}

impl Partial {
    fn open(target: &Target, file: &RemoteFile) -> io::Result<There> {
        for path in [&target.finished, &target.lock] {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
        }
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).write(true);
        let lock = options.open(&target.lock)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(There::Taken),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        if is_whole(target, file) {
            return Ok(There::Whole);
        }
        let mut partial = Partial {
            file: options.open(&target.incomplete)?,
            hash: Hash::new(&file.id, file.size),
            written: 0,
            _lock: lock,
        };
        if partial.file.metadata()?.len() > file.size {
            partial.file.set_len(0)?;
        }
        let mut piece = vec![0; PIECE];
        loop {
            let read = partial.file.read(&mut piece)?;
            if read == 0 {
                return Ok(There::Part(partial));
            }
            partial.hash.update(&piece[..read]);
            partial.written += read as u64;
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hash.update(piece);
        self.written += piece.len() as u64;
        Ok(())
    }

    fn restart(&mut self, file: &RemoteFile) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.hash = Hash::new(&file.id, file.size);
        self.written = 0;
        Ok(())
    }

    /// Puts the file where it belongs if it is what it should be; otherwise begins anew and gives its digest.
    fn finish(mut self, target: &Target, file: &RemoteFile) -> io::Result<Option<(String, Self)>> {
        let hash = std::mem::replace(&mut self.hash, Hash::new(&file.id, file.size));
        let got = hash.finish();
        if got != file.id.as_str() {
            self.restart(file)?;
            return Ok(Some((got, self)));
        }
        self.file.sync_all()?;
        fs::rename(&target.incomplete, &target.finished)?;
        Ok(None)
    }
}

/// Whether a file is there as the hub has it.
pub(super) fn is_whole(target: &Target, file: &RemoteFile) -> bool {
    fs::metadata(&target.finished).is_ok_and(|about| about.is_file() && about.len() == file.size)
}

/// How much of a file is there.
pub(super) fn bytes_there(target: &Target, file: &RemoteFile) -> u64 {
    if is_whole(target, file) {
        return file.size;
    }
    let part = fs::metadata(&target.incomplete).map_or(0, |about| about.len());
    if part > file.size { 0 } else { part }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, DownloadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(DownloadError::Disk),
        Err(_) => Err(DownloadError::Internal),
    }
}

impl Fetch<'_> {
    /// Brings the file to its place.
    pub(super) async fn run(&self, target: &Target) -> Result<(), DownloadError> {
        let mut partial = loop {
            let (to, file) = (target.clone(), self.file.clone());
            match blocking(move || Partial::open(&to, &file)).await? {
                There::Whole => {
                    self.live.add(self.file.size);
                    return Ok(());
                }
                There::Part(partial) => break partial,
                There::Taken => tokio::time::sleep(LOOK).await,
            }
        };
        self.live.add(partial.written);
        let mut wrong = false;
        loop {
            partial = self.fill(partial).await?;
            let (to, file) = (target.clone(), self.file.clone());
            match blocking(move || partial.finish(&to, &file)).await? {
                None => return Ok(()),
                // What an earlier try left may be to blame: once more, all of it.
                Some((_, fresh)) if !wrong => {
                    self.live.take_back(self.file.size);
                    wrong = true;
                    partial = fresh;
                }
                Some((got, fresh)) => {
                    self.live.take_back(self.file.size);
                    drop(fresh);
                    let incomplete = target.incomplete.clone();
                    blocking(move || fs::remove_file(incomplete)).await?;
                    return Err(DownloadError::Checksum {
                        expected: self.file.id.as_str().to_owned(),
                        got,
                    });
                }
            }
        }
    }

    /// Fetches what is missing, in as many tries as it takes.
    async fn fill(&self, mut partial: Partial) -> Result<Partial, DownloadError> {
        let mut tries = 0;
        while partial.written < self.file.size {
            let before = partial.written;
            let (rest, result) = self.attempt(partial).await?;
            partial = rest;
            let Err(e) = result else { continue };
            tries = if partial.written - before.min(partial.written) >= PIECE as u64 {
                1
            } else {
                tries + 1
            };
            if !e.is_passing() || tries >= TRIES {
                return Err(e.into());
            }
            let pause = PAUSE * 2_u32.pow(tries - 1);
            let pause = e.pause().unwrap_or(pause.min(LONGEST_PAUSE));
            tracing::debug!(repo.id = self.repo.as_str(), error = %e, "a file of a model is asked for again");
            tokio::time::sleep(pause).await;
        }
        Ok(partial)
    }

    /// One request, and as much of the file as it brings.
    async fn attempt(
        &self,
        mut partial: Partial,
    ) -> Result<(Partial, Result<(), HubError>), DownloadError> {
        let opened = self
            .hub
            .open(
                self.repo,
                self.commit,
                self.file,
                self.token,
                partial.written,
            )
            .await;
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(e) => return Ok((partial, Err(e))),
        };
        if opened.from < partial.written {
            self.live.take_back(partial.written);
            let file = self.file.clone();
            partial = blocking(move || partial.restart(&file).map(|()| partial)).await?;
        }
        let mut piece: Vec<u8> = Vec::with_capacity(PIECE);
        let result = loop {
            let chunk = match opened.response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break Ok(()),
                Err(e) => break Err(super::hub::broken(&e)),
            };
            let got = partial.written + (piece.len() + chunk.len()) as u64;
            if got > self.file.size {
                break Err(HubError::Nonsense("more came than the file has".into()));
            }
            piece.extend_from_slice(&chunk);
            self.live.add(chunk.len() as u64);
            if piece.len() >= PIECE {
                (partial, piece) = write(partial, piece).await?;
            }
        };
        // What has come counts, however the rest went.
        (partial, _) = write(partial, piece).await?;
        let result = match result {
            Ok(()) if partial.written < self.file.size => {
                Err(HubError::Broken("the file ended too early".into()))
            }
            result => result,
        };
        Ok((partial, result))
    }
}

async fn write(
    mut partial: Partial,
    mut piece: Vec<u8>,
) -> Result<(Partial, Vec<u8>), DownloadError> {
    if piece.is_empty() {
        return Ok((partial, piece));
    }
    blocking(move || {
        partial.write(&piece)?;
        piece.clear();
        Ok((partial, piece))
    })
    .await
}
