//! `nodetool.data.LoadCSVFile`.

use std::io::Read;
use std::path::Path;

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::table::written;
use super::{csv, work};

/// Reads a CSV file of the workspace as a table.
/// csv, file, workspace, load, dataframe
#[derive(Node)]
#[node(namespace = "nodetool.data", tool, uncached)]
pub(super) struct LoadCSVFile {
    /// The file, relative to the workspace.
    file_path: String,
}

impl Process for LoadCSVFile {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let bad = |e: String| NodeError::bad("file_path", e);
        if self.file_path.trim().is_empty() {
            return Err(bad("empty (expected the path of a CSV file)".into()));
        }
        let path = cx.workspace()?.resolve(&self.file_path);
        let path = path.map_err(|e| bad(e.to_string()))?;
        // Files are never quick: always off this thread.
        work::run(usize::MAX, move |_| {
            let bytes = bytes_of(&path)
                .map_err(|e| bad(format!("'{}' cannot be read: {e}", self.file_path)))?;
            Ok(written(csv::read_bytes(&bytes).map_err(bad)?))
        })
        .await
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    // Asked before opening: opening a pipe would wait for its writer.
    let about = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".into());
    }
    let limit = csv::MAX_TEXT as u64;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|f| f.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|e| e.to_string())?;
    if bytes.len() as u64 > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn a_file_inside_the_workspace_is_read_and_none_outside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.csv"), "a,b\n1,x\n").unwrap();
        let run = |name: &str| {
            case::<LoadCSVFile>()
                .set("file_path", name)
                .within(context_with(Services::none(), Some(dir.path().into())))
                .value()
        };
        let out = run("t.csv").await.unwrap();
        assert_eq!(format!("{:?}", out.get("data").unwrap()), r#"[[1, "x"]]"#);
        for (name, words) in [
            ("../t.csv", "'..'"),
            ("/etc/passwd", "absolute"),
            ("", "expected the path"),
            (".", "not a file"),
            ("none.csv", "'none.csv' cannot be read"),
        ] {
            let e = run(name).await.unwrap_err().to_string();
            assert!(
                e.contains("`file_path`") && e.contains(words),
                "{name}: {e}"
            );
        }
    }
}
