//! Counts per key within windows of one minute, in a fixed piece of memory however many keys there are.
//!
//! A key has one cell in each of a few rows, found by a keyed hash; its count is the least of them. Keys that share a
//! cell can only make a count too high, and to be counted too high a key has to share all of its cells. It must not
//! know what is counted.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds of a window.
const WINDOW: u64 = 60;
/// Cells a key has.
const ROWS: usize = 4;
/// Cells of a row.
const COLUMNS: usize = 1 << 16;

/// What a count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether this one is within the limit.
    pub(crate) allowed: bool,
    /// Whether this is the first of its window that is not.
    pub(crate) first_refused: bool,
    /// How many more are.
    pub(crate) left: u32,
    /// When the window ends, in seconds since 1970.
    pub(crate) resets_at: u64,
}

/// Counts of many keys against one limit per minute.
pub(crate) struct Windows {
    limit: u32,
    hashes: RandomState,
    /// Window and count, each in one half; a count of another window is none.
    cells: Box<[AtomicU64]>,
}

impl Windows {
    pub(crate) fn new(limit: u32) -> Self {
        Windows {
            limit,
            hashes: RandomState::new(),
            cells: (0..ROWS * COLUMNS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    fn cells_of(&self, key: impl Hash) -> [&AtomicU64; ROWS] {
        let hash = self.hashes.hash_one(key);
        std::array::from_fn(|row| {
            let column = (hash >> (16 * row)) as usize % COLUMNS;
            &self.cells[row * COLUMNS + column]
        })
    }

    /// Counts one of a key's, now being that many seconds after 1970.
    pub(crate) fn count(&self, key: impl Hash, now: u64) -> Standing {
        let window = now / WINDOW;
        let mut least = u32::MAX;
        for cell in self.cells_of(key) {
            let counted = cell.try_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                Some(packed(window, count_in(held, window).saturating_add(1)))
            });
            let before = counted.unwrap_or_else(|held| held);
            least = least.min(count_in(before, window).saturating_add(1));
        }
        self.standing(least <= self.limit, least, window)
    }

    /// How a key stands, without counting.
    pub(crate) fn look(&self, key: impl Hash, now: u64) -> Standing {
        let window = now / WINDOW;
        let counts = self.cells_of(key).map(|cell| {
            let held = cell.load(Ordering::Relaxed);
            count_in(held, window)
        });
        let least = counts.into_iter().min().unwrap_or(0);
        self.standing(least < self.limit, least, window)
    }

    fn standing(&self, allowed: bool, count: u32, window: u64) -> Standing {
        Standing {
            allowed,
            first_refused: count == self.limit.saturating_add(1),
            left: self.limit.saturating_sub(count),
            resets_at: (window + 1) * WINDOW,
        }
    }
}

/// The lower half of a window's number tells it from all that a cell may still hold.
fn packed(window: u64, count: u32) -> u64 {
    window << 32 | u64::from(count)
}

fn count_in(held: u64, window: u64) -> u32 {
    if held >> 32 == window & u64::from(u32::MAX) {
        (held & u64::from(u32::MAX)) as u32
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_its_limit_in_each_minute_and_other_keys_have_their_own() {
        let windows = Windows::new(3);
        for left in [2, 1, 0] {
            let standing = windows.count("a", 61);
            assert_eq!(
                standing,
                Standing {
                    allowed: true,
                    first_refused: false,
                    left,
                    resets_at: 120
                }
            );
        }
        let over = windows.count("a", 119);
        assert_eq!((over.allowed, over.left, over.resets_at), (false, 0, 120));
        assert!(over.first_refused && !windows.count("a", 119).first_refused);
        assert!(windows.count("b", 119).allowed);
        assert!(windows.count("a", 120).allowed);
    }

    #[test]
    fn looking_does_not_count() {
        let windows = Windows::new(1);
        assert!((0..5).all(|_| windows.look(7, 0).allowed));
        assert!(windows.count(7, 0).allowed);
        assert!(!windows.look(7, 0).allowed);
    }

    #[test]
    fn a_million_keys_take_no_more_memory_and_hurt_no_other() {
        let windows = Windows::new(60);
        let cells = windows.cells.len();
        for key in 0..1_000_000u32 {
            windows.count(key, 0);
        }
        assert_eq!(windows.cells.len(), cells);
        // About 15 of the million share each cell, so a newcomer is still far from its limit.
        let newcomer = windows.count("newcomer", 0);
        assert!(newcomer.allowed && newcomer.left > 20, "{newcomer:?}");
    }

    #[test]
    fn counts_from_many_threads_add_up() {
        let windows = Windows::new(4000);
        let allowed: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..1000).filter(|_| windows.count("k", 0).allowed).count())
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap() as u32).sum()
        });
        // A row may run ahead of another by the threads that are between the two.
        assert!((4000..4100).contains(&allowed), "{allowed}");
    }
}
