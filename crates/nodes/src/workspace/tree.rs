//! Copying, moving and deleting of files and folders inside the workspace. Bounded in depth and number.

use std::fs;
use std::path::{Path, PathBuf};

use nodetool_sdk::{NodeError, Workspace};

use super::place::{facts, failed, make_parent};

/// Deepest folder that is copied.
const MAX_DEPTH: usize = 64;
/// Most entries that are copied at once.
const MAX_ENTRIES: usize = 1_000_000;

/// The two ends of a copy or move, with the properties that name them.
pub(crate) struct Ends<'a> {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    pub(crate) from_property: &'a str,
    pub(crate) to_property: &'a str,
}

impl Ends<'_> {
    /// Copies a file or a tree and says where it went. An existing folder takes the copy in.
    pub(crate) fn copy(mut self, workspace: &Workspace) -> Result<PathBuf, NodeError> {
        let is_dir = self.prepare(workspace)?;
        if is_dir && self.to.exists() {
            let message = "exists already; expected the name of a new folder";
            return Err(NodeError::bad(self.to_property, message));
        }
        let mut left = MAX_ENTRIES;
        self.copy_entry(workspace, &self.from, &self.to, 0, &mut left)?;
        Ok(self.to)
    }

    /// Moves a file or a tree and says where it went. An existing folder takes it in.
    pub(crate) fn shift(mut self, workspace: &Workspace) -> Result<PathBuf, NodeError> {
        self.prepare(workspace)?;
        fs::rename(&self.from, &self.to)
            .map_err(|e| failed(self.to_property, "cannot be moved there", &e))?;
        Ok(self.to)
    }

    /// Refuses what would destroy something; settles the destination; says whether the source is a folder.
    fn prepare(&mut self, workspace: &Workspace) -> Result<bool, NodeError> {
        let is_dir = facts(&self.from, self.from_property)?.is_dir();
        refuse_root(workspace, &self.from, self.from_property)?;
        if self.to.is_dir() && (!is_dir || real(&self.to) != real(&self.from)) {
            let name = self.from.file_name().unwrap_or_default();
            self.to.push(name);
            // The entry in that folder may be a link to anywhere.
            workspace
                .resolve(&workspace.relative(&self.to))
                .map_err(|e| NodeError::bad(self.to_property, e.to_string()))?;
        }
        let (from, to) = (real(&self.from), real(&self.to));
        if from == to {
            let message = format!("is the same as `{}`", self.from_property);
            return Err(NodeError::bad(self.to_property, message));
        }
        if is_dir && to.starts_with(&from) {
            let message = format!("lies inside `{}`", self.from_property);
            return Err(NodeError::bad(self.to_property, message));
        }
        make_parent(&self.to, self.to_property)?;
        Ok(is_dir)
    }

    fn copy_entry(
        &self,
        workspace: &Workspace,
        from: &Path,
        to: &Path,
        depth: usize,
        left: &mut usize,
    ) -> Result<(), NodeError> {
        let bad = |message: String| Err(NodeError::bad(self.from_property, message));
        if depth > MAX_DEPTH {
            return bad(format!("has folders more than {MAX_DEPTH} deep"));
        }
        if *left == 0 {
            return bad(format!("has more than {MAX_ENTRIES} entries"));
        }
        *left -= 1;
        // Follows a link only where it stays inside.
        let from = workspace
            .resolve(&workspace.relative(from))
            .map_err(|e| NodeError::bad(self.from_property, e.to_string()))?;
        let kind = facts(&from, self.from_property)?;
        let cannot = |e| failed(self.from_property, "cannot be copied", &e);
        if kind.is_file() {
            fs::copy(&from, to).map_err(cannot)?;
            return Ok(());
        }
        if !kind.is_dir() {
            return bad(format!(
                "holds `{}`, which is no file or folder",
                workspace.relative(&from)
            ));
        }
        fs::create_dir(to).map_err(cannot)?;
        for entry in fs::read_dir(&from).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let to = to.join(entry.file_name());
            self.copy_entry(workspace, &entry.path(), &to, depth + 1, left)?;
        }
        Ok(())
    }
}

/// Deletes a file, or a folder with all it holds when `recursive`.
pub(crate) fn remove(
    workspace: &Workspace,
    path: &Path,
    property: &str,
    recursive: bool,
) -> Result<(), NodeError> {
    refuse_root(workspace, path, property)?;
    let cannot = |e| failed(property, "cannot be deleted", &e);
    let is_dir = fs::symlink_metadata(path).map_err(cannot)?.is_dir();
    if is_dir && !recursive {
        let message = "is a folder; set `recursive` to delete it with all it holds";
        return Err(NodeError::bad(property, message));
    }
    if is_dir {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
    .map_err(cannot)
}

fn refuse_root(workspace: &Workspace, path: &Path, property: &str) -> Result<(), NodeError> {
    if real(path) == workspace.root() {
        let message = "is the workspace itself; expected something inside it";
        return Err(NodeError::bad(property, message));
    }
    Ok(())
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        if let Ok(mut real) = existing.canonicalize() {
            real.extend(missing.iter().rev());
            return real;
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name);
                existing = parent;
            }
            _ => return path.to_owned(),
        }
    }
}
