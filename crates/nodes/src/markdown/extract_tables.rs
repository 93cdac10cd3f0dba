//! `lib.markdown.ExtractTables`.

use nodetool_sdk::{DataframeRef, Map, Node, NodeCx, NodeError, Process, Value};

use super::source::{Line, lines, search};

const MOST_CELLS: usize = 2_000_000;
const MOST_COLUMNS: usize = 10_000;

/// Reads the first table of a Markdown text.
/// markdown, table, dataframe, columns, rows
///
/// All cells stay text. Without a table the result is an empty one.
#[derive(Node)]
#[node(namespace = "lib.markdown", tool)]
pub(super) struct ExtractTables {
    /// Markdown text.
    markdown: String,
}

impl Process for ExtractTables {
    type Output = DataframeRef;

    async fn process(self, _: &NodeCx) -> Result<DataframeRef, NodeError> {
        search(self.markdown, table).await
    }
}

fn table(text: &str) -> Result<DataframeRef, NodeError> {
    let text_of = |line| match line {
        Line::Text(text) => text,
        _ => "",
    };
    let mut lines = lines(text).map(text_of);
    let mut header = "";
    let found = lines.find(|line| {
        let hit = header.contains('|') && is_ruler(line);
        if !hit {
            header = line;
        }
        hit
    });
    let names = if found.is_some() {
        cells(header, MOST_COLUMNS + 1)
    } else {
        Vec::new()
    };
    if names.len() > MOST_COLUMNS {
        return Err(NodeError::bad(
            "markdown",
            format!("a table of more than {MOST_COLUMNS} columns"),
        ));
    }
    let mut rows = Vec::new();
    for line in lines.take_while(|l| found.is_some() && l.contains('|')) {
        if rows.len().saturating_mul(names.len()) > MOST_CELLS {
            return Err(NodeError::bad(
                "markdown",
                format!("a table of more than {MOST_CELLS} cells"),
            ));
        }
        // Short rows are filled up, long ones cut.
        let mut row = cells(line, names.len());
        row.resize(names.len(), Value::from(""));
        rows.push(Value::from(row));
    }
    let column = |name: Value| {
        Value::map([
            ("name", name),
            ("data_type", "string".into()),
            ("description", "".into()),
        ])
    };
    let mut frame: Map = DataframeRef::default()
        .0
        .as_map()
        .cloned()
        .unwrap_or_default();
    frame.insert("data".into(), rows.into());
    frame.insert("columns".into(), Value::list(names.into_iter().map(column)));
    Ok(DataframeRef(frame.into()))
}

/// The row of dashes below the header.
fn is_ruler(line: &str) -> bool {
    line.contains('-')
        && inner(line).split('|').all(|cell| {
            let cell = cell.trim();
            let dashes = cell.strip_prefix(':').unwrap_or(cell);
            let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
            !dashes.is_empty() && dashes.bytes().all(|b| b == b'-')
        })
}

/// A row without the bars at its ends.
fn inner(line: &str) -> &str {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    match line.strip_suffix('|') {
        Some(cut) if !cut.ends_with('\\') => cut,
        _ => line,
    }
}

/// The first cells of a row; `\|` is a bar within one.
fn cells(line: &str, most: usize) -> Vec<Value> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut chars = inner(line).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                cell.push('|');
            }
            '|' if cells.len() + 1 >= most => break,
            '|' => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells.iter().map(|c| Value::from(c.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, String) {
        let frame = table(text).unwrap();
        let names = frame.get("columns");
        let names = names.as_list().unwrap().iter();
        let names: Vec<&str> = names
            .filter_map(|c| c.get("name").and_then(Value::as_str))
            .collect();
        (
            names.join(","),
            serde_json::to_string(&frame.get("data")).unwrap(),
        )
    }

    #[test]
    fn the_first_table_is_read() {
        for (text, names, rows) in [
            (
                "x | y\n|a|b|\n|:-|-:|\n| 1 | 2 |\n3\n|c|d|\n|-|-|",
                "a,b",
                r#"[["1","2"]]"#,
            ),
            (
                "a | b\n--- | ---\n1 \\| 2 | 3 | 4\n5 |",
                "a,b",
                r#"[["1 | 2","3"],["5",""]]"#,
            ),
            ("```\n|a|\n|-|\n```\n| é |\n|---|", "é", "[]"),
            ("a\n---\n|no|", "", "[]"),
            ("", "", "[]"),
        ] {
            assert_eq!(read(text), (names.into(), rows.into()), "{text}");
        }
    }

    #[test]
    fn a_wide_header_with_many_short_rows_is_refused() {
        let text = format!(
            "{0}\n{1}\n{2}",
            "|a".repeat(10_000),
            "|-".repeat(10_000),
            "|\n".repeat(1000)
        );
        assert!(table(&text).unwrap_err().to_string().contains("`markdown`"));
    }
}
