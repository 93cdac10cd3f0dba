//! JSONPath over values. It must not know nodes, and it never runs longer than its budget.
//!
//! A path is `$`, which may be left out, and steps: `.name`, `['name']`, `[0]`, `[-1]`, `[1:5:2]`, `.*`, `[*]`, several
//! of these in one pair of brackets, `..` before any of them for all levels, and filters such as
//! `[?(@.price < 10 && @.tags)]`. Functions and arithmetic are not part of it.

use nodetool_sdk::Value;

mod filter;
mod reader;

use filter::Test;

/// Values looked at in one selection.
const MOST_VISITS: usize = 10_000_000;

/// One step of a path.
#[derive(Debug, PartialEq)]
struct Step {
    /// Whether all levels below count too.
    deep: bool,
    selectors: Vec<Selector>,
}

#[derive(Debug, PartialEq)]
enum Selector {
    /// A member; digits also mean a place in a list.
    Name(String),
    Index(i64),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    All,
    Filter(Test),
}

/// The values `path` selects, in document order, up to `limit` of them; the error says what is wrong with the path.
pub(crate) fn select(path: &str, value: &Value, limit: usize) -> Result<Vec<Value>, String> {
    let steps = reader::read(path)?;
    let mut search = Search {
        root: value,
        visits: 0,
    };
    let mut hits = Vec::new();
    if limit > 0 {
        search.follow(&steps, value, &mut |hit| {
            hits.push(hit.clone());
            hits.len() < limit
        })?;
    }
    Ok(hits)
}

/// A selection under way.
struct Search<'a> {
    root: &'a Value,
    visits: usize,
}

/// Takes a hit; false ends the search.
type OnHit<'a, 'f> = dyn FnMut(&'a Value) -> bool + 'f;

impl<'a> Search<'a> {
    fn visit(&mut self) -> Result<(), String> {
        self.visits += 1;
        if self.visits > MOST_VISITS {
            return Err(format!(
                "the JSONPath looks at more than {MOST_VISITS} values"
            ));
        }
        Ok(())
    }

    /// Follows the steps from `at`; false when a hit ended the search.
    fn follow(
        &mut self,
        steps: &[Step],
        at: &'a Value,
        on_hit: &mut OnHit<'a, '_>,
    ) -> Result<bool, String> {
        let Some((step, rest)) = steps.split_first() else {
            self.visit()?;
            return Ok(on_hit(at));
        };
        let mut level = vec![at];
        while let Some(at) = level.pop() {
            self.visit()?;
            for selector in &step.selectors {
                if !self.choose(selector, at, rest, on_hit)? {
                    return Ok(false);
                }
            }
            if step.deep {
                let below = level.len();
                level.extend(children(at));
                level[below..].reverse();
                self.visits += level.len() - below;
            }
        }
        Ok(true)
    }

    fn choose(
        &mut self,
        selector: &Selector,
        at: &'a Value,
        rest: &[Step],
        on_hit: &mut OnHit<'a, '_>,
    ) -> Result<bool, String> {
        match selector {
            Selector::Name(name) => match member(at, name) {
                Some(found) => self.follow(rest, found, on_hit),
                None => Ok(true),
            },
            Selector::Index(i) => match at.as_list().and_then(|l| l.get(place(*i, l.len())?)) {
                Some(found) => self.follow(rest, found, on_hit),
                None => Ok(true),
            },
            Selector::Slice { start, end, step } => {
                let Some(items) = at.as_list() else {
                    return Ok(true);
                };
                for i in sliced(*start, *end, *step, items.len()) {
                    if !self.follow(rest, &items[i], on_hit)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Selector::All => {
                for child in children(at) {
                    if !self.follow(rest, child, on_hit)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Selector::Filter(test) => {
                for child in children(at) {
                    self.visit()?;
                    if self.holds(test, child)? && !self.follow(rest, child, on_hit)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

fn member<'a>(at: &'a Value, name: &str) -> Option<&'a Value> {
    match at {
        Value::Map(map) => map.get(name),
        Value::List(items) if name.bytes().all(|b| b.is_ascii_digit()) => {
            items.get(name.parse::<usize>().ok()?)
        }
        _ => None,
    }
}

fn children(at: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match at {
        Value::List(items) => Box::new(items.iter()),
        Value::Map(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// A place counted from the start, or from the end when negative.
fn place(index: i64, len: usize) -> Option<usize> {
    let from_end = if index < 0 { len as i64 } else { 0 };
    usize::try_from(index.checked_add(from_end)?)
        .ok()
        .filter(|i| *i < len)
}

/// The places a slice takes, as Python counts them.
fn sliced(
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
    len: usize,
) -> Box<dyn Iterator<Item = usize>> {
    let len = len as i64;
    let (low, high) = if step < 0 { (-1, len - 1) } else { (0, len) };
    let bound = |i: i64| if i < 0 { i.saturating_add(len) } else { i }.clamp(low, high);
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    if step < 0 {
        let (from, to) = (start.map_or(high, bound), end.map_or(low, bound));
        Box::new((to + 1..=from).rev().step_by(stride).map(|i| i as usize))
    } else if step > 0 {
        let (from, to) = (start.map_or(low, bound), end.map_or(high, bound));
        Box::new((from..to).step_by(stride).map(|i| i as usize))
    } else {
        Box::new(std::iter::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(path: &str, json: &str) -> String {
        let value: Value = serde_json::from_str(json).unwrap();
        match select(path, &value, 1000) {
            Ok(hits) => serde_json::to_string(&hits).unwrap(),
            Err(e) => e,
        }
    }

    const STORE: &str = r#"{"book":[{"t":"A","p":8,"x":[1,2]},{"t":"B","p":12.5},{"t":"C","p":9,"isbn":"1"}],"a b":{"p":1}}"#;

    #[test]
    fn steps_select_in_document_order() {
        for (path, want) in [
            ("$", STORE.replace(' ', "").replace("ab", "a b").as_str()),
            ("$.book[0].t", r#""A""#),
            ("book.0.t", r#""A""#),
            ("$.book[*].t", r#""A","B","C""#),
            ("$.book[-1].t", r#""C""#),
            ("$.book[-4].t", ""),
            ("$.book[1:].t", r#""B","C""#),
            ("$.book[:2].t", r#""A","B""#),
            ("$.book[::-1].t", r#""C","B","A""#),
            ("$.book[::-2].t", r#""C","A""#),
            ("$.book[-2:-1:1].t", r#""B""#),
            ("$.book[0,2]['t','p']", r#""A",8,"C",9"#),
            ("$..p", "8,12.5,9,1"),
            ("$['a b'].p", "1"),
            ("$[\"a b\"]['p']", "1"),
            ("$..x[*]", "1,2"),
            (
                "$.book..*",
                r#"{"t":"A","p":8,"x":[1,2]},{"t":"B","p":12.5},{"t":"C","p":9,"isbn":"1"},"A",8,[1,2],1,2,"B",12.5,"C",9,"1""#,
            ),
            ("$.nope.p", ""),
            ("$.book.t", ""),
        ] {
            assert_eq!(hits(path, STORE), format!("[{want}]"), "{path}");
        }
    }

    #[test]
    fn paths_lead_where_they_say() {
        let json = r#"{"a": {"b": 1, "x-y": [10, 20, 30, 40]}, "list": [{"n": "p", "v": 5}, {"n": "q", "v": 15},
                      {"n": "r"}], "n": "top"}"#;
        for (path, expected) in [
            ("$.a.b", "[1]"),
            ("a.b", "[1]"),
            ("$['a'][\"x-y\"][1:3]", "[20,30]"),
            ("$.a.x-y[-1]", "[40]"),
            ("$.a.x-y[0,2,9]", "[10,30]"),
            ("$.a.x-y[::2]", "[10,30]"),
            ("$.list[*].n", "[\"p\",\"q\",\"r\"]"),
            ("*[*].n", "[\"p\",\"q\",\"r\"]"),
            ("$..n", "[\"top\",\"p\",\"q\",\"r\"]"),
            ("$.a['b','zz']", "[1]"),
            ("$.list[?(@.v > 4 && @.n != 'q')].n", "[\"p\"]"),
            ("$.list[?(@.v >= 15 || !@.v)].n", "[\"q\",\"r\"]"),
            ("$.list[?@.n == 'r']", "[{\"n\":\"r\"}]"),
            ("$.a.b.c", "[]"),
            ("$.n[0]", "[]"),
        ] {
            assert_eq!(hits(path, json), expected, "{path}");
        }
    }

    #[test]
    fn filters_compare_and_combine() {
        for (path, want) in [
            ("$.book[?(@.p < 10)].t", r#""A","C""#),
            ("$.book[?@.p<10 && !@.isbn].t", r#""A""#),
            ("$.book[?(@.isbn || (@.p > 12))].t", r#""B","C""#),
            ("$.book[?(@.t == 'B')].p", "12.5"),
            ("$.book[?(@.t != \"B\")].p", "8,9"),
            ("$.book[?(@.p >= $['a b'].p)].t", r#""A","B","C""#),
            ("$.book[?(@.x[?(@ == 2)])].t", r#""A""#),
            ("$.book[?(@.isbn == null)].t", ""),
            ("$.book[?(@.p == '8')].t", ""),
            ("$.book[?(@.p < -1e2)].t", ""),
            ("$..[?(@.p == 1)].p", "1"),
        ] {
            assert_eq!(hits(path, STORE), format!("[{want}]"), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_place() {
        for path in [
            "",
            "$.",
            "$..",
            "$[",
            "$[]",
            "$['a",
            "$[1",
            "$[1:2:3:4]",
            "$[::0]",
            "$.a b",
            "$a",
            "$[?]",
            "$[?(@.a",
            "$[?(@.a <)]",
            "$[?length(@) > 1]",
            "$[99999999999999999999]",
            "$.a)",
            "$[?(1)]",
            "$.é[",
            "$[?'a]",
        ] {
            let error = hits(path, "{}");
            assert!(error.contains("JSONPath"), "{path}: {error}");
        }
    }

    #[test]
    fn hostile_paths_end() {
        let wide = Value::list((0..2000i64).map(Value::from));
        let error = select("$[?($[?($[?(@ == -1)])])]", &wide, 10).unwrap_err();
        assert!(error.contains("more than"), "{error}");
        let mut deep = Value::Null;
        for _ in 0..100 {
            deep = Value::list([deep.clone(), deep]);
        }
        assert!(select("$..x", &deep, 10).is_err());
        for path in [
            ".a".repeat(100_000),
            format!("${}", "[?(@".repeat(10_000)),
            format!("$[?{}", "(".repeat(10_000)),
            format!("$[?{}", "!".repeat(10_000)),
            format!("$[{}]", "*,".repeat(100_000)),
        ] {
            assert!(select(&path, &wide, 10).is_err());
        }
    }

    #[test]
    fn the_search_stops_at_the_limit() {
        let wide = Value::list((0..2000i64).map(Value::from));
        assert_eq!(select("$[*]", &wide, 3).unwrap().len(), 3);
        assert_eq!(select("$..*..*", &wide, 0).unwrap().len(), 0);
    }
}
