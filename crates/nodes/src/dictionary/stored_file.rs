//! Files that nodes write to and read from the workspace. It must not know any format.

use std::io::{ErrorKind, Read};

use nodetool_sdk::{NodeError, Workspace};

use crate::bounds::MAX_TEXT;

/// Writes a file in a folder of the workspace and gives its name there. The folder is made when `make_folder` says so.
/// Blocks.
pub(super) fn write(
    workspace: &Workspace,
    folder: &str,
    name: &str,
    make_folder: bool,
    data: &[u8],
) -> Result<String, NodeError> {
    let directory = workspace.resolve(folder)?;
    if make_folder {
        std::fs::create_dir_all(&directory)
            .map_err(|e| NodeError::bad("folder", format!("'{folder}' cannot be made: {e}")))?;
    }
    if !directory.is_dir() {
        return Err(NodeError::bad(
            "folder",
            format!("'{folder}' is no folder of the workspace (expected one that exists)"),
        ));
    }
    let joined = format!("{}/{name}", workspace.relative(&directory));
    let path = workspace.resolve(joined.trim_start_matches('/'))?;
    let shown = workspace.relative(&path);
    // A pipe or device would take the data for good, or never.
    if std::fs::metadata(&path).is_ok_and(|m| !m.is_file()) {
        return Err(NodeError::new(format!(
            "'{shown}' cannot be written: it exists and is not a file"
        )));
    }
    std::fs::write(&path, data)
        .map_err(|e| NodeError::new(format!("'{shown}' cannot be written: {e}")))?;
    Ok(shown)
}

/// Reads a text file of the workspace. Blocks.
pub(super) fn read(workspace: &Workspace, name: &str, property: &str) -> Result<String, NodeError> {
    let path = workspace.resolve(name)?;
    let refuse = |why: String| NodeError::bad(property, format!("'{name}' {why}"));
    let unreadable = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => refuse("does not exist in the workspace".into()),
        ErrorKind::InvalidData => refuse("is not UTF-8 text".into()),
        _ => refuse(format!("cannot be read: {e}")),
    };
    // A pipe or device would never end, or never answer.
    if !std::fs::metadata(&path).map_err(unreadable)?.is_file() {
        return Err(refuse("is not a file".into()));
    }
    let file = std::fs::File::open(&path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(MAX_TEXT as u64 + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() > MAX_TEXT {
        return Err(refuse(format!("has more than {MAX_TEXT} bytes")));
    }
    Ok(text)
}
