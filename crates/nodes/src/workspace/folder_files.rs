//! Files below a folder of the workspace by their endings, for nodes that read whole folders.

use std::fs;
use std::path::{Path, PathBuf};

use nodetool_sdk::{NodeError, Workspace};

use crate::bounds;
use crate::wildcard::Wildcard;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 64;
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 100_000;

/// Which files are looked for.
pub(crate) struct Search {
    workspace: Workspace,
    endings: Vec<String>,
    deep: bool,
    pattern: Option<Wildcard>,
}

impl Search {
    /// Files with one of these endings whose path matches the pattern; an empty one matches all.
    pub(crate) fn new(
        workspace: &Workspace,
        endings: &[String],
        deep: bool,
        pattern: &str,
    ) -> Result<Self, NodeError> {
        let pattern = match pattern {
            "" => None,
            pattern => {
                Some(Wildcard::new(pattern, true).map_err(|e| NodeError::bad("pattern", e))?)
            }
        };
        Ok(Search {
            workspace: workspace.clone(),
            endings: endings.iter().map(|e| e.to_lowercase()).collect(),
            deep,
            pattern,
        })
    }

    /// The names of the files in a folder, relative to the workspace, in order.
    pub(crate) async fn find(self, name: String) -> Result<Vec<String>, NodeError> {
        if name.trim().is_empty() {
            return Err(NodeError::bad(
                "folder",
                "folder cannot be empty (expected a folder of the workspace)",
            ));
        }
        bounds::blocking(move || self.files(&folder(&self.workspace, &name)?)).await
    }

    /// The names of the files to read, relative to the workspace. Links to folders are not followed.
    fn files(&self, folder: &Path) -> Result<Vec<String>, NodeError> {
        let bad = |message: String| NodeError::bad("folder", message);
        let mut found = Vec::new();
        let mut seen = 0;
        let mut open = vec![(folder.to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let entries = fs::read_dir(&folder);
            let entries = entries.map_err(|e| bad(format!("cannot be read: {e}")))?;
            for entry in entries {
                let entry = entry.map_err(|e| bad(format!("cannot be read: {e}")))?;
                seen += 1;
                if seen > MAX_ENTRIES {
                    return Err(bad(format!("holds more than {MAX_ENTRIES} entries")));
                }
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    if self.deep {
                        if depth == MAX_DEPTH {
                            return Err(bad(format!("has folders more than {MAX_DEPTH} deep")));
                        }
                        open.push((entry.path(), depth + 1));
                    }
                } else if self.wants(&entry.path()) {
                    found.push(self.workspace.relative(&entry.path()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn wants(&self, path: &Path) -> bool {
        let ending = path
            .extension()
            .map(|e| format!(".{}", e.to_string_lossy().to_lowercase()));
        let relative = self.workspace.relative(path);
        let matches = |p: &Wildcard| p.matches(&relative) || p.matches(&path.to_string_lossy());
        ending.is_some_and(|e| self.endings.contains(&e))
            && self.pattern.as_ref().is_none_or(matches)
    }
}

/// The path of an existing folder of the workspace; `~` is the workspace itself.
pub(crate) fn folder(workspace: &Workspace, name: &str) -> Result<PathBuf, NodeError> {
    let name = name.trim();
    let inside = match name.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => name,
    };
    let inside = if inside.is_empty() { "." } else { inside };
    let bad = |message: String| NodeError::bad("folder", message);
    let path = workspace.resolve(inside).map_err(|e| bad(e.to_string()))?;
    if !path.is_dir() {
        return Err(bad(format!(
            "'{name}' is no folder (expected one of the workspace)"
        )));
    }
    Ok(path)
}
