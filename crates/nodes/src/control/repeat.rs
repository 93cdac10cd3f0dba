//! `nodetool.control.RepeatCount` and `nodetool.control.RepeatValue`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Outputs, Value};

use super::item::{NumberedItem, refuse_more_than_max};

/// Counts from 0 up to, but not including, a number.
/// repeat, loop, counter, sequence, range, times
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Generate)]
pub(super) struct RepeatCount {
    /// How many numbers.
    #[prop(default = 1)]
    count: i64,
}

/// A number twice: as value and as place.
#[derive(Outputs)]
pub(super) struct Counted {
    output: i64,
    index: i64,
}

impl Generate for RepeatCount {
    type Output = Counted;

    async fn generate(self, out: &Emitter<'_, Counted>, _: &NodeCx) -> Result<(), NodeError> {
        for index in 0..times(self.count)? {
            let output = index;
            out.emit(Counted { output, index }).await?;
        }
        Ok(())
    }
}

/// Sends the same value again and again.
/// repeat, loop, duplicate, copy, constant, times
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Generate)]
pub(super) struct RepeatValue {
    /// The value.
    value: Value,
    /// How often.
    #[prop(default = 1)]
    count: i64,
}

impl Generate for RepeatValue {
    type Output = NumberedItem;

    async fn generate(self, out: &Emitter<'_, NumberedItem>, _: &NodeCx) -> Result<(), NodeError> {
        for index in 0..times(self.count)? {
            let output = self.value.clone();
            out.emit(NumberedItem { output, index }).await?;
        }
        Ok(())
    }
}

fn times(count: i64) -> Result<i64, NodeError> {
    refuse_more_than_max("count", usize::try_from(count).unwrap_or(0))?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_negative_count_gives_nothing_and_a_huge_one_is_refused() {
        let negative = case::<RepeatCount>().set("count", -3i64).run().await;
        assert!(negative.unwrap().is_empty());
        let huge = case::<RepeatValue>().set("count", i64::MAX).run().await;
        let error = huge.unwrap_err().to_string();
        assert!(error.contains("`count`"), "{error}");
    }
}
