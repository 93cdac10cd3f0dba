//! `nodetool.dictionary.SaveCSVFile`.

use std::sync::Arc;

use ::csv::{Terminator, WriterBuilder};
use nodetool_sdk::compat::py_str;
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Nothing, Process, Value, ValueType};

use super::stored_file;
use crate::{bounds, extent, file_name};

/// Writes records to a CSV file of the workspace.
/// csv, save, file, export, table, records
///
/// The first record gives the columns.
#[derive(Node)]
#[node(
    namespace = "nodetool.dictionary",
    title = "Save CSVFile",
    uncached,
    effect = "idempotent"
)]
pub(super) struct SaveCSVFile {
    /// The records.
    #[prop(ty = "list[dict]")]
    data: Vec<Map>,
    /// Folder in the workspace; it must exist.
    folder: String,
    /// Name of the file; marks such as %Y or %H become parts of the date and time.
    filename: String,
}

impl Process for SaveCSVFile {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        if self.data.is_empty() {
            return Err(NodeError::bad("data", "data cannot be empty"));
        }
        if self.folder.is_empty() {
            return Err(NodeError::bad("folder", "folder cannot be empty"));
        }
        let name = file_name::dated("filename", &self.filename)?;
        let workspace = cx.workspace()?;
        let (data, folder) = (self.data, self.folder);
        let stored = bounds::blocking(move || {
            stored_file::write(&workspace, &folder, &name, false, &csv_of(data)?)
        })
        .await?;
        cx.saved(&stored, stored.as_str().into());
        Ok(Nothing)
    }
}

/// The records as CSV; a missing field is empty, one that is no column is an error.
fn csv_of(data: Vec<Map>) -> Result<Vec<u8>, NodeError> {
    let columns: Vec<Arc<str>> = data
        .first()
        .map(|row| row.keys().cloned().collect())
        .unwrap_or_default();
    if columns.is_empty() {
        return Err(NodeError::bad("data", "the first record has no fields"));
    }
    bounds::check_items("data", columns.len().saturating_mul(data.len()))?;
    let data = data.into_value();
    extent::text("data", &data, 0)?;
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let unwritten =
        |e: ::csv::Error| NodeError::new(format!("The CSV text cannot be written: {e}"));
    writer
        .write_record(columns.iter().map(|c| c.as_bytes()))
        .map_err(unwritten)?;
    for (i, row) in data.as_list().into_iter().flatten().enumerate() {
        let Some(row) = row.as_map() else { continue };
        let known = columns.iter().filter(|c| row.contains_key(*c)).count();
        if known < row.len() {
            let extra = row.keys().find(|k| !columns.contains(k));
            let text = format!(
                "item {i} has the field '{}' that the first record lacks",
                extra.map_or("", |k| k)
            );
            return Err(NodeError::bad("data", text));
        }
        let cells = columns.iter().map(|c| match row.get(c) {
            None | Some(Value::Null) => String::new(),
            Some(value) => py_str(value),
        });
        writer.write_record(cells).map_err(unwritten)?;
    }
    writer
        .into_inner()
        .map_err(|e| NodeError::new(format!("The CSV text cannot be written: {e}")))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[test]
    fn cells_are_what_python_prints_and_quoted_where_needed() {
        let rows = r#"[{"a": 1.0, "b": "x,\"y\""}, {"b": null, "a": true}, {"a": [1]}]"#;
        let rows = Vec::<Map>::from_value(serde_json::from_str(rows).unwrap()).unwrap();
        let text = String::from_utf8(csv_of(rows).unwrap()).unwrap();
        assert_eq!(text, "a,b\r\n1.0,\"x,\"\"y\"\"\"\r\nTrue,\r\n[1],\r\n");
    }

    #[test]
    fn a_field_that_is_no_column_is_refused() {
        let rows = Vec::<Map>::from_value(serde_json::from_str(r#"[{"a": 1}, {"z": 1}]"#).unwrap());
        let e = csv_of(rows.unwrap()).unwrap_err().to_string();
        assert!(e.contains("`data`") && e.contains("'z'"), "{e}");
    }

    #[tokio::test]
    async fn the_folder_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let save = |folder: &str| {
            let data: Value = serde_json::from_str(r#"[{"a": 1}]"#).unwrap();
            let case = case::<SaveCSVFile>()
                .set("data", data)
                .set("folder", folder);
            let cx = context_with(Services::none(), Some(dir.path().to_path_buf()));
            case.set("filename", "f.csv").within(cx).value()
        };
        let e = save("out").await.unwrap_err().to_string();
        assert!(e.contains("`folder`"), "{e}");
        std::fs::create_dir(dir.path().join("out")).unwrap();
        save("out").await.unwrap();
        let text = std::fs::read_to_string(dir.path().join("out/f.csv")).unwrap();
        assert_eq!(text, "a\r\n1\r\n");
    }
}
