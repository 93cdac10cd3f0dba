//! Finds the items of a list in a text that comes in pieces.

const OPEN: &str = "<list_item>";
const CLOSE: &str = "</list_item>";

/// What has come of the text and is not used yet.
#[derive(Debug, Default)]
pub(super) struct ListItems {
    rest: String,
    /// The rest begins inside an item.
    inside: bool,
    /// So much of the rest holds no tag.
    searched: usize,
}

impl ListItems {
    /// Takes the next piece and gives the items that end in it.
    pub(super) fn take(&mut self, piece: &str) -> Vec<String> {
        self.rest.push_str(piece);
        let mut items = Vec::new();
        loop {
            let tag = if self.inside { CLOSE } else { OPEN };
            let Some(at) = find(&self.rest, tag, self.searched) else {
                // A tag may have begun.
                self.searched = self.rest.len().saturating_sub(tag.len() - 1);
                if !self.inside {
                    let keep = floor(&self.rest, self.searched);
                    self.rest.drain(..keep);
                    self.searched = 0;
                }
                return items;
            };
            if self.inside {
                items.extend(Some(tidy(&self.rest[..at])).filter(|item| !item.is_empty()));
            }
            self.rest.drain(..at + tag.len());
            self.inside = !self.inside;
            self.searched = 0;
        }
    }
}

/// Where the tag is, in small or large letters, at or after `from`.
fn find(text: &str, tag: &str, from: usize) -> Option<usize> {
    let (text, tag) = (text.as_bytes(), tag.as_bytes());
    let windows = text.get(from..)?.windows(tag.len());
    let at = windows
        .into_iter()
        .position(|w| w.eq_ignore_ascii_case(tag));
    at.map(|at| from + at)
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

/// An item without Markdown bold, with one blank in the place of several.
fn tidy(item: &str) -> String {
    let plain = item.replace("**", "");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(pieces: &[&str]) -> Vec<String> {
        let mut found = ListItems::default();
        pieces.iter().flat_map(|piece| found.take(piece)).collect()
    }

    #[test]
    fn items_are_found_wherever_the_text_is_cut() {
        let text = "Sure, ä:\n<LIST_ITEM>**One**\n  é one</LIST_ITEM> and <list_item>two < 3</list_item><LIST_ITEM> \
                    </LIST_ITEM><LIST_ITEM>lost";
        let want = ["One é one", "two < 3"];
        assert_eq!(items(&[text]), want);
        for (cut, _) in text.char_indices() {
            assert_eq!(items(&[&text[..cut], &text[cut..]]), want, "cut at {cut}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(items(&single), want);
    }

    #[test]
    fn a_text_without_items_is_not_kept() {
        let mut found = ListItems::default();
        for _ in 0..1000 {
            assert!(found.take("prose without any item. ").is_empty());
        }
        assert!(found.rest.len() < OPEN.len());
    }

    proptest! {
        #[test]
        fn where_a_text_is_cut_does_not_matter(
            text in proptest::collection::vec(
                proptest::sample::select(vec!["<LIST_ITEM>", "</LIST_ITEM>", "<", "/", "LIST", " a", "ä", "**", "\n"]),
                0..30,
            )
        ) {
            let text = text.concat();
            let single: Vec<String> = text.chars().map(String::from).collect();
            let single: Vec<&str> = single.iter().map(String::as_str).collect();
            let whole = items(&[&text]);
            prop_assert_eq!(&items(&single), &whole);
            prop_assert!(whole.iter().all(|item| !item.is_empty() && !item.contains("**")));
        }
    }
}
