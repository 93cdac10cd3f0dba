//! Reasoning that a server left inside the text, between `<think>` and `</think>` at its very beginning.

use std::collections::VecDeque;

use nodetool_sdk::models::ChatEvent;

const BEGIN: &str = "<think>";
const END: &str = "</think>";

/// Tells reasoning from text, however the pieces are cut.
#[derive(Debug)]
pub(super) enum Thinking {
    /// Nothing but white space and perhaps a part of `<think>` came.
    Start(String),
    /// Inside. What is held is white space and perhaps a part of `</think>`.
    Inside {
        held: String,
        /// Whether more than white space came.
        begun: bool,
    },
    /// Only white space came since.
    Ended,
    /// In the text.
    Text,
}

impl Default for Thinking {
    fn default() -> Self {
        Thinking::Start(String::new())
    }
}

impl Thinking {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &str, out: &mut VecDeque<ChatEvent>) {
        match self {
            Thinking::Start(held) => {
                held.push_str(piece);
                let begun = held.trim_start();
                if let Some(rest) = begun.strip_prefix(BEGIN) {
                    let rest = rest.to_owned();
                    *self = Thinking::Inside {
                        held: String::new(),
                        begun: false,
                    };
                    self.push(&rest, out);
                } else if !BEGIN.starts_with(begun) {
                    let text = std::mem::take(held);
                    *self = Thinking::Text;
                    text_event(&text, out);
                }
            }
            Thinking::Inside { held, begun } => {
                held.push_str(piece);
                if !*begun {
                    held.drain(..held.len() - held.trim_start().len());
                }
                if let Some((thought, rest)) = held.split_once(END) {
                    reasoning_event(thought.trim_end(), out);
                    let rest = rest.to_owned();
                    *self = Thinking::Ended;
                    self.push(&rest, out);
                } else {
                    // White space before the end tag is no reasoning.
                    let keep = held.len() - unfinished(held);
                    let keep = held[..keep].trim_end().len();
                    reasoning_event(&held[..keep], out);
                    *begun |= keep > 0;
                    held.drain(..keep);
                }
            }
            Thinking::Ended => {
                let text = piece.trim_start();
                if !text.is_empty() {
                    *self = Thinking::Text;
                    text_event(text, out);
                }
            }
            Thinking::Text => text_event(piece, out),
        }
    }

    /// Gives what was held back; the answer is over.
    pub(super) fn end(&mut self, out: &mut VecDeque<ChatEvent>) {
        match std::mem::replace(self, Thinking::Text) {
            Thinking::Start(held) => text_event(&held, out),
            Thinking::Inside { held, .. } => reasoning_event(held.trim_end(), out),
            Thinking::Ended | Thinking::Text => {}
        }
    }
}

/// How many bytes at the end may be the beginning of the end tag.
fn unfinished(text: &str) -> usize {
    let longest = END.len().min(text.len());
    let ends = |length: &usize| text.as_bytes().ends_with(&END.as_bytes()[..*length]);
    (1..=longest).rev().find(ends).unwrap_or(0)
}

fn text_event(text: &str, out: &mut VecDeque<ChatEvent>) {
    if !text.is_empty() {
        out.push_back(ChatEvent::Text(text.to_owned()));
    }
}

fn reasoning_event(text: &str, out: &mut VecDeque<ChatEvent>) {
    if !text.is_empty() {
        out.push_back(ChatEvent::Reasoning(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let (mut thinking, mut out) = (Thinking::default(), VecDeque::new());
        for piece in pieces {
            thinking.push(piece, &mut out);
        }
        thinking.end(&mut out);
        let (mut reasoning, mut text) = (String::new(), String::new());
        for event in out {
            match event {
                ChatEvent::Reasoning(piece) => reasoning.push_str(&piece),
                ChatEvent::Text(piece) => text.push_str(&piece),
                other => panic!("{other:?}"),
            }
        }
        (reasoning, text)
    }

    fn both(reasoning: &str, text: &str) -> (String, String) {
        (reasoning.to_owned(), text.to_owned())
    }

    #[test]
    fn only_tags_at_the_beginning_are_reasoning() {
        assert_eq!(
            read(["<think>\na\n\nb\n</think>\n\nc"]),
            both("a\n\nb", "c")
        );
        assert_eq!(
            read([" x <think>a</think>"]),
            both("", " x <think>a</think>")
        );
        assert_eq!(read(["<thin"]), both("", "<thin"));
        assert_eq!(
            read(["<think>never ended </th"]),
            both("never ended </th", "")
        );
        assert_eq!(read(["a <b"]), both("", "a <b"));
    }

    proptest! {
        #[test]
        fn where_the_text_is_cut_does_not_matter(cuts in proptest::collection::vec(0usize..40, 0..8)) {
            let whole = "<think>if a < b </t ä€\n</think>\nyes </think>";
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| whole.is_char_boundary(*c)).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let got = read(cuts.windows(2).map(|w| &whole[w[0]..w[1]]));
            prop_assert_eq!(got, both("if a < b </t ä€", "yes </think>"));
        }
    }
}
