//! Filters of a JSONPath: comparisons of members, of the whole document and of literals.

use std::cmp::Ordering;

use nodetool_sdk::Value;

use super::{Search, Step};

#[derive(Debug, PartialEq)]
pub(super) enum Test {
    Or(Vec<Test>),
    And(Vec<Test>),
    Not(Box<Test>),
    /// Something is there.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Debug, PartialEq)]
pub(super) enum Operand {
    /// A path from the item (`@`) or the document (`$`); its first hit counts.
    Path {
        from_root: bool,
        steps: Vec<Step>,
    },
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl<'a> Search<'a> {
    /// Whether the test holds for an item.
    pub(super) fn holds(&mut self, test: &Test, item: &'a Value) -> Result<bool, String> {
        match test {
            Test::Or(tests) => {
                for t in tests {
                    if self.holds(t, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::And(tests) => {
                for t in tests {
                    if !self.holds(t, item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Not(t) => Ok(!self.holds(t, item)?),
            Test::Exists(operand) => Ok(self.first(operand, item)?.is_some()),
            Test::Compare(a, how, b) => {
                let b = self.first(b, item)?;
                let a = self.first(a, item)?;
                if let (Some(a), Some(_)) = (&a, &b) {
                    self.pay_for(a)?;
                }
                Ok(compare(a.as_ref(), *how, b.as_ref()))
            }
        }
    }

    fn first(&mut self, operand: &Operand, item: &'a Value) -> Result<Option<Value>, String> {
        self.visit()?;
        match operand {
            Operand::Literal(value) => Ok(Some(value.clone())),
            Operand::Path { from_root, steps } => {
                let start = if *from_root { self.root } else { item };
                let mut hit = None;
                self.follow(steps, start, &mut |found| {
                    hit = Some(found.clone());
                    false
                })?;
                Ok(hit)
            }
        }
    }

    /// Comparing looks at each part of a nested value, and at all of a text.
    fn pay_for(&mut self, value: &Value) -> Result<(), String> {
        let mut level = vec![value];
        while let Some(at) = level.pop() {
            self.visit()?;
            self.visits += at.as_str().map_or(0, |s| s.len() / 256);
            level.extend(super::children(at));
        }
        Ok(())
    }
}

/// Absent equals only absent; an order exists among numbers and among texts.
fn compare(a: Option<&Value>, how: Comparison, b: Option<&Value>) -> bool {
    let order = || match (a?, b?) {
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (a, b) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    };
    match how {
        Comparison::Equal => a == b,
        Comparison::NotEqual => a != b,
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::AtMost => order().is_some_and(Ordering::is_le),
        Comparison::More => order() == Some(Ordering::Greater),
        Comparison::AtLeast => order().is_some_and(Ordering::is_ge),
    }
}
