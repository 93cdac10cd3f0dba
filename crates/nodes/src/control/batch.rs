//! Takes items from a stream by the batch, so that a script is asked once for many.

use nodetool_sdk::{Inputs, Value};

const MAX_ITEMS: usize = 512;
/// Rough bytes of one batch; scripts take messages of a limited size.
const MAX_WEIGHT: usize = 8 << 20;

/// The items of one handle, in order.
pub(super) struct Batches {
    handle: &'static str,
    /// An item that was taken but did not fit any more.
    carried: Option<Value>,
}

impl Batches {
    /// Batches of what arrives on `handle`.
    pub(super) fn of(handle: &'static str) -> Self {
        Batches {
            handle,
            carried: None,
        }
    }

    /// Waits for an item and adds those that are already here; nothing at end of stream.
    pub(super) async fn next(&mut self, inputs: &mut Inputs<'_>) -> Option<Vec<Value>> {
        let first = match self.carried.take() {
            Some(item) => item,
            None => inputs.recv(self.handle).await?,
        };
        let mut total = weight(&first, MAX_WEIGHT);
        let mut batch = vec![first];
        // A handle holds less than a batch: as long as items come, whoever sends them gets a turn to send more.
        let mut before = 0;
        while batch.len() > before {
            before = batch.len();
            while batch.len() < MAX_ITEMS && total < MAX_WEIGHT {
                let Some(item) = inputs.try_recv(self.handle) else {
                    break;
                };
                total += weight(&item, MAX_WEIGHT);
                if total > MAX_WEIGHT {
                    self.carried = Some(item);
                    break;
                }
                batch.push(item);
            }
            if batch.len() == MAX_ITEMS || total >= MAX_WEIGHT {
                break;
            }
            tokio::task::yield_now().await;
        }
        Some(batch)
    }
}

/// Roughly the bytes of a value; counting ends once `limit` is passed.
fn weight(value: &Value, limit: usize) -> usize {
    let mut total = 8;
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        Value::Str(s) => total += s.len(),
        Value::Bytes(b) => total += b.len(),
        Value::List(items) => {
            for item in items.iter() {
                if total > limit {
                    break;
                }
                total += weight(item, limit - total);
            }
        }
        Value::Map(map) => {
            for (key, item) in map.iter() {
                if total > limit {
                    break;
                }
                total += key.len() + 8;
                total += weight(item, limit.saturating_sub(total));
            }
        }
    }
    total
}
