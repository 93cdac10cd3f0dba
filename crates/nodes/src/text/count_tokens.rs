//! `nodetool.text.CountTokens`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};
use tiktoken_rs::CoreBPE;

use crate::bounds::blocking;

/// Most bytes of a text that is counted.
const MAX_TEXT: usize = 16 << 20;
/// Bytes that are counted at a time.
const PIECE: usize = 4096;
/// Longest run without a place to cut; the work for a run grows with its square.
const MAX_RUN: usize = 512;

/// Which table of tokens.
#[derive(Clone, Copy, ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.text.CountTokens.TiktokenEncoding")]
pub(super) enum Encoding {
    #[value("cl100k_base")]
    Cl100k,
    #[value("p50k_base")]
    P50k,
    #[value("r50k_base")]
    R50k,
}

/// Counts the tokens a language model sees in a text.
/// text, tokens, count, model, encoding, length
///
/// A run of more than 512 bytes without a word's end is counted in parts, which may come out a few tokens higher.
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct CountTokens {
    /// The text.
    text: String,
    /// Which table of tokens.
    encoding: Encoding,
}

impl Process for CountTokens {
    type Output = i64;

    async fn process(self, _: &NodeCx) -> Result<i64, NodeError> {
        if self.text.len() > MAX_TEXT {
            return Err(NodeError::bad(
                "text",
                format!(
                    "{} bytes (expected at most {MAX_TEXT} to count tokens in)",
                    self.text.len()
                ),
            ));
        }
        blocking(move || {
            let table = match self.encoding {
                Encoding::Cl100k => tiktoken_rs::cl100k_base_singleton(),
                Encoding::P50k => tiktoken_rs::p50k_base_singleton(),
                Encoding::R50k => tiktoken_rs::r50k_base_singleton(),
            };
            Ok(count(table, &self.text))
        })
        .await
    }
}

/// Tokens of a text for models whose own tokens nobody knows here, about; takes long for long texts.
pub fn count_tokens(text: &str) -> u64 {
    let tokens = count(tiktoken_rs::cl100k_base_singleton(), text);
    u64::try_from(tokens).unwrap_or_default()
}

fn count(table: &CoreBPE, text: &str) -> i64 {
    let mut sum = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(cut(rest));
        sum += table.encode_ordinary(piece).len();
        rest = tail;
    }
    sum as i64
}

/// Where to cut: after a letter or digit that none follows, since no token reaches across that place.
fn cut(text: &str) -> usize {
    let mut end = None;
    let mut before = None::<char>;
    for (i, c) in text.char_indices() {
        if before.is_some_and(char::is_alphanumeric) && !c.is_alphanumeric() {
            end = Some(i);
        }
        match end {
            Some(end) if i >= PIECE || i - end >= MAX_RUN => return end,
            None if i >= MAX_RUN => return i,
            _ => before = Some(c),
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn counts_are_those_of_the_tables() {
        for (text, encoding, expected) in [
            ("", "cl100k_base", 0i64),
            ("antidisestablishmentarianism", "r50k_base", 5),
            ("antidisestablishmentarianism", "cl100k_base", 6),
            ("2 + 2 = 4", "p50k_base", 5),
            ("2 + 2 = 4", "cl100k_base", 7),
            ("お誕生日おめでとう", "r50k_base", 14),
            ("お誕生日おめでとう", "cl100k_base", 9),
        ] {
            let case = case::<CountTokens>()
                .set("text", text)
                .set("encoding", encoding);
            assert_eq!(
                case.value().await.unwrap(),
                Value::Int(expected),
                "{text:?} {encoding}"
            );
        }
    }

    #[test]
    fn cutting_does_not_change_the_count() {
        let table = tiktoken_rs::cl100k_base_singleton();
        let text =
            "It's the 3rd (or 4th?) try —\n\n  indented, naïve: 日本語。Done!\r\n".repeat(200);
        assert_eq!(
            count(table, &text),
            table.encode_ordinary(&text).len() as i64
        );
    }

    #[test]
    fn hostile_texts_are_counted_soon() {
        let table = tiktoken_rs::cl100k_base_singleton();
        for text in ["a", " ", "\n", "!", "é\u{301}"] {
            let text = text.repeat(50_000);
            assert!(count(table, &text) > 0);
        }
    }
}
