//! Searching in text.

use fancy_regex::{Regex, RegexBuilder};

/// Steps one search may go back; past it the search fails instead of running on.
const MAX_STEPS: usize = 100_000;

/// What a text is searched for.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// These characters.
    Plain(String),
    /// A regular expression.
    Regex(Box<Regex>),
}

impl Pattern {
    /// Plain characters; with `fold` in either case.
    pub(super) fn plain(text: &str, fold: bool) -> Result<Pattern, String> {
        if fold {
            Pattern::regex(&fancy_regex::escape(text), "", true)
        } else {
            Ok(Pattern::Plain(text.into()))
        }
    }

    /// A regular expression, found anywhere, at the `start`, or over the `whole` text.
    pub(super) fn regex(text: &str, place: &str, fold: bool) -> Result<Pattern, String> {
        let signs = |c: char| "\\.+*?()|[]{}^$#".contains(c);
        if place.is_empty() && !fold && !text.contains(signs) {
            return Ok(Pattern::Plain(text.into()));
        }
        let source = match place {
            "start" => format!(r"\A(?:{text})"),
            "whole" => format!(r"\A(?:{text})\z"),
            _ => text.into(),
        };
        RegexBuilder::new(&source)
            .case_insensitive(fold)
            .backtrack_limit(MAX_STEPS)
            .build()
            .map(|r| Pattern::Regex(Box::new(r)))
            .map_err(|e| format!("the regular expression cannot be used: {e}"))
    }

    /// Whether it is found.
    pub(super) fn is_in(&self, text: &str) -> Result<bool, String> {
        match self {
            Pattern::Plain(part) => Ok(text.contains(part.as_str())),
            Pattern::Regex(regex) => regex
                .is_match(text)
                .map_err(|e| format!("the regular expression gave up: {e}")),
        }
    }
}
