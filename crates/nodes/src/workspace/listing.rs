//! Files below a folder whose path matches a pattern. `**` stands for any number of folders; names that begin with a
//! dot match only patterns that do. Links to folders are not followed.

use std::fs;
use std::path::{Path, PathBuf};

use nodetool_sdk::{Emitter, NodeError, Outputs, Workspace};
use tokio::sync::mpsc;

use super::place::failed;
use crate::bounds::blocking;
use crate::wildcard::Wildcard;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 64;
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 1_000_000;
/// Most parts of a pattern.
const MAX_PARTS: usize = 32;
/// Names found ahead of the node's consumers.
const AHEAD: usize = 256;

enum Part {
    /// Any number of folders.
    Deep,
    /// A name.
    Name(Wildcard),
}

/// What to look for, where.
pub(crate) struct Listing {
    workspace: Workspace,
    folder: PathBuf,
    property: &'static str,
    parts: Vec<Part>,
}

impl Listing {
    /// The files below `folder`, which the property names; `recursive` looks into folders below as well.
    pub(crate) fn new(
        workspace: Workspace,
        folder: PathBuf,
        property: &'static str,
        pattern: &str,
        recursive: bool,
    ) -> Result<Self, NodeError> {
        let bad = |message: String| NodeError::bad("pattern", message);
        let mut parts = Vec::new();
        if recursive {
            parts.push(Part::Deep);
        }
        for part in pattern.split('/').filter(|p| !p.is_empty() && *p != ".") {
            match part {
                ".." => return Err(bad("contains '..'; expected a pattern such as *.txt".into())),
                "**" if matches!(parts.last(), Some(Part::Deep)) => {}
                "**" => parts.push(Part::Deep),
                name => parts.push(Part::Name(Wildcard::new(name, true).map_err(bad)?)),
            }
        }
        if !parts.iter().any(|p| matches!(p, Part::Name(_))) && !pattern.contains("**") {
            return Err(bad(
                "cannot be empty; expected one such as * or *.txt".into()
            ));
        }
        if parts.len() > MAX_PARTS {
            return Err(bad(format!("has more than {MAX_PARTS} parts")));
        }
        Ok(Listing {
            workspace,
            folder,
            property,
            parts,
        })
    }

    /// Emits each path, relative to the workspace, in order of the names.
    pub(crate) async fn emit<O: Outputs>(
        self,
        out: &Emitter<'_, O>,
        wrap: impl Fn(String) -> O,
    ) -> Result<(), NodeError> {
        let (tx, rx) = mpsc::channel(AHEAD);
        let search = blocking(move || {
            let folder = self.folder.clone();
            let mut left = MAX_ENTRIES;
            // A closed channel means that nobody waits for more.
            self.look_into(&folder, &self.after_folders(&[0]), 0, &mut left, &tx)
                .map(|_| ())
        });
        let pass_on = async move {
            // Owned here, so that it goes when the consumers are gone and the search ends with it.
            let mut rx = rx;
            while let Some(path) = rx.recv().await {
                out.emit(wrap(path)).await?;
            }
            Ok(())
        };
        let (searched, passed) = futures_util::future::join(search, pass_on).await;
        passed.and(searched)
    }

    /// The states with what `**` makes reachable without a step.
    fn after_folders(&self, states: &[usize]) -> Vec<usize> {
        let mut all = Vec::new();
        for state in states {
            all.push(*state);
            if matches!(self.parts.get(*state), Some(Part::Deep)) {
                all.push(state + 1);
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The states after a name.
    fn after_name(&self, states: &[usize], name: &str) -> Vec<usize> {
        let hidden = name.starts_with('.');
        let next = states
            .iter()
            .filter_map(|state| match self.parts.get(*state)? {
                Part::Deep => (!hidden).then_some(*state),
                Part::Name(w) => {
                    ((!hidden || w.wants_hidden()) && w.matches(name)).then_some(state + 1)
                }
            });
        self.after_folders(&next.collect::<Vec<_>>())
    }

    /// Whether anybody still listens.
    fn look_into(
        &self,
        folder: &Path,
        states: &[usize],
        depth: usize,
        left: &mut usize,
        tx: &mpsc::Sender<String>,
    ) -> Result<bool, NodeError> {
        let cannot = |e| failed(self.property, "cannot be listed", &e);
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(cannot)? {
            *left = left.checked_sub(1).ok_or_else(|| {
                NodeError::bad(
                    self.property,
                    format!("holds more than {MAX_ENTRIES} entries"),
                )
            })?;
            entries.push(entry.map_err(cannot)?);
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let next = self.after_name(states, &name.to_string_lossy());
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = entry.path();
            let shown = self.workspace.relative(&path);
            let is_file = kind.is_file()
                || (kind.is_symlink() && self.workspace.resolve(&shown).is_ok_and(|p| p.is_file()));
            if is_file {
                if next.contains(&self.parts.len()) && tx.blocking_send(shown).is_err() {
                    return Ok(false);
                }
            } else if kind.is_dir()
                && depth < MAX_DEPTH
                && next.iter().any(|s| *s < self.parts.len())
            {
                // A folder that cannot be opened hides its files, no more.
                match self.look_into(&path, &next, depth + 1, left, tx) {
                    Ok(true) => {}
                    Ok(false) => return Ok(false),
                    Err(e) if *left == 0 => return Err(e),
                    Err(_) => {}
                }
            }
        }
        Ok(true)
    }
}
