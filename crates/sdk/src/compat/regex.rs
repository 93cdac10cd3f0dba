//! Python's `re` over fancy-regex: its syntax, its flags, its rules for empty matches, its replacement templates.
//!
//! Patterns and texts come from outside, so everything is bounded: the pattern, its compiled form, backtracking, the
//! time one call takes and the size of what it gives. It must not know any node.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fancy_regex::{RegexBuilder, RegexInput, RuntimeError};
use nodetool_protocol::Value;

mod pattern;
mod replacement;

pub use replacement::Replacement;

/// Most bytes of a pattern.
const MAX_PATTERN: usize = 64 << 10;
/// Most bytes one compiled automaton may take.
const MAX_AUTOMATON: usize = 8 << 20;
/// Most instructions of a backtracking program.
const MAX_PROGRAM: usize = 200_000;
/// Most steps back within one search.
const MAX_BACKTRACKS: usize = 10_000_000;
/// Longest time of one call.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Most matches, and groups of matches, of one call.
const MAX_ITEMS: usize = 10_000_000;
/// Most bytes of text of one result.
const MAX_TEXT: usize = 256 << 20;

/// Why a pattern or a replacement cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum RegexError {
    /// It is not valid.
    #[error("{message} at position {position}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where, in characters.
        position: usize,
    },
    /// The engine refuses it.
    #[error("the pattern cannot be used: {0}")]
    Refused(String),
    /// Matching takes too long.
    #[error("the pattern needs too much work on this text; expected one that backtracks less")]
    TooMuchWork,
    /// The result is too big.
    #[error(
        "the result would be too big (expected at most {MAX_ITEMS} parts and {MAX_TEXT} bytes)"
    )]
    TooBig,
}

/// Flags of a pattern, as `re.IGNORECASE` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Letters match in both cases.
    pub ignorecase: bool,
    /// `^` and `$` match at line ends.
    pub multiline: bool,
    /// `.` matches a line end too.
    pub dotall: bool,
    /// Blanks and comments in the pattern do not count.
    pub verbose: bool,
    /// `\w`, `\d`, `\s` and `\b` know ASCII only.
    pub ascii: bool,
}

/// A compiled pattern.
pub struct PyRegex {
    source: String,
    flags: Flags,
    full: bool,
    groups: usize,
    names: Vec<(String, usize)>,
    /// Whether `$` may match before a final line end, which needs the slower engine for texts that have one.
    end_of_line: bool,
    plain: Engine,
    before_newline: OnceLock<Result<Engine, RegexError>>,
}

struct Engine {
    source: String,
    re: fancy_regex::Regex,
    nonempty: OnceLock<Option<fancy_regex::Regex>>,
}

/// One match: the whole of it and its groups.
#[derive(Debug)]
pub struct Found<'t> {
    text: &'t str,
    spans: Vec<Option<(usize, usize)>>,
}

impl<'t> Found<'t> {
    /// Where it lies, in bytes.
    pub fn range(&self) -> Range<usize> {
        let (start, end) = self.spans.first().copied().flatten().unwrap_or_default();
        start..end
    }

    /// The text of a group, 0 being the whole; nothing when the group took no part or does not exist.
    pub fn group(&self, index: usize) -> Option<&'t str> {
        let (start, end) = self.spans.get(index).copied().flatten()?;
        self.text.get(start..end)
    }

    /// The groups from 1 on.
    pub fn groups(&self) -> impl Iterator<Item = Option<&'t str>> + '_ {
        (1..self.spans.len()).map(|i| self.group(i))
    }
}

impl PyRegex {
    /// Compiles a pattern to search with.
    pub fn new(pattern: &str, flags: Flags) -> Result<Self, RegexError> {
        Self::compile(pattern, flags, false)
    }

    /// Compiles a pattern that has to match a whole text.
    pub fn full(pattern: &str, flags: Flags) -> Result<Self, RegexError> {
        Self::compile(pattern, flags, true)
    }

    fn compile(pattern: &str, flags: Flags, full: bool) -> Result<Self, RegexError> {
        if pattern.len() > MAX_PATTERN {
            return Err(RegexError::Refused(format!(
                "it has {} bytes (expected at most {MAX_PATTERN})",
                pattern.len()
            )));
        }
        let translated = pattern::translate(pattern, flags, false)?;
        Ok(PyRegex {
            source: pattern.into(),
            flags,
            full,
            groups: translated.groups,
            names: translated.names,
            end_of_line: translated.end_of_line,
            plain: Engine::build(translated.pattern, full)?,
            before_newline: OnceLock::new(),
        })
    }

    /// How many groups there are, the whole match not counted.
    pub fn group_count(&self) -> usize {
        self.groups
    }

    /// The number of a named group.
    pub fn group_index(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(n, _)| n == name).map(|(_, i)| *i)
    }

    /// Reads a replacement template for this pattern.
    pub fn replacement(&self, template: &str) -> Result<Replacement, RegexError> {
        Replacement::parse(template, self)
    }

    /// The first match anywhere (`re.search`).
    pub fn search<'t>(&self, text: &'t str) -> Result<Option<Found<'t>>, RegexError> {
        self.engine(text)?.find(text, 0, false)
    }

    /// The match at the start of the text (`re.match`; with [`PyRegex::full`], `re.fullmatch`).
    pub fn match_start<'t>(&self, text: &'t str) -> Result<Option<Found<'t>>, RegexError> {
        self.engine(text)?.find(text, 0, true)
    }

    /// Gives every match in order (`re.finditer`) until `take` answers false.
    ///
    /// As in Python, an empty match may follow another match directly, but not another empty one at the same place.
    pub fn each<'t>(
        &self,
        text: &'t str,
        mut take: impl FnMut(Found<'t>) -> Result<bool, RegexError>,
    ) -> Result<(), RegexError> {
        let engine = self.engine(text)?;
        let deadline = Instant::now() + MAX_TIME;
        let (mut at, mut after_empty) = (0, false);
        while at <= text.len() {
            let found = if after_empty {
                match engine.find_nonempty(text, at)? {
                    Some(found) => Some(found),
                    None => match text[at..].chars().next() {
                        Some(c) => engine.find(text, at + c.len_utf8(), false)?,
                        None => None,
                    },
                }
            } else {
                engine.find(text, at, false)?
            };
            let Some(found) = found else { break };
            let range = found.range();
            (at, after_empty) = (range.end, range.is_empty());
            if !take(found)? {
                break;
            }
            if Instant::now() > deadline {
                return Err(RegexError::TooMuchWork);
            }
        }
        Ok(())
    }

    /// `re.findall`: whole matches, or the group when there is one, or lists of the groups when there are several.
    pub fn find_all(&self, text: &str) -> Result<Vec<Value>, RegexError> {
        let mut out = Vec::new();
        let mut budget = Budget::default();
        self.each(text, |found| {
            let part = |i: usize| Value::from(found.group(i).unwrap_or_default());
            for i in 0..=self.groups {
                budget.take(found.group(i).map_or(0, str::len))?;
            }
            out.push(match self.groups {
                0 => part(0),
                1 => part(1),
                n => Value::list((1..=n).map(part)),
            });
            Ok(true)
        })?;
        Ok(out)
    }

    /// `re.sub`; a `count` of 0 replaces all, a negative one none.
    pub fn replace(
        &self,
        text: &str,
        replacement: &Replacement,
        count: i64,
    ) -> Result<String, RegexError> {
        let mut out = String::new();
        let (mut last, mut done) = (0, 0i64);
        let grow = |out: &mut String, part: &str| {
            if out.len() + part.len() > MAX_TEXT {
                return Err(RegexError::TooBig);
            }
            out.push_str(part);
            Ok(())
        };
        if count >= 0 {
            self.each(text, |found| {
                let range = found.range();
                grow(&mut out, &text[last..range.start])?;
                for part in replacement.parts(&found) {
                    grow(&mut out, part)?;
                }
                last = range.end;
                done += 1;
                Ok(count == 0 || done < count)
            })?;
        }
        grow(&mut out, &text[last..])?;
        Ok(out)
    }

    /// `re.split`: the parts between matches, with the groups of each match in between; a `maxsplit` of 0 splits
    /// everywhere, a negative one nowhere.
    pub fn split<'t>(
        &self,
        text: &'t str,
        maxsplit: i64,
    ) -> Result<Vec<Option<&'t str>>, RegexError> {
        let mut out = Vec::new();
        let mut budget = Budget::default();
        let (mut last, mut done) = (0, 0i64);
        if maxsplit >= 0 {
            self.each(text, |found| {
                let range = found.range();
                budget.take(range.start - last)?;
                out.push(Some(&text[last..range.start]));
                for group in found.groups() {
                    budget.take(group.map_or(0, str::len))?;
                    out.push(group);
                }
                last = range.end;
                done += 1;
                Ok(maxsplit == 0 || done < maxsplit)
            })?;
        }
        out.push(Some(&text[last..]));
        Ok(out)
    }

    fn engine(&self, text: &str) -> Result<&Engine, RegexError> {
        if !(self.end_of_line && text.ends_with('\n')) {
            return Ok(&self.plain);
        }
        self.before_newline
            .get_or_init(|| {
                let translated = pattern::translate(&self.source, self.flags, true)?;
                Engine::build(translated.pattern, self.full)
            })
            .as_ref()
            .map_err(Clone::clone)
    }
}

impl Engine {
    fn build(pattern: String, full: bool) -> Result<Self, RegexError> {
        let source = if full {
            format!(r"(?:{pattern})\z")
        } else {
            pattern
        };
        let re = builder(&source)
            .build()
            .map_err(|e| RegexError::Refused(e.to_string()))?;
        Ok(Engine {
            source,
            re,
            nonempty: OnceLock::new(),
        })
    }

    fn find<'t>(
        &self,
        text: &'t str,
        at: usize,
        anchored: bool,
    ) -> Result<Option<Found<'t>>, RegexError> {
        run(&self.re, text, at, anchored)
    }

    /// A match at this very place that is not empty.
    fn find_nonempty<'t>(&self, text: &'t str, at: usize) -> Result<Option<Found<'t>>, RegexError> {
        let build = || builder(&self.source).find_not_empty(true).build().ok();
        // No engine means that the pattern can only match the empty text.
        match self.nonempty.get_or_init(build) {
            Some(re) => run(re, text, at, true),
            None => Ok(None),
        }
    }
}

fn builder(source: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(source);
    builder
        .backtrack_limit(MAX_BACKTRACKS)
        .delegate_size_limit(MAX_AUTOMATON)
        .delegate_dfa_size_limit(MAX_AUTOMATON)
        .max_prog_size(MAX_PROGRAM);
    builder
}

fn run<'t>(
    re: &fancy_regex::Regex,
    text: &'t str,
    at: usize,
    anchored: bool,
) -> Result<Option<Found<'t>>, RegexError> {
    let input = RegexInput::new(text).from_pos(at).anchored(anchored);
    match re.captures_input(input) {
        Ok(None) => Ok(None),
        Ok(Some(found)) => Ok(Some(Found {
            text,
            spans: found
                .iter()
                .map(|m| m.map(|m| (m.start(), m.end())))
                .collect(),
        })),
        Err(fancy_regex::Error::RuntimeError(
            RuntimeError::BacktrackLimitExceeded | RuntimeError::StackOverflow,
        )) => Err(RegexError::TooMuchWork),
        Err(e) => Err(RegexError::Refused(e.to_string())),
    }
}

#[derive(Default)]
struct Budget {
    items: usize,
    bytes: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), RegexError> {
        self.items += 1;
        self.bytes += bytes;
        if self.items > MAX_ITEMS || self.bytes > MAX_TEXT {
            return Err(RegexError::TooBig);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
