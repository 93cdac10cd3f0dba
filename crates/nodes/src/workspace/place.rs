//! From names to paths inside the workspace, and reading and writing there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use nodetool_sdk::{NodeError, Workspace};

/// Largest file that is read or written as one value, in bytes.
pub(crate) const MAX_FILE: usize = 256 << 20;

/// The path of a relative name; absolute ones are refused even when they lie inside.
pub(crate) fn inside(
    workspace: &Workspace,
    property: &str,
    name: &str,
) -> Result<PathBuf, NodeError> {
    if name.trim().is_empty() {
        let message = "cannot be empty; expected a path relative to the workspace";
        return Err(NodeError::bad(property, message));
    }
    if Path::new(name).is_absolute() {
        let message = format!("{name:?} is absolute; expected a path relative to the workspace");
        return Err(NodeError::bad(property, message));
    }
    resolve(workspace, property, name)
}

/// The path of a name that may be relative, absolute inside the workspace, or begin with `~`, which stands for the
/// workspace: a run has no other home.
pub(crate) fn reach(
    workspace: &Workspace,
    property: &str,
    name: &str,
) -> Result<PathBuf, NodeError> {
    let trimmed = name.trim();
    if trimmed.is_empty() {
        let message = "cannot be empty; expected a path inside the workspace";
        return Err(NodeError::bad(property, message));
    }
    match trimmed.strip_prefix('~') {
        Some("") => resolve(workspace, property, "."),
        Some(rest) if rest.starts_with('/') => {
            let rest = rest.trim_start_matches('/');
            resolve(
                workspace,
                property,
                if rest.is_empty() { "." } else { rest },
            )
        }
        _ => resolve(workspace, property, name),
    }
}

fn resolve(workspace: &Workspace, property: &str, name: &str) -> Result<PathBuf, NodeError> {
    workspace
        .resolve(name)
        .map_err(|e| NodeError::bad(property, e.to_string()))
}

/// The error of a file operation on what a property names.
pub(crate) fn failed(property: &str, what: &str, error: &io::Error) -> NodeError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        _ => error.to_string(),
    };
    NodeError::bad(property, format!("{what}: {why}"))
}

/// What the file system knows of a path, links followed.
pub(crate) fn facts(path: &Path, property: &str) -> Result<fs::Metadata, NodeError> {
    fs::metadata(path).map_err(|e| failed(property, "cannot be looked at", &e))
}

/// The size of a file.
pub(crate) fn size_of(path: &Path, property: &str) -> Result<i64, NodeError> {
    let facts = facts(path, property)?;
    if facts.is_file() {
        Ok(i64::try_from(facts.len()).unwrap_or(i64::MAX))
    } else {
        Err(NodeError::bad(property, "is not a file; expected a file"))
    }
}

/// A file's whole content, up to `max` bytes.
pub(crate) fn read(path: &Path, property: &str, max: usize) -> Result<Vec<u8>, NodeError> {
    // Reading a pipe or a device could wait for ever.
    let announced = size_of(path, property)?;
    let too_large = || NodeError::bad(property, format!("the file is larger than {max} bytes"));
    if announced > i64::try_from(max).unwrap_or(i64::MAX) {
        return Err(too_large());
    }
    let mut data = Vec::new();
    // A file may grow while it is read.
    let read = File::open(path).and_then(|f| f.take(max as u64 + 1).read_to_end(&mut data));
    read.map_err(|e| failed(property, "cannot be read", &e))?;
    if data.len() > max {
        Err(too_large())
    } else {
        Ok(data)
    }
}

/// Makes the folder a file is to lie in.
pub(crate) fn make_parent(path: &Path, property: &str) -> Result<(), NodeError> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder)
            .map_err(|e| failed(property, "its folder cannot be made", &e)),
        None => Ok(()),
    }
}

/// `name.txt` and a number become `name_1.txt`.
pub(crate) fn numbered(name: &str, number: usize) -> String {
    match name
        .rfind('.')
        .filter(|dot| *dot > 0 && !name[*dot..].contains('/'))
    {
        Some(dot) => format!("{}_{number}{}", &name[..dot], &name[dot..]),
        None => format!("{name}_{number}"),
    }
}

/// A file time in UTC; nothing for times no calendar has.
pub(crate) fn utc(time: SystemTime) -> Option<DateTime<Utc>> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => {
            DateTime::from_timestamp(i64::try_from(after.as_secs()).ok()?, after.subsec_nanos())
        }
        Err(before) => {
            let before = before.duration();
            DateTime::from_timestamp(0, 0)?
                .checked_sub_signed(chrono::Duration::from_std(before).ok()?)
        }
    }
}

/// The time the file system calls creation: of the entry where it has one, else of its last change of any kind.
#[cfg(unix)]
pub(crate) fn created(facts: &fs::Metadata) -> Option<DateTime<Utc>> {
    use std::os::unix::fs::MetadataExt;
    DateTime::from_timestamp(facts.ctime(), u32::try_from(facts.ctime_nsec()).ok()?)
}

/// The time the file was made.
#[cfg(not(unix))]
pub(crate) fn created(facts: &fs::Metadata) -> Option<DateTime<Utc>> {
    utc(facts.created().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_inside_or_are_refused_by_property() {
        let root = tempfile::tempdir().unwrap();
        let ws = Workspace::open(root.path()).unwrap();
        assert_eq!(inside(&ws, "path", "a/b").unwrap(), ws.root().join("a/b"));
        assert_eq!(reach(&ws, "path", "~").unwrap(), ws.root());
        assert_eq!(reach(&ws, "path", "~//a").unwrap(), ws.root().join("a"));
        let own = ws.root().join("x").display().to_string();
        assert_eq!(reach(&ws, "path", &own).unwrap(), ws.root().join("x"));
        for (strict, name) in [
            (true, own.as_str()),
            (true, "../x"),
            (true, ""),
            (false, "/etc/passwd"),
            (false, "~/../x"),
            (false, "~root/x/../../.."),
            (false, "a\0b"),
            (false, " "),
        ] {
            let get = if strict { inside } else { reach };
            let said = get(&ws, "place", name).unwrap_err().to_string();
            assert!(said.contains("`place`"), "{name}: {said}");
        }
    }

    #[test]
    fn times_before_and_after_the_epoch_are_read() {
        let day = std::time::Duration::from_secs(86_400);
        let text = |t| utc(t).unwrap().to_rfc3339();
        assert_eq!(
            text(SystemTime::UNIX_EPOCH + day),
            "1970-01-02T00:00:00+00:00"
        );
        assert_eq!(
            text(SystemTime::UNIX_EPOCH - day),
            "1969-12-31T00:00:00+00:00"
        );
    }

    #[test]
    fn numbers_stand_before_the_extension() {
        assert_eq!(numbered("a.tar.gz", 2), "a.tar_2.gz");
        assert_eq!(numbered("d.x/a", 2), "d.x/a_2");
        assert_eq!(numbered(".x", 2), ".x_2");
    }
}
