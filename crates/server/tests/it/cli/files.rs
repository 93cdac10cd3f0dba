//! Workflow files for the command line, in a folder of the test.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

/// A folder with files.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Files(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The path of a file that may be there or not.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes JSON into a file; gives its path as an argument.
    pub(super) fn json(&self, name: &str, value: &Value) -> String {
        self.bytes(name, value.to_string())
    }

    /// Writes anything into a file; gives its path as an argument.
    pub(super) fn bytes(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file can be written");
        path.to_str().expect("a readable path").to_owned()
    }
}
