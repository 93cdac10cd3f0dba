//! `vector.faiss.Search`.

use nodetool_sdk::{FaissIndex, Node, NodeCx, NodeError, NpArray, Outputs, Process};

use super::fill::vectors;
use super::index::{Index, Metric};
use crate::array::{Array, whole_value};
use crate::bounds;

/// Most nearest vectors of one query, and of all together.
const MAX_K: i64 = 100_000;
const MAX_FOUND: usize = 10_000_000;
/// Most multiplications of one search.
const MAX_WORK: usize = 200_000_000_000;

/// Finds the nearest vectors of an index.
/// vector, search, nearest, similarity, faiss
///
/// Where an index has fewer vectors than wanted, the rest of the indices is -1.
#[derive(Node)]
#[node(namespace = "vector.faiss", uncached)]
pub(super) struct Search {
    /// The index.
    index: FaissIndex,
    /// One vector, or one per row.
    query: NpArray,
    /// How many to find for each.
    #[prop(default = 5, min = 1)]
    k: i64,
    /// Lists of an inverted file to look at; all of them are.
    #[prop(default = 10, min = 1)]
    nprobe: i64,
}

/// A row for each query, nearest first.
#[derive(Outputs)]
pub(super) struct Nearest {
    distances: NpArray,
    indices: NpArray,
}

impl Process for Search {
    type Output = Nearest;

    async fn process(self, _: &NodeCx) -> Result<Nearest, NodeError> {
        for (property, number) in [("k", self.k), ("nprobe", self.nprobe)] {
            if !(1..=MAX_K).contains(&number) {
                let message = format!("{number} (expected 1 to {MAX_K})");
                return Err(NodeError::bad(property, message));
            }
        }
        let k = self.k as usize;
        bounds::blocking(move || {
            let index = Index::read(&self.index)?;
            let queries = vectors("query", &self.query)?;
            index.check(&queries, "query")?;
            let work = queries.len().saturating_mul(index.len());
            if queries.len().saturating_mul(k) > MAX_FOUND
                || work.saturating_mul(index.dim) > MAX_WORK
            {
                let count = queries.len();
                let message = format!("{count} vectors are too many for this index and k");
                return Err(NodeError::bad("query", message));
            }
            Ok(nearest(&index, &queries, k))
        })
        .await
    }
}

fn nearest(index: &Index, queries: &[Vec<f32>], k: usize) -> Nearest {
    let numbers = index.numbers();
    let shape = vec![queries.len(), k];
    let mut distances = Vec::with_capacity(queries.len() * k);
    let mut indices = Vec::with_capacity(queries.len() * k);
    let mut rated: Vec<(f32, usize)> = Vec::with_capacity(index.len());
    for query in queries {
        rated.clear();
        let rate = |vector: &[f32]| match index.metric {
            Metric::L2 => squared_distance(query, vector),
            // Smaller is nearer for both.
            Metric::Ip => -product(query, vector),
        };
        let rates = numbers.chunks_exact(index.dim).map(rate);
        rated.extend(rates.zip(0..));
        let by_rate = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if k < rated.len() {
            rated.select_nth_unstable_by(k, by_rate);
            rated.truncate(k);
        }
        rated.sort_unstable_by(by_rate);
        let missing = k - rated.len();
        let sign = if index.metric == Metric::Ip {
            -1.0
        } else {
            1.0
        };
        distances.extend(rated.iter().map(|(rate, _)| sign * rate));
        distances.extend(std::iter::repeat_n(sign * f32::MAX, missing));
        indices.extend(rated.iter().map(|(_, at)| index.id(*at)));
        indices.extend(std::iter::repeat_n(-1, missing));
    }
    let indices = NpArray(whole_value(&shape, &indices));
    let distances = Array {
        shape,
        numbers: distances,
    };
    Nearest {
        distances: NpArray(distances.value()),
        indices,
    }
}

fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::{Case, case};

    use super::*;

    fn index(metric: Metric) -> Value {
        let vectors = [[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]].map(Vec::from);
        let index = Index::new(metric, 2, None).unwrap();
        let index = index.with(&vectors, Some(&[7, 8, 9])).unwrap();
        index.into_value().0
    }

    fn search(metric: Metric, query: &str) -> Case {
        let query: Value = serde_json::from_str(query).unwrap();
        case::<Search>()
            .set("index", index(metric))
            .set("query", Value::map([("value", query)]))
    }

    async fn found(case: Case) -> (Vec<f32>, Vec<i64>) {
        let given = case.run().await.unwrap().remove(0);
        let distances = Array::read(&given["distances"]).unwrap();
        let indices = Array::read_whole(&given["indices"]).unwrap();
        assert_eq!(distances.shape, indices.shape);
        (distances.numbers, indices.numbers)
    }

    #[tokio::test]
    async fn the_nearest_come_first_for_each_query() {
        let run = search(Metric::L2, "[[0,0],[3,4]]").set("k", 2i64);
        let (distances, indices) = found(run).await;
        assert_eq!(distances, [0.0, 1.0, 0.0, 20.0]);
        assert_eq!(indices, [7, 9, 8, 9]);
        let (distances, indices) = found(search(Metric::Ip, "[1,1]").set("k", 1i64)).await;
        assert_eq!((distances, indices), (vec![7.0], vec![8]));
    }

    #[tokio::test]
    async fn what_an_index_does_not_have_is_minus_one() {
        let (distances, indices) = found(search(Metric::L2, "[0,0]")).await;
        assert_eq!(indices, [7, 9, 8, -1, -1]);
        assert_eq!(distances[3], f32::MAX);
    }

    #[tokio::test]
    async fn queries_of_another_length_are_refused() {
        let refused = search(Metric::L2, "[1]").run().await.unwrap_err();
        let want = "`query`: vectors of 1 numbers (expected 2";
        assert!(refused.to_string().contains(want), "{refused}");
        let none = search(Metric::L2, "[0,0]").set("k", 0i64).run().await;
        let refused = none.unwrap_err().to_string();
        assert!(refused.contains("`k`: 0"), "{refused}");
    }
}
