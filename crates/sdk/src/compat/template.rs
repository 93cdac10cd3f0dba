//! Jinja-like templates over values, printed as Python prints them.
//!
//! Templates come from outside. Every step, every byte of text made on the way and every level of nesting is counted
//! against [`Limits`], so a short template cannot fill the memory, the time or the stack; a general engine that counts
//! instructions alone can still be made to double a text forty times. There is no loader, no include and no access to
//! anything but the names it is given.
//!
//! Known: `{{ expression }}` with filters, tests, slices, calls of text, list and dict methods; `if`/`elif`/`else`,
//! `for`/`else` with `loop`, `set`, `with`, `filter`, `macro`, `namespace`, `raw`, comments, `-` at a tag's edge. It must
//! not know any node.

use std::fmt;

use nodetool_protocol::Value;

use self::eval::Vm;
use self::parser::parse;
use self::syntax::{Expr, Step, Stmt};

mod arguments;
mod calls;
mod cost;
mod eval;
mod filters;
mod lexer;
mod methods;
pub mod operators;
mod parser;
mod printf;
mod syntax;

/// Most bytes of a template.
const MAX_SOURCE: usize = 512 << 10;

/// What one rendering may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Evaluated expressions and statements; 64 bytes of text made count as one.
    pub steps: u64,
    /// Most bytes of the result, and of any text on the way.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            steps: 5_000_000,
            output: 64 << 20,
        }
    }
}

/// Why a template could not be read or rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// The line of the template, from 1.
    pub line: usize,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {})", self.message, self.line)
    }
}

impl std::error::Error for TemplateError {}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Name {
    /// A value; what it lacks is undefined.
    Value(Value),
    /// A value whose parts are always defined: what it lacks, and what is null in it, is an empty dict.
    Soft(Value),
}

/// What a template is rendered in: names, and filters of its own.
pub trait Scope {
    /// What a name stands for. An unknown name prints as nothing.
    fn name(&self, name: &str) -> Option<Name>;

    /// Applies a filter that is not a general one; `None` when there is none of that name.
    fn filter(
        &self,
        name: &str,
        value: &Value,
        args: &FilterArgs,
    ) -> Option<Result<Value, String>> {
        let _ = (name, value, args);
        None
    }

    /// What one call of [`filter`](Self::filter) or one look at a name costs, in steps.
    fn cost(&self) -> usize {
        1
    }
}

/// What a filter of a [`Scope`] is given.
#[derive(Clone, Debug, Default)]
pub struct FilterArgs {
    /// By place.
    pub positional: Vec<Value>,
    /// By name.
    pub named: Vec<(String, Value)>,
}

impl FilterArgs {
    /// The argument at this place, else the one of this name.
    pub fn get(&self, place: usize, name: &str) -> Option<&Value> {
        self.positional.get(place).or_else(|| {
            let found = self.named.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value)
        })
    }
}

/// Names without filters.
struct Names<'a>(&'a dyn Fn(&str) -> Option<Value>);

impl Scope for Names<'_> {
    fn name(&self, name: &str) -> Option<Name> {
        (self.0)(name).map(Name::Value)
    }
}

/// A template that was read.
#[derive(Debug)]
pub struct Template {
    body: Vec<Stmt>,
}

impl Template {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError {
                message: format!(
                    "the template has {} bytes (expected at most {MAX_SOURCE})",
                    source.len()
                ),
                line: 1,
            });
        }
        let body = parse(lexer::tokens(source)?)?;
        Ok(Template { body })
    }

    /// Renders it; `names` answers what a name stands for. An unknown name prints as nothing.
    pub fn render(
        &self,
        names: &dyn Fn(&str) -> Option<Value>,
        limits: Limits,
    ) -> Result<String, TemplateError> {
        self.render_in(&Names(names), limits)
    }

    /// Renders it in a scope.
    pub fn render_in(&self, scope: &dyn Scope, limits: Limits) -> Result<String, TemplateError> {
        Vm::new(scope, limits).render(&self.body)
    }

    /// The name and the attributes of a template that is one plain path: `data.a.b` of `{{ data.a.b }}`.
    pub fn path(&self) -> Option<(&str, Vec<&str>)> {
        match self.body.as_slice() {
            [Stmt::Emit(Expr::Var(name), _)] => Some((name, Vec::new())),
            [Stmt::Emit(Expr::Postfix(base, steps), _)] => {
                let Expr::Var(name) = base.as_ref() else {
                    return None;
                };
                let parts = steps.iter().map(|step| match step {
                    Step::Attribute(name) => Some(name.as_str()),
                    _ => None,
                });
                Some((name, parts.collect::<Option<_>>()?))
            }
            _ => None,
        }
    }

    /// The name a template of one expression begins with: `body` of `{{ body|truncate(9) }}`.
    pub fn head(&self) -> Option<&str> {
        let [Stmt::Emit(expr, _)] = self.body.as_slice() else {
            return None;
        };
        match expr {
            Expr::Var(name) => Some(name),
            Expr::Postfix(base, steps) => match (base.as_ref(), steps.first()) {
                (Expr::Var(name), first) if !matches!(first, Some(Step::Call(_))) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
