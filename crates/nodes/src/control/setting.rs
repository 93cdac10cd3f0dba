//! A property of a streaming node that may be set once or change while items pass.

use nodetool_sdk::{Inputs, NodeError, Value, ValueType};

/// The value of a property: as configured or, where something is wired to it, what arrived last.
pub(super) struct Setting<T> {
    name: &'static str,
    value: T,
}

impl<T: ValueType> Setting<T> {
    /// The setting at the start: the first value that arrives, or the configured one when none does.
    pub(super) async fn start(
        name: &'static str,
        configured: T,
        inputs: &mut Inputs<'_>,
    ) -> Result<Self, NodeError> {
        let mut setting = Setting {
            name,
            value: configured,
        };
        if let Some(first) = inputs.recv(name).await {
            setting.take(first)?;
        }
        Ok(setting)
    }

    /// The setting for the next item.
    pub(super) fn latest(&mut self, inputs: &mut Inputs<'_>) -> Result<&T, NodeError> {
        while let Some(value) = inputs.try_recv(self.name) {
            self.take(value)?;
        }
        Ok(&self.value)
    }

    fn take(&mut self, value: Value) -> Result<(), NodeError> {
        let ty = T::type_metadata();
        if value.is_null() && !ty.accepts(&value) {
            return Ok(());
        }
        let fitted = ty
            .assign(value)
            .map_err(|misfit| NodeError::bad(self.name, misfit.to_string()))?;
        self.value = T::from_value(fitted).map_err(|why| NodeError::bad(self.name, why))?;
        Ok(())
    }
}
