//! Replacement templates: `\1`, `\g<1>`, `\g<name>` and the usual escapes.

use super::{Found, PyRegex, RegexError};

/// A replacement, ready to be filled in.
#[derive(Debug)]
pub struct Replacement {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// The text as it is, without any escapes.
    pub fn literal(text: impl Into<String>) -> Self {
        Replacement {
            pieces: vec![Piece::Text(text.into())],
        }
    }

    /// The texts that stand for one match, in order. A group that took no part is empty.
    pub(super) fn parts<'a, 't: 'a>(
        &'a self,
        found: &'a Found<'t>,
    ) -> impl Iterator<Item = &'a str> + 'a {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Group(i) => found.group(*i).unwrap_or_default(),
        })
    }

    pub(super) fn parse(template: &str, regex: &PyRegex) -> Result<Self, RegexError> {
        let mut reader = Reader {
            chars: template.chars().collect(),
            at: 0,
            text: String::new(),
            pieces: Vec::new(),
        };
        while let Some(c) = reader.next() {
            match c {
                '\\' => reader.escape(regex)?,
                c => reader.text.push(c),
            }
        }
        reader.flush();
        Ok(Replacement {
            pieces: reader.pieces,
        })
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    text: String,
    pieces: Vec<Piece>,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.at).copied()?;
        self.at += 1;
        Some(c)
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let c = self.chars.get(self.at).copied().filter(|c| wanted(*c))?;
        self.at += 1;
        Some(c)
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces
                .push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    fn group(&mut self, index: usize, start: usize, regex: &PyRegex) -> Result<(), RegexError> {
        if index > regex.group_count() {
            return Err(wrong(format!("invalid group reference {index}"), start));
        }
        self.flush();
        self.pieces.push(Piece::Group(index));
        Ok(())
    }

    fn escape(&mut self, regex: &PyRegex) -> Result<(), RegexError> {
        let start = self.at - 1;
        let octal = |c: char| c.is_digit(8);
        match self.next() {
            None => return Err(wrong("bad escape (end of pattern)", start)),
            Some('g') => {
                let index = self.reference(regex)?;
                self.group(index, start, regex)?;
            }
            Some('0') => {
                let mut code = 0;
                for _ in 0..2 {
                    let Some(d) = self.next_if(octal) else { break };
                    code = code * 8 + (d as u32 - 48);
                }
                self.text.push(char::from_u32(code).unwrap_or('\0'));
            }
            Some(first @ '1'..='9') => {
                let mut index = first as usize - 48;
                if let Some(second) = self.next_if(|c| c.is_ascii_digit()) {
                    let both = octal(first) && octal(second);
                    if both && let Some(third) = self.next_if(octal) {
                        let code =
                            (index as u32 * 8 + (second as u32 - 48)) * 8 + (third as u32 - 48);
                        if code > 0o377 {
                            return Err(wrong(
                                "octal escape value outside of range 0-0o377",
                                start,
                            ));
                        }
                        self.text.push(char::from_u32(code).unwrap_or('\0'));
                        return Ok(());
                    }
                    index = index * 10 + (second as usize - 48);
                }
                self.group(index, start, regex)?;
            }
            Some(c) => match simple_escape(c) {
                Some(plain) => self.text.push(plain),
                None if c.is_ascii_alphabetic() => {
                    return Err(wrong(format!("bad escape \\{c}"), start));
                }
                None => self.text.extend(['\\', c]),
            },
        }
        Ok(())
    }

    /// `<name>` or `<number>` after `\g`.
    fn reference(&mut self, regex: &PyRegex) -> Result<usize, RegexError> {
        let start = self.at;
        if self.next_if(|c| c == '<').is_none() {
            return Err(wrong("missing <", start));
        }
        let mut name = String::new();
        loop {
            match self.next() {
                Some('>') => break,
                Some(c) => name.push(c),
                None => return Err(wrong("missing >, unterminated name", start + 1)),
            }
        }
        if name.is_empty() {
            return Err(wrong("missing group name", start + 1));
        }
        if name.bytes().all(|b| b.is_ascii_digit()) {
            let index: usize = name.parse().unwrap_or(usize::MAX);
            return Ok(index);
        }
        if !super::pattern::is_name(&name) {
            return Err(wrong(
                format!("bad character in group name '{name}'"),
                start + 1,
            ));
        }
        regex
            .group_index(&name)
            .ok_or_else(|| wrong(format!("unknown group name '{name}'"), start + 1))
    }
}

/// The character an escape such as `\n` stands for.
pub(super) fn simple_escape(c: char) -> Option<char> {
    Some(match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        _ => return None,
    })
}

fn wrong(message: impl Into<String>, position: usize) -> RegexError {
    RegexError::Syntax {
        message: message.into(),
        position,
    }
}
