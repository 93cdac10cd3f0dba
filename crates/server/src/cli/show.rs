//! Values for people: short, with the shape of what cannot be shown.

use std::io::Write;

use nodetool_protocol::{Map, Value};

/// Longest text printed of one value.
const TEXT: usize = 4000;
/// Rows shown of a table.
const ROWS: usize = 8;

/// The outputs of a run, each a list of values: for people, or as one JSON object.
pub(super) fn outputs(
    out: &mut impl Write,
    outputs: &Map,
    for_people: bool,
) -> std::io::Result<()> {
    if !for_people {
        serde_json::to_writer(&mut *out, outputs)?;
        return writeln!(out);
    }
    for (name, values) in outputs {
        for v in values.as_list().unwrap_or(std::slice::from_ref(values)) {
            let text = value(v);
            let gap = if text.contains('\n') { '\n' } else { ' ' };
            writeln!(out, "{name}:{gap}{text}")?;
        }
    }
    Ok(())
}

/// A value as lines of text.
pub(super) fn value(v: &Value) -> String {
    match v {
        Value::Str(s) if s.chars().count() > TEXT => {
            format!(
                "{}… ({} characters)",
                s.chars().take(TEXT).collect::<String>(),
                s.chars().count()
            )
        }
        Value::Str(s) => s.to_string(),
        Value::Bytes(b) => format!("<{} bytes>", b.len()),
        Value::Map(m) if m.get("type").and_then(Value::as_str) == Some("dataframe") => table(m),
        Value::Map(m) if is_asset(m) => asset(m),
        other => {
            let text = serde_json::to_string_pretty(other).unwrap_or_default();
            if text.len() > TEXT {
                format!("{}…", text.chars().take(TEXT).collect::<String>())
            } else {
                text
            }
        }
    }
}

fn is_asset(m: &Map) -> bool {
    m.get("type")
        .and_then(Value::as_str)
        .is_some_and(nodetool_protocol::catalogue::is_asset)
}

fn asset(m: &Map) -> String {
    let text = |key: &str| m.get(key).and_then(Value::as_str).unwrap_or_default();
    let place = match (m.get("data"), text("uri"), text("path")) {
        (Some(Value::Bytes(b)), ..) => format!("{} bytes inline", b.len()),
        (_, _, path) if !path.is_empty() => path.to_owned(),
        (_, uri, _) if uri.starts_with("data:") => format!("{} characters inline", uri.len()),
        (_, "", _) => "empty".to_owned(),
        (_, uri, _) => uri.to_owned(),
    };
    format!("<{}: {place}>", text("type"))
}

fn table(m: &Map) -> String {
    let list = |key: &str| m.get(key).and_then(Value::as_list).unwrap_or_default();
    let names: Vec<String> = list("columns")
        .iter()
        .map(|c| c.get("name").unwrap_or(c))
        .map(|n| n.as_str().map_or_else(|| n.preview(20), str::to_owned))
        .collect();
    let cell = |v: &Value| match v {
        Value::Str(s) => s.chars().take(32).collect(),
        other => other.preview(32),
    };
    let rows: Vec<Vec<String>> = list("data")
        .iter()
        .take(ROWS)
        .map(|r| r.as_list().unwrap_or_default().iter().map(cell).collect())
        .collect();
    let mut widths: Vec<usize> = names.iter().map(|n| n.chars().count()).collect();
    for row in &rows {
        for (w, c) in widths.iter_mut().zip(row) {
            *w = (*w).max(c.chars().count());
        }
    }
    let line = |cells: &[String]| {
        cells
            .iter()
            .zip(&widths)
            .map(|(c, w)| format!("{c:<w$}", w = *w))
            .collect::<Vec<_>>()
            .join("  ")
    };
    let total = list("data").len();
    let mut out = vec![line(&names)];
    out.extend(rows.iter().map(|r| line(r)));
    if total > ROWS {
        out.push(format!("… {} more rows", total - ROWS));
    }
    out.push(format!("[{total} rows x {} columns]", names.len()));
    out.iter()
        .map(|l| l.trim_end())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_show_their_first_rows_and_their_size() {
        let json = r#"{"type":"dataframe","columns":[{"name":"a"},{"name":"name"}],"data":[[1,"x"],[22,"y"]]}"#;
        let v: Value = serde_json::from_str(json).unwrap();
        assert_eq!(value(&v), "a   name\n1   x\n22  y\n[2 rows x 2 columns]");
    }

    #[test]
    fn assets_show_where_they_are() {
        let json = r#"{"type":"image","uri":"asset://1.png","data":null}"#;
        assert_eq!(
            value(&serde_json::from_str(json).unwrap()),
            "<image: asset://1.png>"
        );
    }
}
