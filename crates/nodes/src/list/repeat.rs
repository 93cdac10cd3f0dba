//! `nodetool.list.Tile`, `RepeatEach` and `RepeatValue`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::{Items, PlainList};
use crate::bounds::{self, MAX_ITEMS};

/// Refuses a result longer than `max_output_length` allows, or than any list may be.
pub(super) fn check_length(length: u64, max_output_length: i64) -> Result<usize, NodeError> {
    let allowed = u64::try_from(max_output_length)
        .unwrap_or(0)
        .min(MAX_ITEMS as u64);
    match usize::try_from(length) {
        Ok(fits) if length <= allowed => Ok(fits),
        _ => Err(NodeError::bad(
            "max_output_length",
            format!(
                "the result would have {length} items, but max_output_length is {max_output_length} \
                 (and never more than {MAX_ITEMS})"
            ),
        )),
    }
}

fn check_times(length: usize, times: i64, max_output_length: i64) -> Result<usize, NodeError> {
    let times = u64::try_from(times).unwrap_or(0);
    check_length(times.saturating_mul(length as u64), max_output_length)
}

/// Repeats a whole list.
/// list, tile, repeat, cycle, copies
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Tile {
    /// The list.
    #[prop(ty = "list")]
    input_list: Items,
    /// How often.
    #[prop(default = 1)]
    times: i64,
    /// Longest result allowed.
    #[prop(default = 10000)]
    max_output_length: i64,
}

impl Process for Tile {
    type Output = PlainList;

    async fn process(self, _: &NodeCx) -> Result<PlainList, NodeError> {
        let length = check_times(self.input_list.len(), self.times, self.max_output_length)?;
        bounds::work(length, move || {
            let items = self.input_list.iter().cycle().take(length);
            Ok(items.cloned().collect::<Vec<_>>().into())
        })
        .await
    }
}

/// Repeats each item of a list in its place.
/// list, repeat, each, duplicate, stretch
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct RepeatEach {
    /// The list.
    #[prop(ty = "list")]
    input_list: Items,
    /// How often.
    #[prop(default = 1)]
    times: i64,
    /// Longest result allowed.
    #[prop(default = 10000)]
    max_output_length: i64,
}

impl Process for RepeatEach {
    type Output = PlainList;

    async fn process(self, _: &NodeCx) -> Result<PlainList, NodeError> {
        let length = check_times(self.input_list.len(), self.times, self.max_output_length)?;
        bounds::work(length, move || {
            if length == 0 {
                return Ok(Vec::new().into());
            }
            let times = length / self.input_list.len();
            let items = self.input_list.iter();
            let repeated = items.flat_map(|v| std::iter::repeat_n(v.clone(), times));
            Ok(repeated.collect::<Vec<_>>().into())
        })
        .await
    }
}

/// Gives a list of copies of a value.
/// list, repeat, value, copies, fill
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct RepeatValue {
    /// The value.
    value: Value,
    /// How often.
    #[prop(default = 1)]
    times: i64,
    /// Longest result allowed.
    #[prop(default = 10000)]
    max_output_length: i64,
}

impl Process for RepeatValue {
    type Output = PlainList;

    async fn process(self, _: &NodeCx) -> Result<PlainList, NodeError> {
        let length = check_times(1, self.times, self.max_output_length)?;
        bounds::work(length, move || Ok(vec![self.value; length].into())).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Node, testing::case};

    use super::*;

    async fn of<N: Node>(times: i64, longest: i64) -> Result<Value, NodeError> {
        let case = case::<N>().set("input_list", Value::list(["a".into(), "b".into()]));
        let case = case.set("times", times).set("max_output_length", longest);
        case.value().await
    }

    #[tokio::test]
    async fn items_are_repeated_in_place_or_as_a_whole() {
        let texts = |s: &str| Value::list(s.split(' ').map(Value::from));
        assert_eq!(of::<Tile>(2, 4).await.unwrap(), texts("a b a b"));
        assert_eq!(of::<RepeatEach>(2, 4).await.unwrap(), texts("a a b b"));
        assert_eq!(of::<RepeatEach>(-3, 4).await.unwrap(), Value::list([]));
    }

    #[tokio::test]
    async fn no_setting_makes_a_list_without_bound() {
        for (times, longest) in [(3, 5), (i64::MAX, i64::MAX), (1, -1)] {
            for result in [
                of::<Tile>(times, longest).await,
                of::<RepeatEach>(times, longest).await,
            ] {
                let e = result.unwrap_err().to_string();
                assert!(e.contains("max_output_length"), "{e}");
            }
        }
    }
}
