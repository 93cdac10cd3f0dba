//! What this process and its machine have: memory, fonts, skills. It reads the system and changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

use nodetool_store::StoreError;

use super::SettingsService;
use super::skills::{Skill, find_skills};

/// Most folders and files looked at for one list of fonts.
const MAX_VISITED: usize = 50_000;

/// How deep folders of fonts are searched.
const MAX_DEPTH: usize = 8;

/// Endings of font files.
const FONT_ENDINGS: [&str; 4] = ["ttf", "otf", "ttc", "otc"];

/// Memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Memory {
    /// Resident memory of this process.
    pub(crate) used: f64,
    /// Memory of the machine.
    pub(crate) total: Option<f64>,
}

/// Where fonts and skills are.
#[derive(Clone, Debug, Default)]
pub(crate) struct MachineFolders {
    pub(crate) fonts: Vec<PathBuf>,
    pub(crate) skills: Vec<PathBuf>,
}

impl MachineFolders {
    /// The folders of fonts of this system and its user, and those of skills.
    pub(crate) fn of(home: Option<&Path>, skills: Vec<PathBuf>) -> Self {
        let system = [
            "/usr/share/fonts",
            "/usr/local/share/fonts",
            "/System/Library/Fonts",
            "/Library/Fonts",
        ];
        let own = [".fonts", ".local/share/fonts", "Library/Fonts"];
        let own = own.iter().filter_map(|name| Some(home?.join(name)));
        MachineFolders {
            fonts: system.iter().map(PathBuf::from).chain(own).collect(),
            skills,
        }
    }
}

/// Looks at the machine.
#[derive(Clone)]
pub(crate) struct MachineService {
    folders: Arc<MachineFolders>,
    settings: SettingsService,
}

/// Why the machine cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    #[error("the thread that was to look has failed")]
    Thread(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the system tells nothing about its memory")]
    System(#[from] sysinfo::Error),
}

impl MachineService {
    pub(crate) fn new(folders: MachineFolders, settings: SettingsService) -> Self {
        MachineService {
            folders: Arc::new(folders),
            settings,
        }
    }

    /// The memory of this process and its machine.
    pub(crate) async fn memory(&self) -> Result<Memory, MachineError> {
        Ok(tokio::task::spawn_blocking(memory).await??)
    }

    /// Names of the font files of this machine, without their endings, sorted.
    pub(crate) async fn fonts(&self) -> Result<Vec<String>, MachineError> {
        let more = self.settings.value("FONT_PATH").await?.map(PathBuf::from);
        let folders = self.folders.clone();
        let look = move || fonts(folders.fonts.iter().chain(&more));
        Ok(tokio::task::spawn_blocking(look).await?)
    }

    /// The skills in the folders a client names and in those that are set up; of two with one name, the first.
    pub(crate) async fn skills(&self, first: Vec<PathBuf>) -> Result<Vec<Skill>, MachineError> {
        let folders = self.folders.clone();
        let look = move || find_skills(first.iter().chain(&folders.skills));
        Ok(tokio::task::spawn_blocking(look).await?)
    }
}

fn memory() -> Result<Memory, sysinfo::Error> {
    let mebibytes = |bytes: u64| (bytes as f64 / f64::from(1 << 20) * 100.0).round() / 100.0;
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let mut system = System::new_with_specifics(kind)?;
    let own = sysinfo::get_current_pid().ok();
    let used = own.and_then(|pid| {
        let kind = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        system.process(pid).map(sysinfo::Process::memory)
    });
    Ok(Memory {
        used: mebibytes(used.unwrap_or_default()),
        total: Some(system.total_memory())
            .filter(|total| *total > 0)
            .map(mebibytes),
    })
}

fn fonts<'a>(roots: impl Iterator<Item = &'a PathBuf>) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut left: Vec<(PathBuf, usize)> = roots.map(|root| (root.clone(), 0)).collect();
    let mut visited = 0;
    while let Some((folder, depth)) = left.pop() {
        // Most of these folders are not there.
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            visited += 1;
            if visited > MAX_VISITED {
                return names.into_iter().collect();
            }
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => left.push((path, depth + 1)),
                Ok(kind) if !kind.is_dir() => names.extend(font_name(&path)),
                _ => {}
            }
        }
    }
    names.into_iter().collect()
}

fn font_name(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    let name = path.file_stem()?.to_str()?;
    FONT_ENDINGS
        .contains(&ending.as_str())
        .then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fonts_are_named_once_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in ["b.ttf", "sub/a.OTF", "sub/b.otf", "readme.txt", "noending"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let roots = [folder.path().to_owned(), folder.path().join("missing")];
        assert_eq!(fonts(roots.iter()), ["a", "b"]);
    }

    #[test]
    fn this_process_uses_memory_and_less_than_there_is() {
        let memory = memory().unwrap();
        assert!(memory.used > 0.0);
        assert!(memory.total.is_none_or(|total| total > memory.used));
    }
}
