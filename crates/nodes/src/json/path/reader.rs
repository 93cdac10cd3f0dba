//! Reads the text of a JSONPath.

use nodetool_sdk::Value;

use super::filter::{Comparison, Operand, Test};
use super::{Selector, Step};

/// Steps, selectors and tests of one path, filters included: following a path recurses once per step.
const MOST_PARTS: usize = 256;
/// Brackets and negations of filters inside each other.
const MOST_LEVELS: usize = 32;

/// Reads a whole path.
pub(super) fn read(path: &str) -> Result<Vec<Step>, String> {
    let mut reader = Reader {
        path,
        at: 0,
        parts: 0,
        levels: 0,
    };
    reader.blanks();
    let mut steps = Vec::new();
    if !reader.eat("$") && !reader.rest().starts_with(['.', '[']) {
        let first = if reader.eat("*") {
            Selector::All
        } else {
            reader.name()?
        };
        steps.push(reader.step(false, vec![first])?);
    }
    reader.steps(&mut steps)?;
    reader.blanks();
    if reader.rest().is_empty() {
        Ok(steps)
    } else {
        Err(reader.fault("`.`, `[` or the end"))
    }
}

struct Reader<'a> {
    path: &'a str,
    at: usize,
    parts: usize,
    levels: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.path[self.at..]
    }

    fn eat(&mut self, text: &str) -> bool {
        let hit = self.rest().starts_with(text);
        if hit {
            self.at += text.len();
        }
        hit
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Eats blanks and then the text.
    fn eat_after_blanks(&mut self, text: &str) -> bool {
        self.blanks();
        self.eat(text)
    }

    fn fault(&self, expected: &str) -> String {
        let found: String = self.rest().chars().take(20).collect();
        let place = self.path[..self.at].chars().count();
        if found.is_empty() {
            format!("JSONPath ends after {place} characters (expected {expected})")
        } else {
            format!("JSONPath has {found:?} at character {place} (expected {expected})")
        }
    }

    fn count(&mut self) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(format!("JSONPath with more than {MOST_PARTS} parts"));
        }
        Ok(())
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.levels += 1;
        if self.levels > MOST_LEVELS {
            return Err(format!(
                "JSONPath with filters nested deeper than {MOST_LEVELS} levels"
            ));
        }
        let got = read(self)?;
        self.levels -= 1;
        Ok(got)
    }

    fn step(&mut self, deep: bool, selectors: Vec<Selector>) -> Result<Step, String> {
        self.count()?;
        Ok(Step { deep, selectors })
    }

    fn steps(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        loop {
            let deep = self.eat("..");
            let dot = deep || self.eat(".");
            let selectors = if self.eat("[") {
                self.brackets()?
            } else if self.eat_star_after(dot) {
                vec![Selector::All]
            } else if dot {
                vec![self.name()?]
            } else {
                return Ok(());
            };
            let step = self.step(deep, selectors)?;
            steps.push(step);
        }
    }

    fn eat_star_after(&mut self, dot: bool) -> bool {
        dot && self.eat("*")
    }

    /// A name without quotes, or with.
    fn name(&mut self) -> Result<Selector, String> {
        if self.rest().starts_with(['\'', '"']) {
            return Ok(Selector::Name(self.quoted()?));
        }
        let end = |c: char| c.is_whitespace() || ".[]()'\",*?|&!=<>$".contains(c);
        let len = self.rest().find(end).unwrap_or(self.rest().len());
        if len == 0 {
            return Err(self.fault("a name"));
        }
        let name = self.rest()[..len].to_owned();
        self.at += len;
        Ok(Selector::Name(name))
    }

    fn quoted(&mut self) -> Result<String, String> {
        let quote = self.rest().chars().next().unwrap_or('"');
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, other)) => out.push(other),
                    None => break,
                },
                c if c == quote => {
                    self.at += i + 1;
                    return Ok(out);
                }
                c => out.push(c),
            }
        }
        Err(self.fault("the closing quote"))
    }

    fn brackets(&mut self) -> Result<Vec<Selector>, String> {
        let mut selectors = Vec::new();
        loop {
            self.count()?;
            self.blanks();
            let selector = if self.eat("*") {
                Selector::All
            } else if self.eat("?") {
                Selector::Filter(self.deeper(Self::test)?)
            } else if self
                .rest()
                .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == ':')
            {
                self.index_or_slice()?
            } else {
                self.name()?
            };
            selectors.push(selector);
            if self.eat_after_blanks("]") {
                return Ok(selectors);
            }
            if !self.eat(",") {
                return Err(self.fault("`,` or `]`"));
            }
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector, String> {
        let start = self.integer()?;
        if !self.eat_after_blanks(":") {
            return match start {
                Some(i) => Ok(Selector::Index(i)),
                None => Err(self.fault("a whole number")),
            };
        }
        let end = self.integer()?;
        let step = if self.eat_after_blanks(":") {
            self.integer()?.unwrap_or(1)
        } else {
            1
        };
        if step == 0 {
            return Err(self.fault("a step other than 0"));
        }
        Ok(Selector::Slice { start, end, step })
    }

    fn integer(&mut self) -> Result<Option<i64>, String> {
        self.blanks();
        let sign = usize::from(self.rest().starts_with('-'));
        let digits = self.rest()[sign..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        if sign + digits == 0 {
            return Ok(None);
        }
        match self.rest()[..sign + digits].parse() {
            Ok(n) => {
                self.at += sign + digits;
                Ok(Some(n))
            }
            Err(_) => Err(self.fault("a whole number of 64 bits")),
        }
    }

    fn test(&mut self) -> Result<Test, String> {
        let mut any = vec![self.all()?];
        while self.eat_after_blanks("||") {
            any.push(self.all()?);
        }
        Ok(one_or(any, Test::Or))
    }

    fn all(&mut self) -> Result<Test, String> {
        let mut all = vec![self.single()?];
        while self.eat_after_blanks("&&") {
            all.push(self.single()?);
        }
        Ok(one_or(all, Test::And))
    }

    fn single(&mut self) -> Result<Test, String> {
        self.count()?;
        if self.eat_after_blanks("!") {
            return Ok(Test::Not(Box::new(self.deeper(Self::single)?)));
        }
        if self.eat("(") {
            let test = self.deeper(Self::test)?;
            return if self.eat_after_blanks(")") {
                Ok(test)
            } else {
                Err(self.fault("`)`"))
            };
        }
        let left = self.operand()?;
        self.blanks();
        let how = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ]
        .into_iter()
        .find_map(|(text, how)| self.eat(text).then_some(how));
        match (how, left) {
            (Some(how), left) => Ok(Test::Compare(left, how, self.operand()?)),
            (None, left @ Operand::Path { .. }) => Ok(Test::Exists(left)),
            (None, Operand::Literal(_)) => Err(self.fault("a comparison")),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.blanks();
        let from_root = self.rest().starts_with('$');
        if from_root || self.rest().starts_with('@') {
            self.at += 1;
            let mut steps = Vec::new();
            self.steps(&mut steps)?;
            return Ok(Operand::Path { from_root, steps });
        }
        if self.rest().starts_with(['\'', '"']) {
            return Ok(Operand::Literal(self.quoted()?.into()));
        }
        let number = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let len = self
            .rest()
            .find(|c| !number(c))
            .unwrap_or(self.rest().len());
        match serde_json::from_str::<Value>(&self.rest()[..len]) {
            Ok(literal) => {
                self.at += len;
                Ok(Operand::Literal(literal))
            }
            Err(_) => Err(self.fault("`@`, `$`, a number, text in quotes, true, false or null")),
        }
    }
}

fn one_or(mut tests: Vec<Test>, many: impl FnOnce(Vec<Test>) -> Test) -> Test {
    if tests.len() > 1 {
        return many(tests);
    }
    tests.pop().unwrap_or(Test::Or(Vec::new()))
}
