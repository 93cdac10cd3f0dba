//! `vector.chroma.RemoveOverlap`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

use crate::bounds;

/// Takes out what the pieces of a text repeat of the piece before.
/// vector, chunks, overlap, duplicate, text, rag
///
/// The words at the beginning of a piece are dropped when the piece before ends with them. A piece that says nothing
/// else is left out.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct RemoveOverlap {
    /// The pieces, in their order.
    documents: Vec<String>,
    /// Fewer words are no overlap.
    #[prop(default = 2)]
    min_overlap_words: i64,
}

/// The pieces without what they repeat.
#[derive(Outputs)]
pub(super) struct Distinct {
    documents: Vec<String>,
}

impl Process for RemoveOverlap {
    type Output = Distinct;

    async fn process(self, _: &NodeCx) -> Result<Distinct, NodeError> {
        let least = usize::try_from(self.min_overlap_words).map_err(|_| {
            let message = format!("{} (expected 0 or more)", self.min_overlap_words);
            NodeError::bad("min_overlap_words", message)
        })?;
        let size = self.documents.iter().map(String::len).sum();
        let documents = self.documents;
        let documents = bounds::work(size, move || Ok(without_overlap(&documents, least))).await?;
        Ok(Distinct { documents })
    }
}

fn without_overlap(documents: &[String], least: usize) -> Vec<String> {
    let mut out = Vec::with_capacity(documents.len());
    let mut before: &str = "";
    for document in documents {
        let rest = match overlap(before, document) {
            words if words >= least.max(1) => after_words(document, words),
            _ => document,
        };
        if !rest.is_empty() || document.is_empty() {
            out.push(rest.to_owned());
        }
        before = document;
    }
    out
}

/// How many words at the end of one text are those at the beginning of the other, at most.
fn overlap(before: &str, after: &str) -> usize {
    let start: Vec<&str> = after.split_whitespace().collect();
    // For each word, how many words up to it are those at the start.
    let mut borders = vec![0; start.len()];
    for i in 1..start.len() {
        let mut run = borders[i - 1];
        while run > 0 && start[run] != start[i] {
            run = borders[run - 1];
        }
        borders[i] = run + usize::from(start[run] == start[i]);
    }
    let mut run = 0;
    for word in before.split_whitespace() {
        if run == start.len() {
            run = borders.last().copied().unwrap_or(0);
        }
        while run > 0 && start[run] != word {
            run = borders[run - 1];
        }
        if start.get(run) == Some(&word) {
            run += 1;
        }
    }
    run
}

/// The text behind so many words.
fn after_words(text: &str, words: usize) -> &str {
    let mut rest = text.trim_start();
    for _ in 0..words {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(documents: &[&str], least: usize) -> Vec<String> {
        let documents: Vec<String> = documents.iter().map(|d| (*d).to_owned()).collect();
        without_overlap(&documents, least)
    }

    #[test]
    fn repeated_words_are_dropped_where_there_are_enough_of_them() {
        let pieces = ["one two three four", "three four\nfive  six", "six seven"];
        assert_eq!(
            cleaned(&pieces, 2),
            ["one two three four", "five  six", "six seven"]
        );
        assert_eq!(cleaned(&pieces, 1)[2], "seven");
        assert_eq!(cleaned(&["a b", "a b"], 2), ["a b"]);
        assert_eq!(cleaned(&["", "a"], 0), ["", "a"]);
    }

    #[test]
    fn the_longest_overlap_counts() {
        assert_eq!(overlap("x a b a b", "a b a b c"), 4);
        assert_eq!(overlap("a b a", "a b c"), 1);
        assert_eq!(overlap("a b c", "a b c"), 3);
        assert_eq!(overlap("a a b", "a b"), 2);
        assert_eq!(overlap("", "a"), 0);
        assert_eq!(overlap("a", ""), 0);
    }
}
