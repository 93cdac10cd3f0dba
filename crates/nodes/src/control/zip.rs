//! `nodetool.control.Zip`.

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Outputs, Pipe, Value};

use super::setting::Setting;

/// Pairs the items of two streams by their places.
/// zip, pair, combine, join, stream
///
/// It ends with the shorter stream.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Zip {
    /// First stream.
    #[expect(dead_code, reason = "read from the stream")]
    left: Value,
    /// Second stream.
    #[expect(dead_code, reason = "read from the stream")]
    right: Value,
    /// Most items of one stream that may stay without a partner; more of them fail.
    #[prop(default = 10_000)]
    max_unmatched_pairs: i64,
}

/// A pair and its place.
#[derive(Outputs)]
pub(super) struct Pair {
    left: Value,
    right: Value,
    index: i64,
}

impl Pipe for Zip {
    type Output = Pair;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Pair>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let name = "max_unmatched_pairs";
        let mut most = Setting::start(name, self.max_unmatched_pairs, inputs).await?;
        let mut index = 0;
        let (mut unmatched, rest) = loop {
            let Some(left) = inputs.recv("left").await else {
                break (0, "right");
            };
            let Some(right) = inputs.recv("right").await else {
                break (1, "left");
            };
            out.emit(Pair { left, right, index }).await?;
            index += 1;
        };
        loop {
            let most = *most.latest(inputs)?;
            if unmatched > most {
                return Err(NodeError::bad(
                    name,
                    format!("`{rest}` has more than {most} items without a partner"),
                ));
            }
            if inputs.recv(rest).await.is_none() {
                return Ok(());
            }
            unmatched += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn items_pair_by_place_and_too_many_left_over_fail() {
        let zip = |most: i64| {
            case::<Zip>()
                .set("max_unmatched_pairs", most)
                .arrive("left", [1i64, 2])
                .arrive("right", ["a", "b", "c", "d"])
                .run()
        };
        let pairs = zip(2).await.unwrap();
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1]["left"], Value::Int(2));
        assert_eq!(pairs[1]["right"], Value::from("b"));
        let error = zip(1).await.unwrap_err().to_string();
        assert!(error.contains("`max_unmatched_pairs`"), "{error}");
    }
}
