//! Cuts a text at the coarsest separator that keeps the parts small, and joins neighbours up to the wanted size.
//!
//! Pieces are ranges of the text, so nothing is copied. It must not know documents or nodes.

use std::collections::VecDeque;
use std::ops::Range;

use nodetool_sdk::NodeError;
use nodetool_sdk::compat::is_py_space;

use crate::bounds::check_items;

/// Most separators.
const MAX_SEPARATORS: usize = 64;

/// How to cut.
pub(super) struct Cutter {
    /// Most characters of a piece, where the separators allow.
    size: usize,
    /// Most characters two neighbours share.
    overlap: usize,
    separators: Vec<String>,
}

impl Cutter {
    pub(super) fn new(size: i64, overlap: i64, separators: Vec<String>) -> Result<Self, NodeError> {
        let number = |n: i64, property: &str, least: usize| {
            usize::try_from(n)
                .ok()
                .filter(|n| *n >= least)
                .ok_or_else(|| NodeError::bad(property, format!("{n} (expected at least {least})")))
        };
        let (size, overlap) = (
            number(size, "chunk_size", 1)?,
            number(overlap, "chunk_overlap", 0)?,
        );
        if overlap > size {
            return Err(NodeError::bad(
                "chunk_overlap",
                format!("{overlap} (expected at most the chunk size, {size})"),
            ));
        }
        if separators.is_empty() || separators.len() > MAX_SEPARATORS {
            return Err(NodeError::bad(
                "separators",
                format!(
                    "{} separators (expected 1 to {MAX_SEPARATORS})",
                    separators.len()
                ),
            ));
        }
        Ok(Cutter {
            size,
            overlap,
            separators,
        })
    }

    /// The pieces of a part of the text, as bytes of the text.
    pub(super) fn cut(
        &self,
        text: &str,
        part: Range<usize>,
        out: &mut Vec<Range<usize>>,
    ) -> Result<(), NodeError> {
        self.cut_from(text, part, 0, out)
    }

    fn cut_from(
        &self,
        text: &str,
        part: Range<usize>,
        level: usize,
        out: &mut Vec<Range<usize>>,
    ) -> Result<(), NodeError> {
        let body = &text[part.clone()];
        let finer = &self.separators[level..];
        let found = finer
            .iter()
            .position(|s| s.is_empty() || body.contains(s.as_str()));
        let (separator, next) = match found {
            Some(i) => (finer[i].as_str(), level + i + 1),
            None => ("\0", self.separators.len()),
        };
        let mut row = Row {
            cutter: self,
            text,
            parts: VecDeque::new(),
            total: 0,
        };
        for range in parts(body, separator) {
            let range = part.start + range.start..part.start + range.end;
            let length = text[range.clone()].chars().count();
            if length < self.size {
                row.push(range, length, out)?;
                continue;
            }
            row.end(out)?;
            if next < self.separators.len() {
                self.cut_from(text, range, next, out)?;
            } else if !text[range.clone()].trim_matches(is_py_space).is_empty() {
                keep(range, out)?;
            }
        }
        row.end(out)
    }
}

/// The parts between separators; each separator begins the part after it.
fn parts<'t>(text: &'t str, separator: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let rest = &text[start..];
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let skip = if separator.is_empty() {
            0
        } else if rest.starts_with(separator) {
            separator.len()
        } else {
            0
        };
        let length = if separator.is_empty() {
            first
        } else {
            rest[skip..]
                .find(separator)
                .map_or(rest.len(), |i| skip + i)
        };
        let range = start..start + length;
        start = range.end;
        Some(range)
    })
}

/// Neighbouring parts that are to become one piece.
struct Row<'a> {
    cutter: &'a Cutter,
    text: &'a str,
    parts: VecDeque<(Range<usize>, usize)>,
    total: usize,
}

impl Row<'_> {
    fn push(
        &mut self,
        range: Range<usize>,
        length: usize,
        out: &mut Vec<Range<usize>>,
    ) -> Result<(), NodeError> {
        let size = self.cutter.size;
        if self.total + length > size {
            self.write(out)?;
            while self.total > self.cutter.overlap || (self.total + length > size && self.total > 0)
            {
                let Some((_, gone)) = self.parts.pop_front() else {
                    break;
                };
                self.total -= gone;
            }
        }
        self.parts.push_back((range, length));
        self.total += length;
        Ok(())
    }

    fn write(&self, out: &mut Vec<Range<usize>>) -> Result<(), NodeError> {
        let (Some((first, _)), Some((last, _))) = (self.parts.front(), self.parts.back()) else {
            return Ok(());
        };
        let body = &self.text[first.start..last.end];
        let start = last.end - body.trim_start_matches(is_py_space).len();
        let end = first.start + body.trim_end_matches(is_py_space).len();
        if start < end {
            keep(start..end, out)
        } else {
            Ok(())
        }
    }

    fn end(&mut self, out: &mut Vec<Range<usize>>) -> Result<(), NodeError> {
        self.write(out)?;
        self.parts.clear();
        self.total = 0;
        Ok(())
    }
}

fn keep(range: Range<usize>, out: &mut Vec<Range<usize>>) -> Result<(), NodeError> {
    out.push(range);
    check_items("chunk_size", out.len())
}

/// Characters before a byte, for bytes that mostly grow.
#[derive(Default)]
pub(super) struct CharIndex {
    byte: usize,
    chars: usize,
}

impl CharIndex {
    pub(super) fn of(&mut self, text: &str, byte: usize) -> i64 {
        if byte >= self.byte {
            self.chars += text[self.byte..byte].chars().count();
        } else {
            self.chars -= text[byte..self.byte].chars().count();
        }
        self.byte = byte;
        self.chars as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, size: i64, overlap: i64, separators: &[&str]) -> Vec<String> {
        let separators = separators.iter().map(|s| (*s).to_owned()).collect();
        let cutter = Cutter::new(size, overlap, separators).unwrap();
        let mut out = Vec::new();
        cutter.cut(text, 0..text.len(), &mut out).unwrap();
        out.into_iter().map(|r| text[r].to_owned()).collect()
    }

    #[test]
    fn small_neighbours_are_joined_and_large_parts_cut_finer() {
        assert_eq!(
            cut("ab cd\n\nef gh ij\n\nk", 8, 0, &["\n\n", " "]),
            ["ab cd", "ef gh", "ij", "k"]
        );
        assert_eq!(cut("äbc def", 3, 1, &["\n", ""]), ["äbc", "c d", "def"]);
        assert_eq!(cut("a.b.c.d", 4, 2, &["."]), ["a.b", ".b.c", ".c.d"]);
        assert_eq!(cut("abcdefgh x", 4, 0, &["\n\n", " "]), ["abcdefgh", "x"]);
        assert_eq!(cut(" \n ", 2, 0, &["\n"]), [""; 0]);
    }

    #[test]
    fn wrong_sizes_are_refused_by_name() {
        for (size, overlap, separators, property) in [
            (0, 0, vec!["a".to_owned()], "chunk_size"),
            (1, 2, vec!["a".to_owned()], "chunk_overlap"),
            (1, -1, vec!["a".to_owned()], "chunk_overlap"),
            (1, 0, vec![], "separators"),
        ] {
            let e = Cutter::new(size, overlap, separators).err().unwrap();
            assert!(e.to_string().contains(&format!("`{property}`")), "{e}");
        }
    }
}
