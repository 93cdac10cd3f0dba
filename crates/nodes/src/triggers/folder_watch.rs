//! A folder that is looked at again and again, and what is told of it.
//!
//! The file watch node looks while its run lasts; whoever begins a run for each change keeps what was [`Seen`] between
//! two looks. It must not know nodes, nor when to look.

use std::path::{Path, PathBuf};

use nodetool_sdk::{Value, Workspace};

use super::snapshot::{Change, Snapshot};
use crate::wildcard::Wildcard;

/// What may happen to a file.
pub(super) const EVENTS: [&str; 4] = ["created", "modified", "deleted", "moved"];
/// Largest text of what was seen.
pub const MAX_SEEN_BYTES: usize = 8 << 20;
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN: usize = 1000;

/// What to watch, as the properties of the node say it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WatchSettings {
    /// The folder.
    pub path: String,
    /// Whether folders inside it are watched too.
    pub recursive: bool,
    /// Names to tell of.
    pub patterns: Vec<String>,
    /// Names to keep quiet about.
    pub ignore_patterns: Vec<String>,
    /// What to tell of.
    pub events: Vec<String>,
}

impl Default for WatchSettings {
    fn default() -> Self {
        WatchSettings {
            path: ".".into(),
            recursive: false,
            patterns: vec!["*".into()],
            ignore_patterns: Vec::new(),
            events: EVENTS.map(str::to_owned).to_vec(),
        }
    }
}

/// A property that cannot be used: its name and why.
pub type BadProperty = (&'static str, String);

/// A folder and what is told of it.
#[derive(Debug)]
pub struct FolderWatch {
    folder: PathBuf,
    /// What paths begin with when they are told.
    shown: String,
    recursive: bool,
    wanted: Wanted,
}

/// What a folder held when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(pub(super) Snapshot);

impl Seen {
    /// As a text to keep; fails when that is too large.
    pub fn to_text(&self) -> Result<String, String> {
        let text = serde_json::to_string(&self.0).map_err(|e| e.to_string())?;
        if text.len() > MAX_SEEN_BYTES {
            return Err("the folder holds too many entries to remember".into());
        }
        Ok(text)
    }

    /// From a text that was kept; nothing when it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Seen)
    }
}

impl FolderWatch {
    /// A watch over a folder of the workspace.
    pub fn open(workspace: &Workspace, settings: &WatchSettings) -> Result<Self, BadProperty> {
        let path = settings.path.as_str();
        let folder = workspace
            .resolve(path)
            .map_err(|e| ("path", e.to_string()))?;
        if !folder.is_dir() {
            return Err(("path", format!("'{path}' (expected a folder that exists)")));
        }
        let shown = if Path::new(path).is_absolute() {
            path.trim_end_matches('/').to_owned() + "/"
        } else {
            let mut shown = workspace.relative(&folder);
            if !shown.is_empty() {
                shown.push('/');
            }
            shown
        };
        Ok(FolderWatch {
            folder,
            shown,
            recursive: settings.recursive,
            wanted: Wanted::checked(settings)?,
        })
    }

    /// Looks at the folder now; this reads the disk and takes its time.
    pub fn look(&self) -> Result<Seen, String> {
        Snapshot::take(&self.folder, self.recursive).map(Seen)
    }

    /// What happened between two looks and is to be told, with paths as the folder was given.
    pub(super) fn changes(&self, before: &Seen, after: &Seen) -> Vec<Change> {
        let mut changes = before.0.changes(&after.0);
        changes.retain(|change| self.wanted.takes(change));
        for change in &mut changes {
            change.path.insert_str(0, &self.shown);
            if let Some(dest) = &mut change.dest_path {
                dest.insert_str(0, &self.shown);
            }
        }
        changes
    }

    /// The same as events for the node.
    pub fn events(&self, before: &Seen, after: &Seen, timestamp: &str) -> Vec<Value> {
        let event = |change: Change| {
            Value::map([
                ("event", Value::from(change.event)),
                ("path", change.path.into()),
                ("dest_path", change.dest_path.unwrap_or_default().into()),
                ("is_directory", change.is_directory.into()),
                ("timestamp", timestamp.into()),
            ])
        };
        self.changes(before, after).into_iter().map(event).collect()
    }
}

/// Which changes are told.
#[derive(Debug)]
struct Wanted {
    events: Vec<String>,
    patterns: Vec<Wildcard>,
    ignored: Vec<Wildcard>,
}

impl Wanted {
    fn checked(settings: &WatchSettings) -> Result<Self, BadProperty> {
        let WatchSettings {
            patterns,
            ignore_patterns,
            events,
            ..
        } = settings;
        if let Some(other) = events.iter().find(|e| !EVENTS.contains(&e.as_str())) {
            let why = format!("'{other}' (expected some of {})", EVENTS.join(", "));
            return Err(("events", why));
        }
        let read = |name: &'static str, patterns: &[String]| {
            if patterns.len() > MAX_PATTERNS || patterns.iter().any(|p| p.len() > MAX_PATTERN) {
                let why = format!("expected at most {MAX_PATTERNS} of {MAX_PATTERN} bytes each");
                return Err((name, why));
            }
            let each = patterns.iter().map(|p| Wildcard::new(p, true));
            let all: Result<Vec<_>, _> = each.collect();
            all.map_err(|why| (name, why))
        };
        Ok(Wanted {
            events: events.clone(),
            patterns: read("patterns", patterns)?,
            ignored: read("ignore_patterns", ignore_patterns)?,
        })
    }

    fn takes(&self, change: &Change) -> bool {
        let dest = change.dest_path.as_deref();
        let any = |patterns: &[Wildcard]| {
            let paths = [Some(change.path.as_str()), dest];
            paths.into_iter().flatten().any(|path| {
                let name = path.rsplit('/').next().unwrap_or(path);
                patterns.iter().any(|p| p.matches(name) || p.matches(path))
            })
        };
        self.events.iter().any(|e| e == change.event) && any(&self.patterns) && !any(&self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_survives_as_text() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let watch = FolderWatch::open(&workspace, &WatchSettings::default()).unwrap();
        std::fs::write(folder.path().join("old \"name\".txt"), "1").unwrap();
        let seen = watch.look().unwrap();
        let again = Seen::from_text(&seen.to_text().unwrap()).unwrap();
        assert_eq!(again, seen);
        assert!(Seen::from_text("[]").is_none());
        std::fs::write(folder.path().join("new.txt"), "1").unwrap();
        let events = watch.events(&again, &watch.look().unwrap(), "now");
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].get("event"), Some(&"created".into()));
        assert_eq!(events[0].get("path"), Some(&"new.txt".into()));
    }
}
