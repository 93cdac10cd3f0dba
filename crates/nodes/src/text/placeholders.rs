//! Marks in a text that stand for values: `{{ name }}`, and `{name}` where asked for. A mark whose name is not known
//! stays as it is. It must not know where names come from.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::compat::template::{Limits, Template};
use nodetool_sdk::{NodeError, Value};

use super::fits;
use crate::extent;

/// Longest mark, in bytes.
const MAX_MARK: usize = 1024;

/// What a text with marks is filled with.
pub(super) struct Placeholders<'a> {
    /// The property the text comes from.
    pub(super) property: &'a str,
    /// Whether `{name}` is a mark too.
    pub(super) single: bool,
    /// What a name stands for.
    pub(super) lookup: &'a dyn Fn(&str) -> Option<Value>,
}

impl Placeholders<'_> {
    /// The text with its known marks replaced, values as Python prints them. A mark may have filters:
    /// `{{ body|truncate(100) }}`.
    pub(super) fn fill(&self, text: &str) -> Result<String, NodeError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            self.push(&mut out, &rest[..at])?;
            rest = &rest[at..];
            let (value, used) = match self.double(rest)? {
                Some(found) => found,
                None => match self.single(rest)? {
                    Some(found) => found,
                    None => (rest[..1].to_owned(), 1),
                },
            };
            self.push(&mut out, &value)?;
            rest = &rest[used..];
        }
        self.push(&mut out, rest)?;
        Ok(out)
    }

    fn push(&self, out: &mut String, part: &str) -> Result<(), NodeError> {
        fits(self.property, out.len() + part.len())?;
        out.push_str(part);
        Ok(())
    }

    /// What stands between the marks' ends, and how long the whole is.
    fn inner<'t>(text: &'t str, open: &str, close: &str) -> Option<(&'t str, usize)> {
        let body = text.strip_prefix(open)?;
        let window = &body[..body.floor_char_boundary(MAX_MARK)];
        let end = window.find(close)?;
        Some((&window[..end], open.len() + end + close.len()))
    }

    fn known(&self, name: &str) -> Result<Option<String>, NodeError> {
        let Some(value) = (self.lookup)(name) else {
            return Ok(None);
        };
        extent::text(self.property, &value, 0)?;
        Ok(Some(py_str(&value)))
    }

    fn double(&self, text: &str) -> Result<Option<(String, usize)>, NodeError> {
        let Some((inner, used)) = Self::inner(text, "{{", "}}") else {
            return Ok(None);
        };
        if let Some(value) = self.known(inner.trim())? {
            return Ok(Some((value, used)));
        }
        if !inner.contains(['|', '.', '[']) {
            return Ok(None);
        }
        let Ok(template) = Template::parse(&text[..used]) else {
            return Ok(None);
        };
        if template
            .head()
            .is_none_or(|name| (self.lookup)(name).is_none())
        {
            return Ok(None);
        }
        let value = template
            .render(self.lookup, Limits::default())
            .map_err(|e| NodeError::bad(self.property, format!("Template error: {}", e.message)))?;
        Ok(Some((value, used)))
    }

    fn single(&self, text: &str) -> Result<Option<(String, usize)>, NodeError> {
        let found = Self::inner(text, "{", "}").filter(|_| self.single);
        let Some((name, used)) = found else {
            return Ok(None);
        };
        Ok(self.known(name)?.map(|value| (value, used)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, single: bool) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "name" => Some(Value::from("{x}")),
            "n" => Some(Value::list([1i64.into(), Value::Null])),
            _ => None,
        };
        let placeholders = Placeholders {
            property: "string",
            single,
            lookup: &lookup,
        };
        placeholders.fill(text).map_err(|e| e.to_string())
    }

    #[test]
    fn known_marks_are_replaced_once_and_others_stay() {
        for (text, expected) in [
            ("{{ name }}{{name}}{name}", "{x}{x}{x}"),
            ("{{ zz }}{zz}{{", "{{ zz }}{zz}{{"),
            ("{{ n }} {n}", "[1, None] [1, None]"),
            (
                "{{ n|length }} {{ zz|upper }} {{ n[0] }}",
                "2 {{ zz|upper }} 1",
            ),
            ("{ name } {{{name}}} {% if %}", "{ name } {{x}} {% if %}"),
        ] {
            assert_eq!(fill(text, true).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(fill("{name}{{ name }}", false).as_deref(), Ok("{name}{x}"));
        let e = fill("{{ n|nope }}", true).unwrap_err();
        assert!(
            e.contains("`string`") && e.contains("unknown filter"),
            "{e}"
        );
    }

    #[test]
    fn a_text_of_braces_is_filled_quickly() {
        let text = "{".repeat(1 << 16);
        assert_eq!(fill(&text, true).unwrap().len(), text.len());
    }
}
