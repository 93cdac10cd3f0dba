//! `vector.faiss.CreateIndexFlatL2`, `CreateIndexFlatIP` and `CreateIndexIVFFlat`.

use nodetool_sdk::{FaissIndex, Node, NodeCx, NodeError, Process, ValueType};

use super::index::{Index, Metric};

/// Most lists of an inverted file.
const MAX_LISTS: i64 = 1 << 20;

/// Makes an index that finds by squared distance.
/// vector, index, nearest, distance, faiss
#[derive(Node)]
#[node(namespace = "vector.faiss", uncached)]
pub(super) struct CreateIndexFlatL2 {
    /// Length of the vectors.
    #[prop(default = 768, min = 1)]
    dim: i64,
}

impl Process for CreateIndexFlatL2 {
    type Output = FaissIndex;

    async fn process(self, _: &NodeCx) -> Result<FaissIndex, NodeError> {
        Ok(Index::new(Metric::L2, self.dim, None)?.into_value())
    }
}

/// Makes an index that finds by inner product.
/// vector, index, nearest, cosine, product, faiss
#[derive(Node)]
#[node(namespace = "vector.faiss", title = "Create Index Flat IP", uncached)]
pub(super) struct CreateIndexFlatIP {
    /// Length of the vectors.
    #[prop(default = 768, min = 1)]
    dim: i64,
}

impl Process for CreateIndexFlatIP {
    type Output = FaissIndex;

    async fn process(self, _: &NodeCx) -> Result<FaissIndex, NodeError> {
        Ok(Index::new(Metric::Ip, self.dim, None)?.into_value())
    }
}

/// How near two vectors are.
#[derive(Clone, Copy, Debug, ValueType)]
#[value(type_name = "nodetool.nodes.vector.faiss.Metric")]
pub(super) enum MetricName {
    #[value("L2")]
    L2,
    #[value("IP")]
    Ip,
}

/// Makes an inverted-file index, which has to be trained before vectors are added.
/// vector, index, nearest, inverted, ivf, faiss
///
/// Searches in it are exact: they look at all lists.
#[derive(Node)]
#[node(namespace = "vector.faiss", title = "Create Index IVFFlat", uncached)]
pub(super) struct CreateIndexIVFFlat {
    /// Length of the vectors.
    #[prop(default = 768, min = 1)]
    dim: i64,
    /// How many lists.
    #[prop(default = 1024, min = 1)]
    nlist: i64,
    /// How near two vectors are: by squared distance or by inner product.
    #[prop(default = "L2")]
    metric: MetricName,
}

impl Process for CreateIndexIVFFlat {
    type Output = FaissIndex;

    async fn process(self, _: &NodeCx) -> Result<FaissIndex, NodeError> {
        let lists = match usize::try_from(self.nlist) {
            Ok(lists) if (1..=MAX_LISTS).contains(&self.nlist) => lists,
            _ => {
                let message = format!("{} (expected 1 to {MAX_LISTS})", self.nlist);
                return Err(NodeError::bad("nlist", message));
            }
        };
        let metric = match self.metric {
            MetricName::L2 => Metric::L2,
            MetricName::Ip => Metric::Ip,
        };
        Ok(Index::new(metric, self.dim, Some(lists))?.into_value())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn an_index_is_made_as_its_name_says() {
        let flat = case::<CreateIndexFlatIP>().set("dim", 2i64).value().await;
        let flat = Index::read(&FaissIndex(flat.unwrap())).unwrap();
        assert_eq!((flat.metric, flat.dim, flat.trained), (Metric::Ip, 2, true));
        let ivf = case::<CreateIndexIVFFlat>().set("dim", 2i64).value().await;
        let ivf = Index::read(&FaissIndex(ivf.unwrap())).unwrap();
        assert_eq!((ivf.lists, ivf.trained), (Some(1024), false));
        let refused = case::<CreateIndexFlatL2>().set("dim", 0i64).value().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`dim`: 0"), "{refused}");
    }
}
