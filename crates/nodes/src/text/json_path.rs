//! JSONPath: `$.a.b`, `['a']`, `[0]`, `[-1]`, `[*]`, `.*`, `[1:3]`, `[0,2]`, `..name`, `[?(@.a > 1 && @.b)]`.
//!
//! A leading `$` may be missing. It must not know nodes.

use std::cmp::Ordering;

use nodetool_sdk::Value;

/// Most bytes of a path.
const MAX_PATH: usize = 10_000;
/// Most values looked at in one search.
const MAX_VISITED: usize = 5_000_000;

/// A path, read.
pub(super) struct JsonPath {
    steps: Vec<Step>,
}

enum Step {
    Names(Vec<String>),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>, i64),
    All,
    /// The value and everything below it.
    Below,
    /// Alternatives of conditions that all hold.
    Filter(Vec<Vec<Condition>>),
}

struct Condition {
    left: Operand,
    comparison: Option<(&'static str, Operand)>,
    negated: bool,
}

enum Operand {
    Constant(Value),
    Path(JsonPath),
}

const COMPARISONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl JsonPath {
    /// Reads a path.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        if path.len() > MAX_PATH {
            return Err(format!(
                "a path of {} bytes (expected at most {MAX_PATH})",
                path.len()
            ));
        }
        let mut reader = Reader { path, at: 0 };
        reader.blanks();
        let _ = reader.take("$");
        let steps = reader.steps(true)?;
        reader.blanks();
        if reader.at < path.len() {
            return Err(reader.wrong("a step such as .name or [0]"));
        }
        Ok(JsonPath { steps })
    }

    /// The values it leads to, in document order.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Result<Vec<&'v Value>, String> {
        let mut left = MAX_VISITED;
        self.walk(root, &mut left)
    }

    fn walk<'v>(&self, root: &'v Value, left: &mut usize) -> Result<Vec<&'v Value>, String> {
        let mut here = vec![root];
        for step in &self.steps {
            let mut next = Vec::new();
            for value in here {
                step.apply(value, &mut next, left)?;
            }
            here = next;
        }
        Ok(here)
    }
}

impl Step {
    fn apply<'v>(
        &self,
        value: &'v Value,
        out: &mut Vec<&'v Value>,
        left: &mut usize,
    ) -> Result<(), String> {
        spend(left, 1)?;
        match (self, value) {
            (Step::Names(names), Value::Map(map)) => {
                out.extend(names.iter().filter_map(|n| map.get(n.as_str())));
            }
            (Step::Indices(indices), Value::List(items)) => {
                for index in indices {
                    let index = if *index < 0 {
                        usize::try_from(index.unsigned_abs())
                            .ok()
                            .and_then(|back| items.len().checked_sub(back))
                    } else {
                        usize::try_from(*index).ok()
                    };
                    out.extend(index.and_then(|i| items.get(i)));
                }
            }
            (Step::Slice(start, stop, step), Value::List(items)) => {
                let (from, to) =
                    super::chars::bounds(items.len(), start.unwrap_or(0), stop.unwrap_or(i64::MAX));
                let stride = usize::try_from(*step).unwrap_or(1);
                let part = items.get(from..to).unwrap_or_default();
                spend(left, part.len())?;
                out.extend(part.iter().step_by(stride));
            }
            (Step::All, parent) => {
                let before = out.len();
                children(parent, out);
                spend(left, out.len() - before)?;
            }
            (Step::Below, top) => {
                let mut open = vec![top];
                while let Some(value) = open.pop() {
                    spend(left, 1)?;
                    out.push(value);
                    let before = open.len();
                    children(value, &mut open);
                    open[before..].reverse();
                }
            }
            (Step::Filter(alternatives), parent) => {
                let mut items = Vec::new();
                children(parent, &mut items);
                for item in items {
                    spend(left, 1)?;
                    if holds(alternatives, item, left)? {
                        out.push(item);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn spend(left: &mut usize, steps: usize) -> Result<(), String> {
    *left = left.checked_sub(steps).ok_or_else(|| {
        format!("the path visits more than {MAX_VISITED} values (expected at most that)")
    })?;
    Ok(())
}

fn children<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::List(items) => out.extend(items.iter()),
        Value::Map(map) => out.extend(map.values()),
        _ => {}
    }
}

fn holds(alternatives: &[Vec<Condition>], item: &Value, left: &mut usize) -> Result<bool, String> {
    for all in alternatives {
        let mut every = true;
        for condition in all {
            every = every && condition.holds(item, left)? != condition.negated;
        }
        if every {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Condition {
    fn holds(&self, item: &Value, left: &mut usize) -> Result<bool, String> {
        let a = self.left.value(item, left)?;
        let Some((sign, right)) = &self.comparison else {
            return Ok(a.is_some());
        };
        let b = right.value(item, left)?;
        let order = match (a, b) {
            (Some(Value::Str(a)), Some(Value::Str(b))) => Some(a.cmp(b)),
            (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
                (Some(x), Some(y)) => x.partial_cmp(&y),
                _ => None,
            },
            _ => None,
        };
        let equal = match (a, b) {
            (Some(Value::List(_) | Value::Map(_)), _) => false,
            (a, b) => a == b,
        };
        Ok(match *sign {
            "==" => equal,
            "!=" => !equal,
            "<" => order == Some(Ordering::Less),
            "<=" => order.is_some_and(Ordering::is_le),
            ">" => order == Some(Ordering::Greater),
            _ => order.is_some_and(Ordering::is_ge),
        })
    }
}

impl Operand {
    fn value<'v>(&'v self, item: &'v Value, left: &mut usize) -> Result<Option<&'v Value>, String> {
        match self {
            Operand::Constant(value) => Ok(Some(value)),
            Operand::Path(path) => Ok(path.walk(item, left)?.first().copied()),
        }
    }
}

struct Reader<'p> {
    path: &'p str,
    at: usize,
}

impl<'p> Reader<'p> {
    fn rest(&self) -> &'p str {
        &self.path[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.path.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn wrong(&self, expected: &str) -> String {
        let at = self.path[..self.at].chars().count();
        let found = self.rest().chars().next();
        let found = found.map_or("the end".to_owned(), |c| format!("'{c}'"));
        format!("{found} at position {at} of the path (expected {expected})")
    }

    /// Steps as long as there are some; the first may be a bare name.
    fn steps(&mut self, bare: bool) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let first = self.rest().chars().next();
        if bare && first.is_some_and(|c| is_name(c) || c == '*') {
            steps.push(self.member()?);
        }
        loop {
            if self.take("..") {
                steps.push(Step::Below);
                if !self.rest().starts_with('[') {
                    steps.push(self.member()?);
                }
            } else if self.take(".") {
                if !self.rest().starts_with('[') {
                    steps.push(self.member()?);
                }
            } else if self.take("[") {
                self.blanks();
                steps.push(self.bracket()?);
                self.blanks();
                if !self.take("]") {
                    return Err(self.wrong("]"));
                }
            } else {
                return Ok(steps);
            }
        }
    }

    /// What follows a dot.
    fn member(&mut self) -> Result<Step, String> {
        if self.take("*") {
            return Ok(Step::All);
        }
        if self.rest().starts_with(['\'', '"']) {
            return Ok(Step::Names(vec![self.quoted()?]));
        }
        let rest = self.rest();
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if len == 0 {
            return Err(self.wrong("a name or *"));
        }
        self.at += len;
        Ok(Step::Names(vec![rest[..len].to_owned()]))
    }

    fn bracket(&mut self) -> Result<Step, String> {
        if self.take("*") {
            return Ok(Step::All);
        }
        if self.take("?") {
            self.blanks();
            let round = self.take("(");
            let filter = self.filter()?;
            self.blanks();
            if round && !self.take(")") {
                return Err(self.wrong(")"));
            }
            return Ok(Step::Filter(filter));
        }
        if self.rest().starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            while self.comma() {
                names.push(self.quoted()?);
            }
            return Ok(Step::Names(names));
        }
        if self
            .rest()
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            return self.member();
        }
        let first = self.integer();
        self.blanks();
        if self.rest().starts_with(':') {
            let mut part = || {
                self.blanks();
                if !self.take(":") {
                    return None;
                }
                self.blanks();
                self.integer()
            };
            let (stop, step) = (part(), part());
            let step = step.unwrap_or(1);
            if step < 1 {
                return Err(self.wrong("a step of at least 1"));
            }
            return Ok(Step::Slice(first, stop, step));
        }
        let Some(first) = first else {
            return Err(self.wrong("a name, a number, * or ?"));
        };
        let mut indices = vec![first];
        while self.comma() {
            let index = self.integer();
            indices.push(index.ok_or_else(|| self.wrong("a number"))?);
        }
        Ok(Step::Indices(indices))
    }

    fn comma(&mut self) -> bool {
        self.blanks();
        let found = self.take(",");
        self.blanks();
        found
    }

    fn integer(&mut self) -> Option<i64> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..sign + digits].parse().ok()?;
        self.at += sign + digits;
        Some(number)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map(|(_, c)| c);
        if !matches!(quote, Some('\'' | '"')) {
            return Err(self.wrong("a name in quotes"));
        }
        let mut out = String::new();
        while let Some((i, c)) = chars.next() {
            match c {
                c if Some(c) == quote => {
                    self.at = start + i + 1;
                    return Ok(out);
                }
                '\\' => out.extend(chars.next().map(|(_, c)| c)),
                c => out.push(c),
            }
        }
        self.at = self.path.len();
        Err(self.wrong("a closing quote"))
    }

    fn filter(&mut self) -> Result<Vec<Vec<Condition>>, String> {
        let mut alternatives = vec![vec![self.condition()?]];
        loop {
            self.blanks();
            if self.take("||") {
                alternatives.push(vec![self.condition()?]);
            } else if self.take("&&") {
                let condition = self.condition()?;
                if let Some(all) = alternatives.last_mut() {
                    all.push(condition);
                }
            } else {
                return Ok(alternatives);
            }
        }
    }

    fn condition(&mut self) -> Result<Condition, String> {
        self.blanks();
        let negated = self.take("!");
        let left = self.operand()?;
        self.blanks();
        let sign = COMPARISONS.into_iter().find(|s| self.take(s));
        let comparison = match sign {
            Some(sign) => Some((sign, self.operand()?)),
            None => None,
        };
        Ok(Condition {
            left,
            comparison,
            negated,
        })
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.blanks();
        let rest = self.rest();
        if self.take("@") {
            // A filter within the path of a filter would nest without end.
            let steps = self.steps(false)?;
            if steps.iter().any(|s| matches!(s, Step::Filter(_))) {
                return Err("a filter within a filter is not supported".into());
            }
            return Ok(Operand::Path(JsonPath { steps }));
        }
        if rest.starts_with(['\'', '"']) {
            return self.quoted().map(|s| Operand::Constant(s.into()));
        }
        for (word, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if self.take(word) {
                return Ok(Operand::Constant(value));
            }
        }
        let len = rest
            .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
            .unwrap_or(rest.len());
        match rest[..len].parse::<f64>() {
            Ok(number) => {
                self.at += len;
                Ok(Operand::Constant(number.into()))
            }
            Err(_) => Err(self.wrong("@, a number, a text in quotes, true, false or null")),
        }
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c == '-' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str) -> Value {
        let json = r#"{"a": {"b": 1, "x-y": [10, 20, 30, 40]}, "list": [{"n": "p", "v": 5}, {"n": "q", "v": 15},
                      {"n": "r"}], "n": "top"}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        let path = JsonPath::parse(path).unwrap();
        Value::list(path.find(&value).unwrap().into_iter().cloned())
    }

    #[test]
    fn paths_lead_where_they_say() {
        for (path, expected) in [
            ("$.a.b", "[1]"),
            ("a.b", "[1]"),
            ("$['a'][\"x-y\"][1:3]", "[20, 30]"),
            ("$.a.x-y[-1]", "[40]"),
            ("$.a.x-y[0,2,9]", "[10, 30]"),
            ("$.a.x-y[::2]", "[10, 30]"),
            ("$.list[*].n", "[\"p\", \"q\", \"r\"]"),
            ("$..n", "[\"top\", \"p\", \"q\", \"r\"]"),
            ("$.a['b','zz']", "[1]"),
            ("$.list[?(@.v > 4 && @.n != 'q')].n", "[\"p\"]"),
            ("$.list[?(@.v >= 15 || !@.v)].n", "[\"q\", \"r\"]"),
            ("$.list[?@.n == 'r']", "[{\"n\": \"r\"}]"),
            ("$.a.b.c", "[]"),
            ("$.n[0]", "[]"),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(find(path), expected, "{path}");
        }
    }

    #[test]
    fn wrong_paths_say_where() {
        for (path, why) in [
            ("$.", "the end at position 2"),
            ("$[", "the end at position 2"),
            ("$.a[1", "expected ]"),
            ("$.a b", "'b' at position 4"),
            ("$[?(@.a[?(@.b)])]", "within a filter"),
            ("$['a", "a closing quote"),
            ("$[::0]", "at least 1"),
        ] {
            let e = JsonPath::parse(path).err().unwrap();
            assert!(e.contains(why), "{path}: {e}");
        }
    }

    #[test]
    fn a_path_that_visits_too_much_is_refused() {
        let wide =
            Value::list((0..300i64).map(|i| Value::list((0..30).map(|j| Value::Int(i + j)))));
        let path = JsonPath::parse("$..*..*..*..*..*..*").unwrap();
        assert!(path.find(&wide).is_ok_and(|found| found.is_empty()));
        let wide = Value::list(vec![wide; 30]);
        let wide = Value::list(vec![wide; 30]);
        let e = JsonPath::parse("$..*").unwrap().find(&wide).unwrap_err();
        assert!(e.contains("visits more than"), "{e}");
    }
}
