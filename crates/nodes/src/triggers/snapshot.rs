//! What a folder held at one moment, and what changed between two moments.
//!
//! Looking twice needs nothing from the system, works on every file system and cannot overflow a queue. It must not
//! know nodes.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const MAX_ENTRIES: usize = 100_000;
const MAX_DEPTH: usize = 64;

/// Files and folders by their path inside the watched folder, with forward slashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot(BTreeMap<String, Entry>);

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "d")]
    is_directory: bool,
    #[serde(rename = "l")]
    length: u64,
    /// Nanoseconds since 1970.
    #[serde(rename = "m")]
    modified: Option<u64>,
    /// Device and file number, where the system has them; they stay when a file is renamed.
    #[serde(rename = "f")]
    file: Option<(u64, u64)>,
}

/// One change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// `created`, `modified`, `deleted` or `moved`.
    pub(super) event: &'static str,
    /// Where it is, or was.
    pub(super) path: String,
    /// Where it went.
    pub(super) dest_path: Option<String>,
    /// Whether it is a folder.
    pub(super) is_directory: bool,
}

impl Snapshot {
    /// Looks at a folder now. Links are entries and are not followed. What vanishes meanwhile is left out.
    pub(super) fn take(root: &Path, recursive: bool) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        let mut folders: Vec<(PathBuf, String, usize)> = vec![(root.to_owned(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            let listing = match fs::read_dir(&folder) {
                Ok(listing) => listing,
                Err(e) if depth == 0 => return Err(format!("the folder cannot be read: {e}")),
                Err(_) => continue,
            };
            for child in listing.flatten() {
                let Ok(metadata) = child.metadata() else {
                    continue;
                };
                let path = format!("{prefix}{}", child.file_name().to_string_lossy());
                if recursive && metadata.is_dir() && depth < MAX_DEPTH {
                    folders.push((child.path(), format!("{path}/"), depth + 1));
                }
                entries.insert(path, Entry::of(&metadata));
                if entries.len() > MAX_ENTRIES {
                    return Err(format!("the folder holds more than {MAX_ENTRIES} entries"));
                }
            }
        }
        Ok(Snapshot(entries))
    }

    /// What happened until `later`: moves, then what went, came and changed, each by path.
    pub(super) fn changes(&self, later: &Snapshot) -> Vec<Change> {
        let mut gone: BTreeMap<&str, &Entry> = self.without(later);
        let mut came: BTreeMap<&str, &Entry> = later.without(self);
        let mut moved = Vec::new();
        // File numbers are used again, so that length and time must agree as well.
        let by_entry: HashMap<&Entry, &str> = came
            .iter()
            .filter(|(_, entry)| entry.file.is_some())
            .map(|(path, entry)| (*entry, *path))
            .collect();
        gone.retain(|path, entry| {
            let Some(dest) = by_entry.get(entry) else {
                return true;
            };
            if came.remove(dest).is_none() {
                return true;
            }
            let mut change = Change::of("moved", path, entry);
            change.dest_path = Some((*dest).to_owned());
            moved.push(change);
            false
        });
        let mut changes = moved;
        changes.extend(gone.iter().map(|(p, e)| Change::of("deleted", p, e)));
        changes.extend(came.iter().map(|(p, e)| Change::of("created", p, e)));
        for (path, entry) in &later.0 {
            // The time of a folder changes with its entries, which are told by themselves.
            let differs = self.0.get(path).is_some_and(|before| before != entry);
            if differs && !entry.is_directory {
                changes.push(Change::of("modified", path, entry));
            }
        }
        changes
    }

    fn without(&self, other: &Snapshot) -> BTreeMap<&str, &Entry> {
        self.0
            .iter()
            .filter(|(path, _)| !other.0.contains_key(*path))
            .map(|(path, entry)| (path.as_str(), entry))
            .collect()
    }
}

impl Entry {
    fn of(metadata: &Metadata) -> Self {
        Entry {
            is_directory: metadata.is_dir(),
            length: metadata.len(),
            modified: metadata.modified().ok().and_then(nanoseconds),
            file: file_number(metadata),
        }
    }
}

impl Change {
    fn of(event: &'static str, path: &str, entry: &Entry) -> Self {
        Change {
            event,
            path: path.to_owned(),
            dest_path: None,
            is_directory: entry.is_directory,
        }
    }
}

fn nanoseconds(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

#[cfg(unix)]
fn file_number(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &Snapshot, after: &Snapshot) -> Vec<String> {
        let changes = before.changes(after);
        let told =
            |c: Change| format!("{} {} {}", c.event, c.path, c.dest_path.unwrap_or_default());
        changes
            .into_iter()
            .map(|c| told(c).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn what_comes_goes_and_changes_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let look = || Snapshot::take(root, true).unwrap();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        let empty = look();
        write("a.txt", "1");
        fs::create_dir(root.join("sub")).unwrap();
        write("sub/b.txt", "1");
        let full = look();
        let want = ["created a.txt", "created sub", "created sub/b.txt"];
        assert_eq!(told(&empty, &full), want);
        write("a.txt", "longer");
        fs::remove_file(root.join("sub/b.txt")).unwrap();
        let later = look();
        assert_eq!(told(&full, &later), ["deleted sub/b.txt", "modified a.txt"]);
        assert_eq!(told(&later, &look()), [] as [&str; 0]);
        let flat = Snapshot::take(root, false).unwrap();
        assert_eq!(told(&look(), &flat), [] as [&str; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_renamed_has_moved() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("a"), "1").unwrap();
        let before = Snapshot::take(root, false).unwrap();
        fs::rename(root.join("a"), root.join("b")).unwrap();
        let after = Snapshot::take(root, false).unwrap();
        assert_eq!(told(&before, &after), ["moved a b"]);
    }
}
