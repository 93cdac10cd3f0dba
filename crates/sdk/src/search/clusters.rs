//! An index for more vectors than are worth looking at one by one: they are sorted into clusters, and a search looks
//! into the nearest clusters only. What it finds is nearly always what the exact search finds, not always.
//!
//! It must not know what the vectors stand for. The same vectors always give the same clusters.

use super::vectors::{Best, Near, Vectors, WrongLength, squared_distance};

/// Vectors that are looked at for each cluster when the clusters are placed.
const SAMPLES_PER_CLUSTER: usize = 32;
/// How often the clusters move to the middle of what is theirs.
const ROUNDS: usize = 4;
/// Most clusters.
const MAX_CLUSTERS: usize = 2048;
/// One cluster in so many is looked into.
const PROBED_SHARE: usize = 12;
/// Fewest clusters that are looked into.
const MIN_PROBES: usize = 8;

/// Vectors sorted into clusters. Those of a cluster stand one after the other, because looking at vectors here and there
/// in memory costs several times as much.
#[derive(Clone, Debug)]
pub struct Clusters {
    centers: Vectors,
    sorted: Vectors,
    /// The place each had before it was sorted.
    places: Vec<u32>,
    /// Where each cluster begins, and where the last one ends.
    begins: Vec<usize>,
}

impl Clusters {
    /// Sorts vectors into about as many clusters as a cluster has members; so many threads help. It takes seconds for
    /// some 100,000 vectors; nothing comes of it once `stop` holds.
    #[must_use]
    pub fn of(vectors: &Vectors, threads: usize, stop: impl Fn() -> bool + Sync) -> Option<Self> {
        let work = Work {
            vectors,
            threads: threads.max(1),
            stop: &stop,
        };
        let count = vectors.len().isqrt().clamp(1, MAX_CLUSTERS);
        let centers = work.placed(count)?;
        let all: Vec<usize> = (0..vectors.len()).collect();
        let nearest = work.assigned(&all, &centers)?;
        let mut members = vec![Vec::new(); centers.len()];
        for (place, cluster) in nearest.into_iter().enumerate() {
            members.get_mut(cluster)?.push(u32::try_from(place).ok()?);
        }
        let mut sorted = Vec::with_capacity(vectors.len() * vectors.dimensions());
        let (mut places, mut begins) = (Vec::with_capacity(vectors.len()), vec![0]);
        for member in members {
            for place in &member {
                sorted.extend_from_slice(work.at(*place as usize));
            }
            places.extend(member);
            begins.push(places.len());
        }
        let mut in_order = Vectors::new(vectors.dimensions());
        in_order.fill(sorted);
        Some(Clusters {
            centers,
            sorted: in_order,
            places,
            begins,
        })
    }

    /// How many vectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.centers.bytes() + self.sorted.bytes() + self.places.len() * 4 + self.begins.len() * 8
    }

    /// The nearest of those that are accepted, nearest first, as far as they are in the clusters that are looked into.
    /// More clusters are looked into while there are too few.
    ///
    /// # Errors
    /// When the query has another length.
    pub fn nearest(
        &self,
        query: &[f32],
        limit: usize,
        accept: impl Fn(usize) -> bool,
    ) -> Result<Vec<Near>, WrongLength> {
        let order = self.centers.nearest(query, self.centers.len(), |_| true)?;
        let probes = (order.len() / PROBED_SHARE).max(MIN_PROBES);
        let mut best = Best::new(limit);
        for (turn, cluster) in order.iter().enumerate() {
            if turn >= probes && best.is_full() {
                break;
            }
            let begin = self.begins.get(cluster.place).copied().unwrap_or_default();
            let end = self.begins.get(cluster.place + 1).copied();
            self.look(query, begin, end.unwrap_or(begin), &mut best, &accept);
        }
        Ok(best.sorted())
    }

    /// The nearest of all that are accepted, as [`Vectors::nearest`].
    ///
    /// # Errors
    /// When the query has another length.
    pub fn exactly(
        &self,
        query: &[f32],
        limit: usize,
        accept: impl Fn(usize) -> bool,
    ) -> Result<Vec<Near>, WrongLength> {
        self.sorted.check(query)?;
        let mut best = Best::new(limit);
        self.look(query, 0, self.places.len(), &mut best, &accept);
        Ok(best.sorted())
    }

    fn look(
        &self,
        query: &[f32],
        begin: usize,
        end: usize,
        best: &mut Best,
        accept: &impl Fn(usize) -> bool,
    ) {
        let places = self.places.get(begin..end).unwrap_or_default();
        for (place, vector) in places.iter().zip(self.sorted.rows(begin, end)) {
            let (place, distance) = (*place as usize, squared_distance(query, vector));
            if best.wants(distance) && accept(place) {
                best.offer(Near { place, distance });
            }
        }
    }
}

/// The sorting of vectors.
struct Work<'a> {
    vectors: &'a Vectors,
    threads: usize,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Work<'_> {
    fn at(&self, place: usize) -> &[f32] {
        self.vectors.get(place).unwrap_or_default()
    }

    /// Centers of clusters: far from each other at first, then a few times the middle of those nearest to each.
    fn placed(&self, count: usize) -> Option<Vectors> {
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        let sample = chance.some(
            self.vectors.len(),
            count.saturating_mul(SAMPLES_PER_CLUSTER),
        );
        let mut centers = self.apart(&sample, count, &mut chance)?;
        for _ in 0..ROUNDS {
            let nearest = self.assigned(&sample, &centers)?;
            let mut sums = vec![vec![0.0f64; self.vectors.dimensions()]; centers.len()];
            let mut counts = vec![0u32; centers.len()];
            for (place, cluster) in sample.iter().zip(nearest) {
                let (Some(sum), Some(count)) = (sums.get_mut(cluster), counts.get_mut(cluster))
                else {
                    continue;
                };
                *count += 1;
                for (sum, x) in sum.iter_mut().zip(self.at(*place)) {
                    *sum += f64::from(*x);
                }
            }
            let mut moved = Vectors::new(self.vectors.dimensions());
            for ((at, sum), count) in sums.iter().enumerate().zip(&counts) {
                let middle: Vec<f32> = match count {
                    // Nobody is nearest: it stays.
                    0 => centers.get(at).unwrap_or_default().to_vec(),
                    n => sum.iter().map(|s| (s / f64::from(*n)) as f32).collect(),
                };
                // It has the length of the others.
                let _ = moved.push(&middle);
            }
            centers = moved;
        }
        Some(centers)
    }

    /// Some of the sample, each likelier the farther it is from those before: centers that all lie in a few crowds would
    /// leave one cluster with everything else.
    fn apart(&self, sample: &[usize], count: usize, chance: &mut Chance) -> Option<Vectors> {
        let mut centers = Vectors::new(self.vectors.dimensions());
        let mut distances = vec![f32::INFINITY; sample.len()];
        let mut next = 0;
        while centers.len() < count.min(sample.len()) {
            let center = self.at(*sample.get(next)?);
            centers.push(center).ok()?;
            self.shared(&mut distances, sample, &|place, least: &mut f32| {
                *least = least.min(squared_distance(self.at(place), center));
            })?;
            let whole: f64 = distances.iter().map(|d| f64::from(*d)).sum();
            let mut left = chance.share() * whole;
            let passed = distances.iter().take_while(|d| {
                left -= f64::from(**d);
                left > 0.0
            });
            next = passed.count().min(sample.len().saturating_sub(1));
        }
        Some(centers)
    }

    /// The nearest center of each of these vectors.
    fn assigned(&self, places: &[usize], centers: &Vectors) -> Option<Vec<usize>> {
        let mut nearest = vec![0; places.len()];
        self.shared(&mut nearest, places, &|place, nearest: &mut usize| {
            let vector = self.at(place);
            let mut least = f32::INFINITY;
            for (at, center) in centers.iter().enumerate() {
                let distance = squared_distance(vector, center);
                if distance < least {
                    (*nearest, least) = (at, distance);
                }
            }
        })?;
        Some(nearest)
    }

    /// Does the same for each place, on all threads; nothing once it shall stop.
    fn shared<T: Send>(
        &self,
        results: &mut [T],
        places: &[usize],
        work: &(dyn Fn(usize, &mut T) + Sync),
    ) -> Option<()> {
        let share = places.len().div_ceil(self.threads).max(1);
        std::thread::scope(|scope| {
            for (results, places) in results.chunks_mut(share).zip(places.chunks(share)) {
                scope.spawn(move || {
                    for (at, (result, place)) in results.iter_mut().zip(places).enumerate() {
                        if at % 256 == 0 && (self.stop)() {
                            return;
                        }
                        work(*place, result);
                    }
                });
            }
        });
        (!(self.stop)()).then_some(())
    }
}

/// Chance that always falls the same way.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// So many of the first `len` numbers.
    fn some(&mut self, len: usize, wanted: usize) -> Vec<usize> {
        let mut places: Vec<usize> = (0..len).collect();
        if wanted >= len {
            return places;
        }
        for at in 0..wanted {
            let left = (len - at) as u64;
            let other = at + usize::try_from(self.next() % left).unwrap_or(0);
            places.swap(at, other);
        }
        places.truncate(wanted);
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -1 and 1 that look random and are always the same.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> f32 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((self.0 >> 40) as f32) / ((1u32 << 23) as f32) - 1.0
        }

        fn vector(&mut self, dimensions: usize) -> Vec<f32> {
            (0..dimensions).map(|_| self.next()).collect()
        }
    }

    const DIMENSIONS: usize = 24;

    fn of(vectors: &Vectors, threads: usize) -> Clusters {
        Clusters::of(vectors, threads, || false).unwrap()
    }

    /// Vectors that lie around some middles, as those of texts do around their topics.
    fn topics(numbers: &mut Numbers, count: usize, topics: usize) -> Vectors {
        let middles: Vec<Vec<f32>> = (0..topics).map(|_| numbers.vector(DIMENSIONS)).collect();
        let mut vectors = Vectors::new(DIMENSIONS);
        for at in 0..count {
            let noise = numbers.vector(DIMENSIONS);
            let middle = &middles[at % topics];
            let vector: Vec<f32> = middle.iter().zip(noise).map(|(m, n)| m + n * 0.3).collect();
            vectors.push(&vector).unwrap();
        }
        vectors
    }

    #[test]
    fn nearly_all_of_the_nearest_are_found() {
        let mut numbers = Numbers(7);
        let vectors = topics(&mut numbers, 3000, 40);
        let clusters = of(&vectors, 2);
        let (mut found, mut all) = (0, 0);
        for at in (0..vectors.len()).step_by(61) {
            let noise = numbers.vector(DIMENSIONS);
            let near = vectors.get(at).unwrap().iter().zip(noise);
            let query: Vec<f32> = near.map(|(v, n)| v + n * 0.1).collect();
            let exact = vectors.nearest(&query, 10, |_| true).unwrap();
            let quick = clusters.nearest(&query, 10, |_| true).unwrap();
            assert_eq!(quick.len(), 10);
            found += exact.iter().filter(|n| quick.contains(n)).count();
            all += exact.len();
        }
        let recall = found as f64 / all as f64;
        assert!(recall >= 0.95, "recall is {recall:.3}");
    }

    #[test]
    fn every_vector_is_in_exactly_one_cluster() {
        let vectors = topics(&mut Numbers(3), 500, 5);
        let clusters = of(&vectors, 3);
        let mut places = clusters.places.clone();
        places.sort_unstable();
        assert_eq!(places, (0..500).collect::<Vec<u32>>());
        let again = of(&vectors, 1);
        assert_eq!(clusters.places, again.places);
    }

    #[test]
    fn no_cluster_has_a_large_part_of_all() {
        // More topics than clusters: what has no center of its own must not end up in one heap.
        let vectors = topics(&mut Numbers(11), 2000, 60);
        let clusters = of(&vectors, 2);
        let largest = clusters.begins.windows(2).map(|w| w[1] - w[0]).max();
        assert!(largest.is_some_and(|n| n < 400), "{largest:?}");
    }

    #[test]
    fn sorting_stops_when_it_is_told_to() {
        let vectors = topics(&mut Numbers(3), 500, 5);
        assert!(Clusters::of(&vectors, 2, || true).is_none());
    }

    #[test]
    fn a_search_that_accepts_few_looks_on_until_it_has_enough() {
        let vectors = topics(&mut Numbers(5), 900, 9);
        let clusters = of(&vectors, 1);
        let query = vectors.get(0).unwrap().to_vec();
        let accept = |place: usize| place % 300 == 7;
        let found = clusters.nearest(&query, 3, accept).unwrap();
        assert_eq!(found, vectors.nearest(&query, 3, accept).unwrap());
        assert_eq!(found.len(), 3);
        assert_eq!(clusters.exactly(&query, 3, accept).unwrap(), found);
    }

    #[test]
    fn no_vectors_and_equal_vectors_make_clusters_too() {
        let none = Vectors::new(4);
        let found = of(&none, 2).nearest(&[0.0; 4], 5, |_| true);
        assert!(found.unwrap().is_empty());
        let mut same = Vectors::new(2);
        (0..50).for_each(|_| same.push(&[1.0, 1.0]).unwrap());
        let found = of(&same, 2).nearest(&[1.0, 1.0], 50, |_| true);
        assert_eq!(found.unwrap().len(), 50);
    }
}
