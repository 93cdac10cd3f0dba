//! Tables and records for people. On a terminal a table fits its width; in a pipe every cell is whole.

use std::io::{IsTerminal, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use nodetool_protocol::Value;

use super::client::plain;

/// A column up to this wide keeps its width; a wider one gives way, but not below `NARROWEST`.
const KEPT: usize = 20;
const NARROWEST: usize = 10;
/// Between two columns.
const GAP: u16 = 2;

/// Prints rows under a header. The first column, what other commands are told, is never cut; on a terminal, columns
/// for which there is no room are left out from the right.
pub(super) fn print(
    out: &mut impl Write,
    header: &[&str],
    rows: Vec<Vec<String>>,
) -> std::io::Result<()> {
    writeln!(out, "{}", text(header, rows, width()))
}

/// The same as text, for a terminal that is drawn anew.
pub(super) fn fitting(header: &[&str], rows: Vec<Vec<String>>) -> String {
    text(header, rows, width())
}

/// Columns of the terminal that standard output is.
fn width() -> Option<u16> {
    size().map(|size| size.ws_col).filter(|w| *w > 0)
}

/// Lines of the terminal that standard output is.
pub(super) fn height() -> Option<u16> {
    size().map(|size| size.ws_row).filter(|h| *h > 0)
}

fn size() -> Option<rustix::termios::Winsize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&out).ok()
}

fn text(header: &[&str], rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    let shown: Vec<Vec<String>> = rows
        .iter()
        .map(|cells| cells.iter().map(|c| plain(c)).collect())
        .collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|i| {
            let cells = shown.iter().filter_map(|row| row.get(i));
            let widest = cells.map(|c| c.chars().count()).max();
            widest.unwrap_or(0).max(header[i].len())
        })
        .collect();
    let whole = |i: usize| i == 0 || widths[i] <= KEPT;
    let narrowest = |i: usize| NARROWEST.max(header[i].len());
    let mut columns = header.len();
    if let Some(width) = width {
        let least = |i: usize| if whole(i) { widths[i] } else { narrowest(i) } + usize::from(GAP);
        while columns > 1 && (0..columns).map(least).sum::<usize>() > usize::from(width) {
            columns -= 1;
        }
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_truncation_indicator("…");
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table.set_header(&header[..columns]);
    for cells in shown {
        let mut row = Row::from(cells.into_iter().take(columns));
        row.max_height(1);
        table.add_row(row);
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        column.set_constraint(if whole(i) {
            ColumnConstraint::ContentWidth
        } else {
            let least = u16::try_from(narrowest(i)).unwrap_or(u16::MAX);
            ColumnConstraint::LowerBoundary(Width::Fixed(least.saturating_add(GAP)))
        });
    }
    table.trim_fmt()
}

/// Prints names and values below each other; empty values are left out.
pub(super) fn record(out: &mut impl Write, fields: &[(&str, String)]) -> std::io::Result<()> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        let value = plain(value);
        if !value.is_empty() {
            writeln!(out, "{name:width$}  {value}")?;
        }
    }
    Ok(())
}

/// A field as a cell.
pub(super) fn cell(row: &Value, key: &str) -> String {
    match row.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::Str(text)) => text.to_string(),
        Some(Value::List(items)) if items.iter().all(|i| i.as_str().is_some()) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        Some(other) => other.preview(200),
    }
}

/// A time as a cell: to the second, in UTC.
pub(super) fn time(row: &Value, key: &str) -> String {
    let text = cell(row, key);
    match text.get(..19) {
        Some(short) => short.replace('T', " "),
        None => text,
    }
}

/// Prints JSON as one line.
pub(super) fn json(out: &mut impl Write, value: &Value) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        vec![vec![
            "0123456789abcdef0123456789abcdef".into(),
            "a\u{1b}[31m long name ".repeat(9),
            "private".into(),
        ]]
    }

    #[test]
    fn a_table_fits_the_terminal_and_keeps_its_ids() {
        for (width, columns) in [(60, 3), (47, 2), (20, 1)] {
            let text = text(&["ID", "NAME", "ACCESS"], rows(), Some(width));
            let header: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
            assert_eq!(header, ["ID", "NAME", "ACCESS"][..columns], "{text}");
            assert!(text.contains("0123456789abcdef0123456789abcdef"), "{text}");
            assert_eq!(text.contains('…'), columns > 1, "{text}");
            assert_eq!(text.lines().count(), 2, "{text}");
            let widest = text.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(widest <= usize::from(width.max(32)), "{text}");
        }
    }

    #[test]
    fn in_a_pipe_nothing_is_cut_and_nothing_steers_the_terminal() {
        let text = text(&["ID", "NAME", "ACCESS"], rows(), None);
        assert_eq!(text.matches("long name").count(), 9, "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
