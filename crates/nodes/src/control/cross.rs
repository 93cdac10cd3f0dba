//! `nodetool.control.Cross`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Outputs, Pipe, Value};

use super::MAX_ITEMS;
use super::setting::Setting;

/// Pairs every item of one stream with every item of another.
/// cross, product, combinations, pairs, join, stream
///
/// For each item on the left come all items on the right, in order.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Cross {
    /// First stream.
    #[expect(dead_code, reason = "read from the stream")]
    left: Value,
    /// Second stream; all of it is held.
    #[expect(dead_code, reason = "read from the stream")]
    right: Value,
    /// Most pairs; more of them fail.
    #[prop(default = 10_000)]
    max_output_count: i64,
}

/// A pair.
#[derive(Outputs)]
pub(super) struct Pair {
    left: Value,
    right: Value,
}

impl Pipe for Cross {
    type Output = Pair;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Pair>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let name = "max_output_count";
        let mut most = Setting::start(name, self.max_output_count, inputs).await?;
        let most = usize::try_from(*most.latest(inputs)?).unwrap_or(0);
        let too_many = || {
            let why = format!("there are more than {most} pairs");
            NodeError::bad(name, why)
        };
        let held = most.min(MAX_ITEMS);
        let (mut rights, mut more) = (Vec::new(), false);
        while let Some(right) = inputs.recv("right").await {
            // One pair too many already, unless the left side turns out to be empty.
            more |= rights.len() == held;
            if !more {
                rights.push(right);
            }
        }
        let mut pairs = 0usize;
        while let Some(left) = inputs.recv("left").await {
            pairs = pairs.saturating_add(rights.len());
            if more || pairs > most {
                return Err(too_many());
            }
            for right in &rights {
                let (left, right) = (left.clone(), right.clone());
                out.emit(Pair { left, right }).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn every_left_meets_every_right_up_to_the_limit() {
        let cross = |most: i64, rights: usize| {
            case::<Cross>()
                .set("max_output_count", most)
                .arrive("left", [1i64, 2])
                .arrive("right", ["a", "b", "c"].into_iter().take(rights))
                .run()
        };
        let pairs = cross(6, 3).await.unwrap();
        let rights: Vec<_> = pairs.iter().map(|p| p["right"].clone()).collect();
        assert_eq!(rights, ["a", "b", "c", "a", "b", "c"].map(Value::from));
        assert_eq!(cross(0, 0).await.unwrap().len(), 0);
        for most in [5, 2, -1] {
            let error = cross(most, 3).await.unwrap_err().to_string();
            assert!(error.contains("`max_output_count`"), "{error}");
        }
    }
}
