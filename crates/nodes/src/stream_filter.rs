//! How every stream filter reads: items on `value`, settings on the other handles. It must not know any filter.

use nodetool_sdk::{Emitter, Inputs, NodeCx, NodeError, Outputs, Value, ValueType};

/// The handle the items arrive on.
const ITEMS: &str = "value";

/// A filter with its current settings.
pub(crate) trait StreamFilter: Send {
    /// The handles that change settings.
    const SETTINGS: &'static [&'static str];

    /// Takes a value that arrived on the handle of a setting.
    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError>;

    /// Whether the item passes; what cannot be tested does not.
    fn keeps(&mut self, item: &Value, cx: &NodeCx) -> impl Future<Output = bool> + Send;
}

/// Passes the items that the filter keeps, in order.
///
/// A wired setting is waited for before the first item, so that no item is tested against a setting that is still on
/// its way; later settings apply to the items after them. Without an edge into `value` the configured item is tested.
pub(crate) async fn sift<F: StreamFilter, O: Outputs>(
    mut filter: F,
    configured: Value,
    inputs: &mut Inputs<'_>,
    out: &Emitter<'_, O>,
    cx: &NodeCx,
    wrap: fn(Value) -> O,
) -> Result<(), NodeError> {
    for setting in F::SETTINGS {
        if let Some(value) = inputs.recv(setting).await {
            set(&mut filter, setting, value)?;
        }
    }
    if !inputs.is_connected(ITEMS) {
        if filter.keeps(&configured, cx).await {
            out.emit(wrap(configured)).await?;
        }
        return Ok(());
    }
    while let Some((handle, value)) = inputs.next().await {
        if &*handle != ITEMS {
            set(&mut filter, &handle, value)?;
        } else if filter.keeps(&value, cx).await {
            out.emit(wrap(value)).await?;
        }
    }
    Ok(())
}

/// Null leaves a setting as it is, and so does a handle that is no setting.
fn set<F: StreamFilter>(filter: &mut F, handle: &str, value: Value) -> Result<(), NodeError> {
    if value.is_null() || !F::SETTINGS.contains(&handle) {
        return Ok(());
    }
    filter.set(handle, value)
}

/// A setting that arrived, as its Rust type.
pub(crate) fn setting<T: ValueType>(handle: &str, value: Value) -> Result<T, NodeError> {
    let fitted = T::type_metadata()
        .assign(value)
        .map_err(|e| NodeError::bad(handle, e.to_string()))?;
    T::from_value(fitted).map_err(|e| NodeError::bad(handle, e))
}
