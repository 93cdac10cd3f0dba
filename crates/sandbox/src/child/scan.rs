//! Just enough of JavaScript's words to find what stands at the top of a body: imports, and the word `yield`.
//!
//! It must not judge syntax; the interpreter does that. Where a word is misread, at worst an import stays where it was
//! and the interpreter calls it a syntax error.

use std::ops::Range;

/// A piece of source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// How many brackets are open around it.
    pub(super) depth: usize,
}

/// What kind of piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    Number,
    /// A text in quotes.
    Text,
    /// One stretch of a template.
    Template,
    Regex,
    /// One character of punctuation.
    Mark(u8),
}

/// What opened a bracket.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    /// A parenthesis; whether it belongs to `if`, `while`, `for` or `with`.
    Paren {
        control: bool,
    },
    Bracket,
    /// A brace; whether it holds statements.
    Brace {
        block: bool,
    },
    /// `${` within a template.
    Hole,
}

/// The pieces of a source, comments and blanks left out.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut scanner = Scanner {
        source: source.as_bytes(),
        at: 0,
        open: Vec::new(),
        found: Vec::new(),
        closed: None,
    };
    while scanner.step() {}
    scanner.found
}

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    open: Vec<Open>,
    found: Vec<Token>,
    /// What the latest closing bracket closed.
    closed: Option<Open>,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.source.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Reads one piece; false at the end.
    fn step(&mut self) -> bool {
        let Some(&byte) = self.source.get(self.at) else {
            return false;
        };
        let start = self.at;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
            b'/' if self.peek(1) == b'/' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => self.skip_comment(),
            b'/' if self.expects_value() => self.regex(start),
            b'"' | b'\'' => self.quoted(byte, start),
            b'`' => self.template(start),
            b'0'..=b'9' => {
                self.at += 1;
                while is_word(self.peek(0)) || self.peek(0) == b'.' {
                    self.at += 1;
                }
                self.push(Kind::Number, start);
            }
            _ if is_word(byte) => {
                while is_word(self.peek(0)) {
                    self.at += 1;
                }
                self.push(Kind::Word, start);
            }
            _ => self.mark(byte, start),
        }
        true
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.found.push(Token {
            kind,
            span: start..self.at.min(self.source.len()),
            depth: self.open.len(),
        });
    }

    fn word(&self, token: &Token) -> &[u8] {
        &self.source[token.span.clone()]
    }

    fn skip_line(&mut self) {
        while self.at < self.source.len() && self.peek(0) != b'\n' {
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) {
        self.at += 2;
        while self.at < self.source.len() && !(self.peek(0) == b'*' && self.peek(1) == b'/') {
            self.at += 1;
        }
        self.at += 2;
    }

    fn quoted(&mut self, quote: u8, start: usize) {
        self.at += 1;
        while self.at < self.source.len() && self.peek(0) != quote && self.peek(0) != b'\n' {
            self.at += if self.peek(0) == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.push(Kind::Text, start);
    }

    /// A stretch of a template, from its start or from the end of a hole, to its end or to the next hole.
    fn template(&mut self, start: usize) {
        self.at += 1;
        loop {
            match self.peek(0) {
                0 if self.at >= self.source.len() => break,
                b'`' => {
                    self.at += 1;
                    break;
                }
                b'$' if self.peek(1) == b'{' => {
                    self.at += 2;
                    self.push(Kind::Template, start);
                    self.open.push(Open::Hole);
                    // A hole begins like a parenthesis: with a value.
                    if let Some(token) = self.found.last_mut() {
                        token.kind = Kind::Mark(b'(');
                    }
                    return;
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.push(Kind::Template, start);
    }

    fn regex(&mut self, start: usize) {
        self.at += 1;
        let mut in_class = false;
        while self.at < self.source.len() && self.peek(0) != b'\n' {
            match self.peek(0) {
                b'\\' => self.at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => break,
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        while is_word(self.peek(0)) {
            self.at += 1;
        }
        self.push(Kind::Regex, start);
    }

    fn mark(&mut self, byte: u8, start: usize) {
        if byte == b'}' && self.open.last() == Some(&Open::Hole) {
            self.open.pop();
            self.template(start);
            return;
        }
        let opened = match byte {
            b'(' => Some(Open::Paren {
                control: self.follows_control(),
            }),
            b'[' => Some(Open::Bracket),
            b'{' => Some(Open::Brace {
                block: !self.expects_value() || self.begins_statement(),
            }),
            _ => None,
        };
        self.at += 1;
        if matches!(byte, b')' | b']' | b'}') {
            self.closed = self.open.pop();
        }
        self.push(Kind::Mark(byte), start);
        self.open.extend(opened);
    }

    fn follows_control(&self) -> bool {
        self.found.last().is_some_and(|token| {
            token.kind == Kind::Word
                && matches!(self.word(token), b"if" | b"while" | b"for" | b"with")
        })
    }

    /// Whether a brace here would begin a block although a value could stand here too.
    fn begins_statement(&self) -> bool {
        match self.found.last() {
            None => true,
            Some(token) => match token.kind {
                Kind::Mark(b';' | b'{' | b'}' | b')') => true,
                Kind::Mark(b'>') => self.is_pair(b'=', b'>'),
                Kind::Word => matches!(self.word(token), b"do" | b"else" | b"try" | b"finally"),
                _ => false,
            },
        }
    }

    /// Whether a value is expected next, so that a slash begins a regular expression.
    fn expects_value(&self) -> bool {
        let Some(token) = self.found.last() else {
            return true;
        };
        match token.kind {
            Kind::Number | Kind::Text | Kind::Template | Kind::Regex | Kind::Mark(b']') => false,
            Kind::Mark(b')') => self.closed == Some(Open::Paren { control: true }),
            Kind::Mark(b'}') => self.closed == Some(Open::Brace { block: true }),
            Kind::Mark(sign @ (b'+' | b'-')) => !self.is_pair(sign, sign),
            Kind::Mark(_) => true,
            Kind::Word => {
                let is_member = self.found.len() > 1
                    && self.found[self.found.len() - 2].kind == Kind::Mark(b'.');
                !is_member
                    && matches!(
                        self.word(token),
                        b"return"
                            | b"typeof"
                            | b"case"
                            | b"in"
                            | b"of"
                            | b"delete"
                            | b"void"
                            | b"throw"
                            | b"new"
                            | b"instanceof"
                            | b"do"
                            | b"else"
                            | b"yield"
                            | b"await"
                    )
            }
        }
    }

    /// Whether the two latest pieces are these two marks without a gap.
    fn is_pair(&self, first: u8, second: u8) -> bool {
        let [.., a, b] = self.found.as_slice() else {
            return false;
        };
        a.kind == Kind::Mark(first) && b.kind == Kind::Mark(second) && a.span.end == b.span.start
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte == b'#' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(source: &str) -> Vec<&str> {
        tokens(source)
            .into_iter()
            .map(|token| &source[token.span])
            .collect()
    }

    #[test]
    fn words_in_texts_comments_and_templates_are_not_words() {
        let source = "a 'yield' /* yield */ `yield ${b + `${c}`} yield` // yield\nd";
        let words: Vec<&str> = tokens(source)
            .into_iter()
            .filter(|t| t.kind == Kind::Word)
            .map(|t| &source[t.span])
            .collect();
        assert_eq!(words, ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_slash_after_a_value_divides() {
        assert_eq!(pieces("a / b / c"), ["a", "/", "b", "/", "c"]);
        assert_eq!(pieces("f(x) / 2"), ["f", "(", "x", ")", "/", "2"]);
        assert_eq!(pieces("i++ / 2"), ["i", "+", "+", "/", "2"]);
        assert_eq!(pieces("x = {} / 2"), ["x", "=", "{", "}", "/", "2"]);
    }

    #[test]
    fn a_slash_where_a_value_is_due_begins_a_regular_expression() {
        assert_eq!(
            pieces("return /[/'\"]/g.test(x)"),
            ["return", "/[/'\"]/g", ".", "test", "(", "x", ")"]
        );
        assert_eq!(
            pieces("if (a) /b'/.test(c)"),
            ["if", "(", "a", ")", "/b'/", ".", "test", "(", "c", ")"]
        );
        assert_eq!(
            pieces("{ a }\n/'/.test(b)"),
            ["{", "a", "}", "/'/", ".", "test", "(", "b", ")"]
        );
    }

    #[test]
    fn depth_counts_open_brackets() {
        let source = "a(b{c[d]})e";
        let depths: Vec<usize> = tokens(source)
            .iter()
            .filter(|t| t.kind == Kind::Word)
            .map(|t| t.depth)
            .collect();
        assert_eq!(depths, [0, 1, 2, 3, 0]);
    }

    #[test]
    fn broken_sources_end_too() {
        for source in [
            "'", "`", "`${", "/*", "/", "a\\", "}}))]", "\"\\", "`\\", "é'ö",
        ] {
            tokens(source);
        }
    }
}
