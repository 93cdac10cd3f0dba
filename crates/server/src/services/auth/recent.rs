//! A map of bounded size that forgets what was not asked for the longest. It must not know what it keeps, nor the time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// The most recently used entries.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    entries: HashMap<K, (u64, V)>,
    /// Keys by the turn at which they were last used.
    turns: BTreeMap<u64, K>,
    turn: u64,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Recent {
            most,
            entries: HashMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
        }
    }

    /// What is kept under a key, which thereby becomes the last one used.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let (turn, value) = self.entries.get_mut(key)?;
        self.turns.remove(turn);
        self.turn += 1;
        *turn = self.turn;
        self.turns.insert(self.turn, key.clone());
        Some(value)
    }

    /// Keeps a value; the entry not used for the longest goes for it when there is no room.
    pub(super) fn put(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.most == 0 {
            return;
        }
        while self.entries.len() >= self.most {
            let Some((_, oldest)) = self.turns.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
        }
        self.turn += 1;
        self.turns.insert(self.turn, key.clone());
        self.entries.insert(key, (self.turn, value));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((turn, _)) = self.entries.remove(key) {
            self.turns.remove(&turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_the_longest_goes_first() {
        let mut recent = Recent::new(2);
        recent.put("a", 1);
        recent.put("b", 2);
        assert_eq!(recent.get(&"a"), Some(&1));
        recent.put("c", 3);
        assert_eq!(recent.get(&"b"), None);
        recent.put("a", 4);
        recent.put("d", 5);
        assert_eq!(recent.get(&"c"), None);
        assert_eq!(recent.get(&"a"), Some(&4));
        assert_eq!(recent.get(&"d"), Some(&5));
        recent.remove(&"a");
        assert_eq!(recent.get(&"a"), None);
        assert_eq!((recent.entries.len(), recent.turns.len()), (1, 1));
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let mut recent = Recent::new(0);
        recent.put("a", 1);
        assert_eq!(recent.get(&"a"), None);
    }
}
