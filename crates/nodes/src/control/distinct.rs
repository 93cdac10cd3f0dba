//! `nodetool.control.Distinct`.

use std::collections::HashSet;

use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value};

use super::MAX_ITEMS;
use super::batch::Batches;
use super::expression::Expression;
use super::item::Item;
use super::setting::Setting;

/// Bytes of all keys one node remembers.
const MAX_MEMORY: usize = 256 << 20;

/// Passes the first item of each kind and drops those that follow.
/// distinct, unique, duplicate, dedupe, stream
///
/// Items are of one kind when their keys are equal; without a key expression the item itself is the key.
#[derive(Node)]
#[node(namespace = "nodetool.control", kind = Pipe)]
pub(super) struct Distinct {
    /// The items.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: Value,
    /// The key: a JavaScript expression over `item`; empty for the whole item.
    key: String,
}

impl Pipe for Distinct {
    type Output = Item;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Item>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut key = Setting::start("key", self.key, inputs).await?;
        let mut expression = Expression::of("key", cx);
        let mut batches = Batches::of("input_item");
        let mut seen = Seen::default();
        while let Some(items) = batches.next(inputs).await {
            let text = key.latest(inputs)?;
            let keys = match text.trim() {
                "" | "item" => vec![None; items.len()],
                _ => expression.values(text, &items).await?,
            };
            for (output, key) in items.into_iter().zip(keys) {
                // An item whose key cannot be worked out stands for itself.
                if seen.is_new(key.as_ref().unwrap_or(&output))? {
                    out.emit(Item { output }).await?;
                }
            }
        }
        Ok(())
    }
}

/// The keys so far.
#[derive(Default)]
struct Seen {
    keys: HashSet<Box<[u8]>>,
    bytes: usize,
}

impl Seen {
    fn is_new(&mut self, key: &Value) -> Result<bool, NodeError> {
        let mut written = Vec::new();
        write_key(key, &mut written);
        let length = written.len();
        if !self.keys.insert(written.into()) {
            return Ok(false);
        }
        self.bytes += length;
        if self.keys.len() > MAX_ITEMS || self.bytes > MAX_MEMORY {
            return Err(NodeError::bad(
                "input_item",
                format!(
                    "the stream has too many different items (expected at most {MAX_ITEMS}, or {} MiB of them)",
                    MAX_MEMORY >> 20
                ),
            ));
        }
        Ok(true)
    }
}

/// Writes a value so that equal values, and only those, give equal bytes: 1 and 1.0 do, 1 and true do not, and the
/// order of an object's members does not matter.
fn write_key(value: &Value, out: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(b) => out.extend([b'b', u8::from(*b)]),
        Value::Int(i) => sized(b'i', &i.to_le_bytes()),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 9.2e18 => {
            sized(b'i', &(*f as i64).to_le_bytes());
        }
        Value::Float(f) => sized(b'f', &f.to_bits().to_le_bytes()),
        Value::Str(s) => sized(b's', s.as_bytes()),
        Value::Bytes(b) => sized(b'y', b),
        Value::List(items) => {
            sized(b'l', &(items.len() as u64).to_le_bytes());
            for item in items.iter() {
                write_key(item, out);
            }
        }
        Value::Map(map) => {
            sized(b'm', &(map.len() as u64).to_le_bytes());
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, item) in members {
                write_key(&Value::Str(name.clone()), out);
                write_key(item, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::fake_scripts;
    use super::*;

    #[tokio::test]
    async fn the_whole_item_is_the_key_unless_an_expression_gives_one() {
        let object = |a: i64, first: &'static str, second: &'static str| {
            Value::map([(first, a.into()), (second, a.into())])
        };
        let items = [
            Value::Int(1),
            Value::Float(1.0),
            Value::Bool(true),
            object(1, "a", "b"),
            object(1, "b", "a"),
        ];
        let whole = case::<Distinct>().arrive("input_item", items.clone());
        let want = [1i64.into(), true.into(), items[3].clone()];
        assert_eq!(whole.output().await.unwrap(), want);
        let parity = case::<Distinct>()
            .set("key", "item % 2")
            .arrive("input_item", [1i64, 2, 3, 4])
            .within(fake_scripts::context());
        assert_eq!(parity.output().await.unwrap(), [1i64.into(), Value::Int(2)]);
    }
}
