//! Builds the conditions of a list query and numbers their placeholders.
//!
//! Only fixed SQL pieces enter the text; every value is bound. It must not know tables.

use rusqlite::ToSql;
use rusqlite::types::Value;

/// A growing `WHERE` clause and the values bound to it.
#[derive(Default)]
pub(crate) struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// Adds a condition in which each `?` stands for one value.
    pub(crate) fn add<const N: usize>(&mut self, condition: &'static str, values: [Value; N]) {
        debug_assert_eq!(condition.matches('?').count(), N, "{condition}");
        self.sql.push_str(if self.sql.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        let mut numbers = self.values.len()..;
        for piece in condition.split_inclusive('?') {
            match (piece.strip_suffix('?'), numbers.next()) {
                (Some(text), Some(number)) => self.sql.push_str(&format!("{text}${}", number + 1)),
                _ => self.sql.push_str(piece),
            }
        }
        self.values.extend(values);
    }

    /// Adds `column = value` when there is a value.
    pub(crate) fn equals(&mut self, condition: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(condition, [Value::Text(value.to_owned())]);
        }
    }

    /// Binds a value outside the conditions and returns its placeholder.
    pub(crate) fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    pub(crate) fn values(&self) -> Vec<&dyn ToSql> {
        self.values
            .iter()
            .map(|value| value as &dyn ToSql)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_across_conditions() {
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some("u"));
        filter.equals("access = ?", None);
        filter.add("tool_name IS NOT NULL", []);
        filter.add(
            "(updated_at, id) < (?, ?)",
            [Value::Integer(1), Value::Text("i".into())],
        );
        assert_eq!(filter.bind(Value::Integer(9)), "$4");
        assert_eq!(
            filter.sql(),
            " WHERE user_id = $1 AND tool_name IS NOT NULL AND (updated_at, id) < ($2, $3)"
        );
        assert_eq!(filter.values().len(), 4);
    }
}
