//! Whether a value is as a table says. Tables hold plain values and matchers: objects whose only key starts with `$`.
//!
//! Numbers compare by value, so 7 equals 7.0; `true` and 1 differ. It must not know where a value comes from.

use nodetool_protocol::{Map, Value};

/// The rules a table adds to plain equality.
#[derive(Clone, Copy, Default)]
pub(super) struct Compare {
    /// Objects may have more fields than expected, as long as those are empty.
    pub(super) more_fields: bool,
}

/// A value as tables write it.
pub(super) fn shown(value: &Value) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| format!("{value:?}"));
    if text.chars().count() <= 400 {
        return text;
    }
    text.chars().take(400).chain("…".chars()).collect()
}

/// Items of a list; none for anything else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_list().unwrap_or_default()
}

impl Compare {
    /// Nothing when `got` is as `want` says, else what differs and where.
    pub(super) fn fits(self, want: &Value, got: &Value) -> Result<(), String> {
        match (want, got) {
            (Value::Map(w), _) if is_matcher(w) => {
                let (name, x) = w.get_index(0).ok_or("an empty matcher")?;
                if self.matches(name, x, got)? {
                    Ok(())
                } else {
                    unequal(want, got)
                }
            }
            (Value::Map(w), Value::Map(g)) => self.fields(w, g, want, got),
            (Value::List(w), Value::List(g)) => {
                if w.len() != g.len() {
                    return unequal(want, got);
                }
                for (i, (w, g)) in w.iter().zip(g.iter()).enumerate() {
                    self.fits(w, g).map_err(|e| format!("[{i}] {e}"))?;
                }
                Ok(())
            }
            _ if want == got => Ok(()),
            _ => unequal(want, got),
        }
    }

    fn ok(self, want: &Value, got: &Value) -> bool {
        self.fits(want, got).is_ok()
    }

    fn fields(self, w: &Map, g: &Map, want: &Value, got: &Value) -> Result<(), String> {
        for (name, w) in w {
            match g.get(name) {
                Some(g) => self.fits(w, g).map_err(|e| format!(".{name} {e}"))?,
                None => return unequal(want, got),
            }
        }
        let allowed =
            |name: &str, v: &Value| w.contains_key(name) || self.more_fields && is_empty(v);
        match g.iter().find(|(name, v)| !allowed(name, v)) {
            Some((name, v)) => Err(format!("has also .{name} = {}", shown(v))),
            None => Ok(()),
        }
    }

    fn matches(self, name: &str, x: &Value, got: &Value) -> Result<bool, String> {
        let number = |holds: fn(f64, f64) -> bool| match (got.as_f64(), x.as_f64()) {
            (Some(g), Some(x)) => holds(g, x),
            _ => false,
        };
        Ok(match name {
            "$contains" => self.contains(got, x),
            "$containsAll" => items(x).iter().all(|x| self.contains(got, x)),
            "$unordered" => self.same_in_any_order(items(x), got),
            "$length" => length(got).is_some_and(|n| x.as_i64() == i64::try_from(n).ok()),
            "$gt" => number(|g, x| g > x),
            "$lt" => number(|g, x| g < x),
            "$gte" => number(|g, x| g >= x),
            "$lte" => number(|g, x| g <= x),
            "$ne" => !self.ok(x, got),
            "$near" => match items(x) {
                [x, distance] => match (got.as_f64(), x.as_f64(), distance.as_f64()) {
                    (Some(g), Some(x), Some(distance)) => (g - x).abs() <= distance,
                    _ => false,
                },
                _ => return Err("$near needs a number and a distance".into()),
            },
            "$approx" => number(|g, x| (g - x).abs() <= 1e-6 * x.abs()),
            "$matches" => {
                let pattern = x.as_str().ok_or("$matches needs a text")?;
                let pattern = fancy_regex::Regex::new(pattern).map_err(|e| e.to_string())?;
                got.as_str()
                    .is_some_and(|s| pattern.is_match(s).unwrap_or(false))
            }
            "$parsesTo" => {
                let parsed = got.as_str().and_then(|s| serde_json::from_str(s).ok());
                parsed.is_some_and(|got: Value| self.ok(x, &got))
            }
            "$type" => x.as_str() == Some(kind(got)),
            "$table" => rows(got).is_some_and(|rows| self.ok(x, &Value::from(rows))),
            "$tableColumn" => self.columns(x, got),
            "$anyOf" => items(x).iter().any(|w| self.ok(w, got)),
            "$noneOrNull" => {
                got.is_null() || items(got).iter().all(Value::is_null) && got.as_list().is_some()
            }
            "$suffixOf" => {
                let got = without_nulls(got);
                let start = items(x).len().checked_sub(got.len());
                !got.is_empty()
                    && start
                        .is_some_and(|n| self.ok(&Value::list(items(x)[n..].to_vec()), &got.into()))
            }
            "$dropNulls" => self.ok(x, &without_nulls(got).into()),
            _ => return Err(format!("the table uses the unknown matcher {name}")),
        })
    }

    fn contains(self, got: &Value, x: &Value) -> bool {
        match (got, x) {
            (Value::Str(text), Value::Str(part)) => text.contains(&**part),
            (Value::List(list), _) => list.iter().any(|g| self.ok(x, g)),
            (Value::Map(map), Value::Map(entries)) => entries
                .iter()
                .all(|(k, w)| map.get(k).is_some_and(|g| self.ok(w, g))),
            _ => false,
        }
    }

    fn same_in_any_order(self, want: &[Value], got: &Value) -> bool {
        let mut rest: Vec<&Value> = items(got).iter().collect();
        let all = want.iter().all(|w| {
            let found = rest.iter().position(|g| self.ok(w, g));
            found.map(|i| rest.remove(i)).is_some()
        });
        all && rest.is_empty() && got.as_list().is_some()
    }

    fn columns(self, want: &Value, got: &Value) -> bool {
        let (Some(columns), Some(rows)) = (want.as_map(), rows(got)) else {
            return false;
        };
        columns.iter().all(|(name, cells)| {
            let got: Option<Vec<Value>> = rows.iter().map(|r| r.get(name).cloned()).collect();
            got.is_some_and(|got| self.ok(cells, &got.into()))
        })
    }
}

fn unequal(want: &Value, got: &Value) -> Result<(), String> {
    Err(format!("expected {}, got {}", shown(want), shown(got)))
}

fn is_matcher(map: &Map) -> bool {
    map.len() == 1 && map.keys().all(|k| k.starts_with('$'))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Int(n) => *n == 0,
        Value::Float(x) => *x == 0.0,
        Value::Str(s) => s.is_empty(),
        Value::Bytes(b) => b.is_empty(),
        Value::List(l) => l.is_empty(),
        Value::Map(m) => m.is_empty(),
        Value::Bool(true) => false,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Map(_) => "dict",
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::List(l) => Some(l.len()),
        Value::Str(s) => Some(s.chars().count()),
        _ => None,
    }
}

fn without_nulls(list: &Value) -> Vec<Value> {
    items(list)
        .iter()
        .filter(|v| !v.is_null())
        .cloned()
        .collect()
}

/// Names of the columns of a table.
pub(super) fn column_names(table: &Value) -> Vec<String> {
    let columns = table.get("columns").map(items).unwrap_or_default();
    let name = |c: &Value| c.get("name").unwrap_or(c).as_str().map(str::to_owned);
    columns.iter().filter_map(name).collect()
}

/// The rows of a table, in either of its two forms; nothing when it is no table.
fn rows(table: &Value) -> Option<Vec<Value>> {
    if let Some(rows) = table.get("rows") {
        return rows.as_list().map(<[Value]>::to_vec);
    }
    let names = column_names(table);
    let row = |row: &Value| {
        let cells = row.as_list().filter(|cells| cells.len() == names.len())?;
        Some(Value::map(
            names.iter().map(String::as_str).zip(cells.iter().cloned()),
        ))
    };
    table.get("data")?.as_list()?.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(want: &str, got: &str) -> bool {
        let read = |json| serde_json::from_str::<Value>(json).unwrap();
        Compare::default().ok(&read(want), &read(got))
    }

    #[test]
    fn plain_values_compare_by_value_and_one_is_not_true() {
        assert!(fits(r#"{"a":[7,"x",null]}"#, r#"{"a":[7.0,"x",null]}"#));
        for (want, got) in [
            ("1", "true"),
            ("[1]", "[1,1]"),
            ("{}", r#"{"a":0}"#),
            (r#"{"a":0}"#, "{}"),
        ] {
            assert!(!fits(want, got), "{want} {got}");
        }
        let more = Compare { more_fields: true };
        let (empty, full) = (
            Value::map([("a", Value::Null)]),
            Value::map([("a", Value::Int(1))]),
        );
        assert!(more.ok(&Map::new().into(), &empty));
        assert!(!more.ok(&Map::new().into(), &full));
    }

    #[test]
    fn each_matcher_holds_for_what_it_names_and_not_for_more() {
        for (want, holds, fails) in [
            (r#"{"$contains":"b"}"#, r#""abc""#, r#""ac""#),
            (r#"{"$contains":{"a":1}}"#, r#"{"a":1,"b":2}"#, r#"{"a":2}"#),
            (r#"{"$containsAll":[1,2]}"#, "[2,1,3]", "[1,3]"),
            (r#"{"$unordered":[1,2]}"#, "[2,1]", "[2,2]"),
            (r#"{"$length":2}"#, r#""äö""#, "[1]"),
            (r#"{"$gt":1}"#, "1.5", "1"),
            (r#"{"$lt":1}"#, "0", r#""0""#),
            (r#"{"$gte":1}"#, "1", "0.9"),
            (r#"{"$lte":1}"#, "1", "1.1"),
            (r#"{"$ne":1}"#, "2", "1"),
            (r#"{"$near":[10,0.5]}"#, "9.5", "9.4"),
            (r#"{"$approx":1000}"#, "1000.0005", "1000.01"),
            (r#"{"$matches":"^a+$"}"#, r#""aa""#, r#""ab""#),
            (r#"{"$parsesTo":{"a":1}}"#, r#""{\"a\": 1.0}""#, r#""{""#),
            (r#"{"$type":"number"}"#, "1", "true"),
            (r#"{"$anyOf":[1,[]]}"#, "[]", "2"),
            (r#"{"$noneOrNull":true}"#, "[null]", "[0]"),
            (r#"{"$suffixOf":[1,2,3]}"#, "[null,2,3]", "[2]"),
            (r#"{"$suffixOf":[1]}"#, "[1]", "[]"),
            (r#"{"$dropNulls":[1]}"#, "[null,1]", "[1,1]"),
        ] {
            assert!(fits(want, holds), "{want} {holds}");
            assert!(!fits(want, fails), "{want} {fails}");
        }
    }

    #[test]
    fn tables_are_known_in_both_forms() {
        let by_row = r#"{"rows":[{"x":1},{"x":2}]}"#;
        let by_cell = r#"{"type":"dataframe","columns":[{"name":"x"}],"data":[[1],[2]]}"#;
        for got in [by_row, by_cell] {
            assert!(fits(r#"{"$table":[{"x":1},{"x":2}]}"#, got));
            assert!(!fits(r#"{"$table":[{"x":2},{"x":1}]}"#, got));
            assert!(fits(r#"{"$tableColumn":{"x":[1,2]}}"#, got));
            assert!(!fits(r#"{"$tableColumn":{"y":[1,2]}}"#, got));
        }
    }

    #[test]
    fn a_matcher_nobody_knows_is_an_error_of_the_table() {
        let want: Value = serde_json::from_str(r#"{"$nearly":1}"#).unwrap();
        let said = Compare::default().fits(&want, &Value::Int(1)).unwrap_err();
        assert!(said.contains("$nearly"), "{said}");
    }
}
