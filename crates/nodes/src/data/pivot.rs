//! `nodetool.data.Pivot`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process, Value};

use super::aggregation::Aggregation;
use super::cell::Budget;
use super::frame::{Column, Frame, Kind, check_size};
use super::key::{Distinct, is_missing};
use super::table::{Table, written};
use super::work;

/// Turns long rows into a wide table: one row per index value, one column per value of another column.
/// pivot, reshape, crosstab, wide, spread
///
/// Rows and columns come in the order of their values. Several columns may be given, separated by commas; the headers
/// they make are joined by `_`.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Pivot {
    /// The table.
    dataframe: DataframeRef,
    /// Column whose values become rows.
    index: String,
    /// Column whose values become headers.
    columns: String,
    /// Column whose values fill the cells.
    values: String,
    /// How values that meet in a cell become one: sum, mean, count, min, max, std, var, median, first, last.
    #[prop(default = "sum")]
    aggfunc: String,
}

impl Process for Pivot {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let how = Aggregation::parse(&self.aggfunc).map_err(|e| NodeError::bad("aggfunc", e))?;
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let find = |property: &'static str, list: &str| {
                let places = frame
                    .find_all(list)
                    .map_err(|e| NodeError::bad(property, e))?;
                Ok::<Vec<&Column>, NodeError>(places.iter().map(|&p| &frame.columns()[p]).collect())
            };
            let index = find("index", &self.index)?;
            let headers = find("columns", &self.columns)?;
            let values = find("values", &self.values)?;
            for column in &values {
                how.check(column).map_err(|e| NodeError::bad("values", e))?;
            }
            let wide = pivoted(frame.rows(), &index, &headers, &values, how);
            Ok(written(wide.map_err(|e| NodeError::bad("columns", e))?))
        })
        .await
    }
}

/// One side of the wide table: which line each class of rows goes to, once empty lines are dropped.
struct Axis<'a> {
    by: &'a [&'a Column],
    classes: Distinct,
    /// Place of each class; `None` when nothing is in its line.
    place: Vec<Option<usize>>,
    /// First rows of the lines, in order.
    first: Vec<usize>,
}

impl<'a> Axis<'a> {
    fn new(by: &'a [&'a Column], rows: usize) -> Result<Self, String> {
        let classes = Distinct::of(by, rows, true)?;
        Ok(Axis {
            by,
            place: vec![None; classes.first.len()],
            first: Vec::new(),
            classes,
        })
    }

    /// Marks the line of a row as used.
    fn mark(&mut self, row: usize) {
        if let Some(class) = self.classes.class[row] {
            self.place[class] = Some(0);
        }
    }

    /// Numbers the used lines in order.
    fn number(&mut self) {
        for class in self.classes.sorted(self.by) {
            if let Some(place) = &mut self.place[class] {
                *place = self.first.len();
                self.first.push(self.classes.first[class]);
            }
        }
    }

    fn place_of(&self, row: usize) -> Option<usize> {
        self.place[self.classes.class[row]?]
    }
}

fn pivoted(
    rows: usize,
    index: &[&Column],
    headers: &[&Column],
    values: &[&Column],
    how: Aggregation,
) -> Result<Frame, String> {
    let both: Vec<&Column> = index.iter().chain(headers).copied().collect();
    let cells = Distinct::of(&both, rows, true)?;
    let members = cells.members();
    let (mut down, mut across) = (Axis::new(index, rows)?, Axis::new(headers, rows)?);
    let mut filled = Vec::new();
    for (class, &first) in cells.first.iter().enumerate() {
        let cell: Result<Vec<Value>, String> = values
            .iter()
            .map(|v| how.apply(v, members.of(class)))
            .collect();
        let cell = cell?;
        if !cell.iter().all(is_missing) {
            down.mark(first);
            across.mark(first);
            filled.push((first, cell));
        }
    }
    down.number();
    across.number();
    let (height, width) = (down.first.len(), across.first.len());
    check_size(
        width
            .saturating_mul(values.len())
            .saturating_add(index.len()),
        height,
    )?;
    let mut grid = vec![vec![Value::Null; height]; width * values.len()];
    for (first, cell) in filled {
        if let (Some(y), Some(x)) = (down.place_of(first), across.place_of(first)) {
            for (v, value) in cell.into_iter().enumerate() {
                grid[v * width + x][y] = value;
            }
        }
    }
    let mut columns: Vec<Column> = index.iter().map(|c| c.take(&down.first)).collect();
    let mut grid = grid.into_iter();
    let mut budget = Budget::new();
    for value in values {
        let lines: Vec<Vec<Value>> = grid.by_ref().take(width).collect();
        // Columns made of one keep one type: a gap in any makes all of them floats.
        let gap = lines.iter().flatten().any(is_missing);
        let kind = match how.kind(value) {
            Some(Kind::Int) if gap => Some(Kind::Float),
            other => other,
        };
        for (line, &row) in lines.into_iter().zip(&across.first) {
            let texts = headers.iter().map(|h| budget.text(&h.values()[row]));
            let mut name: Vec<String> = texts.collect::<Result<_, _>>()?;
            if values.len() > 1 {
                name.insert(0, value.name().to_string());
            }
            columns.push(Column::new(name.join("_"), line, kind));
        }
    }
    Ok(Frame::new(columns))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    const TABLE: &str = r#"{"columns":["r","q","v","w"],"data":[
        ["s",2021,1,1],["n",2020,2,2],["n",2020,3,3],["n",2022,null,4],[null,2020,9,9]]}"#;

    fn run(
        index: &str,
        columns: &str,
        values: &str,
        how: &str,
    ) -> impl Future<Output = Result<Value, NodeError>> {
        case::<Pivot>()
            .set("dataframe", serde_json::from_str::<Value>(TABLE).unwrap())
            .set("index", index)
            .set("columns", columns)
            .set("values", values)
            .set("aggfunc", how)
            .value()
    }

    fn shown(out: &Value) -> String {
        let names = out.get("columns").and_then(Value::as_list).unwrap();
        let names: Vec<&str> = names
            .iter()
            .filter_map(|c| c.get("name")?.as_str())
            .collect();
        format!("{} {:?}", names.join(","), out.get("data").unwrap())
    }

    #[tokio::test]
    async fn cells_meet_gaps_make_floats_and_headers_are_text() {
        for (index, columns, values, how, want) in [
            (
                "r",
                "q",
                "w",
                "sum",
                r#"r,2020,2021,2022 [["n", 5.0, null, 4.0], ["s", null, 1.0, null]]"#,
            ),
            (
                "r",
                "q",
                "v",
                "mean",
                r#"r,2020,2021 [["n", 2.5, null], ["s", null, 1.0]]"#,
            ),
            (
                "q",
                "r",
                "w",
                "count",
                r#"q,n,s [[2020, 2.0, null], [2021, null, 1.0], [2022, 1.0, null]]"#,
            ),
            (
                "r",
                "r",
                "w",
                "max",
                r#"r,n,s [["n", 4.0, null], ["s", null, 1.0]]"#,
            ),
            (
                "r",
                "q, r",
                "w",
                "last",
                r#"r,2020_n,2021_s,2022_n [["n", 3.0, null, 4.0], ["s", null, 1.0, null]]"#,
            ),
            (
                "r",
                "r",
                "v,w",
                "first",
                r#"r,v_n,v_s,w_n,w_s [["n", 2.0, null, 2.0, null], ["s", null, 1.0, null, 1.0]]"#,
            ),
        ] {
            let out = run(index, columns, values, how).await.unwrap();
            assert_eq!(shown(&out), want);
        }
    }

    #[tokio::test]
    async fn wrong_columns_and_values_are_refused_by_property() {
        for (index, columns, values, how, property) in [
            ("x", "q", "w", "sum", "`index`"),
            ("r", "", "w", "sum", "`columns`"),
            ("r", "q", "x", "sum", "`values`"),
            ("q", "q", "r", "mean", "`values`"),
            ("r", "q", "w", "mode", "`aggfunc`"),
        ] {
            let e = run(index, columns, values, how)
                .await
                .unwrap_err()
                .to_string();
            assert!(e.contains(property), "{e}");
        }
    }

    #[test]
    fn as_many_headers_as_rows_are_refused() {
        let keys: Vec<Value> = (0..6000i64).map(Value::from).collect();
        let key = Column::new("k", keys, None);
        let e = pivoted(6000, &[&key], &[&key], &[&key], Aggregation::Sum).unwrap_err();
        assert!(e.contains("cells"), "{e}");
    }
}
