//! `nodetool.text.Extract` and `Slice`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::chars::{between, bounds};
use super::on;

/// Takes a part of a text.
/// text, extract, part, substring, cut
///
/// Positions count characters from 0; negative ones count from the end. With an end of 0 nothing is left.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Extract Text")]
pub(super) struct Extract {
    /// The text.
    text: String,
    /// First character.
    start: i64,
    /// First character that is left out.
    end: i64,
}

impl Process for Extract {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (start, end) = (self.start, self.end);
        on(self.text, move |text| Ok(slice(text, start, end, 1))).await
    }
}

/// Takes every so many characters of a part of a text.
/// text, slice, part, step, reverse, substring
///
/// As `text[start:stop:step]` in Python. With a stop of 0 nothing is left of a step forwards.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Slice Text")]
pub(super) struct Slice {
    /// The text.
    text: String,
    /// First character; a negative number counts from the end.
    #[prop(title = "Start Index")]
    start: i64,
    /// First character that is left out.
    #[prop(title = "Stop Index")]
    stop: i64,
    /// How far to go each time; a negative step goes backwards.
    #[prop(default = 1)]
    step: i64,
}

impl Process for Slice {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        if self.step == 0 {
            return Err(NodeError::bad(
                "step",
                "slice step cannot be zero (expected any other number)",
            ));
        }
        let (start, stop, step) = (self.start, self.stop, self.step);
        on(self.text, move |text| Ok(slice(text, start, stop, step))).await
    }
}

fn slice(text: &str, start: i64, stop: i64, step: i64) -> String {
    let len = text.chars().count();
    let (from, to) = bounds(len, start, stop);
    let stride = usize::try_from(step.unsigned_abs())
        .unwrap_or(usize::MAX)
        .max(1);
    if step > 0 {
        let part = between(text, from, to);
        return if stride == 1 {
            part.to_owned()
        } else {
            part.chars().step_by(stride).collect()
        };
    }
    // Backwards from `start` down to before `stop`; one that lies before the text means that all is taken.
    let from = if from == len {
        len.checked_sub(1)
    } else {
        Some(from)
    };
    let before_all = i128::from(start) < -(len as i128);
    let Some(from) = from.filter(|_| !before_all) else {
        return String::new();
    };
    let lowest = if i128::from(stop) < -(len as i128) {
        0
    } else {
        to + 1
    };
    let part = between(text, lowest, from + 1);
    part.chars().rev().step_by(stride).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_pythons() {
        for (start, stop, step, expected) in [
            (0, 0, 1, ""),
            (1, 4, 1, "bçd"),
            (-3, 99, 1, "def"),
            (0, 6, 2, "açe"),
            (5, 0, -1, "fedçb"),
            (99, -99, -1, "fedçba"),
            (-2, 1, -2, "eç"),
            (0, -99, -1, "a"),
            (-99, -98, -1, ""),
            (2, 5, -1, ""),
            (0, 6, i64::MAX, "a"),
            (5, -99, i64::MIN, "f"),
        ] {
            assert_eq!(
                slice("abçdef", start, stop, step),
                expected,
                "{start}:{stop}:{step}"
            );
        }
        assert_eq!(slice("", 5, -9, -1), "");
    }
}
