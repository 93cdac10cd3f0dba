//! Cuts a text into pieces of bounded length that overlap a little, where it hurts least: before headings, between
//! paragraphs, after sentences, between words.
//!
//! Nothing but blanks is ever lost between two pieces. It must not know where the text comes from.

use std::ops::Range;

/// How long pieces are, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// At most.
    pub(super) most: usize,
    /// About as much of a piece is repeated at the beginning of the next.
    pub(super) overlap: usize,
}

impl Default for Size {
    fn default() -> Self {
        Size {
            most: 1200,
            overlap: 150,
        }
    }
}

/// How good a place is to cut, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Anywhere,
    Word,
    Line,
    Sentence,
    Paragraph,
    Heading,
}

/// The pieces of a text, as ranges of its bytes, in order. Each begins and ends with something that is not a blank.
pub(super) fn chunks(text: &str, size: Size) -> Vec<Range<usize>> {
    let most = size.most.max(1);
    let overlap = size.overlap.min(most / 2);
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    loop {
        from += blanks(&text[from..]);
        if from >= text.len() {
            return pieces;
        }
        let window = Window::of(text, from, most);
        let (end, cut) = window.end(most);
        let piece = from..from + text[from..end].trim_end().len();
        pieces.push(piece);
        if end >= text.len() {
            return pieces;
        }
        from = match cut {
            // What begins under a heading does not continue what was before.
            Cut::Heading => end,
            _ => window.back(end, overlap),
        };
    }
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// A part of a text that is one piece at most.
struct Window<'a> {
    text: &'a str,
    from: usize,
    /// Places between characters, with how good they are to cut, in order; the last is the farthest there may be.
    places: Vec<(usize, Cut)>,
    /// Whether the text ends within.
    last: bool,
}

impl<'a> Window<'a> {
    fn of(text: &'a str, from: usize, most: usize) -> Self {
        let mut places = Vec::new();
        let mut before = '\n';
        // The blank characters just before, and the line breaks among them.
        let (mut blank, mut breaks) = (false, 0);
        let mut ended = false;
        let mut last = true;
        for (count, (at, c)) in text[from..].char_indices().enumerate() {
            let place = from + at;
            if count > 0 {
                let cut = if c.is_whitespace() {
                    Cut::Anywhere
                } else if breaks > 0 && is_heading(&text[place..]) {
                    Cut::Heading
                } else if breaks > 1 {
                    Cut::Paragraph
                } else if blank && ended || is_stop(before) && !before.is_ascii() {
                    Cut::Sentence
                } else if breaks > 0 {
                    Cut::Line
                } else if blank {
                    Cut::Word
                } else {
                    Cut::Anywhere
                };
                places.push((place, cut));
            }
            if count == most {
                last = false;
                break;
            }
            if c.is_whitespace() {
                blank = true;
                breaks += usize::from(c == '\n');
            } else {
                ended = is_stop(c) || ended && !blank && is_closing(c);
                (blank, breaks) = (false, 0);
            }
            before = c;
        }
        Window {
            text,
            from,
            places,
            last,
        }
    }

    /// Where the piece ends: the best place in the second half, or the end of the text.
    fn end(&self, most: usize) -> (usize, Cut) {
        if self.last {
            return (self.text.len(), Cut::Anywhere);
        }
        let half = self.places.get(most / 2..).unwrap_or_default();
        let best = half.iter().max_by_key(|(_, cut)| *cut);
        best.or(self.places.last())
            .copied()
            .unwrap_or((self.text.len(), Cut::Anywhere))
    }

    /// Where the next piece begins, about so many characters before the end of this one: at a sentence if there is one,
    /// else at a word. Always beyond the beginning of this one.
    fn back(&self, end: usize, overlap: usize) -> usize {
        let before = self.places.partition_point(|(place, _)| *place < end);
        let first = before.saturating_sub(overlap);
        let near = self.places.get(first..before).unwrap_or_default();
        let at = |least: Cut| near.iter().find(|(_, cut)| *cut >= least);
        let found = at(Cut::Sentence).or_else(|| at(Cut::Word));
        found.map_or(end, |(place, _)| *place).max(self.from + 1)
    }
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '।')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»' | '」')
}

/// Whether a line begins as headings in Markdown do.
fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    let levels = line.len() - rest.len();
    (1..=6).contains(&levels) && rest.starts_with([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str, most: usize, overlap: usize) -> Vec<&str> {
        let pieces = chunks(text, Size { most, overlap }).into_iter();
        pieces.map(|piece| &text[piece]).collect()
    }

    #[test]
    fn a_short_text_is_one_piece_and_an_empty_one_none() {
        assert_eq!(texts(" one two \n", 50, 5), ["one two"]);
        assert!(texts(" \n\t ", 50, 5).is_empty());
        assert!(texts("", 50, 5).is_empty());
    }

    #[test]
    fn headings_come_before_paragraphs_before_sentences_before_words() {
        let text = "Intro text here.\n\n# First\nOne two. Three four.\n\n# Second\nFive.";
        assert_eq!(
            texts(text, 50, 20),
            [
                "Intro text here.\n\n# First\nOne two. Three four.",
                "# Second\nFive."
            ]
        );
        assert_eq!(
            texts("One two three. Four five six. Seven", 32, 0),
            ["One two three. Four five six.", "Seven"]
        );
        assert_eq!(texts("aaaa bbbb cccc", 10, 0), ["aaaa bbbb", "cccc"]);
        assert_eq!(texts("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(
            texts("one.\n\ntwo three four", 16, 0)[0],
            "one.\n\ntwo three"
        );
    }

    #[test]
    fn pieces_overlap_by_whole_sentences_or_words() {
        let text = "Alpha beta gamma. Delta epsilon. Zeta eta theta iota kappa.";
        let pieces = texts(text, 40, 16);
        assert_eq!(pieces[0], "Alpha beta gamma. Delta epsilon.");
        assert_eq!(pieces[1], "Delta epsilon. Zeta eta theta iota");
        assert!(pieces[2].ends_with("kappa."));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_bounds_are_kept(
            text in r"([a-zäß京😀#.!?]{0,12}[ \n.]{0,3}){0,40}",
            most in 1usize..60,
            overlap in 0usize..40,
        ) {
            let pieces = chunks(&text, Size { most, overlap });
            let mut covered = 0;
            let mut begin = None;
            for piece in &pieces {
                let inside = &text[piece.clone()];
                prop_assert!(!inside.is_empty() && inside.chars().count() <= most);
                prop_assert_eq!(inside.trim(), inside);
                prop_assert!(begin.is_none_or(|b| piece.start > b), "it goes on");
                begin = Some(piece.start);
                if piece.start > covered {
                    prop_assert!(text[covered..piece.start].trim().is_empty(), "something is lost");
                }
                covered = covered.max(piece.end);
            }
            prop_assert!(text[covered..].trim().is_empty(), "the end is lost");
        }
    }
}
