//! Separated values: records keyed by their header, and back.
//! It must not know the interpreter.

use std::sync::Arc;

use csv::ReaderBuilder;
use nodetool_protocol::{Map, Value};

use super::{Room, option, text, text_option};

/// `parse(text, {delimiter?, header?})`: records keyed by the header line, or lists when `header` is false.
pub(super) fn parse(args: &[Value]) -> Result<Value, String> {
    let source = text(args, 0, "the text")?;
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let has_header = !matches!(option(args, 1, "header"), Some(Value::Bool(false)));
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(args)?)
        .from_reader(source.as_bytes());
    let mut rows = Vec::new();
    let mut room = Room::new();
    let mut header: Option<Vec<Arc<str>>> = None;
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let fields = header.as_ref().map_or(record.len(), Vec::len);
        room.take(128 + 64 * fields + record.as_slice().len())?;
        match &header {
            None if has_header => header = Some(record.iter().map(Arc::from).collect()),
            None => rows.push(Value::list(record.iter().map(Value::from))),
            Some(names) => {
                // A short line lacks its last fields; a long one has lost its structure.
                if record
                    .iter()
                    .skip(names.len())
                    .any(|field| !field.is_empty())
                {
                    let line = record.position().map_or(0, csv::Position::line);
                    return Err(format!(
                        "line {line} has {} fields, the header has {}",
                        record.len(),
                        names.len()
                    ));
                }
                let fields = record
                    .iter()
                    .map(Value::from)
                    .chain(std::iter::repeat(Value::str("")));
                rows.push(names.iter().cloned().zip(fields).collect::<Map>().into());
            }
        }
    }
    Ok(rows.into())
}

/// `stringify(records, {delimiter?})`: a header from the first record's keys, then one line per record. Lists have no
/// header. Lines are separated by `\n`, without one at the end.
pub(super) fn stringify(args: &[Value]) -> Result<Value, String> {
    let Some(records) = args.first().and_then(Value::as_list) else {
        return Err("the records must be a list".into());
    };
    let delimiter = char::from(delimiter(args)?);
    let mut out = String::new();
    let header: Option<Vec<Arc<str>>> = records
        .first()
        .and_then(Value::as_map)
        .map(|map| map.keys().cloned().collect());
    if let Some(names) = &header {
        line(
            &mut out,
            names.iter().map(|name| Ok(name.to_string())),
            delimiter,
        )?;
    }
    for (index, record) in records.iter().enumerate() {
        if index > 0 || header.is_some() {
            out.push('\n');
        }
        match (record, &header) {
            (Value::Map(map), Some(names)) => {
                line(
                    &mut out,
                    names
                        .iter()
                        .map(|name| map.get(name).map_or(Ok(String::new()), cell)),
                    delimiter,
                )?;
            }
            (Value::List(cells), None) => line(&mut out, cells.iter().map(cell), delimiter)?,
            (other, _) => {
                return Err(format!(
                    "record {index} is of another kind than the first: {}",
                    other.kind()
                ));
            }
        }
    }
    Ok(out.into())
}

fn delimiter(args: &[Value]) -> Result<u8, String> {
    match text_option(args, 1, "delimiter")? {
        None => Ok(b','),
        Some(mark) => match mark.as_bytes() {
            [byte] if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err(format!(
                "option `delimiter` must be one ASCII character, not {mark:?}"
            )),
        },
    }
}

fn line(
    out: &mut String,
    cells: impl Iterator<Item = Result<String, String>>,
    delimiter: char,
) -> Result<(), String> {
    let start = out.len();
    let mut count = 0;
    for cell in cells {
        let cell = cell?;
        if count > 0 {
            out.push(delimiter);
        }
        count += 1;
        if cell.contains([delimiter, '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    // A single empty cell would be an empty line, which is no record.
    if count == 1 && out.len() == start {
        out.push_str("\"\"");
    }
    Ok(())
}

/// The text JavaScript makes of a value; nothing for null, JSON for lists and objects.
fn cell(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Null => String::new(),
        Value::Bool(fact) => fact.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number_text(*number),
        Value::Str(text) => text.to_string(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            serde_json::to_string(value).map_err(|error| error.to_string())?
        }
    })
}

/// A number as JavaScript writes it.
fn number_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    if number == 0.0 || (1e-6..1e21).contains(&number.abs()) || number.is_nan() {
        return number.to_string();
    }
    let text = format!("{number:e}");
    if text.contains("e-") {
        text
    } else {
        text.replace('e', "e+")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pairs: &[(&str, &str)]) -> Value {
        Value::map(pairs.iter().map(|(key, value)| (*key, Value::from(*value))))
    }

    #[test]
    fn records_are_keyed_by_the_header() {
        let source = "\u{feff}a,b\n1,\"x, \"\"y\"\"\nz\"\n\n2\n3,4,\n";
        let expected = Value::list([
            record(&[("a", "1"), ("b", "x, \"y\"\nz")]),
            record(&[("a", "2"), ("b", "")]),
            record(&[("a", "3"), ("b", "4")]),
        ]);
        assert_eq!(parse(&[Value::from(source)]).unwrap(), expected);
    }

    #[test]
    fn a_line_with_too_many_fields_is_named() {
        assert_eq!(
            parse(&[Value::from("a\n1\n1,2")]).unwrap_err(),
            "line 3 has 2 fields, the header has 1"
        );
    }

    #[test]
    fn delimiter_and_header_are_options() {
        let options = Value::map([
            ("delimiter", Value::from(";")),
            ("header", Value::Bool(false)),
        ]);
        let rows = parse(&[Value::from("a;b\n1;2"), options]).unwrap();
        let row = |a: &str, b: &str| Value::list([Value::from(a), Value::from(b)]);
        assert_eq!(rows, Value::list([row("a", "b"), row("1", "2")]));
        let wrong = Value::map([("delimiter", Value::from("::"))]);
        assert!(
            parse(&[Value::from("a"), wrong])
                .unwrap_err()
                .contains("one ASCII character")
        );
    }

    #[test]
    fn text_is_written_with_the_keys_of_the_first_record() {
        let records = Value::list([
            Value::map([("n", Value::Float(405.5)), ("t", Value::from("a,b"))]),
            Value::map([
                ("t", Value::Null),
                ("n", Value::Int(280)),
                ("more", Value::Int(1)),
            ]),
            Value::map([
                ("n", Value::Float(1e21)),
                ("t", Value::list([Value::Int(1), Value::from("q\"")])),
            ]),
        ]);
        let text = stringify(&[records]).unwrap();
        assert_eq!(
            text.as_str(),
            Some(
                r#"n,t
405.5,"a,b"
280,
1e+21,"[1,""q\""""]""#
            )
        );
    }

    #[test]
    fn a_result_too_large_is_refused() {
        let rows = format!("{}\n", "a".repeat(1 << 20)).repeat(97);
        assert_eq!(
            parse(&[rows.into()]).unwrap_err(),
            "the result is too large"
        );
    }

    #[test]
    fn what_was_written_reads_back() {
        let records = Value::list([
            record(&[("k", "")]),
            record(&[("k", "line\nbreak")]),
            record(&[("k", "\"")]),
        ]);
        let text = stringify(std::slice::from_ref(&records)).unwrap();
        assert_eq!(parse(&[text]).unwrap(), records);
        assert_eq!(stringify(&[Value::list([])]).unwrap(), Value::from(""));
    }
}
