//! `nodetool.dictionary.LoadCSVFile`.

use std::sync::Arc;

use ::csv::ReaderBuilder;
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::stored_file;
use crate::bounds;

/// Reads a CSV file of the workspace as records.
/// csv, load, file, read, import, table, records
///
/// The first line gives the fields; every cell is text.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", title = "Load CSVFile", uncached)]
pub(super) struct LoadCSVFile {
    /// Path in the workspace.
    path: String,
}

/// The records.
#[derive(Outputs)]
pub(super) struct Records {
    #[slot(ty = "list[dict]")]
    output: Vec<Map>,
}

impl Process for LoadCSVFile {
    type Output = Records;

    async fn process(self, cx: &NodeCx) -> Result<Records, NodeError> {
        if self.path.is_empty() {
            return Err(NodeError::bad("path", "path cannot be empty"));
        }
        let workspace = cx.workspace()?;
        bounds::blocking(move || {
            let text = stored_file::read(&workspace, &self.path, "path")?;
            let output = records(&text)?;
            Ok(Records { output })
        })
        .await
    }
}

/// The records as Python's reader gives them: a short row lacks values, the rest of a long one lies under `null`, which
/// must then not be a field.
fn records(text: &str) -> Result<Vec<Map>, NodeError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let unread = |e: ::csv::Error| NodeError::bad("path", format!("not valid CSV: {e}"));
    let fields: Vec<Arc<str>> = reader
        .headers()
        .map_err(unread)?
        .iter()
        .map(Arc::from)
        .collect();
    let mut out = Vec::new();
    let mut cells = 0usize;
    for row in reader.records() {
        let row = row.map_err(unread)?;
        cells += fields.len().max(row.len());
        bounds::check_items("path", cells)?;
        let given = row
            .iter()
            .map(Value::from)
            .chain(std::iter::repeat(Value::Null));
        let mut record: Map = fields.iter().cloned().zip(given).collect();
        if row.len() > fields.len() {
            let rest = row.iter().skip(fields.len()).map(Value::from);
            if record.insert("null".into(), Value::list(rest)).is_some() {
                return Err(NodeError::bad(
                    "path",
                    format!("row {} is longer than the header", out.len() + 1),
                ));
            }
        }
        out.push(record);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[test]
    fn rows_of_every_length_keep_all_their_cells() {
        let rows = records("\u{feff}a,b\r\n1,\"x\n,\"\"y\"\r\n\r\n2\n3,4,5,6\n").unwrap();
        let rows: Vec<Value> = rows.into_iter().map(Value::from).collect();
        let want =
            r#"[{"a":"1","b":"x\n,\"y"},{"a":"2","b":null},{"a":"3","b":"4","null":["5","6"]}]"#;
        assert_eq!(serde_json::to_string(&rows).unwrap(), want);
        assert!(records("").unwrap().is_empty());
        assert!(records("a,null\n1,2,3\n").is_err());
    }

    #[tokio::test]
    async fn files_outside_the_workspace_and_broken_ones_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ok.csv"), "a\n1\n").unwrap();
        std::fs::write(dir.path().join("bad.csv"), b"a\n\xff\n").unwrap();
        let load = |path: &str| {
            let cx = context_with(Services::none(), Some(dir.path().to_path_buf()));
            case::<LoadCSVFile>().set("path", path).within(cx).value()
        };
        let rows = load("ok.csv").await.unwrap();
        assert_eq!(serde_json::to_string(&rows).unwrap(), r#"[{"a":"1"}]"#);
        for (path, why) in [
            ("bad.csv", "UTF-8"),
            ("none.csv", "does not exist"),
            (".", "not a file"),
            ("/etc/passwd", "absolute"),
            ("../x", ".."),
            ("", "path cannot be empty"),
        ] {
            let e = load(path).await.unwrap_err().to_string();
            assert!(e.contains(why), "{path}: {e}");
        }
    }
}
