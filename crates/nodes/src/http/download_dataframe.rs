//! `lib.http.DownloadDataframe`.

use std::sync::Arc;

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process, Value, ValueType, catalogue};

use super::exchange::Exchange;
use super::table::{Column, from_csv, from_json};
use crate::bounds::blocking;
use crate::charset::Charset;

/// How the file is written.
#[derive(Clone, Copy, ValueType)]
#[value(type_name = "nodetool.nodes.lib.http.DownloadDataframe.FileFormat")]
pub(super) enum FileFormat {
    Csv,
    Json,
    Tsv,
}

/// Downloads a table.
/// http, download, dataframe, csv, json, tsv, table
///
/// Only the declared columns are taken, each cast to its type; without any the table is empty.
#[derive(Node)]
#[node(
    namespace = "lib.http",
    tool,
    basic("url", "columns", "file_format"),
    uncached
)]
pub(super) struct DownloadDataframe {
    /// Where the file is.
    url: String,
    /// How the file is written.
    file_format: FileFormat,
    /// The columns to take.
    #[prop(ty = "record_type", default = catalogue::default_value("record_type"))]
    columns: Value,
    /// The file's text encoding.
    #[prop(default = "utf-8")]
    encoding: String,
    /// What separates the cells of a CSV file.
    #[prop(default = ",")]
    delimiter: String,
}

impl Process for DownloadDataframe {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let columns = Column::all(&self.columns)?;
        let Some(charset) = Charset::named(&self.encoding) else {
            let message = format!(
                "{:?} is not a known encoding (expected one such as utf-8)",
                self.encoding
            );
            return Err(NodeError::bad("encoding", message));
        };
        let delimiter = match (self.file_format, self.delimiter.as_bytes()) {
            (FileFormat::Tsv, _) | (_, b"\\t") => b'\t',
            (_, [byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => *byte,
            _ => {
                let message = format!("{:?} (expected one ASCII character)", self.delimiter);
                return Err(NodeError::bad("delimiter", message));
            }
        };
        let body = Exchange::new("GET", &self.url)?.send_ok(cx).await?.body;
        let declared = self.columns.get("columns").cloned().unwrap_or_default();
        blocking(move || {
            let rows = if columns.is_empty() {
                Vec::new()
            } else {
                let text = charset
                    .decode(&body)
                    .map_err(|e| NodeError::bad("encoding", format!("the file {e}")))?;
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                match self.file_format {
                    FileFormat::Json => from_json(text, &columns)?,
                    FileFormat::Csv | FileFormat::Tsv => from_csv(text, delimiter, &columns)?,
                }
            };
            Ok(dataframe(declared, rows))
        })
        .await
    }
}

fn dataframe(columns: Value, rows: Vec<Value>) -> DataframeRef {
    let Value::Map(map) = DataframeRef::default().0 else {
        return DataframeRef::default();
    };
    let mut map = Arc::unwrap_or_clone(map);
    map.insert(
        "columns".into(),
        if columns.is_null() {
            Value::list([])
        } else {
            columns
        },
    );
    map.insert("data".into(), rows.into());
    DataframeRef(map.into())
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::http::testing::{Net, answer};

    fn columns(pairs: &[(&str, &str)]) -> Value {
        let columns = pairs.iter().map(|(name, kind)| {
            Value::map([("name", Value::from(*name)), ("data_type", (*kind).into())])
        });
        Value::map([
            ("type", Value::from("record_type")),
            ("columns", Value::list(columns)),
        ])
    }

    async fn rows(
        format: &str,
        body: &'static [u8],
        wanted: &[(&str, &str)],
    ) -> Result<String, NodeError> {
        let net = Net::new(move |_| Ok(answer(200, ("a", "b"), body)));
        let run = case::<DownloadDataframe>()
            .set("url", "https://x.org/t")
            .set("file_format", format)
            .set("columns", columns(wanted))
            .within(net.cx(None));
        let table = run.value().await?;
        assert_eq!(table.type_tag(), Some("dataframe"));
        assert_eq!(table.get("columns"), columns(wanted).get("columns"));
        Ok(serde_json::to_string(table.get("data").unwrap()).unwrap())
    }

    #[tokio::test]
    async fn declared_columns_are_taken_and_cast() {
        let wanted = [("n", "int"), ("name", "string"), ("x", "float")];
        let csv = b"name,x,n,rest\n\"a,b\",1.5,1,z\nc,,2,z\nd\n";
        let expected = r#"[[1,"a,b",1.5],[2,"c",null],[null,"d",null]]"#;
        assert_eq!(rows("csv", csv, &wanted).await.unwrap(), expected);
        let tsv = b"n\tname\tx\n1\ta\t2\n";
        assert_eq!(rows("tsv", tsv, &wanted).await.unwrap(), r#"[[1,"a",2.0]]"#);
        let json = br#"[{"x":"2","n":1.0,"name":5},[7,"b",null]]"#;
        assert_eq!(
            rows("json", json, &wanted).await.unwrap(),
            r#"[[1,"5",2.0],[7,"b",null]]"#
        );
        assert_eq!(rows("csv", csv, &[]).await.unwrap(), "[]");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named() {
        for (format, body, wanted, text) in [
            (
                "csv",
                &b"a,b\n1,x\n"[..],
                ("c", "int"),
                "no column `c` (it has a, b)",
            ),
            (
                "csv",
                b"a\nx\n",
                ("a", "int"),
                "row 1 has \"x\" in column `a`",
            ),
            ("json", b"[{\"a\":1}]", ("c", "int"), "no column `c`"),
            ("json", b"5", ("a", "int"), "holds int"),
            ("json", b"{", ("a", "int"), "not JSON"),
            ("csv", b"a\n\xff\n", ("a", "string"), "`encoding`"),
            ("csv", b"a\n", ("a", "colour"), "type `colour`"),
        ] {
            let said = rows(format, body, &[wanted]).await.unwrap_err().to_string();
            assert!(said.contains(text), "{said}");
        }
    }
}
