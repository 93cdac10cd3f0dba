//! `nodetool.list.Sum`, `Average`, `Minimum`, `Maximum` and `Product`.

use std::cmp::Ordering;

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Outputs, Process, Value};

use super::items::Items;
use crate::{bounds, order};

/// A number on a slot of type float; integers stay integers.
#[derive(Outputs)]
pub(super) struct Amount {
    #[slot(ty = "float")]
    output: Number,
}

impl From<Number> for Amount {
    fn from(output: Number) -> Self {
        Amount { output }
    }
}

/// The numbers of a list; booleans count as 0 and 1.
fn numbers(values: &[Value], empty: &str) -> Result<Vec<Number>, NodeError> {
    if values.is_empty() {
        return Err(NodeError::bad("values", empty));
    }
    values
        .iter()
        .enumerate()
        .map(|(i, v)| match v {
            Value::Int(n) => Ok(Number::Int(*n)),
            Value::Float(f) => Ok(Number::Float(*f)),
            Value::Bool(b) => Ok(Number::Int(i64::from(*b))),
            other => Err(NodeError::bad(
                "values",
                format!(
                    "All values must be numbers, but item {i} is {} {}",
                    other.kind(),
                    other.preview(40)
                ),
            )),
        })
        .collect()
}

/// Folds with exact integers as long as they fit, with floats from there on.
fn fold(
    numbers: &[Number],
    start: i64,
    exact: fn(i64, i64) -> Option<i64>,
    rough: fn(f64, f64) -> f64,
) -> Number {
    numbers
        .iter()
        .fold(Number::Int(start), |sum, n| match (sum, *n) {
            (Number::Int(a), Number::Int(b)) => {
                exact(a, b).map_or_else(|| Number::Float(rough(a as f64, b as f64)), Number::Int)
            }
            (a, b) => Number::Float(rough(a.as_f64(), b.as_f64())),
        })
}

/// The first number that no later one beats.
fn first_best(numbers: &[Number], beats: Ordering) -> Option<Number> {
    let value = |n: Number| match n {
        Number::Int(i) => Value::Int(i),
        Number::Float(f) => Value::Float(f),
    };
    numbers.iter().copied().reduce(|best, n| {
        if order::numbers(&value(n), &value(best)) == Some(beats) {
            n
        } else {
            best
        }
    })
}

/// Adds up the numbers of a list.
/// list, sum, total, add, number
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Sum {
    /// The numbers.
    #[prop(ty = "list[float]")]
    values: Items,
}

impl Process for Sum {
    type Output = Amount;

    async fn process(self, _: &NodeCx) -> Result<Amount, NodeError> {
        bounds::work(self.values.len(), move || {
            let numbers = numbers(&self.values, "Cannot sum an empty list")?;
            Ok(fold(&numbers, 0, i64::checked_add, |a, b| a + b).into())
        })
        .await
    }
}

/// Gives the arithmetic mean of the numbers of a list.
/// list, average, mean, number, statistics
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Average {
    /// The numbers.
    #[prop(ty = "list[float]")]
    values: Items,
}

impl Process for Average {
    type Output = Amount;

    async fn process(self, _: &NodeCx) -> Result<Amount, NodeError> {
        bounds::work(self.values.len(), move || {
            let numbers = numbers(&self.values, "Cannot average an empty list")?;
            let sum = fold(&numbers, 0, i64::checked_add, |a, b| a + b);
            Ok(Number::Float(sum.as_f64() / numbers.len() as f64).into())
        })
        .await
    }
}

/// Finds the smallest number of a list.
/// list, minimum, smallest, lowest, number
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Minimum {
    /// The numbers.
    #[prop(ty = "list[float]")]
    values: Items,
}

impl Process for Minimum {
    type Output = Amount;

    async fn process(self, _: &NodeCx) -> Result<Amount, NodeError> {
        const EMPTY: &str = "Cannot find minimum of empty list";
        bounds::work(self.values.len(), move || {
            first_best(&numbers(&self.values, EMPTY)?, Ordering::Less)
                .map(Amount::from)
                .ok_or_else(|| NodeError::bad("values", EMPTY))
        })
        .await
    }
}

/// Finds the largest number of a list.
/// list, maximum, largest, highest, number
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Maximum {
    /// The numbers.
    #[prop(ty = "list[float]")]
    values: Items,
}

impl Process for Maximum {
    type Output = Amount;

    async fn process(self, _: &NodeCx) -> Result<Amount, NodeError> {
        const EMPTY: &str = "Cannot find maximum of empty list";
        bounds::work(self.values.len(), move || {
            first_best(&numbers(&self.values, EMPTY)?, Ordering::Greater)
                .map(Amount::from)
                .ok_or_else(|| NodeError::bad("values", EMPTY))
        })
        .await
    }
}

/// Multiplies the numbers of a list.
/// list, product, multiply, times, number
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Product {
    /// The numbers.
    #[prop(ty = "list[float]")]
    values: Items,
}

impl Process for Product {
    type Output = Amount;

    async fn process(self, _: &NodeCx) -> Result<Amount, NodeError> {
        bounds::work(self.values.len(), move || {
            let numbers = numbers(&self.values, "Cannot calculate product of empty list")?;
            Ok(fold(&numbers, 1, i64::checked_mul, |a, b| a * b).into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Node, testing::case};

    use super::*;

    async fn of<N: Node>(values: &[Value]) -> Result<Value, NodeError> {
        case::<N>().set("values", values.to_vec()).value().await
    }

    #[tokio::test]
    async fn integers_stay_integers_until_they_no_longer_fit() {
        let small = [Value::Int(1), true.into()];
        assert!(matches!(of::<Sum>(&small).await, Ok(Value::Int(2))));
        assert!(matches!(of::<Average>(&small).await, Ok(Value::Float(f)) if f == 1.0));
        let large = [Value::Int(i64::MAX), Value::Int(2)];
        assert!(matches!(of::<Sum>(&large).await, Ok(Value::Float(f)) if f > 9.2e18));
        assert!(matches!(of::<Product>(&large).await, Ok(Value::Float(f)) if f > 1.8e19));
    }

    #[tokio::test]
    async fn the_smallest_and_largest_come_out_as_they_went_in() {
        let values = [Value::Float(2.0), Value::Int(2), Value::Int(1)];
        assert!(matches!(of::<Maximum>(&values).await, Ok(Value::Float(_))));
        assert!(matches!(of::<Minimum>(&values).await, Ok(Value::Int(1))));
    }

    #[tokio::test]
    async fn empty_lists_and_other_things_than_numbers_are_refused() {
        let e = of::<Sum>(&[]).await.unwrap_err().to_string();
        assert!(e.contains("empty list"), "{e}");
        let e = of::<Sum>(&["a".into()]).await.unwrap_err().to_string();
        assert!(e.contains("All values must be numbers"), "{e}");
    }
}
