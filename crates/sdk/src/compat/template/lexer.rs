//! Cuts a template into text and the tokens of its tags. It must not know what they mean.

use super::TemplateError;
use crate::compat::py_literal;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Text(String),
    /// `{{`
    Output,
    /// `{%`
    Block,
    /// `}}` or `%}`
    End,
    Name(String),
    Str(String),
    Int(i64),
    Float(f64),
    Op(&'static str),
}

/// Longest first.
const OPERATORS: [&str; 25] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[",
    "]", "{", "}", ",", ":", ".", "|",
];

/// The tokens with the lines they stand on.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, usize)>, TemplateError> {
    // One line end at the very end belongs to the file, not to the text.
    let source = source
        .strip_suffix("\r\n")
        .or_else(|| source.strip_suffix('\n'))
        .unwrap_or(source);
    let mut lexer = Lexer {
        rest: source,
        line: 1,
        tokens: Vec::new(),
        trim: false,
    };
    while !lexer.rest.is_empty() {
        lexer.text_and_tag()?;
    }
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    rest: &'s str,
    line: usize,
    tokens: Vec<(Token, usize)>,
    /// Whether the tag before asked for the blanks after it to go.
    trim: bool,
}

impl<'s> Lexer<'s> {
    fn fail<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError {
            message: message.into(),
            line: self.line,
        })
    }

    fn advance(&mut self, bytes: usize) -> &'s str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.bytes().filter(|b| *b == b'\n').count();
        self.rest = rest;
        taken
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn text(&mut self, text: &str, trim_end: bool) {
        let mut text = text;
        if std::mem::take(&mut self.trim) {
            text = text.trim_start();
        }
        if trim_end {
            text = text.trim_end();
        }
        if !text.is_empty() {
            self.push(Token::Text(text.to_owned()));
        }
    }

    /// The text up to the next tag, and the tag.
    fn text_and_tag(&mut self) -> Result<(), TemplateError> {
        let mut from = 0;
        let start = loop {
            match self.rest[from..].find('{') {
                Some(i) => {
                    let at = from + i;
                    if matches!(self.rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')) {
                        break Some(at);
                    }
                    from = at + 1;
                }
                None => break None,
            }
        };
        let Some(start) = start else {
            let text = self.advance(self.rest.len());
            self.text(text, false);
            return Ok(());
        };
        let sign = self.rest.as_bytes().get(start + 2).copied();
        let text = self.advance(start);
        self.text(text, sign == Some(b'-'));
        let kind = self.advance(2);
        if matches!(sign, Some(b'-' | b'+')) {
            self.advance(1);
        }
        match kind {
            "{#" => {
                let Some(end) = self.rest.find("#}") else {
                    return self.fail("a comment has no end (expected `#}`)");
                };
                let comment = self.advance(end + 2);
                self.trim = comment.ends_with("-#}");
                Ok(())
            }
            "{%" => {
                if self.raw()? {
                    return Ok(());
                }
                self.push(Token::Block);
                self.tag("%}")
            }
            _ => {
                self.push(Token::Output);
                self.tag("}}")
            }
        }
    }

    /// `{% raw %}…{% endraw %}` after its `{%`.
    fn raw(&mut self) -> Result<bool, TemplateError> {
        let Some(after) = self.rest.trim_start().strip_prefix("raw") else {
            return Ok(false);
        };
        let after = after.trim_start();
        let (trim_start, after) = match after.strip_prefix("-%}") {
            Some(after) => (true, after),
            None => match after.strip_prefix("%}").or(after.strip_prefix("+%}")) {
                Some(after) => (false, after),
                None => return Ok(false),
            },
        };
        self.advance(self.rest.len() - after.len());
        let mut from = 0;
        while let Some(i) = self.rest[from..].find("{%") {
            let at = from + i;
            let tag = &self.rest[at + 2..];
            let inner = tag.strip_prefix(['-', '+']).unwrap_or(tag).trim_start();
            if let Some(end) = inner.strip_prefix("endraw") {
                let end = end.trim_start();
                let close = end.strip_prefix(['-', '+']).unwrap_or(end);
                if let Some(rest) = close.strip_prefix("%}") {
                    let trim_end = tag.starts_with('-');
                    let text = self.advance(at);
                    self.trim = trim_start;
                    self.text(text, trim_end);
                    self.trim = end.starts_with('-');
                    self.advance(self.rest.len() - rest.len());
                    return Ok(true);
                }
            }
            from = at + 2;
        }
        self.fail("`raw` has no end (expected `{% endraw %}`)")
    }

    /// The tokens of a tag up to its end.
    fn tag(&mut self, end: &str) -> Result<(), TemplateError> {
        // `}}` may also close two dicts; only outside brackets does it end the tag.
        let mut depth = 0usize;
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.advance(blanks);
            if depth == 0 {
                for sign in ["-", "+", ""] {
                    let body = self.rest.strip_prefix(sign).unwrap_or(self.rest);
                    if self.rest.starts_with(sign) && body.starts_with(end) {
                        self.advance(sign.len() + end.len());
                        self.push(Token::End);
                        self.trim = sign == "-";
                        return Ok(());
                    }
                }
            }
            let Some(c) = self.rest.chars().next() else {
                return self.fail(format!("a tag has no end (expected `{end}`)"));
            };
            match c {
                '"' | '\'' => self.string()?,
                '0'..='9' => self.number()?,
                c if c == '_' || c.is_alphabetic() => {
                    let len = self
                        .rest
                        .find(|c: char| c != '_' && !c.is_alphanumeric())
                        .unwrap_or(self.rest.len());
                    let name = self.advance(len).to_owned();
                    self.push(Token::Name(name));
                }
                c => match OPERATORS.iter().find(|op| self.rest.starts_with(**op)) {
                    Some(op) => {
                        match *op {
                            "(" | "[" | "{" => depth += 1,
                            ")" | "]" | "}" => depth = depth.saturating_sub(1),
                            _ => {}
                        }
                        self.advance(op.len());
                        self.push(Token::Op(op));
                    }
                    None => return self.fail(format!("unexpected character '{c}'")),
                },
            }
        }
    }

    fn string(&mut self) -> Result<(), TemplateError> {
        match py_literal(self.rest) {
            Ok((text, length)) => {
                self.push(Token::Str(text));
                self.advance(length);
                Ok(())
            }
            Err(why) => self.fail(why),
        }
    }

    fn number(&mut self) -> Result<(), TemplateError> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| {
            let more = bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit() || **b == b'_');
            from + more.count()
        };
        let mut end = digits(0);
        let mut float = false;
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            float = true;
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                float = true;
                end = digits(end + 1 + sign);
            }
        }
        let text = self.rest[..end].replace('_', "");
        let token = match (float, text.parse::<i64>()) {
            (false, Ok(i)) => Token::Int(i),
            _ => Token::Float(text.parse().unwrap_or(f64::NAN)),
        };
        self.push(token);
        self.advance(end);
        Ok(())
    }
}
