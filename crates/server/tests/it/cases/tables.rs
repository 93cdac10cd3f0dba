//! Where tables and workflow files lie, and how they are read.
//!
//! Tables made for this project are in it; the public workflow files are not: `NODETOOL_SHARED_DATA` names their
//! folder, else it is looked for beside the repository.

use std::path::{Path, PathBuf};

use nodetool_protocol::Value;

/// A table or workflow file of this project.
pub(super) fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A public file, there or not.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no Config; this names a folder of test data"
)]
pub(crate) fn shared(name: &str) -> PathBuf {
    let folder = match std::env::var("NODETOOL_SHARED_DATA") {
        Ok(folder) => folder.into(),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    folder.join(name)
}

/// The JSON of a file.
pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of the files of a folder of this project that end in `ending`, without it, in order.
pub(super) fn stems(folder: &str, ending: &str) -> Vec<String> {
    let path = own(folder);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut stems: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(ending).map(str::to_owned)
        })
        .collect();
    stems.sort();
    stems
}
