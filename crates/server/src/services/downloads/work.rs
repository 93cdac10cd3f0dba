//! The work of one download: what there is, what is missing, whether it fits, then file by file.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::cache::{HubCache, Target};
use super::hub::{Hub, HubError, Listing, RemoteFile};
use super::llama::LlamaCache;
use super::order::Order;
use super::state::{Live, Status};
use super::transfer::{Fetch, bytes_there, is_whole};
use super::{DownloadError, Tokens};
use crate::sensitive::Sensitive;

/// Tries to learn what a repository holds, and the pause between two.
const TRIES: u32 = 4;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// What downloads work with.
pub(super) struct Engine {
    pub(super) hub: Hub,
    pub(super) cache: HubCache,
    pub(super) llama: LlamaCache,
    pub(super) tokens: Tokens,
    /// Bytes that stay free on the disk.
    pub(super) min_free: u64,
    /// Files of one download at the same time.
    pub(super) parallel_files: usize,
}

impl Engine {
    /// Downloads; gives where it is.
    pub(super) async fn work(
        &self,
        user_id: &str,
        order: &Order,
        live: &Live,
    ) -> Result<PathBuf, DownloadError> {
        let token = self.tokens.of(user_id).await;
        let listing = self.list(order, token.as_ref()).await?;
        let files = wanted(order, &listing)?;
        let total = files.iter().map(|f| f.size).fold(0, u64::saturating_add);
        live.change(|now| {
            now.status = Status::Progress;
            now.total_bytes = total;
            now.total_files = files.len();
        });
        let jobs: Vec<(RemoteFile, Target)> = files
            .into_iter()
            .map(|file| {
                let target = self.target(order, &file);
                (file, target)
            })
            .collect();
        let root = self.root(order).to_owned();
        let (jobs, missing, there) = blocking(move || {
            std::fs::create_dir_all(&root)?;
            let whole = jobs.iter().filter(|(f, t)| is_whole(t, f)).count();
            let missing = jobs.iter().map(|(f, t)| f.size - bytes_there(t, f));
            let missing = missing.fold(0, u64::saturating_add);
            Ok((jobs, missing, whole))
        })
        .await?;
        live.change(|now| now.cached_files = there);
        self.check_room(order, missing).await?;
        let token = token.as_ref();
        let commit = &listing.commit;
        stream::iter(&jobs)
            .map(Ok)
            .try_for_each_concurrent(self.parallel_files.max(1), async |(file, target)| {
                let name = file.path.as_str();
                live.begin_file(name);
                let fetch = Fetch {
                    hub: &self.hub,
                    repo: &order.repo,
                    commit,
                    file,
                    token,
                    live,
                };
                let done = async {
                    fetch.run(target).await?;
                    if !order.for_llama() {
                        let (cache, repo) = (self.cache.clone(), order.repo.clone());
                        let (commit, file) = (commit.clone(), file.clone());
                        blocking(move || cache.link(&repo, &commit, &file.path, &file.id)).await?;
                    }
                    Ok(())
                };
                done.await.map_err(|e: DownloadError| e.about(name))?;
                live.end_file(name);
                Ok::<(), DownloadError>(())
            })
            .await?;
        if order.for_llama() {
            return Ok(match &order.path {
                Some(path) => self.llama.place(&order.repo, path),
                None => self.llama.root().to_owned(),
            });
        }
        let (cache, repo, commit) = (self.cache.clone(), order.repo.clone(), commit.clone());
        let path = order.path.clone();
        blocking(move || {
            cache.write_ref(&repo, &commit)?;
            let place = cache.snapshot(&repo, &commit);
            Ok(match path {
                Some(path) => place.join(path.as_str()),
                None => place,
            })
        })
        .await
    }

    fn root(&self, order: &Order) -> &Path {
        if order.for_llama() {
            self.llama.root()
        } else {
            self.cache.root()
        }
    }

    fn target(&self, order: &Order, file: &RemoteFile) -> Target {
        if order.for_llama() {
            self.llama.target(&order.repo, &file.path)
        } else {
            self.cache.target(&order.repo, &file.id)
        }
    }

    /// What the repository holds, in as many tries as it takes.
    async fn list(
        &self,
        order: &Order,
        token: Option<&Sensitive>,
    ) -> Result<Listing, DownloadError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.hub.list(&order.repo, token).await {
                Err(e) if e.is_passing() && tries < TRIES => {
                    let pause = e.pause().unwrap_or(PAUSE * 2_u32.pow(tries - 1));
                    tokio::time::sleep(pause).await;
                }
                result => return Ok(result?),
            }
        }
    }

    async fn check_room(&self, order: &Order, missing: u64) -> Result<(), DownloadError> {
        if missing == 0 {
            return Ok(());
        }
        let root = self.root(order).to_owned();
        let free = blocking(move || {
            let disk = rustix::fs::statvfs(&root)?;
            Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
        })
        .await?;
        if free < missing.saturating_add(self.min_free) {
            return Err(DownloadError::NoRoom {
                missing,
                free,
                kept: self.min_free,
            });
        }
        Ok(())
    }
}

fn wanted(order: &Order, listing: &Listing) -> Result<Vec<RemoteFile>, DownloadError> {
    let files = listing.files.iter();
    let files: Vec<RemoteFile> = match &order.path {
        Some(path) => files.filter(|f| f.path == *path).cloned().collect(),
        None => files
            .filter(|f| order.filter.wants(f.path.as_str()))
            .cloned()
            .collect(),
    };
    match (&order.path, files.is_empty()) {
        (Some(path), true) => Err(DownloadError::Hub(HubError::NotFound(format!(
            "{} in {}",
            path.as_str(),
            order.repo.as_str()
        )))),
        (None, true) => Err(DownloadError::NothingFits),
        _ => Ok(files),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, DownloadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(DownloadError::Disk),
        Err(_) => Err(DownloadError::Internal),
    }
}
