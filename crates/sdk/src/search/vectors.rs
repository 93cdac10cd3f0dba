//! Vectors of one length in one flat piece of memory, and the exact search for the nearest of them.
//!
//! It must not know what the vectors stand for.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Numbers that are worked on at once; wide enough for any vector unit, so that the compiler uses the one there is.
const LANES: usize = 16;

/// A vector that has not as many numbers as the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vector has {found} numbers, expected {expected}")]
pub struct WrongLength {
    /// How many it has.
    pub found: usize,
    /// How many the others have.
    pub expected: usize,
}

/// A vector that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Its place, in the order vectors were pushed.
    pub place: usize,
    /// Squared distance to what was looked for.
    pub distance: f32,
}

/// Squared Euclidean distance. Numbers beyond the shorter of the two do not count.
#[inline]
#[must_use]
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let (a_parts, a_rest) = a.as_chunks::<LANES>();
    let (b_parts, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_parts.iter().zip(b_parts) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// Vectors of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    dimensions: usize,
    flat: Vec<f32>,
}

impl Vectors {
    /// None yet, of so many numbers each.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Vectors {
            dimensions,
            flat: Vec::new(),
        }
    }

    /// Adds one.
    ///
    /// # Errors
    /// When it has another length.
    pub fn push(&mut self, vector: &[f32]) -> Result<(), WrongLength> {
        self.check(vector)?;
        self.flat.extend_from_slice(vector);
        Ok(())
    }

    /// Takes vectors that stand one after the other, in the place of those there are; a rest that is no whole vector is
    /// left out.
    pub fn fill(&mut self, mut flat: Vec<f32>) {
        let whole = flat.len()
            - flat
                .len()
                .checked_rem(self.dimensions)
                .unwrap_or(flat.len());
        flat.truncate(whole);
        self.flat = flat;
        self.flat.shrink_to_fit();
    }

    /// Refuses a vector of another length.
    ///
    /// # Errors
    /// When it has another length.
    pub fn check(&self, vector: &[f32]) -> Result<(), WrongLength> {
        if vector.len() == self.dimensions {
            return Ok(());
        }
        Err(WrongLength {
            found: vector.len(),
            expected: self.dimensions,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flat.len().checked_div(self.dimensions).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flat.is_empty()
    }

    /// How many numbers each has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The vector at a place; nothing where there is none.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&[f32]> {
        let begin = place.checked_mul(self.dimensions)?;
        let end = begin.checked_add(self.dimensions)?;
        self.flat.get(begin..end).filter(|v| !v.is_empty())
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.flat.capacity() * size_of::<f32>()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        // A chunk has at least one number, also where there are none.
        self.flat.chunks_exact(self.dimensions.max(1))
    }

    /// Those from one place to before another.
    pub(super) fn rows(&self, from: usize, to: usize) -> impl Iterator<Item = &[f32]> {
        let part = from.saturating_mul(self.dimensions)..to.saturating_mul(self.dimensions);
        let part = self.flat.get(part).unwrap_or_default();
        part.chunks_exact(self.dimensions.max(1))
    }

    /// The nearest of those that are accepted, nearest first; of equally near ones the first pushed.
    ///
    /// # Errors
    /// When the query has another length.
    pub fn nearest(
        &self,
        query: &[f32],
        limit: usize,
        accept: impl Fn(usize) -> bool,
    ) -> Result<Vec<Near>, WrongLength> {
        self.check(query)?;
        let mut best = Best::new(limit);
        for (place, vector) in self.iter().enumerate() {
            let distance = squared_distance(query, vector);
            if best.wants(distance) && accept(place) {
                best.offer(Near { place, distance });
            }
        }
        Ok(best.sorted())
    }
}

/// The nearest so far.
pub(super) struct Best {
    limit: usize,
    /// The farthest of them on top.
    kept: BinaryHeap<Far>,
}

/// A found vector, ordered by distance and then by place.
struct Far(Near);

impl Ord for Far {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_distance = self.0.distance.total_cmp(&other.0.distance);
        by_distance.then(self.0.place.cmp(&other.0.place))
    }
}

impl PartialOrd for Far {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Far {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Far {}

impl Best {
    pub(super) fn new(limit: usize) -> Self {
        Best {
            limit,
            kept: BinaryHeap::new(),
        }
    }

    /// Whether one at this distance may be among the nearest.
    pub(super) fn wants(&self, distance: f32) -> bool {
        if self.kept.len() < self.limit {
            return true;
        }
        let worst = self.kept.peek();
        worst.is_some_and(|far| distance.total_cmp(&far.0.distance) != Ordering::Greater)
    }

    pub(super) fn offer(&mut self, near: Near) {
        self.kept.push(Far(near));
        if self.kept.len() > self.limit {
            self.kept.pop();
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= self.limit
    }

    pub(super) fn sorted(self) -> Vec<Near> {
        self.kept
            .into_sorted_vec()
            .into_iter()
            .map(|f| f.0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(rows: &[Vec<f32>]) -> Vectors {
        let mut vectors = Vectors::new(rows.first().map_or(3, Vec::len));
        for row in rows {
            vectors.push(row).unwrap();
        }
        vectors
    }

    #[test]
    fn the_nearest_come_first_and_ties_in_order() {
        let vectors = of(&[
            vec![1.0, 0.0],
            vec![0.0, 0.0],
            vec![0.0, 1.0],
            vec![5.0, 5.0],
        ]);
        let found = vectors.nearest(&[0.0, 0.0], 3, |_| true).unwrap();
        let found: Vec<_> = found.iter().map(|n| (n.place, n.distance)).collect();
        assert_eq!(found, [(1, 0.0), (0, 1.0), (2, 1.0)]);
        assert!(
            vectors
                .nearest(&[0.0, 0.0], 0, |_| true)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn another_length_is_refused_with_both_lengths() {
        let mut vectors = Vectors::new(3);
        let refused = vectors.push(&[1.0]).unwrap_err();
        assert_eq!((refused.found, refused.expected), (1, 3));
        assert!(vectors.nearest(&[1.0; 4], 1, |_| true).is_err());
        assert!(vectors.is_empty());
        assert_eq!(vectors.get(0), None);
        assert_eq!(vectors.get(usize::MAX), None);
    }

    #[test]
    fn whole_vectors_are_taken_and_a_rest_is_not() {
        let mut vectors = Vectors::new(2);
        vectors.fill(vec![1.0, 2.0, 3.0]);
        assert_eq!(vectors.iter().collect::<Vec<_>>(), [[1.0, 2.0]]);
    }

    #[test]
    fn vectors_without_numbers_do_not_break_anything() {
        let mut vectors = Vectors::new(0);
        vectors.push(&[]).unwrap();
        assert_eq!(vectors.len(), 0);
        assert!(vectors.nearest(&[], 3, |_| true).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn the_search_finds_what_sorting_everything_finds(
            rows in prop::collection::vec(prop::collection::vec(-9.0f32..9.0, 37), 0..40),
            query in prop::collection::vec(-9.0f32..9.0, 37),
            limit in 0usize..9,
            skipped in 0usize..5,
        ) {
            let mut vectors = Vectors::new(37);
            rows.iter().for_each(|row| vectors.push(row).unwrap());
            let accept = |place: usize| place % 5 != skipped;
            let found = vectors.nearest(&query, limit, accept).unwrap();
            let mut all: Vec<Near> = rows
                .iter()
                .enumerate()
                .filter(|(place, _)| accept(*place))
                .map(|(place, row)| Near { place, distance: squared_distance(&query, row) })
                .collect();
            all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.place.cmp(&b.place)));
            all.truncate(limit);
            prop_assert_eq!(found, all);
        }

        #[test]
        fn the_distance_is_that_of_the_plain_formula(
            pairs in prop::collection::vec((-9.0f32..9.0, -9.0f32..9.0), 0..100),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let plain: f64 = pairs.iter().map(|(a, b)| f64::from(a - b).powi(2)).sum();
            let found = f64::from(squared_distance(&a, &b));
            prop_assert!((found - plain).abs() <= plain.max(1.0) * 1e-4);
        }
    }
}
