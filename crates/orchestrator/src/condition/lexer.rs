//! Cuts a condition into tokens. It must not know what they mean together.

use nodetool_sdk::compat::{is_py_space, py_literal};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Int(i64),
    Float(f64),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 23] = [
    "**", "//", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{",
    "}", ",", ":", ".", "=",
];

pub(super) fn tokens(source: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = source.trim_start_matches(is_py_space);
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' | '"' => {
                let (text, length) = py_literal(rest)?;
                (Token::Text(text), &rest[length..])
            }
            '0'..='9' => number(rest)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest)?,
            c if c == '_' || c.is_alphabetic() => {
                let end = rest
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                (Token::Name(rest[..end].to_owned()), &rest[end..])
            }
            c => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), &rest[sign.len()..]),
                None => return Err(format!("unexpected character '{c}'")),
            },
        };
        out.push(token);
        rest = after.trim_start_matches(is_py_space);
    }
    Ok(out)
}

fn number(source: &str) -> Result<(Token, &str), String> {
    let bytes = source.as_bytes();
    let digits = |from: usize| {
        let more = bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'_');
        from + more.count()
    };
    let mut end = digits(0);
    let mut whole = true;
    if bytes.get(end) == Some(&b'.') {
        whole = false;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            whole = false;
            end = digits(end + 1 + sign);
        }
    }
    if source[end..].starts_with(|c: char| c == '_' || c.is_alphanumeric()) {
        return Err(format!("`{}` is followed by a letter", &source[..end]));
    }
    let text = source[..end].replace('_', "");
    let token = if whole {
        let number = text
            .parse()
            .map_err(|_| format!("the number {text} is too large"))?;
        Token::Int(number)
    } else {
        let number = text.parse().map_err(|_| format!("`{text}` is no number"))?;
        Token::Float(number)
    };
    Ok((token, &source[end..]))
}
