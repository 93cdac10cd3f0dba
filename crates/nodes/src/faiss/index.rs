//! The index itself: vectors of one length, their ids, and how near two of them are.

use bytes::Bytes;
use nodetool_sdk::{FaissIndex, NodeError, Value};

/// Longest vector.
pub(super) const MAX_DIM: i64 = 65_536;
/// Most numbers of an index.
const MAX_NUMBERS: usize = 64 << 20;

/// How near two vectors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// Squared distance; smaller is nearer.
    L2,
    /// Inner product; larger is nearer.
    Ip,
}

/// Vectors to search in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index {
    pub(super) metric: Metric,
    pub(super) dim: usize,
    /// Lists of an inverted file; none for a flat index.
    pub(super) lists: Option<usize>,
    pub(super) trained: bool,
    ids: Bytes,
    vectors: Bytes,
}

impl Index {
    /// An index without vectors.
    pub(super) fn new(metric: Metric, dim: i64, lists: Option<usize>) -> Result<Self, NodeError> {
        match usize::try_from(dim) {
            Ok(length) if (1..=MAX_DIM).contains(&dim) => Ok(Index {
                metric,
                dim: length,
                lists,
                trained: lists.is_none(),
                ids: Bytes::new(),
                vectors: Bytes::new(),
            }),
            _ => {
                let message = format!("{dim} (expected 1 to {MAX_DIM})");
                Err(NodeError::bad("dim", message))
            }
        }
    }

    /// Reads the property `index`.
    pub(super) fn read(index: &FaissIndex) -> Result<Self, NodeError> {
        read(&index.get("index")).ok_or_else(|| {
            let message = "holds no index (expected one such as CreateIndexFlatL2 gives)";
            NodeError::bad("index", message)
        })
    }

    /// The index as it travels between nodes.
    pub(super) fn into_value(self) -> FaissIndex {
        let metric = match self.metric {
            Metric::L2 => "L2",
            Metric::Ip => "IP",
        };
        let index = Value::map([
            ("metric", metric.into()),
            ("dim", self.dim.into()),
            ("nlist", self.lists.into()),
            ("trained", self.trained.into()),
            ("ids", self.ids.into()),
            ("vectors", self.vectors.into()),
        ]);
        FaissIndex(Value::map([
            ("type", FaissIndex::TAG.into()),
            ("index", index),
        ]))
    }

    /// How many vectors there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len() / 8
    }

    /// The id at a place.
    pub(super) fn id(&self, at: usize) -> i64 {
        let bytes = self.ids.get(8 * at..8 * at + 8);
        let bytes = bytes.and_then(|b| b.try_into().ok());
        bytes.map_or(-1, i64::from_le_bytes)
    }

    /// The vectors, one after the other.
    pub(super) fn numbers(&self) -> Vec<f32> {
        let numbers = self.vectors.chunks_exact(4);
        let number = |b: &[u8]| b.try_into().map_or(0.0, f32::from_le_bytes);
        numbers.map(number).collect()
    }

    /// The index with more vectors, numbered on unless they have ids.
    pub(super) fn with(
        mut self,
        vectors: &[Vec<f32>],
        ids: Option<&[i64]>,
    ) -> Result<Self, NodeError> {
        self.check(vectors, "vectors")?;
        if !self.trained {
            let message = "is not trained (expected one that went through TrainIndex)";
            return Err(NodeError::bad("index", message));
        }
        let numbers = self.len().saturating_add(vectors.len());
        if numbers.saturating_mul(self.dim) > MAX_NUMBERS {
            let message = format!("the index would have more than {MAX_NUMBERS} numbers");
            return Err(NodeError::bad("vectors", message));
        }
        let next = self.len() as i64;
        let mut all: Vec<u8> = self.vectors.into();
        all.extend(vectors.iter().flatten().flat_map(|n| n.to_le_bytes()));
        self.vectors = all.into();
        let mut all: Vec<u8> = self.ids.into();
        match ids {
            Some(ids) => all.extend(ids.iter().flat_map(|id| id.to_le_bytes())),
            None => {
                let new = next..next + vectors.len() as i64;
                all.extend(new.flat_map(i64::to_le_bytes));
            }
        }
        self.ids = all.into();
        Ok(self)
    }

    /// Refuses vectors of another length.
    pub(super) fn check(&self, vectors: &[Vec<f32>], property: &str) -> Result<(), NodeError> {
        match vectors.iter().find(|v| v.len() != self.dim) {
            None => Ok(()),
            Some(vector) => {
                let (length, dim) = (vector.len(), self.dim);
                let message = format!("vectors of {length} numbers (expected {dim}, as the index)");
                Err(NodeError::bad(property, message))
            }
        }
    }
}

fn read(index: &Value) -> Option<Index> {
    let whole = |key: &str| index.get(key).and_then(Value::as_i64);
    let bytes = |key: &str| index.get(key).and_then(Value::as_bytes).cloned();
    let metric = match index.get("metric").and_then(Value::as_str)? {
        "L2" => Metric::L2,
        "IP" => Metric::Ip,
        _ => return None,
    };
    let dim = whole("dim").filter(|d| (1..=MAX_DIM).contains(d))? as usize;
    let (ids, vectors) = (bytes("ids")?, bytes("vectors")?);
    let count = ids.len() / 8;
    let sound = ids.len().is_multiple_of(8)
        && count.checked_mul(dim * 4) == Some(vectors.len())
        && count * dim <= MAX_NUMBERS;
    sound.then_some(Index {
        metric,
        dim,
        lists: whole("nlist").and_then(|n| usize::try_from(n).ok()),
        trained: index.get("trained").and_then(Value::as_bool)?,
        ids,
        vectors,
    })
}
