//! Quirks many nodes share, each in one place: how Python prints values, its `re` dialect, its strftime names, and
//! Jinja-like templates. They must not know any node.

mod literal;
mod python_text;
pub mod regex;
mod strftime;
pub mod template;

pub use literal::py_literal;
pub use python_text::{json_dumps, py_float, py_repr, py_str};
pub use strftime::{strftime, strftime_naive};

/// Characters Python counts as white space in `strip`, `split` and `isspace`.
pub fn is_py_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
