//! Conditions on the cells of a row.

use nodetool_sdk::{NodeError, Value};

/// Most conditions of a query.
const MAX_CONDITIONS: usize = 100;

/// How a cell has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    Contains,
    In,
}

/// One condition on one column.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Condition {
    column: String,
    operator: Operator,
    wanted: Vec<String>,
    case_sensitive: bool,
}

/// The conditions of a query's JSON.
pub(in super::super) fn conditions(text: &str) -> Result<Vec<Condition>, NodeError> {
    let wrong = |why: String| NodeError::bad("query_conditions", why);
    let expected =
        "expected a JSON array of {\"column\", \"value\", \"operator\", \"case_sensitive\"}";
    let value: Value = serde_json::from_str(text).map_err(|e| wrong(format!("{e}; {expected}")))?;
    let Some(items) = value.as_list() else {
        return Err(wrong(format!("found {}, {expected}", value.kind())));
    };
    if items.is_empty() || items.len() > MAX_CONDITIONS {
        let found = items.len();
        return Err(wrong(format!(
            "{found} conditions; 1 to {MAX_CONDITIONS} are allowed"
        )));
    }
    let all = items.iter().enumerate();
    all.map(|(at, item)| read(item).map_err(|why| wrong(format!("condition {}: {why}", at + 1))))
        .collect()
}

fn read(item: &Value) -> Result<Condition, String> {
    let column = match item.get("column") {
        Some(Value::Str(column)) if !column.trim().is_empty() => column.trim().to_owned(),
        _ => return Err("`column` is missing; expected the header of a column".to_owned()),
    };
    let operator = match item.get("operator").map(Value::as_str) {
        None | Some(Some("equals")) => Operator::Equals,
        Some(Some("contains")) => Operator::Contains,
        Some(Some("in")) => Operator::In,
        _ => return Err("`operator`: expected equals, contains or in".to_owned()),
    };
    let value = item.get("value").ok_or("`value` is missing")?;
    let wanted = match (operator, value) {
        (Operator::In, Value::List(values)) => values.iter().map(text_of).collect(),
        (Operator::In, other) => text_of(other)
            .split(',')
            .map(|part| part.trim().to_owned())
            .collect(),
        (_, other) => vec![text_of(other)],
    };
    Ok(Condition {
        column,
        operator,
        wanted,
        case_sensitive: matches!(item.get("case_sensitive"), Some(Value::Bool(true))),
    })
}

/// A cell or a wanted value as the sheet shows it.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) => text.trim().to_owned(),
        Value::Bool(true) => "TRUE".to_owned(),
        Value::Bool(false) => "FALSE".to_owned(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

impl Condition {
    /// The column it is about.
    pub(super) fn column(&self) -> &str {
        &self.column
    }

    /// Whether a cell is as it has to be.
    pub(super) fn holds(&self, cell: &Value) -> bool {
        let fold = |text: &str| match self.case_sensitive {
            true => text.to_owned(),
            false => text.to_lowercase(),
        };
        let cell = fold(&text_of(cell));
        self.wanted.iter().any(|wanted| match self.operator {
            Operator::Contains => cell.contains(&fold(wanted)),
            Operator::Equals | Operator::In => cell == fold(wanted),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, cell: impl Into<Value>) -> bool {
        conditions(&format!("[{condition}]")).unwrap()[0].holds(&cell.into())
    }

    #[test]
    fn operators_compare_texts_as_the_sheet_shows_them() {
        assert!(holds(r#"{"column": "a", "value": "Ann"}"#, " ann "));
        assert!(!holds(
            r#"{"column": "a", "value": "Ann", "case_sensitive": true}"#,
            "ann"
        ));
        assert!(holds(r#"{"column": "a", "value": 7}"#, "7"));
        assert!(holds(r#"{"column": "a", "value": true}"#, "TRUE"));
        assert!(holds(
            r#"{"column": "a", "value": "nn", "operator": "contains"}"#,
            "ANN"
        ));
        assert!(holds(
            r#"{"column": "a", "value": ["b", 2], "operator": "in"}"#,
            "2"
        ));
        assert!(holds(
            r#"{"column": "a", "value": "b, c", "operator": "in"}"#,
            "C"
        ));
        assert!(!holds(
            r#"{"column": "a", "value": "b, c", "operator": "in"}"#,
            "b, c"
        ));
    }

    #[test]
    fn conditions_that_cannot_be_read_are_named() {
        for (text, part) in [
            ("{", "expected a JSON array"),
            ("{}", "found dict"),
            ("[]", "0 conditions"),
            (
                r#"[{"column": "a", "value": 1}, {"value": 1}]"#,
                "condition 2: `column`",
            ),
            (r#"[{"column": "a"}]"#, "condition 1: `value`"),
            (
                r#"[{"column": "a", "value": 1, "operator": "like"}]"#,
                "`operator`",
            ),
        ] {
            let said = conditions(text).unwrap_err().to_string();
            assert!(
                said.contains("`query_conditions`") && said.contains(part),
                "{said}"
            );
        }
    }
}
