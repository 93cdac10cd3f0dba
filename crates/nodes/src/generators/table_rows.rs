//! Reads a Markdown table that comes in pieces, row by row, as values of the wanted columns.

use std::sync::Arc;

use nodetool_sdk::{Map, Value};

use crate::data::frame::Kind;

/// Longest line of a table, in bytes.
const MAX_LINE: usize = 1 << 20;

/// A wanted column.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: Arc<str>,
    /// The word for its type, as it was given.
    pub(super) word: Arc<str>,
    pub(super) kind: Option<Kind>,
    pub(super) description: Arc<str>,
}

/// What has come of the table.
#[derive(Debug)]
pub(super) struct TableRows {
    wanted: Vec<Wanted>,
    line: String,
    /// The line is too long to be a row.
    too_long: bool,
    /// Where each wanted column stands, once the header is known.
    places: Option<Vec<Option<usize>>>,
}

impl TableRows {
    pub(super) fn new(wanted: Vec<Wanted>) -> Self {
        TableRows {
            wanted,
            line: String::new(),
            too_long: false,
            places: None,
        }
    }

    /// Takes the next piece and gives the rows that end in it.
    pub(super) fn take(&mut self, piece: &str) -> Vec<Map> {
        let mut rows = Vec::new();
        for part in piece.split_inclusive('\n') {
            if self.line.len() + part.len() > MAX_LINE {
                self.too_long = true;
                self.line.clear();
            } else if !self.too_long {
                self.line.push_str(part);
            }
            if part.ends_with('\n') {
                rows.extend(self.end_line());
            }
        }
        rows
    }

    /// The row in the last line, if it is one.
    pub(super) fn finish(mut self) -> Option<Map> {
        self.end_line()
    }

    fn end_line(&mut self) -> Option<Map> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return None;
        }
        let cells = cells(&line)?;
        let rule = |c: &String| !c.is_empty() && c.chars().all(|c| "-: ".contains(c));
        if cells.iter().all(rule) {
            return None;
        }
        let Some(places) = &self.places else {
            let places = self.header(&cells);
            let is_header = places.iter().any(Option::is_some);
            let places = if is_header {
                places
            } else {
                // A table without a header has the columns as they were asked for.
                (0..self.wanted.len()).map(Some).collect()
            };
            let row = (!is_header).then(|| self.row(&cells, &places));
            self.places = Some(places);
            return row;
        };
        Some(self.row(&cells, places))
    }

    /// Where the wanted columns stand in a header; none anywhere when it is no header.
    fn header(&self, cells: &[String]) -> Vec<Option<usize>> {
        let place = |w: &Wanted| {
            let same = |c: &String| folded(c) == folded(&w.name);
            cells.iter().position(same)
        };
        self.wanted.iter().map(place).collect()
    }

    fn row(&self, cells: &[String], places: &[Option<usize>]) -> Map {
        let columns = self.wanted.iter().zip(places);
        let values = columns.map(|(wanted, place)| {
            let cell = place.and_then(|at| cells.get(at));
            (
                wanted.name.clone(),
                cell.map_or(Value::Null, |c| typed(c, wanted)),
            )
        });
        values.collect()
    }
}

fn folded(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The cells of a line of a table; nothing for any other line. `\|` is a bar, `<br>` a new line.
fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let inner = line.strip_prefix('|')?;
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in inner.chars() {
        let Some(cell) = cells.last_mut() else { break };
        match c {
            '|' if escaped => cell.push('|'),
            '|' => cells.push(String::new()),
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            c => {
                if escaped {
                    cell.push('\\');
                }
                cell.push(c);
            }
        }
        escaped = false;
    }
    if cells.last().is_some_and(|c| c.trim().is_empty()) && cells.len() > 1 {
        cells.pop();
    }
    let tidy = |c: String| c.trim().replace("<br>", "\n").replace("<br/>", "\n");
    Some(cells.into_iter().map(tidy).collect())
}

/// A cell as a value of the column's type; null for one that is none.
fn typed(cell: &str, wanted: &Wanted) -> Value {
    if matches!(&*wanted.word, "bool" | "boolean") {
        return match &*cell.to_ascii_lowercase() {
            "true" | "yes" | "1" => true.into(),
            "false" | "no" | "0" => false.into(),
            _ => Value::Null,
        };
    }
    match wanted.kind {
        Some(Kind::Int) => {
            let number = number(cell);
            let whole = number.parse::<i64>().ok();
            let float = || number.parse::<f64>().ok();
            let rounded = float().filter(|f| f.fract() == 0.0 && f.abs() < 9e15);
            whole.or(rounded.map(|f| f as i64)).into()
        }
        Some(Kind::Float) => {
            let number = number(cell).parse::<f64>().ok();
            number.filter(|f| f.is_finite()).into()
        }
        Some(Kind::Object) => {
            let value = serde_json::from_str(cell);
            value.unwrap_or_else(|_| cell.into())
        }
        Some(Kind::Datetime) if cell.is_empty() => Value::Null,
        Some(Kind::Datetime | Kind::String) | None => cell.into(),
    }
}

/// The digits of a number that is written for people.
fn number(cell: &str) -> String {
    let sign = |c: char| c.is_whitespace() || "$€£%*".contains(c);
    cell.trim_matches(sign).replace([',', '_'], "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(columns: &[(&str, &str)]) -> Vec<Wanted> {
        let column = |(name, word): &(&str, &str)| Wanted {
            name: (*name).into(),
            word: (*word).into(),
            kind: Kind::named(word),
            description: "".into(),
        };
        columns.iter().map(column).collect()
    }

    fn rows(columns: &[(&str, &str)], pieces: &[&str]) -> Vec<Map> {
        let mut table = TableRows::new(wanted(columns));
        let mut rows: Vec<Map> = pieces.iter().flat_map(|p| table.take(p)).collect();
        rows.extend(table.finish());
        rows
    }

    fn json(rows: &[Map]) -> String {
        serde_json::to_string(rows).unwrap()
    }

    #[test]
    fn rows_are_typed_and_found_wherever_the_text_is_cut() {
        let columns = [
            ("Name", "string"),
            ("how many", "int"),
            ("price", "float"),
            ("ok", "bool"),
        ];
        let text = "Here it is:\n\n| price | **Name** | How_Many | ok |\n|:--|---|---|---|\n| $1,200.5 | a \\| b | 1,000 | \
                    yes |\n| ? | ü | 2.0 | no |\nDone.";
        let want = r#"[{"Name":"a | b","how many":1000,"price":1200.5,"ok":true},{"Name":"ü","how many":2,"price":null,"ok":false}]"#;
        assert_eq!(json(&rows(&columns, &[text])), want);
        for (cut, _) in text.char_indices() {
            assert_eq!(json(&rows(&columns, &[&text[..cut], &text[cut..]])), want);
        }
    }

    #[test]
    fn a_table_without_a_header_has_the_columns_in_their_order() {
        let columns = [("name", "string"), ("color", "string")];
        let found = rows(&columns, &["| Carrot | orange |\n| Pea |"]);
        let want = r#"[{"name":"Carrot","color":"orange"},{"name":"Pea","color":null}]"#;
        assert_eq!(json(&found), want);
        assert!(rows(&columns, &["no table"]).is_empty());
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let columns = [("name", "string")];
        let long = "|x".repeat(MAX_LINE);
        let found = rows(&columns, &[&long, &long, "|\n| Pea |\n"]);
        assert_eq!(json(&found), r#"[{"name":"Pea"}]"#);
    }

    proptest! {
        #[test]
        fn where_a_text_is_cut_does_not_matter_and_every_row_has_every_column(
            text in proptest::collection::vec(
                proptest::sample::select(vec!["|", "\\", "\n", "name", " n ", "-", ":", "ä", "1", "<br>"]),
                0..40,
            )
        ) {
            let columns = [("name", "string"), ("n", "int")];
            let text = text.concat();
            let single: Vec<String> = text.chars().map(String::from).collect();
            let single: Vec<&str> = single.iter().map(String::as_str).collect();
            let whole = rows(&columns, &[&text]);
            prop_assert_eq!(json(&rows(&columns, &single)), json(&whole));
            prop_assert!(whole.iter().all(|row| row.len() == 2));
        }
    }
}
