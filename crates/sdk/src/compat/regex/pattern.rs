//! Rewrites a pattern from Python's syntax into that of the engine, flags resolved.
//!
//! Every token is read by Python's rules and written in a form that means the same whatever the engine's own extras
//! are, so those extras cannot be reached from outside. It must not know how matching works.

use super::replacement::simple_escape;
use super::{Flags, RegexError};

/// Deepest nesting of groups.
const MAX_DEPTH: usize = 50;
/// Largest repeat count.
const MAX_REPEAT: u32 = 100_000;

/// A pattern in the engine's syntax.
pub(super) struct Translated {
    pub(super) pattern: String,
    pub(super) groups: usize,
    pub(super) names: Vec<(String, usize)>,
    /// Whether it has a `$` that means "or before a final line end".
    pub(super) end_of_line: bool,
}

/// Rewrites a pattern. With `newline`, a `$` outside multiline mode also matches before a final line end.
pub(super) fn translate(
    pattern: &str,
    flags: Flags,
    newline: bool,
) -> Result<Translated, RegexError> {
    let mut t = Translator {
        chars: pattern.chars().collect(),
        at: 0,
        out: String::with_capacity(pattern.len() * 2),
        flags,
        groups: 0,
        closed: vec![true],
        names: Vec::new(),
        frames: Vec::new(),
        last: Last::Nothing,
        newline,
        end_of_line: false,
    };
    t.leading_flags()?;
    let ignorecase = t.flags.ignorecase;
    while t.at < t.chars.len() {
        t.token()?;
    }
    if let Some(frame) = t.frames.last() {
        return Err(wrong("missing ), unterminated subpattern", frame.position));
    }
    Ok(Translated {
        pattern: if ignorecase {
            format!("(?i:{})", t.out)
        } else {
            t.out
        },
        groups: t.groups,
        names: t.names,
        end_of_line: t.end_of_line,
    })
}

/// Whether a text can be the name of a group.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && chars.all(|c| c == '_' || c.is_alphanumeric())
}

/// What a repeat sign would apply to.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nothing,
    /// Something written from this byte of the output on.
    Atom(usize),
    Repeat,
}

struct Frame {
    flags: Flags,
    group: Option<usize>,
    /// Where it begins in the output, in bytes.
    start: usize,
    /// Where it begins in the pattern, in characters.
    position: usize,
    /// Branches left, for a conditional group.
    branches: Option<u8>,
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    flags: Flags,
    groups: usize,
    /// By number of the group.
    closed: Vec<bool>,
    names: Vec<(String, usize)>,
    frames: Vec<Frame>,
    last: Last,
    newline: bool,
    end_of_line: bool,
}

impl Translator {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let c = self.peek().filter(|c| wanted(*c))?;
        self.at += 1;
        Some(c)
    }

    fn skip(&mut self, text: &str) -> bool {
        let len = text.chars().count();
        let here = self.chars.get(self.at..self.at + len);
        let found = here.is_some_and(|h| h.iter().copied().eq(text.chars()));
        if found {
            self.at += len;
        }
        found
    }

    fn atom(&mut self, text: &str) {
        self.last = Last::Atom(self.out.len());
        self.out.push_str(text);
    }

    fn literal(&mut self, c: char) {
        self.last = Last::Atom(self.out.len());
        push_literal(c, &mut self.out);
    }

    /// An assertion cannot be repeated.
    fn assertion(&mut self, text: &str) {
        self.out.push_str(text);
        self.last = Last::Nothing;
    }

    /// `(?i)` and the like, which hold for the whole pattern and stand at its start only.
    fn leading_flags(&mut self) -> Result<(), RegexError> {
        loop {
            let start = self.at;
            if !self.skip("(?") {
                return Ok(());
            }
            let mut flags = self.flags;
            let mut any = false;
            while let Some(c) = self.next_if(|c| "imsxauL".contains(c)) {
                set_flag(&mut flags, c, true, self.at - 1)?;
                any = true;
            }
            if !any || self.next_if(|c| c == ')').is_none() {
                self.at = start;
                return Ok(());
            }
            self.flags = flags;
        }
    }

    fn token(&mut self) -> Result<(), RegexError> {
        let position = self.at;
        let Some(c) = self.next() else { return Ok(()) };
        if self.flags.verbose {
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c') {
                return Ok(());
            }
            if c == '#' {
                while self.next().is_some_and(|c| c != '\n') {}
                return Ok(());
            }
        }
        match c {
            '\\' => self.escape(position)?,
            '[' => self.class(position)?,
            '(' => self.open(position)?,
            ')' => self.close(position)?,
            '|' => {
                if let Some(frame) = self.frames.last_mut()
                    && let Some(left) = &mut frame.branches
                {
                    *left = left.checked_sub(1).ok_or_else(|| {
                        wrong("conditional backref with more than two branches", position)
                    })?;
                }
                self.assertion("|");
            }
            '^' if self.flags.multiline => self.assertion("(?m:^)"),
            '^' => self.assertion(r"\A"),
            '$' if self.flags.multiline => self.assertion("(?m:$)"),
            '$' => {
                self.end_of_line = true;
                let end = if self.newline {
                    r"(?:\z|(?=\n\z))"
                } else {
                    r"\z"
                };
                self.assertion(end);
            }
            '.' if self.flags.dotall => self.atom("(?s:.)"),
            '.' => self.atom(r"[^\n]"),
            '*' => self.repeat("*", position)?,
            '+' => self.repeat("+", position)?,
            '?' => self.repeat("?", position)?,
            '{' => match self.counts(position)? {
                Some(counts) => self.repeat(&counts, position)?,
                None => self.literal('{'),
            },
            c => self.literal(c),
        }
        Ok(())
    }

    /// The rest of `{2,5}`, in the engine's form; nothing when the brace is only a brace.
    fn counts(&mut self, position: usize) -> Result<Option<String>, RegexError> {
        let start = self.at;
        let low = self.digits();
        let comma = self.next_if(|c| c == ',').is_some();
        let high = if comma { self.digits() } else { low.clone() };
        if self.next_if(|c| c == '}').is_none() || (!comma && low.is_empty()) {
            self.at = start;
            return Ok(None);
        }
        let count = |digits: &str| match digits.parse::<u32>() {
            Ok(n) if n <= MAX_REPEAT => Ok(n),
            _ => Err(wrong(
                format!("the repetition number is too large (expected at most {MAX_REPEAT})"),
                position,
            )),
        };
        let low = if low.is_empty() { 0 } else { count(&low)? };
        if high.is_empty() {
            return Ok(Some(format!("{{{low},}}")));
        }
        let high = count(&high)?;
        if low > high {
            return Err(wrong("min repeat greater than max repeat", position));
        }
        Ok(Some(format!("{{{low},{high}}}")))
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(d) = self.next_if(|c| c.is_ascii_digit()) {
            digits.push(d);
        }
        digits
    }

    fn repeat(&mut self, sign: &str, position: usize) -> Result<(), RegexError> {
        let start = match self.last {
            Last::Atom(start) => start,
            Last::Nothing => return Err(wrong("nothing to repeat", position)),
            Last::Repeat => return Err(wrong("multiple repeat", position)),
        };
        self.out.push_str(sign);
        if self.next_if(|c| c == '?').is_some() {
            self.out.push('?');
        } else if self.next_if(|c| c == '+').is_some() {
            self.out.insert_str(start, "(?>");
            self.out.push(')');
        }
        self.last = Last::Repeat;
        Ok(())
    }

    fn open(&mut self, position: usize) -> Result<(), RegexError> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(wrong(
                format!("groups nested more than {MAX_DEPTH} deep"),
                position,
            ));
        }
        let mut frame = Frame {
            flags: self.flags,
            group: None,
            start: self.out.len(),
            position,
            branches: None,
        };
        if self.next_if(|c| c == '?').is_none() {
            frame.group = Some(self.new_group(None, position)?);
            self.out.push('(');
        } else {
            match self.next() {
                Some(':') => self.out.push_str("(?:"),
                Some('>') => self.out.push_str("(?>"),
                Some('=') => self.out.push_str("(?="),
                Some('!') => self.out.push_str("(?!"),
                Some('<') => match self.next() {
                    Some('=') => self.out.push_str("(?<="),
                    Some('!') => self.out.push_str("(?<!"),
                    Some(c) => return Err(wrong(format!("unknown extension ?<{c}"), position + 1)),
                    None => return Err(wrong("unexpected end of pattern", position + 3)),
                },
                Some('#') => {
                    while self
                        .next()
                        .ok_or_else(|| wrong("missing ), unterminated comment", position))?
                        != ')'
                    {}
                    return Ok(());
                }
                Some('P') => match self.next() {
                    Some('<') => {
                        let name = self.name('>')?;
                        frame.group = Some(self.new_group(Some(name), position)?);
                        self.out.push('(');
                    }
                    Some('=') => {
                        let name = self.name(')')?;
                        let group = self.named(&name, position)?;
                        return self.back_reference(group, position);
                    }
                    Some(c) => {
                        return Err(wrong(format!("unknown extension ?P{c}"), position + 1));
                    }
                    None => return Err(wrong("unexpected end of pattern", position + 3)),
                },
                Some('(') => {
                    let name = self.name(')')?;
                    let group = match name.parse::<usize>() {
                        Ok(n) if n > 0 && n <= self.groups => n,
                        Ok(n) => {
                            return Err(wrong(
                                format!("invalid group reference {n}"),
                                position + 3,
                            ));
                        }
                        Err(_) => self.named(&name, position + 3)?,
                    };
                    frame.branches = Some(1);
                    self.out.push_str(&format!("(?({group})"));
                }
                Some(c) if c == '-' || "imsxauL".contains(c) => {
                    self.at -= 1;
                    self.scoped_flags(position)?;
                }
                Some(c) => return Err(wrong(format!("unknown extension ?{c}"), position + 1)),
                None => return Err(wrong("unexpected end of pattern", position + 2)),
            }
        }
        self.frames.push(frame);
        self.last = Last::Nothing;
        Ok(())
    }

    /// `i-s:` of `(?i-s:…)`.
    fn scoped_flags(&mut self, position: usize) -> Result<(), RegexError> {
        let mut flags = self.flags;
        let mut on = true;
        loop {
            match self.next() {
                Some(':') => break,
                Some('-') if on => on = false,
                Some(')') if on => {
                    return Err(wrong(
                        "global flags not at the start of the expression",
                        position,
                    ));
                }
                Some(c) if "imsxauL".contains(c) => set_flag(&mut flags, c, on, self.at - 1)?,
                Some(_) => return Err(wrong("unknown flag", self.at - 1)),
                None => return Err(wrong("missing -, : or )", self.at)),
            }
        }
        self.out.push_str(match flags.ignorecase {
            on if on == self.flags.ignorecase => "(?:",
            true => "(?i:",
            false => "(?-i:",
        });
        self.flags = flags;
        Ok(())
    }

    fn close(&mut self, position: usize) -> Result<(), RegexError> {
        let Some(frame) = self.frames.pop() else {
            return Err(wrong("unbalanced parenthesis", position));
        };
        self.flags = frame.flags;
        self.out.push(')');
        self.last = Last::Atom(frame.start);
        if let Some(group) = frame.group {
            self.closed[group] = true;
        }
        Ok(())
    }

    fn new_group(&mut self, name: Option<String>, position: usize) -> Result<usize, RegexError> {
        self.groups += 1;
        self.closed.push(false);
        if let Some(name) = name {
            if self.names.iter().any(|(n, _)| *n == name) {
                return Err(wrong(
                    format!("redefinition of group name '{name}'"),
                    position + 4,
                ));
            }
            self.names.push((name, self.groups));
        }
        Ok(self.groups)
    }

    fn name(&mut self, end: char) -> Result<String, RegexError> {
        let start = self.at;
        let mut name = String::new();
        loop {
            match self.next() {
                Some(c) if c == end => break,
                Some(c) => name.push(c),
                None => {
                    return Err(wrong(format!("missing {end}, unterminated name"), start));
                }
            }
        }
        if name.is_empty() {
            return Err(wrong("missing group name", start));
        }
        let number = end == ')' && name.bytes().all(|b| b.is_ascii_digit());
        if !number && !is_name(&name) {
            return Err(wrong(
                format!("bad character in group name '{name}'"),
                start,
            ));
        }
        Ok(name)
    }

    fn named(&self, name: &str, position: usize) -> Result<usize, RegexError> {
        let found = self.names.iter().find(|(n, _)| n == name);
        found
            .map(|(_, i)| *i)
            .ok_or_else(|| wrong(format!("unknown group name '{name}'"), position))
    }

    fn back_reference(&mut self, group: usize, position: usize) -> Result<(), RegexError> {
        if group == 0 || group > self.groups {
            return Err(wrong(
                format!("invalid group reference {group}"),
                position + 1,
            ));
        }
        if !self.closed[group] {
            return Err(wrong("cannot refer to an open group", position));
        }
        self.atom(&format!(r"(?:\{group})"));
        Ok(())
    }

    fn escape(&mut self, position: usize) -> Result<(), RegexError> {
        let Some(c) = self.next() else {
            return Err(wrong("bad escape (end of pattern)", position));
        };
        match c {
            'A' => self.assertion(r"\A"),
            'Z' | 'z' => self.assertion(r"\z"),
            'b' if self.flags.ascii => self.assertion(
                "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))",
            ),
            'B' if self.flags.ascii => self.assertion(
                "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))",
            ),
            'b' => self.assertion(r"\b"),
            'B' => self.assertion(r"\B"),
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                let class = class_of(c, self.flags.ascii);
                self.atom(&format!("[{class}]"));
            }
            '1'..='9' => {
                let octal = |c: char| c.is_digit(8);
                let mut group = c as usize - 48;
                if let Some(d) = self.next_if(|c| c.is_ascii_digit()) {
                    if octal(c)
                        && octal(d)
                        && let Some(e) = self.next_if(octal)
                    {
                        let code = (c as u32 - 48) * 64 + (d as u32 - 48) * 8 + (e as u32 - 48);
                        if code > 0o377 {
                            return Err(wrong(
                                "octal escape value outside of range 0-0o377",
                                position,
                            ));
                        }
                        self.literal(char::from_u32(code).unwrap_or_default());
                        return Ok(());
                    }
                    group = group * 10 + (d as usize - 48);
                }
                self.back_reference(group, position)?;
            }
            c => {
                let c = self.character(c, position)?;
                self.literal(c);
            }
        }
        Ok(())
    }

    /// The one character an escape stands for, in a class or outside.
    fn character(&mut self, c: char, position: usize) -> Result<char, RegexError> {
        let hex = |t: &mut Self, digits: usize| {
            let text: String = (0..digits)
                .map_while(|_| t.next_if(|c| c.is_ascii_hexdigit()))
                .collect();
            let code = u32::from_str_radix(&text, 16).ok();
            code.filter(|_| text.len() == digits)
                .and_then(char::from_u32)
                .ok_or_else(|| wrong(format!("incomplete or bad escape \\{c}{text}"), position))
        };
        match c {
            'x' => hex(self, 2),
            'u' => hex(self, 4),
            'U' => hex(self, 8),
            '0' => {
                let mut code = 0;
                for _ in 0..2 {
                    let Some(d) = self.next_if(|c| c.is_digit(8)) else {
                        break;
                    };
                    code = code * 8 + (d as u32 - 48);
                }
                Ok(char::from_u32(code).unwrap_or_default())
            }
            c if c.is_ascii_alphanumeric() && (c == 'b' || simple_escape(c).is_none()) => {
                Err(wrong(format!("bad escape \\{c}"), position))
            }
            c => Ok(simple_escape(c).unwrap_or(c)),
        }
    }

    fn class(&mut self, position: usize) -> Result<(), RegexError> {
        let start = self.out.len();
        self.out.push('[');
        if self.next_if(|c| c == '^').is_some() {
            self.out.push('^');
        }
        let open = || wrong("unterminated character set", position);
        let mut first = true;
        loop {
            let at = self.at;
            let c = self.next().ok_or_else(open)?;
            if c == ']' && !first {
                break;
            }
            first = false;
            let low = self.member(c, at)?;
            if self.peek() != Some('-') {
                push_member(&low, &mut self.out);
                continue;
            }
            self.at += 1;
            let end_at = self.at;
            let c = self.next().ok_or_else(open)?;
            if c == ']' {
                push_member(&low, &mut self.out);
                push_literal('-', &mut self.out);
                break;
            }
            let high = self.member(c, end_at)?;
            match (&low, &high) {
                (Member::Char(a), Member::Char(b)) if a <= b => {
                    push_literal(*a, &mut self.out);
                    self.out.push('-');
                    push_literal(*b, &mut self.out);
                }
                _ => {
                    let text: String = self.chars[at..self.at].iter().collect();
                    return Err(wrong(format!("bad character range {text}"), at));
                }
            }
        }
        self.out.push(']');
        self.last = Last::Atom(start);
        Ok(())
    }

    fn member(&mut self, c: char, position: usize) -> Result<Member, RegexError> {
        if c != '\\' {
            return Ok(Member::Char(c));
        }
        let Some(c) = self.next() else {
            return Err(wrong("bad escape (end of pattern)", position));
        };
        Ok(match c {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Member::Class(class_of(c, self.flags.ascii)),
            'b' => Member::Char('\x08'),
            '1'..='7' => {
                let mut code = c as u32 - 48;
                for _ in 0..2 {
                    let Some(d) = self.next_if(|c| c.is_digit(8)) else {
                        break;
                    };
                    code = code * 8 + (d as u32 - 48);
                }
                if code > 0o377 {
                    return Err(wrong(
                        "octal escape value outside of range 0-0o377",
                        position,
                    ));
                }
                Member::Char(char::from_u32(code).unwrap_or_default())
            }
            c => Member::Char(self.character(c, position)?),
        })
    }
}

enum Member {
    Char(char),
    Class(&'static str),
}

fn push_member(member: &Member, out: &mut String) {
    match member {
        Member::Char(c) => push_literal(*c, out),
        Member::Class(class) => out.push_str(class),
    }
}

/// Members of a set that stand for `\d` and its kin.
fn class_of(c: char, ascii: bool) -> &'static str {
    match (c, ascii) {
        ('d', false) => r"\d",
        ('D', false) => r"\D",
        ('w', false) => r"\w",
        ('W', false) => r"\W",
        ('s', false) => r"\s\x1c-\x1f",
        ('S', false) => r"[^\s\x1c-\x1f]",
        ('d', true) => "0-9",
        ('D', true) => "[^0-9]",
        ('w', true) => "0-9A-Za-z_",
        ('W', true) => "[^0-9A-Za-z_]",
        ('s', true) => r"\x20\t\n\r\x0b\x0c",
        _ => r"[^\x20\t\n\r\x0b\x0c]",
    }
}

/// Writes a character so that it means itself, in a set or outside.
fn push_literal(c: char, out: &mut String) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        out.push_str(&format!("\\x{:02x}", c as u32));
    } else {
        out.push(c);
    }
}

fn set_flag(flags: &mut Flags, c: char, on: bool, position: usize) -> Result<(), RegexError> {
    match c {
        'i' => flags.ignorecase = on,
        'm' => flags.multiline = on,
        's' => flags.dotall = on,
        'x' => flags.verbose = on,
        'a' if on => flags.ascii = true,
        'u' if on => flags.ascii = false,
        'L' => {
            return Err(wrong(
                "bad inline flags: cannot use 'L' flag with a str pattern",
                position,
            ));
        }
        _ => {
            return Err(wrong(
                "bad inline flags: cannot turn off flags 'a', 'u' and 'L'",
                position,
            ));
        }
    }
    Ok(())
}

fn wrong(message: impl Into<String>, position: usize) -> RegexError {
    RegexError::Syntax {
        message: message.into(),
        position,
    }
}
