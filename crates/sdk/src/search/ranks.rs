//! Several rankings of the same things made into one, by reciprocal rank: what stands high in any of them stands high.

use std::collections::HashMap;

/// The usual k of `1 / (rank + k)`.
pub const DEFAULT_RANK_K: f64 = 60.0;

/// Merges rankings, best first; a thing at rank n, counted from 1, gets 1 / (n + k) from each ranking it is in.
///
/// Things with the same score come in the order they were first met.
#[must_use]
pub fn merge_ranks(rankings: &[Vec<usize>], k: f64) -> Vec<(usize, f64)> {
    let mut merged: Vec<(usize, f64)> = Vec::new();
    let mut places: HashMap<usize, usize> = HashMap::new();
    for ranking in rankings {
        for (at, thing) in ranking.iter().enumerate() {
            let score = 1.0 / (at as f64 + 1.0 + k);
            let place = *places.entry(*thing).or_insert_with(|| {
                merged.push((*thing, 0.0));
                merged.len() - 1
            });
            if let Some(entry) = merged.get_mut(place) {
                entry.1 += score;
            }
        }
    }
    merged.sort_by(|a, b| b.1.total_cmp(&a.1));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_both_rankings_beats_what_is_first_in_one() {
        let merged = merge_ranks(&[vec![1, 2, 3], vec![4, 2]], DEFAULT_RANK_K);
        let order: Vec<usize> = merged.iter().map(|m| m.0).collect();
        assert_eq!(order, [2, 1, 4, 3]);
        assert!((merged[0].1 - 2.0 / 62.0).abs() < 1e-12);
        assert!((merged[1].1 - 1.0 / 61.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_merges_to_nothing() {
        assert!(merge_ranks(&[], 60.0).is_empty());
        assert!(merge_ranks(&[Vec::new(), Vec::new()], 60.0).is_empty());
    }
}
