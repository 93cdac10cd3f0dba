//! Tables and JSON as text that can be cut: each row or item a paragraph, each value on a line behind its name.

use nodetool_protocol::Value;

use super::{Fault, Room};
use crate::json_text;

/// Most rows of a table.
const MAX_ROWS: usize = 1_000_000;

/// A table; its first row names the columns.
pub(super) fn table(text: &str, delimiter: u8) -> Result<String, Fault> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(delimiter).flexible(true);
    let mut reader = reader.from_reader(text.as_bytes());
    let names = reader.headers().map_err(Fault::new)?.clone();
    let mut out = Room::default();
    for (at, row) in reader.records().enumerate() {
        if at == MAX_ROWS {
            return Err(Fault::new(format!("it has more than {MAX_ROWS} rows")));
        }
        let row = row.map_err(Fault::new)?;
        for (column, value) in row.iter().enumerate() {
            if value.trim().is_empty() {
                continue;
            }
            let name = names.get(column).unwrap_or_default().trim();
            if !name.is_empty() {
                out.push(name)?;
                out.push(": ")?;
            }
            out.push(value.trim())?;
            out.push("\n")?;
        }
        out.push("\n")?;
    }
    if out.text.trim().is_empty() {
        // A table of nothing but names.
        let names: Vec<&str> = names.iter().collect();
        return Ok(names.join(", "));
    }
    Ok(trimmed(out))
}

/// A JSON document.
pub(super) fn json(text: &str) -> Result<String, Fault> {
    let value = json_text::parse(text.as_bytes()).map_err(Fault::new)?;
    let mut out = Room::default();
    match &value {
        Value::List(items) => {
            for item in items.iter() {
                paragraph(item, &mut out)?;
            }
        }
        other => paragraph(other, &mut out)?,
    }
    Ok(trimmed(out))
}

/// A JSON document on each line.
pub(super) fn json_lines(text: &str) -> Result<String, Fault> {
    let mut out = Room::default();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let value = json_text::parse(line.as_bytes());
        let value = value.map_err(|e| Fault::new(format!("line {}: {e}", at + 1)))?;
        paragraph(&value, &mut out)?;
    }
    Ok(trimmed(out))
}

fn trimmed(out: Room) -> String {
    out.text.trim().to_owned()
}

fn paragraph(value: &Value, out: &mut Room) -> Result<(), Fault> {
    write(value, &mut String::new(), out)?;
    out.push("\n")
}

/// Writes a value and all within it; `path` is where it stands.
fn write(value: &Value, path: &mut String, out: &mut Room) -> Result<(), Fault> {
    let before = path.len();
    match value {
        Value::Map(map) => {
            for (key, value) in map.iter() {
                if before > 0 {
                    path.push('.');
                }
                path.push_str(key);
                write(value, path, out)?;
                path.truncate(before);
            }
            Ok(())
        }
        Value::List(items) => items.iter().try_for_each(|item| write(item, path, out)),
        Value::Null => Ok(()),
        value => {
            if !path.is_empty() {
                out.push(path)?;
                out.push(": ")?;
            }
            match value {
                Value::Str(text) => out.push(text)?,
                Value::Bool(flag) => out.push(if *flag { "true" } else { "false" })?,
                Value::Int(number) => out.push(&number.to_string())?,
                Value::Float(number) => out.push(&number.to_string())?,
                // JSON has no others.
                _ => {}
            }
            out.push("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_paragraphs_with_the_names_of_their_columns() {
        let text = "name,age\n\"Ann, B\",7\n,9,extra\n";
        assert_eq!(
            table(text, b',').unwrap(),
            "name: Ann, B\nage: 7\n\nage: 9\nextra"
        );
        assert_eq!(table("a\tb\n", b'\t').unwrap(), "a, b");
    }

    #[test]
    fn values_stand_behind_where_they_are() {
        let text = r#"[{"a": {"b": [1, true, null]}, "c": "x"}, 2.5, "s"]"#;
        assert_eq!(json(text).unwrap(), "a.b: 1\na.b: true\nc: x\n\n2.5\n\ns");
        assert_eq!(
            json_lines("{\"a\":1}\n\n{\"a\":2}\n").unwrap(),
            "a: 1\n\na: 2"
        );
        let Err(Fault::Broken(refused)) = json_lines("{\"a\":1}\n{") else {
            panic!()
        };
        assert!(refused.starts_with("line 2: "), "{refused}");
    }

    #[test]
    fn deep_paths_cannot_multiply_without_end() {
        let name = "k".repeat(1 << 20);
        let items = vec!["1"; 30].join(",");
        let text = format!(r#"{{"{name}": [{items}]}}"#);
        assert_eq!(json(&text).unwrap_err(), Fault::TooLarge);
    }
}
