//! Results of deterministic nodes, kept for an hour across runs (engine spec 3.9, FIX-29).
//!
//! The key is a keyed 128-bit digest of user, node type and all property values; contents behind URIs other than
//! inline data are not looked at, so values that hold process-local references are never kept.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nodetool_sdk::{Props, SlotValues, Value};

const TTL: Duration = Duration::from_secs(3600);
/// Entries kept at most; the older half goes when there are more.
const ENTRIES: usize = 4096;
/// Rough weight of a result that is not worth keeping.
const HEAVY: usize = 64 * 1024;

/// The digest of one execution.
pub(crate) type Key = (u64, u64);

/// A cache of results, shared by the runs of a process.
pub struct ResultCache {
    hashers: (RandomState, RandomState),
    entries: Mutex<HashMap<Key, (Instant, SlotValues)>>,
}

impl Default for ResultCache {
    fn default() -> Self {
        ResultCache {
            hashers: (RandomState::new(), RandomState::new()),
            entries: Mutex::default(),
        }
    }
}

impl ResultCache {
    /// The key of an execution, or nothing when its inputs must not be compared.
    pub(crate) fn key(&self, user: &str, node_type: &str, props: &Props) -> Option<Key> {
        let mut weight = 0;
        let heavy = props.values.iter().chain(props.dynamic.values()).any(|v| {
            weight += weigh(v, HEAVY);
            weight > HEAVY
        });
        if heavy {
            return None;
        }
        let digest = |state: &RandomState| {
            let mut h = state.build_hasher();
            user.hash(&mut h);
            node_type.hash(&mut h);
            props.values.iter().for_each(|v| hash_value(v, &mut h));
            for (k, v) in &props.dynamic {
                k.hash(&mut h);
                hash_value(v, &mut h);
            }
            h.finish()
        };
        Some((digest(&self.hashers.0), digest(&self.hashers.1)))
    }

    /// A result that is still good.
    pub(crate) fn get(&self, key: Key) -> Option<SlotValues> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .get(&key)
            .filter(|(at, _)| at.elapsed() < TTL)
            .map(|(_, v)| v.clone())
    }

    /// Keeps a result, unless it is heavy or holds process-local references.
    pub(crate) fn put(&self, key: Key, values: &SlotValues) {
        if values.iter().map(|(_, v)| weigh(v, HEAVY)).sum::<usize>() > HEAVY {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES {
            let mut ages: Vec<Instant> = entries.values().map(|(at, _)| *at).collect();
            ages.sort_unstable();
            let middle = ages[ages.len() / 2];
            entries.retain(|_, (at, _)| *at > middle);
        }
        entries.insert(key, (Instant::now(), values.clone()));
    }
}

/// Rough bytes of a value, at most a little over `limit`; process-local references weigh everything.
fn weigh(value: &Value, limit: usize) -> usize {
    match value {
        Value::Str(s) if s.starts_with("memory://") => limit + 1,
        Value::Str(s) => s.len() + 16,
        Value::Bytes(b) => b.len() + 16,
        Value::List(items) => {
            let mut sum = 16;
            for v in items.iter() {
                sum += weigh(v, limit);
                if sum > limit {
                    break;
                }
            }
            sum
        }
        Value::Map(map) => {
            let mut sum = 16;
            for (k, v) in map.iter() {
                sum += k.len() + weigh(v, limit);
                if sum > limit {
                    break;
                }
            }
            sum
        }
        _ => 16,
    }
}

fn hash_value(value: &Value, h: &mut impl Hasher) {
    match value {
        Value::Null => 0u8.hash(h),
        Value::Bool(b) => (1u8, b).hash(h),
        Value::Int(i) => (2u8, i).hash(h),
        Value::Float(f) => (3u8, f.to_bits()).hash(h),
        Value::Str(s) => (4u8, s).hash(h),
        Value::Bytes(b) => (5u8, &b[..]).hash(h),
        Value::List(items) => {
            (6u8, items.len()).hash(h);
            items.iter().for_each(|v| hash_value(v, h));
        }
        Value::Map(map) => {
            (7u8, map.len()).hash(h);
            for (k, v) in map.iter() {
                k.hash(h);
                hash_value(v, h);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn props(v: Value) -> Props {
        Props {
            values: smallvec::smallvec![v],
            ..Props::default()
        }
    }

    #[test]
    fn keys_tell_shapes_apart_and_old_entries_make_room() {
        let cache = ResultCache::default();
        let key = |v: Value| cache.key("1", "x.Y", &props(v)).unwrap();
        assert_eq!(key(1i64.into()), key(1i64.into()));
        assert_ne!(key(1i64.into()), key(1.0.into()));
        assert_ne!(key("1".into()), key(1i64.into()));
        assert_ne!(key(Value::list([])), key(Value::list([Value::list([])])));
        for i in 0..3 * ENTRIES as i64 {
            cache.put(key(i.into()), &SlotValues::from_iter([(0, Value::Int(i))]));
        }
        assert!(cache.entries.lock().unwrap().len() <= ENTRIES);
        assert!(cache.get(key((3 * ENTRIES as i64 - 1).into())).is_some());
    }

    #[test]
    fn process_local_references_and_heavy_values_are_not_kept() {
        let cache = ResultCache::default();
        assert!(cache.key("1", "x.Y", &props("memory://1".into())).is_none());
        assert!(
            cache
                .key("1", "x.Y", &props(Value::from("x".repeat(HEAVY))))
                .is_none()
        );
        let key = cache.key("1", "x.Y", &props(Value::Null)).unwrap();
        cache.put(
            key,
            &SlotValues::from_iter([(0, Value::from("x".repeat(HEAVY)))]),
        );
        assert!(cache.get(key).is_none());
    }
}
