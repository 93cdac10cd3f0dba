//! Characters, words and lines as Python counts them. It must not know any node.

use nodetool_sdk::compat::is_py_space;

/// Start and stop of `text[start:stop]`, which may count from the end, as plain character indices.
pub(super) fn bounds(len: usize, start: i64, stop: i64) -> (usize, usize) {
    let plain = |i: i64| {
        let i = i128::from(i) + if i < 0 { len as i128 } else { 0 };
        i.clamp(0, len as i128) as usize
    };
    (plain(start), plain(stop))
}

/// The characters from `start` to before `stop`.
pub(super) fn between(text: &str, start: usize, stop: usize) -> &str {
    if start >= stop {
        return "";
    }
    let from = offset(text, start);
    let tail = &text[from..];
    &tail[..offset(tail, stop - start)]
}

/// The byte at which the character of that index begins; the length when there are not so many.
pub(super) fn offset(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(i, _)| i)
}

/// The text without blanks at its ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_py_space)
}

/// The words between runs of blanks.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_py_space).filter(|w| !w.is_empty())
}

/// How many lines `splitlines` gives.
pub(super) fn count_lines(text: &str) -> usize {
    let mut count = 0;
    let mut open = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        );
        if c == '\r' {
            chars.next_if_eq(&'\n');
        }
        count += usize::from(ends);
        open = !ends;
    }
    count + usize::from(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_clamp_as_python_slices_do() {
        let cut = |start, stop| {
            let text = "hällo";
            let (start, stop) = bounds(5, start, stop);
            between(text, start, stop)
        };
        assert_eq!(cut(1, 3), "äl");
        assert_eq!(cut(-3, 99), "llo");
        assert_eq!(cut(2, 0), "");
        assert_eq!(cut(i64::MIN, i64::MAX), "hällo");
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        for (text, lines) in [
            ("", 0),
            ("a\nb\nc", 3),
            ("a\r\nb\r", 2),
            ("\n\n", 2),
            ("a\u{2028}", 1),
        ] {
            assert_eq!(count_lines(text), lines, "{text:?}");
        }
    }
}
