//! `nodetool.list.Slice`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::Items;
use crate::bounds;

/// Cuts a part out of a list.
/// list, slice, part, range, sublist, step
///
/// As Python slices: negative places count from the end, and places beyond the list are fine. A stop of 0 means "to
/// the end".
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Slice {
    /// The list.
    values: Items,
    /// First place.
    start: i64,
    /// End, itself left out; 0 for none.
    stop: i64,
    /// Distance; negative to go backwards.
    #[prop(default = 1)]
    step: i64,
}

impl Process for Slice {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        if self.step == 0 {
            return Err(NodeError::bad("step", "slice step cannot be zero"));
        }
        let stop = (self.stop != 0).then_some(self.stop);
        bounds::work(self.values.len(), move || {
            Ok(cut(&self.values, self.start, stop, self.step).into())
        })
        .await
    }
}

fn cut(values: &[Value], start: i64, stop: Option<i64>, step: i64) -> Vec<Value> {
    let length = i64::try_from(values.len()).unwrap_or(i64::MAX);
    // Backwards, the places run from the last one down to just before the first.
    let (low, high) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let place = |i: i64| {
        let from_front = if i < 0 { i.saturating_add(length) } else { i };
        from_front.clamp(low, high)
    };
    let mut at = place(start);
    let end = stop.map_or(if step > 0 { high } else { low }, place);
    let mut out = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        out.extend(
            usize::try_from(at)
                .ok()
                .and_then(|i| values.get(i))
                .cloned(),
        );
        at = at.saturating_add(step);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_python_cuts() {
        let values: Vec<Value> = (0..5i64).map(Value::from).collect();
        for (start, stop, step, want) in [
            (0, None, 1, "01234"),
            (1, Some(-1), 1, "123"),
            (-2, None, 1, "34"),
            (-99, Some(99), 2, "024"),
            (4, None, -1, "43210"),
            (99, Some(1), -2, "42"),
            (0, None, -1, "0"),
            (3, Some(1), 1, ""),
            (i64::MIN, Some(i64::MAX), i64::MAX, "0"),
            (i64::MAX, Some(i64::MIN), i64::MIN, "4"),
            (-99, None, -1, ""),
        ] {
            let part: String = cut(&values, start, stop, step)
                .iter()
                .map(|v| v.preview(9))
                .collect();
            assert_eq!(part, want, "[{start}:{stop:?}:{step}]");
        }
        assert!(cut(&[], 0, None, -1).is_empty());
    }
}
