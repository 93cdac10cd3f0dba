//! Keyset pages: newest first, stable while rows are inserted.
//!
//! A cursor is the sort key of the last row given, so the next page starts exactly behind it whatever
//! was written since. It must not know tables or filters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::StoreError;
use crate::ids::MAX_ID_BYTES;

/// Most rows one page may hold; larger limits are lowered to it.
pub const MAX_PAGE_ROWS: usize = 1000;

/// A page ends early once its rows hold this much text, so that large graphs cannot exhaust memory.
const PAGE_TEXT_BYTES: usize = 32 << 20;

/// Longest cursor this store makes: list tag, time and id in base64.
const MAX_CURSOR_BYTES: usize = (1 + 8 + MAX_ID_BYTES).div_ceil(3) * 4;

/// Some rows of a list and where the rest begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, in the order of the list.
    pub rows: Vec<T>,
    /// Cursor of the next page, `""` when this is the last one.
    pub next: String,
}

/// The lists that have cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Workflows,
    Jobs,
    Threads,
    Messages,
    Predictions,
    Workspaces,
    Assets,
}

impl List {
    fn tag(self) -> u8 {
        match self {
            Self::Workflows => b'w',
            Self::Jobs => b'j',
            Self::Threads => b't',
            Self::Messages => b'm',
            Self::Predictions => b'p',
            Self::Workspaces => b'k',
            Self::Assets => b'a',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::Jobs => "jobs",
            Self::Threads => "threads",
            Self::Messages => "messages",
            Self::Predictions => "predictions",
            Self::Workspaces => "workspaces",
            Self::Assets => "assets",
        }
    }

    /// Most rows one page of the list may hold.
    fn most_rows(self) -> usize {
        match self {
            Self::Assets => crate::MAX_ASSET_ROWS,
            Self::Workflows
            | Self::Jobs
            | Self::Threads
            | Self::Messages
            | Self::Predictions
            | Self::Workspaces => MAX_PAGE_ROWS,
        }
    }
}

/// The sort key of a row: its time, then its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) at: i64,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn encode(&self, list: List) -> String {
        let mut bytes = Vec::with_capacity(9 + self.id.len());
        bytes.push(list.tag());
        bytes.extend_from_slice(&self.at.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor; the empty one means the beginning of the list.
    pub(crate) fn decode(list: List, cursor: &str) -> Result<Option<Self>, StoreError> {
        if cursor.is_empty() {
            return Ok(None);
        }
        Self::parse(list, cursor)
            .map(Some)
            .ok_or(StoreError::BadCursor { list: list.name() })
    }

    fn parse(list: List, cursor: &str) -> Option<Self> {
        if cursor.len() > MAX_CURSOR_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, rest) = bytes.split_first()?;
        let (at, id) = rest.split_first_chunk::<8>()?;
        if *tag != list.tag() || id.is_empty() {
            return None;
        }
        let id = String::from_utf8(id.to_vec()).ok()?;
        Some(Self {
            at: i64::from_be_bytes(*at),
            id,
        })
    }
}

/// Gathers rows until the page is full and knows whether another one follows.
pub(crate) struct Gather<T> {
    rows: Vec<T>,
    text: usize,
    limit: usize,
    last: Option<Key>,
    next: String,
    list: List,
}

impl<T> Gather<T> {
    pub(crate) fn new(list: List, limit: usize) -> Self {
        Self {
            rows: Vec::new(),
            text: 0,
            limit: limit.clamp(1, list.most_rows()),
            last: None,
            next: String::new(),
            list,
        }
    }

    /// How many rows to ask the database for: one more than fits, to learn whether there is a next page.
    pub(crate) fn fetch(limit: usize) -> i64 {
        i64::try_from(clamp(limit) + 1).unwrap_or(i64::MAX)
    }

    /// Whether the next row found belongs to the next page; notes the cursor if so.
    pub(crate) fn is_full(&mut self) -> bool {
        let full = self.rows.len() >= self.limit || self.text >= PAGE_TEXT_BYTES;
        if let (true, Some(last)) = (full, &self.last) {
            self.next = last.encode(self.list);
        }
        full
    }

    pub(crate) fn push(&mut self, key: Key, text: usize, row: T) {
        self.text = self.text.saturating_add(text);
        self.last = Some(key);
        self.rows.push(row);
    }

    pub(crate) fn finish(self) -> Page<T> {
        Page {
            rows: self.rows,
            next: self.next,
        }
    }
}

fn clamp(limit: usize) -> usize {
    limit.clamp(1, MAX_PAGE_ROWS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_as_the_key_it_was_made_from(at: i64, id in ".{1,32}") {
            let key = Key { at, id };
            let cursor = key.encode(List::Jobs);
            prop_assert_eq!(Key::decode(List::Jobs, &cursor).unwrap(), Some(key));
            prop_assert!(Key::decode(List::Workflows, &cursor).is_err());
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in ".{0,400}") {
            match Key::decode(List::Jobs, &text) {
                Ok(None) => prop_assert!(text.is_empty()),
                Ok(Some(key)) => prop_assert_eq!(key.encode(List::Jobs), text),
                Err(error) => {
                    let bad = matches!(error, StoreError::BadCursor { list: "jobs" });
                    prop_assert!(bad, "{error}");
                }
            }
        }
    }

    #[test]
    fn the_longest_id_still_fits_a_cursor() {
        let key = Key {
            at: i64::MIN,
            id: "x".repeat(MAX_ID_BYTES),
        };
        let cursor = key.encode(List::Workflows);
        assert_eq!(Key::decode(List::Workflows, &cursor).unwrap(), Some(key));
    }

    #[test]
    fn a_page_ends_early_when_its_rows_hold_much_text() {
        let mut page = Gather::new(List::Jobs, 10);
        assert!(!page.is_full());
        page.push(
            Key {
                at: 2,
                id: "b".into(),
            },
            PAGE_TEXT_BYTES,
            "b",
        );
        assert!(page.is_full());
        let page = page.finish();
        assert_eq!(page.rows, ["b"]);
        assert_eq!(
            Key::decode(List::Jobs, &page.next).unwrap(),
            Some(Key {
                at: 2,
                id: "b".into()
            })
        );
    }
}
