//! Quirks many nodes share, each in one place: how Python prints values, its `re` dialect, its strftime names.

mod python_text;

pub use python_text::{json_dumps, py_float, py_repr, py_str};
