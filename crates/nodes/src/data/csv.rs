//! CSV text to a `Frame` and back, with the type inference of pandas.
//!
//! It must not know nodes or files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nodetool_sdk::Value;
use nodetool_sdk::compat::py_float;

use super::cell::Budget;
use super::frame::{Column, Frame, Kind, check_size};

/// Longest CSV text, in bytes.
pub(crate) const MAX_TEXT: usize = 256 << 20;
/// Most columns of a CSV header.
const MAX_COLUMNS: usize = 100_000;

/// Reads CSV bytes, which must be UTF-8.
pub(crate) fn read_bytes(bytes: &[u8]) -> Result<Frame, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        format!(
            "the text is not UTF-8 at byte {} (expected CSV text in UTF-8)",
            e.valid_up_to()
        )
    })?;
    read(text)
}

/// Reads CSV text with a header line. Columns of integers, floats or booleans become such, empty cells and the usual
/// words for "not available" become missing, everything else stays text.
pub(crate) fn read(text: &str) -> Result<Frame, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT {
        return Err(format!(
            "the text has {} bytes (expected at most {MAX_TEXT})",
            text.len()
        ));
    }
    if let Some(line) = unclosed_quote(text) {
        return Err(format!("the quote opened in line {line} is never closed"));
    }
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut record = ::csv::StringRecord::new();
    let mut next = |record: &mut ::csv::StringRecord| {
        loop {
            if !reader.read_record(record).map_err(|e| e.to_string())? {
                return Ok::<bool, String>(false);
            }
            let blank = record.len() == 1 && !record[0].is_empty() && record[0].trim().is_empty();
            if !blank {
                return Ok(true);
            }
        }
    };
    if !next(&mut record)? {
        return Err("the text is empty (expected CSV with a header line)".into());
    }
    if record.len() > MAX_COLUMNS {
        return Err(format!(
            "the header has {} columns (expected at most {MAX_COLUMNS})",
            record.len()
        ));
    }
    let names = header(&record);
    let mut columns: Vec<Cells> = names.iter().map(|_| Cells::default()).collect();
    let mut rows = 0usize;
    while next(&mut record)? {
        if record.iter().skip(columns.len()).any(|c| !c.is_empty()) {
            return Err(format!(
                "line {} has {} fields (expected {}, one per column of the header)",
                record.position().map_or(0, ::csv::Position::line),
                record.len(),
                columns.len()
            ));
        }
        rows += 1;
        check_size(columns.len(), rows)?;
        for (i, column) in columns.iter_mut().enumerate() {
            column.push(record.get(i).unwrap_or(""));
        }
    }
    let columns = names.into_iter().zip(columns).map(|(n, c)| c.column(n));
    Ok(Frame::new(columns.collect()))
}

/// The line of a quoted field that runs to the end of the text.
fn unclosed_quote(text: &str) -> Option<usize> {
    let (mut line, mut opened, mut at_start) = (1usize, None, true);
    let mut bytes = text.bytes().peekable();
    while let Some(b) = bytes.next() {
        match (b, opened) {
            (b'"', Some(_)) if bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            (b'"', Some(_)) => opened = None,
            (b'"', None) if at_start => opened = Some(line),
            _ => {}
        }
        line += usize::from(b == b'\n');
        at_start = opened.is_none() && matches!(b, b',' | b'\n' | b'\r');
    }
    opened
}

/// Column names: blank ones are numbered, repeated ones get `.1`, `.2`, …
fn header(record: &::csv::StringRecord) -> Vec<Arc<str>> {
    let written: HashSet<&str> = record.iter().collect();
    let mut taken = HashSet::new();
    let mut repeats = HashMap::<String, usize>::new();
    let mut names: Vec<Arc<str>> = Vec::with_capacity(record.len());
    for (i, cell) in record.iter().enumerate() {
        let base = if cell.is_empty() {
            format!("Unnamed: {i}")
        } else {
            cell.to_owned()
        };
        let mut name = base.clone();
        let made = |name: &String| *name != cell && written.contains(name.as_str());
        while taken.contains(&name) || made(&name) {
            let times = repeats.entry(base.clone()).or_insert(0);
            *times += 1;
            name = format!("{base}.{times}");
        }
        taken.insert(name.clone());
        names.push(name.into());
    }
    names
}

/// The cells of one column as they stand in the text, in one buffer.
#[derive(Default)]
struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(s, &e)| &self.text[s..e])
    }

    /// Reads all cells that are not missing with `read`; nothing when one does not fit.
    fn read_as(&self, read: impl Fn(&str) -> Option<Value>) -> Option<Vec<Value>> {
        self.iter()
            .map(|cell| {
                if is_missing(cell) {
                    Some(Value::Null)
                } else {
                    read(cell)
                }
            })
            .collect()
    }

    fn column(self, name: Arc<str>) -> Column {
        // pandas makes a column without any value one of floats.
        let wanted = (!self.ends.is_empty() && self.iter().all(is_missing)).then_some(Kind::Float);
        let values = self
            .read_as(|c| blank_cut(c).parse().ok().map(Value::Int))
            .or_else(|| self.floats())
            .or_else(|| self.read_as(boolean))
            .or_else(|| self.read_as(|c| Some(c.into())))
            .unwrap_or_default();
        Column::new(name, values, wanted)
    }

    /// The cells as floats. Digits alone that fit no integer stay text: they are names of things, not amounts.
    fn floats(&self) -> Option<Vec<Value>> {
        let fraction =
            |c: &str| !is_missing(c) && c.contains(|c: char| !"+-0123456789 \t".contains(c));
        if !self.iter().any(fraction) {
            return None;
        }
        self.read_as(|c| float(blank_cut(c)).map(Value::Float))
    }
}

fn blank_cut(cell: &str) -> &str {
    cell.trim_matches([' ', '\t'])
}

fn float(text: &str) -> Option<f64> {
    let word = text.trim_start_matches(['+', '-']);
    let infinite = word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity");
    (infinite || word.contains(|c: char| c.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "True" | "TRUE" | "true" => Some(true.into()),
        "False" | "FALSE" | "false" => Some(false.into()),
        _ => None,
    }
}

fn is_missing(cell: &str) -> bool {
    matches!(
        cell,
        "" | "#N/A"
            | "#N/A N/A"
            | "#NA"
            | "-1.#IND"
            | "-1.#QNAN"
            | "-NaN"
            | "-nan"
            | "1.#IND"
            | "1.#QNAN"
            | "<NA>"
            | "N/A"
            | "NA"
            | "NULL"
            | "NaN"
            | "None"
            | "n/a"
            | "nan"
            | "null"
    )
}

/// Writes CSV text with a header line; missing cells are empty, values are spelled as Python spells them.
pub(crate) fn write(frame: &Frame) -> Result<String, String> {
    if frame.columns().is_empty() {
        return Ok(String::new());
    }
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let mut budget = Budget::new();
    let say = |e: ::csv::Error| format!("the table cannot be written as CSV: {e}");
    writer
        .write_record(frame.columns().iter().map(|c| c.name().as_bytes()))
        .map_err(say)?;
    for row in 0..frame.rows() {
        for column in frame.columns() {
            match &column.values()[row] {
                Value::Null => writer.write_field(""),
                Value::Str(s) => writer.write_field(&**s),
                Value::Float(f) => writer.write_field(py_float(*f)),
                other => writer.write_field(budget.text(other)?),
            }
            .map_err(say)?;
        }
        writer.write_record(None::<&[u8]>).map_err(say)?;
        if writer.get_ref().len() > MAX_TEXT {
            return Err(format!(
                "the table is too large (expected at most {MAX_TEXT} bytes of CSV)"
            ));
        }
    }
    let bytes = writer.into_inner().map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Vec<String> {
        let frame = read(text).unwrap();
        let show = |c: &Column| format!("{} {} {:?}", c.name(), c.kind().word(), c.values());
        frame.columns().iter().map(show).collect()
    }

    #[test]
    fn types_are_inferred_as_pandas_does() {
        for (cells, want) in [
            ("007\n 5\n+5", "int [7, 5, 5]"),
            ("1\n\"\"\n3", "float [1.0, null, 3.0]"),
            ("1e5\n1.\n.5", "float [100000.0, 1.0, 0.5]"),
            ("inf\n-inf", "float [inf, -inf]"),
            ("NaN\nN/A", "float [null, null]"),
            ("True\nfalse", "object [true, false]"),
            ("True\nnull", "object [true, null]"),
            ("1\nTrue", r#"string ["1", "True"]"#),
            ("0x10", r#"string ["0x10"]"#),
            ("1_000", r#"string ["1_000"]"#),
            ("2024-01-31", r#"string ["2024-01-31"]"#),
            ("NAN", r#"string ["NAN"]"#),
            (
                "123456789012345678901",
                r#"string ["123456789012345678901"]"#,
            ),
            ("", "object []"),
        ] {
            assert_eq!(columns(&format!("a\n{cells}\n")), [format!("a {want}")]);
        }
    }

    #[test]
    fn quotes_short_rows_blank_lines_and_odd_headers_are_read() {
        let want = [
            r#"a string ["x,\n\"y\"", "p\"q"]"#,
            "a.1 float [1.0, null]",
            "Unnamed: 2 int [2, 3]",
        ];
        assert_eq!(
            columns("\u{feff}\n  \na,a,\r\n\"x,\n\"\"y\"\"\",1,2,\r\n\np\"q,,3"),
            want
        );
        assert_eq!(
            columns("a,a,a.1,a\n1,2,3,4")
                .iter()
                .map(|c| c.split(' ').next().unwrap())
                .collect::<Vec<_>>(),
            ["a", "a.2", "a.1", "a.3"]
        );
    }

    #[test]
    fn broken_text_is_refused_with_its_place() {
        for (text, words) in [
            ("", "empty"),
            (" \n\n", "empty"),
            ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields (expected 2"),
            ("a,b\n1,\"x\n2,3\n", "opened in line 2 is never closed"),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.contains(words), "{text:?}: {e}");
        }
        assert!(read_bytes(b"a\n\xff").unwrap_err().contains("byte 2"));
    }

    #[test]
    fn what_is_written_is_what_python_writes() {
        let frame = Frame::from_value(&Value::list([
            Value::map([
                ("a", Value::from(1.0)),
                ("b", "x,y".into()),
                ("c", true.into()),
                ("d", Value::list([1i64.into()])),
            ]),
            Value::map([("b", Value::from("q\"r")), ("d", "l\nm".into())]),
            Value::map([("a", Value::from(1e20))]),
        ]))
        .unwrap();
        assert_eq!(
            write(&frame).unwrap(),
            "a,b,c,d\n1.0,\"x,y\",True,[1]\n,\"q\"\"r\",,\"l\nm\"\n1e+20,,,\n"
        );
        assert_eq!(write(&Frame::default()).unwrap(), "");
    }
}
