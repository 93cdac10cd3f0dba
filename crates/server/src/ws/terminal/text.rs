//! Bytes that come in pieces as text that is never cut within a character.

/// Longest part of a character that has to wait for its rest.
const PARTIAL: usize = 3;

/// Holds back the beginning of a character until its end comes.
#[derive(Default)]
pub(super) struct Text {
    held: Vec<u8>,
}

impl Text {
    /// The text up to and including the last whole character; what is no text is shown as `U+FFFD`.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let whole = whole(&self.held);
        let text = String::from_utf8_lossy(&self.held[..whole]).into_owned();
        self.held.drain(..whole);
        text
    }

    /// What is held back, although its end did not come.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        String::from_utf8_lossy(&held).into_owned()
    }
}

/// Bytes before a character that has begun and may yet go on.
fn whole(bytes: &[u8]) -> usize {
    for back in 1..=PARTIAL.min(bytes.len()) {
        let at = bytes.len() - back;
        // A character begins with a byte that is no continuation; the decoder tells whether more may follow.
        if bytes[at] & 0b1100_0000 != 0b1000_0000 {
            return match std::str::from_utf8(&bytes[at..]) {
                Err(e) if e.error_len().is_none() => at,
                _ => bytes.len(),
            };
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(bytes: &[u8], sizes: &[usize]) -> String {
        let (mut text, mut shown, mut rest) = (Text::default(), String::new(), bytes);
        for size in sizes {
            let (piece, later) = rest.split_at(rest.len().min(*size));
            shown += &text.push(piece);
            rest = later;
        }
        shown + &text.push(rest) + &text.finish()
    }

    #[test]
    fn nothing_waits_that_is_no_beginning() {
        let mut text = Text::default();
        assert_eq!(text.push(b"a\xff"), "a\u{fffd}");
        assert_eq!(text.push("ä".as_bytes()), "ä");
        assert_eq!(text.push(b"\xe2\x82"), "");
        assert_eq!(text.push(b"\xac!"), "€!");
        assert_eq!(text.push(b"\xf0\x9f"), "");
        assert_eq!(text.finish(), "\u{fffd}");
        assert_eq!(text.finish(), "");
    }

    proptest! {
        #[test]
        fn text_is_the_same_however_it_is_cut(all in "\\PC{0,40}", sizes in prop::collection::vec(0usize..4, 0..60)) {
            prop_assert_eq!(in_pieces(all.as_bytes(), &sizes), all);
        }

        #[test]
        fn any_bytes_are_shown_as_if_they_came_at_once(
            all in prop::collection::vec(any::<u8>(), 0..40),
            sizes in prop::collection::vec(0usize..4, 0..60),
        ) {
            prop_assert_eq!(in_pieces(&all, &sizes), String::from_utf8_lossy(&all).into_owned());
        }
    }
}
