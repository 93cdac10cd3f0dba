//! The test on a number that several filters offer. It must not know those filters.

use std::cmp::Ordering;
use std::marker::PhantomData;

use nodetool_sdk::{TypeMetadata, Value, ValueType};

use crate::order;

/// What is asked of the number.
#[derive(Clone, Copy, PartialEq, ValueType)]
pub(crate) enum NumberTest {
    GreaterThan,
    LessThan,
    EqualTo,
    Even,
    Odd,
    Positive,
    Negative,
}

impl NumberTest {
    /// Whether the value is a number that passes; booleans count as 0 and 1. Fractions are neither even nor odd.
    pub(crate) fn passes(self, value: &Value, against: f64) -> bool {
        let beside = |other: f64| order::numbers(value, &Value::Float(other));
        match self {
            NumberTest::GreaterThan => beside(against) == Some(Ordering::Greater),
            NumberTest::LessThan => beside(against) == Some(Ordering::Less),
            NumberTest::EqualTo => beside(against) == Some(Ordering::Equal),
            NumberTest::Positive => beside(0.0) == Some(Ordering::Greater),
            NumberTest::Negative => beside(0.0) == Some(Ordering::Less),
            NumberTest::Even => remainder(value) == Some(0.0),
            NumberTest::Odd => remainder(value) == Some(1.0),
        }
    }

    /// Whether it needs a number to compare with.
    pub(crate) fn compares(self) -> bool {
        matches!(
            self,
            NumberTest::GreaterThan | NumberTest::LessThan | NumberTest::EqualTo
        )
    }
}

fn remainder(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(b) => Some(f64::from(*b)),
        Value::Int(i) => Some(i.rem_euclid(2) as f64),
        Value::Float(f) => Some(f.rem_euclid(2.0)),
        _ => None,
    }
}

/// Whether the value is a number within the bounds, or strictly between them; booleans count as 0 and 1.
pub(crate) fn lies_within(value: &Value, min: f64, max: f64, inclusive: bool) -> bool {
    let (Some(low), Some(high)) = (
        order::numbers(value, &Value::Float(min)),
        order::numbers(value, &Value::Float(max)),
    ) else {
        return false;
    };
    if inclusive {
        low.is_ge() && high.is_le()
    } else {
        low.is_gt() && high.is_lt()
    }
}

/// The qualified name under which a node declares the test.
pub(crate) trait Declared: Send + 'static {
    /// The name.
    const TYPE_NAME: &'static str;
}

/// [`NumberTest`] as a property, declared under the name of `D`.
pub(crate) struct NumberTestOf<D>(pub(crate) NumberTest, PhantomData<fn() -> D>);

impl<D: Declared> ValueType for NumberTestOf<D> {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata {
            type_name: Some(D::TYPE_NAME.into()),
            ..NumberTest::type_metadata()
        }
    }
    fn from_value(value: Value) -> Result<Self, String> {
        NumberTest::from_value(value).map(|test| NumberTestOf(test, PhantomData))
    }
    fn into_value(self) -> Value {
        self.0.into_value()
    }
    fn default_value() -> Value {
        NumberTest::default_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_pass_and_fractions_have_no_parity() {
        use NumberTest::*;
        for (test, value, want) in [
            (GreaterThan, Value::Bool(true), true),
            (GreaterThan, Value::from("7"), false),
            (EqualTo, Value::Float(0.5), true),
            (Even, Value::Float(4.0), true),
            (Even, Value::Float(2.5), false),
            (Odd, Value::Float(2.5), false),
            (Odd, Value::Int(-3), true),
            (Even, Value::Float(f64::NAN), false),
            (Odd, Value::Null, false),
        ] {
            assert_eq!(test.passes(&value, 0.5), want, "{value:?}");
        }
    }
}
