//! Workspaces: folders of this machine that workflows may use, and the files in them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use nodetool_store::{Page, Store, StoreError, WorkspaceRow, WorkspaceUpdate, new_id, now_micros};
use rustix::fs::{Access, access};

use super::folders::{Entry, Folder, FolderError, blocking, parts, receive};
use super::{Caller, Changes, Happened, WorkflowError, WorkflowService};

/// Why a workspace use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("Workspace not found: {0}")]
    NotFound(String),
    #[error("Workflow has no workspace")]
    NoWorkspace,
    #[error("{0}")]
    BadPath(&'static str),
    #[error("the workspace is used by workflows")]
    Linked,
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Workflow(WorkflowError),
    #[error(transparent)]
    Store(StoreError),
}

/// A workspace, and whether its folder can be used right now.
pub(crate) struct Workspace {
    pub(crate) row: WorkspaceRow,
    pub(crate) is_accessible: bool,
}

/// What of a workspace a client sets; what is `None` stays, or takes its default.
#[derive(Clone, Debug, Default)]
pub(crate) struct SaveWorkspace {
    pub(crate) name: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) is_default: Option<bool>,
    /// Whether a program on this machine asks.
    pub(crate) local: bool,
}

/// Where workspaces may be.
#[derive(Clone, Debug)]
pub(crate) struct WorkspaceRules {
    /// Folders that hold every workspace. When there are none, programs on this machine may name any folder.
    pub(crate) roots: Vec<PathBuf>,
    /// Whether the server serves other people's machines: then it needs roots.
    pub(crate) own_machine: bool,
    pub(crate) upload_limit: u64,
}

/// The one owner of workspace rows in this process.
#[derive(Clone)]
pub(crate) struct WorkspaceService {
    store: Store,
    workflows: WorkflowService,
    changes: Changes,
    rules: Arc<WorkspaceRules>,
}

impl WorkspaceService {
    pub(crate) fn new(
        store: Store,
        workflows: WorkflowService,
        changes: Changes,
        rules: WorkspaceRules,
    ) -> Self {
        WorkspaceService {
            store,
            workflows,
            changes,
            rules: Arc::new(rules),
        }
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        save: SaveWorkspace,
    ) -> Result<Workspace, WorkspaceError> {
        let path = save.path.unwrap_or_default();
        let path = self.check(path, save.local).await?;
        let now = now_micros();
        let row = WorkspaceRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            name: save.name.unwrap_or_default(),
            path,
            is_default: save.is_default.unwrap_or(false),
            created_at: now,
            updated_at: now,
        };
        let stored = self.store.insert_workspace(row.clone()).await;
        stored.map_err(WorkspaceError::Store)?;
        self.tell(Happened::Created, &row);
        Ok(shown(row).await)
    }

    pub(crate) async fn get(&self, caller: &Caller, id: &str) -> Result<Workspace, WorkspaceError> {
        Ok(shown(self.row(caller, id).await?).await)
    }

    async fn row(&self, caller: &Caller, id: &str) -> Result<WorkspaceRow, WorkspaceError> {
        let row = self.store.get_workspace(&caller.user_id, id).await;
        row.map_err(WorkspaceError::Store)?
            .ok_or_else(|| not_found(id))
    }

    pub(crate) async fn get_default(
        &self,
        caller: &Caller,
    ) -> Result<Option<Workspace>, WorkspaceError> {
        let row = self.store.get_default_workspace(&caller.user_id).await;
        Ok(match row.map_err(WorkspaceError::Store)? {
            Some(row) => Some(shown(row).await),
            None => None,
        })
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<Workspace>, WorkspaceError> {
        let page = self.store.list_workspaces(&caller.user_id, limit, cursor);
        let page = page.await.map_err(WorkspaceError::Store)?;
        let shown = blocking(move || Ok(page.rows.into_iter().map(looked_at).collect())).await?;
        Ok(Page {
            rows: shown,
            next: page.next,
        })
    }

    pub(crate) async fn update(
        &self,
        caller: &Caller,
        id: &str,
        save: SaveWorkspace,
    ) -> Result<Workspace, WorkspaceError> {
        self.row(caller, id).await?;
        let path = match save.path {
            Some(path) => Some(self.check(path, save.local).await?),
            None => None,
        };
        let update = WorkspaceUpdate {
            name: save.name,
            path,
            is_default: save.is_default,
            updated_at: now_micros(),
        };
        let row = self.store.update_workspace(&caller.user_id, id, update);
        let row = row.await.map_err(|e| stored(e, id))?;
        self.tell(Happened::Updated, &row);
        Ok(shown(row).await)
    }

    /// Forgets a workspace that no workflow uses; its folder stays.
    pub(crate) async fn delete(&self, caller: &Caller, id: &str) -> Result<(), WorkspaceError> {
        let deleted = self.store.delete_workspace(&caller.user_id, id).await;
        if !deleted.map_err(|e| stored(e, id))? {
            return Err(WorkspaceError::Linked);
        }
        self.changes.tell(
            &caller.user_id,
            Happened::Deleted,
            "workspace",
            id,
            String::new,
        );
        Ok(())
    }

    fn tell(&self, happened: Happened, row: &WorkspaceRow) {
        self.changes
            .tell(&row.user_id, happened, "workspace", &row.id, || row.etag());
    }

    /// The folder of the workspace that a workflow of the caller's own names.
    async fn folder(&self, caller: &Caller, workflow_id: &str) -> Result<Folder, WorkspaceError> {
        let workflow = self.workflows.get(caller, workflow_id).await;
        let workflow = workflow.map_err(WorkspaceError::Workflow)?;
        if workflow.user_id != caller.user_id {
            return Err(WorkspaceError::Workflow(WorkflowError::NotFound));
        }
        let id = workflow.workspace_id.filter(|id| !id.is_empty());
        let row = self
            .row(caller, &id.ok_or(WorkspaceError::NoWorkspace)?)
            .await?;
        Ok(blocking(move || Folder::open(Path::new(&row.path))).await?)
    }

    pub(crate) async fn list_files(
        &self,
        caller: &Caller,
        workflow_id: &str,
        path: &str,
    ) -> Result<Vec<Entry>, WorkspaceError> {
        let folder = self.folder(caller, workflow_id).await?;
        let path = owned_parts(path)?;
        let listed = blocking(move || folder.list(&borrowed(&path), true));
        Ok(listed.await?)
    }

    pub(crate) async fn read_file(
        &self,
        caller: &Caller,
        workflow_id: &str,
        path: &str,
    ) -> Result<(std::fs::File, Entry), WorkspaceError> {
        let folder = self.folder(caller, workflow_id).await?;
        let path = owned_parts(path)?;
        let opened = blocking(move || folder.read(&borrowed(&path)));
        Ok(opened.await?)
    }

    pub(crate) async fn write_file<E: std::error::Error>(
        &self,
        caller: &Caller,
        workflow_id: &str,
        path: &str,
        chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Entry, WorkspaceError> {
        let folder = self.folder(caller, workflow_id).await?;
        let path = owned_parts(path)?;
        Ok(receive(folder, path, true, self.rules.upload_limit, chunks).await?)
    }

    /// The real path of a folder that may be a workspace.
    async fn check(&self, path: String, local: bool) -> Result<String, WorkspaceError> {
        let rules = self.rules.clone();
        let checked = tokio::task::spawn_blocking(move || rules.check(&path, local)).await;
        match checked {
            Ok(checked) => checked.map_err(WorkspaceError::BadPath),
            Err(e) => Err(FolderError::Io(std::io::Error::other(e)).into()),
        }
    }
}

impl WorkspaceRules {
    fn check(&self, path: &str, local: bool) -> Result<String, &'static str> {
        const OUTSIDE: &str = "Path is outside the folders that workspaces may be in";
        let given = Path::new(path);
        if !given.is_absolute() {
            return Err("Path must be absolute");
        }
        if path.contains('\0') || given.components().any(|c| c == Component::ParentDir) {
            return Err("Path must not contain '..' or NUL");
        }
        let roots: Vec<PathBuf> = self
            .roots
            .iter()
            .filter_map(|root| root.canonicalize().ok())
            .collect();
        if self.roots.is_empty() {
            if !self.own_machine || !local {
                return Err(OUTSIDE);
            }
        } else if !self
            .roots
            .iter()
            .chain(&roots)
            .any(|r| given.starts_with(r))
        {
            // Says nothing about what exists outside the roots.
            return Err(OUTSIDE);
        }
        let real = given.canonicalize().map_err(|_| "Path does not exist")?;
        if !self.roots.is_empty() && !roots.iter().any(|root| real.starts_with(root)) {
            return Err(OUTSIDE);
        }
        if !real.is_dir() {
            return Err("Path is not a directory");
        }
        if !usable(&real) {
            return Err("Path is not writable");
        }
        real.into_os_string()
            .into_string()
            .map_err(|_| "Path is no UTF-8 once its links are followed")
    }
}

fn usable(folder: &Path) -> bool {
    let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    access(folder, all).is_ok()
}

fn looked_at(row: WorkspaceRow) -> Workspace {
    let folder = Path::new(&row.path);
    let is_accessible = Folder::open(folder).is_ok() && usable(folder);
    Workspace { row, is_accessible }
}

async fn shown(row: WorkspaceRow) -> Workspace {
    let kept = row.clone();
    blocking(move || Ok(looked_at(row)))
        .await
        .unwrap_or(Workspace {
            row: kept,
            is_accessible: false,
        })
}

fn owned_parts(path: &str) -> Result<Vec<String>, FolderError> {
    Ok(parts(path)?.into_iter().map(str::to_owned).collect())
}

fn borrowed(parts: &[String]) -> Vec<&str> {
    parts.iter().map(String::as_str).collect()
}

fn not_found(id: &str) -> WorkspaceError {
    WorkspaceError::NotFound(id.chars().take(128).collect())
}

fn stored(e: StoreError, id: &str) -> WorkspaceError {
    match e {
        StoreError::NotFound { .. } => not_found(id),
        e => WorkspaceError::Store(e),
    }
}
