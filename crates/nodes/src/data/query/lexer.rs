//! A condition as words and signs.

use std::sync::Arc;

use nodetool_sdk::Value;

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A number or text.
    Literal(Value),
    /// A name; `quoted` when it stood in backticks and cannot be a keyword.
    Name { name: Arc<str>, quoted: bool },
    /// A sign.
    Sign(&'static str),
    /// The end.
    End,
}

/// Signs, longest first.
const SIGNS: [&str; 31] = [
    "===", "!==", "**", "//", "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "<",
    ">", "&", "|", "~", "!", "(", ")", "[", "]", ",", ".", "=", "^", "@", "?",
];

/// Splits a condition; each token with its place, counted in characters from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, String> {
    let mut lexer = Lexer { rest: text, at: 1 };
    let mut out = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        out.push((token, at));
        if end {
            return Ok(out);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Takes the first `bytes` bytes.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(bytes);
        self.at += head.chars().count();
        self.rest = tail;
        head
    }

    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            self.take(blanks);
            if !self.rest.starts_with('#') {
                return;
            }
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn token(&mut self) -> Result<Token, String> {
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else {
            return Ok(Token::End);
        };
        let second = chars.next();
        match first {
            '\'' | '"' => self.text(first, false),
            'r' | 'R' if matches!(second, Some('\'' | '"')) => {
                self.take(1);
                self.text(second.unwrap_or('"'), true)
            }
            '`' => {
                let at = self.at;
                self.take(1);
                let Some(end) = self.rest.find('`') else {
                    return Err(format!("the backtick at character {at} is never closed"));
                };
                let name = self.take(end).into();
                self.take(1);
                Ok(Token::Name { name, quoted: true })
            }
            c if c.is_ascii_digit() || (c == '.' && second.is_some_and(|c| c.is_ascii_digit())) => {
                self.number()
            }
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let end = self.rest.find(|c| !word(c)).unwrap_or(self.rest.len());
                let name = self.take(end).into();
                Ok(Token::Name {
                    name,
                    quoted: false,
                })
            }
            c => match SIGNS.iter().find(|s| self.rest.starts_with(**s)) {
                Some(sign) => {
                    self.take(sign.len());
                    Ok(Token::Sign(sign))
                }
                None => Err(format!("unexpected {c:?} at character {}", self.at)),
            },
        }
    }

    fn number(&mut self) -> Result<Token, String> {
        let at = self.at;
        let bytes = self.rest.as_bytes();
        let (mut end, mut whole) = (0, true);
        while let Some(&b) = bytes.get(end) {
            match b {
                b'0'..=b'9' | b'_' => {}
                b'.' if whole => whole = false,
                b'e' | b'E' => {
                    whole = false;
                    end += usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                }
                _ => break,
            }
            end += 1;
        }
        let digits = self.take(end).replace('_', "");
        let value = match digits.parse::<i64>() {
            Ok(i) if whole => Value::Int(i),
            _ => match digits.parse::<f64>() {
                Ok(f) => Value::Float(f),
                Err(_) => return Err(format!("'{digits}' at character {at} is not a number")),
            },
        };
        if self.rest.starts_with(|c: char| c.is_alphanumeric()) {
            return Err(format!(
                "a number runs into a word at character {} (column names that start with a digit or hold blanks go \
                 in backticks)",
                self.at
            ));
        }
        Ok(Token::Literal(value))
    }

    fn text(&mut self, quote: char, raw: bool) -> Result<Token, String> {
        let at = self.at;
        self.take(1);
        let mut out = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((i, c)) = chars.next() {
            if c == quote {
                self.take(i + 1);
                return Ok(Token::Literal(out.into()));
            }
            if c != '\\' {
                out.push(c);
                continue;
            }
            let Some((_, escaped)) = chars.next() else {
                break;
            };
            match escaped {
                _ if raw => out.extend(['\\', escaped]),
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '\\' | '\'' | '"' => out.push(escaped),
                '\n' => {}
                other => out.extend(['\\', other]),
            }
        }
        Err(format!(
            "the text that begins at character {at} is never closed"
        ))
    }
}
