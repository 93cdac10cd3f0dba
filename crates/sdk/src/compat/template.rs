//! Jinja-like templates over values, printed as Python prints them.
//!
//! Templates come from outside. Every step, every byte of text made on the way and every level of nesting is counted
//! against [`Limits`], so a short template cannot fill the memory, the time or the stack; a general engine that counts
//! instructions alone can still be made to double a text forty times. There is no loader, no include, no macro and no
//! access to anything but the names it is given.
//!
//! Known: `{{ expression }}` with filters, tests, slices, calls of text, list and dict methods; `if`/`elif`/`else`,
//! `for`/`else` with `loop`, `set`, `with`, `filter`, `raw`, comments, `-` at a tag's edge. It must not know any node.

use std::fmt;

use nodetool_protocol::Value;

use self::eval::Vm;
use self::parser::parse;
use self::syntax::{Expr, Step, Stmt};

mod arguments;
mod cost;
mod eval;
mod filters;
mod lexer;
mod methods;
mod operators;
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
        Vm::new(names, limits).render(&self.body)
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
