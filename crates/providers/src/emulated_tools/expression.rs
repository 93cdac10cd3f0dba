//! Reads calls written as expressions: `search(query="rust", limit=5)`, one or several, in a list or not.
//!
//! Values are JSON or Python literals. Arguments without a name are those of the tool's schema, in its order.

use nodetool_sdk::models::ToolSpec;
use serde_json::{Map, Number, Value};

use super::call_text::Call;

/// Most levels of lists and maps in an argument.
const DEEPEST: usize = 32;

/// The calls a text consists of.
pub(super) fn parse(text: &str, tools: &[ToolSpec]) -> Option<Vec<Call>> {
    let mut cursor = Cursor { rest: text };
    let in_list = cursor.eat("[");
    let mut calls = Vec::new();
    loop {
        cursor.blank();
        if cursor.rest.is_empty() || (in_list && cursor.rest.starts_with(']')) {
            break;
        }
        calls.push(cursor.call(tools)?);
        cursor.blank();
        let _ = cursor.eat(",") || cursor.eat(";");
    }
    if in_list && !cursor.eat("]") {
        return None;
    }
    cursor.blank();
    cursor.rest.is_empty().then_some(calls)
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.blank();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> Option<&'a str> {
        self.blank();
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn call(&mut self, tools: &[ToolSpec]) -> Option<Call> {
        let name = self.word()?;
        let tool = tools.iter().find(|tool| tool.name == name)?;
        if !self.eat("(") {
            return None;
        }
        let properties = tool.parameters.get("properties").and_then(|p| p.as_map());
        let mut unnamed = properties.into_iter().flat_map(|p| p.keys());
        let mut arguments = Map::new();
        while !self.eat(")") {
            let named = self.named();
            let value = self.value(0)?;
            match (named, value) {
                (Some(key), value) => {
                    arguments.insert(key.to_owned(), value);
                }
                (None, Value::Object(all)) if arguments.is_empty() => arguments = all,
                (None, value) => {
                    arguments.insert(unnamed.next()?.to_string(), value);
                }
            }
            if !self.eat(",") && !self.rest.trim_start().starts_with(')') {
                return None;
            }
        }
        Some((name.to_owned(), Value::Object(arguments).to_string()))
    }

    /// The name before `=`, if there is one.
    fn named(&mut self) -> Option<&'a str> {
        let before = self.rest;
        let name = self.word();
        if name.is_some() && self.eat("=") {
            return name;
        }
        self.rest = before;
        None
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.blank();
        match self.rest.chars().next()? {
            quote @ ('"' | '\'') => self.text(quote).map(Value::String),
            '[' => self.list(depth),
            '{' => self.map(depth),
            _ => match self.scalar()? {
                "true" | "True" => Some(Value::Bool(true)),
                "false" | "False" => Some(Value::Bool(false)),
                "null" | "None" => Some(Value::Null),
                number => number.parse::<Number>().ok().map(Value::Number),
            },
        }
    }

    fn scalar(&mut self) -> Option<&'a str> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.eat("[");
        let mut items = Vec::new();
        while !self.eat("]") {
            items.push(self.value(depth + 1)?);
            if !self.eat(",") && !self.rest.trim_start().starts_with(']') {
                return None;
            }
        }
        Some(Value::Array(items))
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        self.eat("{");
        let mut map = Map::new();
        while !self.eat("}") {
            let Value::String(key) = self.value(depth + 1)? else {
                return None;
            };
            if !self.eat(":") {
                return None;
            }
            map.insert(key, self.value(depth + 1)?);
            if !self.eat(",") && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(map))
    }

    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => match letters.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'u' => {
                        let code: String = letters.by_ref().take(4).map(|(_, c)| c).collect();
                        let code = u32::from_str_radix(&code, 16).ok()?;
                        text.push(char::from_u32(code)?);
                    }
                    other => text.push(other),
                },
                end if end == quote => {
                    self.rest = &self.rest[at + quote.len_utf8()..];
                    return Some(text);
                }
                other => text.push(other),
            }
        }
        None
    }
}
