//! Files of the workspace.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use nodetool_sdk::{Value, Workspace};

use super::Desk;
use super::arguments::{Arguments, cut};

/// Largest file that is read.
const MOST_BYTES: u64 = 16 << 20;
/// Characters of a file that are given at once.
const MOST_CHARS: usize = 100_000;
/// Entries of a list.
const MOST_ENTRIES: usize = 1_000;
/// Folders in folders that are listed.
const MOST_DEPTH: usize = 16;

impl Desk {
    pub(super) async fn read_file(&self, arguments: &Arguments) -> Result<Value, String> {
        let path = arguments.text("path").to_owned();
        let first = arguments.count("start_line", 1, usize::MAX).max(1);
        let last = arguments.count("end_line", usize::MAX, usize::MAX);
        if last < first {
            return Err(format!("end_line: {last} is before start_line {first}"));
        }
        self.with_files(move |workspace| {
            let text = read_text(workspace, &path)?;
            let total = text.lines().count();
            let chosen: String = text
                .split_inclusive('\n')
                .skip(first - 1)
                .take(last - first + 1)
                .collect();
            let (content, left_out) = cut(&chosen, MOST_CHARS);
            Ok(Value::map([
                ("path", Value::from(path.as_str())),
                ("content", content.into()),
                ("start_line", first.into()),
                ("end_line", (first - 1 + content.lines().count()).into()),
                ("total_lines", total.into()),
                ("truncated", left_out.into()),
            ]))
        })
        .await
    }

    pub(super) async fn write_file(&self, arguments: &Arguments) -> Result<Value, String> {
        let path = arguments.text("path").to_owned();
        let content = arguments.text("content").to_owned();
        let append = arguments.flag("append");
        self.with_files(move |workspace| {
            write_bytes(workspace, &path, content.as_bytes(), append)?;
            Ok(Value::map([
                ("path", Value::from(path.as_str())),
                ("written", content.len().into()),
            ]))
        })
        .await
    }

    pub(super) async fn list_directory(&self, arguments: &Arguments) -> Result<Value, String> {
        let path = arguments.given("path").unwrap_or(".").to_owned();
        let recursive = arguments.flag("recursive");
        self.with_files(move |workspace| {
            let folder = workspace.resolve(&path).map_err(|e| e.to_string())?;
            if !fs::metadata(&folder).is_ok_and(|m| m.is_dir()) {
                return Err(format!("path: there is no folder '{path}'"));
            }
            let mut entries = Vec::new();
            let depth = if recursive { MOST_DEPTH } else { 0 };
            let whole = list(workspace, &folder, depth, &mut entries)?;
            Ok(Value::map([
                ("path", Value::from(path.as_str())),
                ("entries", entries.into()),
                ("truncated", (!whole).into()),
            ]))
        })
        .await
    }
}

/// Adds the entries of a folder by name; false when there are too many.
fn list(
    workspace: &Workspace,
    folder: &Path,
    depth: usize,
    entries: &mut Vec<Value>,
) -> Result<bool, String> {
    let told = |e: std::io::Error| format!("the folder cannot be listed: {e}");
    // Sorted as far as it is shown: a folder without end is not read to its end.
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)?.take(10 * MOST_ENTRIES) {
        found.push(entry.map_err(told)?);
    }
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        if entries.len() >= MOST_ENTRIES {
            return Ok(false);
        }
        // Not followed: a link is shown, and what is behind it is not.
        let meta = entry.metadata().map_err(told)?;
        let is_dir = meta.is_dir();
        entries.push(Value::map([
            ("path", Value::from(workspace.relative(&entry.path()))),
            ("type", if is_dir { "directory" } else { "file" }.into()),
            ("size", if is_dir { 0 } else { meta.len() as i64 }.into()),
        ]));
        if is_dir && depth > 0 && !list(workspace, &entry.path(), depth - 1, entries)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The text of a file.
fn read_text(workspace: &Workspace, name: &str) -> Result<String, String> {
    let path = workspace.resolve(name).map_err(|e| e.to_string())?;
    let told = |e: std::io::Error| format!("path: '{name}' cannot be read: {e}");
    // Looked at before it is opened: a pipe would be waited on for ever.
    let meta = fs::metadata(&path).map_err(told)?;
    if !meta.is_file() {
        return Err(format!("path: '{name}' is not a file"));
    }
    if meta.len() > MOST_BYTES {
        return Err(format!("path: '{name}' has more than {MOST_BYTES} bytes"));
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(told)?;
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(told)?;
    String::from_utf8(bytes).map_err(|_| format!("path: '{name}' is no UTF-8 text"))
}

/// Writes a file, with the folders it is in.
pub(super) fn write_bytes(
    workspace: &Workspace,
    name: &str,
    bytes: &[u8],
    append: bool,
) -> Result<(), String> {
    let path = workspace.resolve(name).map_err(|e| e.to_string())?;
    let told = |e: std::io::Error| format!("path: '{name}' cannot be written: {e}");
    match fs::metadata(&path) {
        Ok(meta) if !meta.is_file() => return Err(format!("path: '{name}' is not a file")),
        Ok(_) => {}
        Err(_) => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(told)?;
            }
        }
    }
    let mut options = OpenOptions::new();
    options
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append);
    let mut file = options.open(&path).map_err(told)?;
    file.write_all(bytes).map_err(told)
}
