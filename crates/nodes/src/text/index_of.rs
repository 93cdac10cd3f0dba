//! `nodetool.text.IndexOf`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{chars, on};

/// Finds where a text stands in another.
/// text, find, index, position, search
///
/// The answer counts characters from 0, or is -1 when there is none.
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct IndexOf {
    /// Where to look.
    text: String,
    /// What to look for.
    substring: String,
    /// Whether capitals and small letters differ.
    #[prop(default = true)]
    case_sensitive: bool,
    /// First character to look at; a negative number counts from the end.
    #[prop(min = 0)]
    start_index: i64,
    /// First character that is left out; 0 for none.
    end_index: i64,
    /// Whether the last place is meant rather than the first.
    search_from_end: bool,
}

impl Process for IndexOf {
    type Output = i64;

    async fn process(self, _: &NodeCx) -> Result<i64, NodeError> {
        let (start, end, last) = (self.start_index, self.end_index, self.search_from_end);
        let (part, strict) = (self.substring, self.case_sensitive);
        on(self.text, move |text| {
            Ok(if strict {
                find(text, &part, start, end, last)
            } else {
                find(&text.to_lowercase(), &part.to_lowercase(), start, end, last)
            })
        })
        .await
    }
}

fn find(text: &str, part: &str, start: i64, end: i64, last: bool) -> i64 {
    let len = text.chars().count();
    let end = if end == 0 { i64::MAX } else { end };
    if usize::try_from(start).is_ok_and(|s| s > len) {
        return -1;
    }
    let (from, to) = chars::bounds(len, start, end);
    if from > to {
        return -1;
    }
    let window = chars::between(text, from, to);
    let at = if last {
        window.rfind(part)
    } else {
        window.find(part)
    };
    at.map_or(-1, |i| (from + window[..i].chars().count()) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_zero_means_the_end_of_the_text() {
        assert_eq!(find("hëllo wörld", "wö", 0, 0, false), 6);
        assert_eq!(find("hëllo wörld", "l", 0, 0, true), 9);
        assert_eq!(find("hëllo wörld", "l", 4, -2, false), -1);
        assert_eq!(find("hëllo wörld", "l", -2, 0, false), 9);
        assert_eq!(find("abc", "", 3, 0, false), 3);
        assert_eq!(find("abc", "", 4, 0, false), -1);
    }
}
