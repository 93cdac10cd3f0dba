//! `nodetool.text.Concat`.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::fits;
use crate::extent;

/// Puts texts one after the other.
/// text, combine, add, append, merge, join
///
/// Further inputs follow `a` and `b` in the order in which they were added.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Concatenate Text", dynamic)]
pub(super) struct Concat {
    /// First part.
    a: String,
    /// Second part.
    b: String,
    #[prop(dynamic)]
    more: Map,
}

impl Process for Concat {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let mut out = self.a;
        fits("b", out.len() + self.b.len())?;
        out.push_str(&self.b);
        for (name, part) in &self.more {
            match part {
                Value::Null => {}
                Value::Str(s) => {
                    fits(name, out.len() + s.len())?;
                    out.push_str(s);
                }
                other => {
                    fits(name, out.len() + extent::text(name, other, 0)?)?;
                    out.push_str(&py_str(other));
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn added_inputs_follow_in_their_order_and_unset_ones_are_left_out() {
        let text = case::<Concat>()
            .set("a", "1")
            .set("z", "-")
            .set("none", Value::Null)
            .set("c", true)
            .value()
            .await
            .unwrap();
        assert_eq!(text, Value::from("1-True"));
    }
}
