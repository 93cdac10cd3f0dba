//! `nodetool.boolean.Compare`.

use std::cmp::Ordering;

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process, ValueType};

use crate::order;

/// Which comparison.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.boolean.Compare.Comparison")]
pub(super) enum Comparison {
    #[value("==")]
    Equal,
    #[value("!=")]
    Unequal,
    #[value(">")]
    Greater,
    #[value("<")]
    Less,
    #[value(">=")]
    AtLeast,
    #[value("<=")]
    AtMost,
}

/// Compares two numbers.
/// compare, number, equal, greater, less, condition
///
/// Integers and floats compare by value.
#[derive(Node)]
#[node(namespace = "nodetool.boolean")]
pub(super) struct Compare {
    /// Left number.
    a: Number,
    /// Right number.
    b: Number,
    /// How they are compared.
    comparison: Comparison,
}

impl Process for Compare {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        // Not-a-number has no order: only "unequal" holds of it.
        let order = order::numbers(&self.a.into_value(), &self.b.into_value());
        Ok(match self.comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::Unequal => order != Some(Ordering::Equal),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::AtLeast => order.is_some_and(Ordering::is_ge),
            Comparison::AtMost => order.is_some_and(Ordering::is_le),
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    async fn holds(a: impl Into<Value>, comparison: &str, b: impl Into<Value>) -> bool {
        let case = case::<Compare>().set("a", a).set("comparison", comparison);
        case.set("b", b).value().await.unwrap().as_bool().unwrap()
    }

    #[tokio::test]
    async fn numbers_compare_by_value_and_nan_equals_nothing() {
        assert!(holds(1i64, "==", 1.0).await);
        assert!(holds(i64::MAX, "<", 9_223_372_036_854_775_808.0).await);
        assert!(holds(f64::NAN, "!=", f64::NAN).await);
        assert!(!holds(f64::NAN, ">=", 0i64).await);
    }
}
