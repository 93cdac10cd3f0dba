//! The language of conditions: small expressions over the data of a token, with Python's rules for truth, comparison
//! and arithmetic. Nothing of any host can be reached; source: orchestrator spec 5.3.
//!
//! ```text
//! condition  := either [ "if" either "else" condition ]
//! either     := both { "or" both }
//! both       := negation { "and" negation }
//! negation   := "not" negation | comparison
//! comparison := sum { ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in" ) sum
//!                   | "is" [ "not" ] ( "None" | "True" | "False" ) }
//! sum        := product { ( "+" | "-" ) product }
//! product    := sign { ( "*" | "/" | "//" | "%" ) sign }
//! sign       := ( "+" | "-" ) sign | power
//! power      := part [ "**" sign ]
//! part       := atom { "[" condition "]" | "[" [ sum ] ":" [ sum ] [ ":" [ sum ] ] "]" | "." method "(" arguments ")" }
//! method     := "get" | "keys" | "values" | "items" | "lower" | "upper" | "strip" | "startswith" | "endswith"
//!             | "split" | "count"
//! arguments  := [ condition { "," condition } [ "," ] ]
//! atom       := "data" | number | text { text } | "True" | "False" | "None" | "true" | "false" | "null"
//!             | "(" arguments ")" | "[" arguments "]" | "{" [ pair { "," pair } [ "," ] ] "}"
//! pair       := condition ":" condition
//! ```
//!
//! A comparison may be chained (`0 < data['n'] <= 10`). Round brackets with a comma make a list. A key or an index that
//! is not there is an error; `.get` answers `None` or its second argument. Values of different kinds are unequal and
//! have no order.
//!
//! A condition has at most [`MAX_SOURCE`] bytes and forty levels of brackets, and evaluates at most a hundred thousand
//! parts, long texts counting by their length: it ends within milliseconds whatever it says.

mod eval;
mod lexer;
mod parser;
mod syntax;

use nodetool_sdk::{Map, Value};

pub use nodetool_sdk::compat::template::operators::truth;

/// Most bytes of a condition.
pub const MAX_SOURCE: usize = 64 << 10;
/// Most characters of what is wrong with it.
const SHOWN: usize = 400;

/// The value of a condition; `data` is what it may look at.
///
/// # Errors
/// Why it cannot be read, or why one of its parts has no value.
pub fn evaluate(condition: &str, data: &Map) -> Result<Value, String> {
    let expr = parser::parse(condition).map_err(|why| cut(&why, SHOWN))?;
    eval::value(&expr, Some(data)).map_err(|why| cut(&why, SHOWN))
}

fn cut(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The value of a text that holds a literal as Python writes it: `[1, 'a', {'k': None}]`.
pub fn literal(text: &str) -> Option<Value> {
    let expr = parser::parse(text).ok()?;
    if !expr.is_literal() {
        return None;
    }
    eval::value(&expr, None).ok()
}

#[cfg(test)]
mod tests;
