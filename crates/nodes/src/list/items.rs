//! A list property that is read where it lies instead of being copied. It must not know any node.

use std::ops::Deref;
use std::sync::Arc;

use nodetool_sdk::{Outputs, TypeMetadata, Value, ValueType};

/// `list[any]`, shared.
#[derive(Clone, Default)]
pub(super) struct Items(pub(super) Arc<Vec<Value>>);

impl Items {
    /// The items, to be changed: copied only when somebody else holds them too.
    pub(super) fn into_vec(self) -> Vec<Value> {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Deref for Items {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl From<Vec<Value>> for Items {
    fn from(items: Vec<Value>) -> Self {
        Items(Arc::new(items))
    }
}

impl ValueType for Items {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::with_args("list", vec![TypeMetadata::any()])
    }
    fn from_value(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::List(items) => Items(items),
            Value::Null => Items::default(),
            single => vec![single].into(),
        })
    }
    fn into_value(self) -> Value {
        Value::List(self.0)
    }
    fn default_value() -> Value {
        Value::list([])
    }
}

/// A list on a slot of the bare type `list`.
#[derive(Outputs)]
pub(super) struct PlainList {
    #[slot(ty = "list")]
    output: Items,
}

impl From<Vec<Value>> for PlainList {
    fn from(items: Vec<Value>) -> Self {
        PlainList {
            output: items.into(),
        }
    }
}
