//! Searches: by meaning, by words, or by both merged.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::search::{Condition, DEFAULT_RANK_K, merge_ranks};
use nodetool_store::{CollectionRange, CollectionRow};

use super::embedding::blocking;
use super::shelf::Loaded;
use super::{CollectionError, CollectionService, read_metadata};
use crate::services::Caller;

/// Most documents of one search.
const MAX_FOUND: usize = 1000;
/// Longest text that is looked for, in bytes.
const MAX_QUERY: usize = 256 << 10;
/// So many times as many documents as are wanted are taken from each ranking that is merged, and at least so many.
const DEPTH: usize = 4;
const LEAST_DEPTH: usize = 50;
/// Where a filter lets fewer through, each of those is looked at, and clusters are not.
const FEW: usize = 20_000;

/// What to look for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ways {
    /// Meaning of a text.
    Meaning(String),
    /// A ready-made vector.
    Vector(Vec<f32>),
    /// Words of a text.
    Words(String),
    /// Meaning and words, merged by 1 / (rank + k); shorter words do not count.
    Both {
        text: String,
        k: f64,
        min_word: usize,
    },
}

impl Ways {
    /// By what a client calls it: `keyword`, `hybrid`, else meaning.
    pub(crate) fn of(mode: &str, text: String) -> Self {
        match mode {
            "keyword" => Ways::Words(text),
            "hybrid" => Ways::Both {
                text,
                k: DEFAULT_RANK_K,
                min_word: 1,
            },
            _ => Ways::Meaning(text),
        }
    }
}

/// A search.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) ways: Ways,
    pub(crate) limit: usize,
    /// What the metadata must be.
    pub(crate) filter: Option<Value>,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) metadata: Map,
    /// Squared distance, where vectors were compared.
    pub(crate) distance: Option<f32>,
    /// Larger is better, where words were compared.
    pub(crate) score: Option<f64>,
}

/// A hit, before its text is read.
#[derive(Clone, Debug, PartialEq)]
struct Hit {
    place: usize,
    distance: Option<f32>,
    score: Option<f64>,
}

/// What to look for, with the vector of its text.
struct Wanted {
    vector: Option<Vec<f32>>,
    words: Option<(String, usize)>,
    k: f64,
    limit: usize,
}

impl CollectionService {
    /// Finds documents, best first.
    pub(crate) async fn query(
        &self,
        caller: &Caller,
        name: &str,
        query: Query,
    ) -> Result<Vec<Found>, CollectionError> {
        let row = self.row(caller, name).await?;
        let condition = query.filter.as_ref().map(Condition::read).transpose()?;
        let limit = query.limit.min(MAX_FOUND);
        if row.documents == 0 || limit == 0 {
            return Ok(Vec::new());
        }
        let wanted = self.wanted(caller, &row, query.ways, limit).await?;
        let shelf = &self.0.shelf;
        let loaded = match wanted.words {
            Some(_) => shelf.words(&row).await?,
            None => shelf.vectors(&row).await?,
        };
        let on_shelf = loaded.clone();
        let hits = blocking(move || hits(&on_shelf, &wanted, condition.as_ref())).await??;
        self.read(&row, &loaded, hits).await
    }

    async fn wanted(
        &self,
        caller: &Caller,
        row: &CollectionRow,
        ways: Ways,
        limit: usize,
    ) -> Result<Wanted, CollectionError> {
        let (text, vector, words, k) = match ways {
            Ways::Meaning(text) => (Some(text), None, None, 0.0),
            Ways::Vector(vector) => (None, Some(vector), None, 0.0),
            Ways::Words(text) => (None, None, Some((text, 1)), 0.0),
            Ways::Both { text, k, min_word } => {
                if !k.is_finite() || k < 0.0 {
                    return Err(CollectionError::field(
                        "k",
                        "expected a number that is not negative",
                    ));
                }
                (Some(text.clone()), None, Some((text, min_word)), k)
            }
        };
        let texts = text.iter().chain(words.iter().map(|(text, _)| text));
        if texts.map(String::len).any(|len| len > MAX_QUERY) {
            let reason = format!("expected at most {MAX_QUERY} bytes");
            return Err(CollectionError::field("query_texts", reason));
        }
        let vector = match text {
            // A model refuses a text without anything in it, and nothing has its meaning.
            Some(text) if text.trim().is_empty() => {
                return Err(CollectionError::field(
                    "query_texts",
                    "expected a text that is not blank",
                ));
            }
            Some(text) => self.embed(caller, row, vec![text]).await?.pop(),
            None => vector,
        };
        Ok(Wanted {
            vector,
            words,
            k,
            limit,
        })
    }

    /// Reads the texts of hits. A document that is gone by now was not found.
    async fn read(
        &self,
        row: &CollectionRow,
        loaded: &Loaded,
        hits: Vec<Hit>,
    ) -> Result<Vec<Found>, CollectionError> {
        let ids = hits.iter().filter_map(|hit| loaded.ids.get(hit.place));
        let range = CollectionRange {
            ids: ids.cloned().collect(),
            limit: hits.len(),
            offset: 0,
        };
        if range.ids.is_empty() {
            return Ok(Vec::new());
        }
        let documents = self.0.store.collection_documents(&row.id, range).await?;
        let mut documents = documents.into_iter().peekable();
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            let id = loaded.ids.get(hit.place);
            let Some(document) = documents.next_if(|d| Some(&d.id) == id) else {
                continue;
            };
            found.push(Found {
                metadata: read_metadata(&document.metadata),
                id: document.id,
                text: document.text,
                distance: hit.distance,
                score: hit.score,
            });
        }
        Ok(found)
    }
}

fn hits(
    loaded: &Arc<Loaded>,
    wanted: &Wanted,
    condition: Option<&Condition>,
) -> Result<Vec<Hit>, CollectionError> {
    let accepted: Option<Vec<bool>> =
        condition.map(|condition| loaded.metadata.iter().map(|m| condition.holds(m)).collect());
    let accept = |place: usize| {
        accepted
            .as_ref()
            .is_none_or(|accepted| accepted.get(place).copied().unwrap_or(false))
    };
    let merged = wanted.vector.is_some() && wanted.words.is_some();
    let depth = match merged {
        true => (wanted.limit * DEPTH).max(LEAST_DEPTH),
        false => wanted.limit,
    };
    let near = match &wanted.vector {
        Some(vector) => {
            let few = accepted
                .as_ref()
                .is_some_and(|a| a.iter().filter(|yes| **yes).count() < FEW);
            let near = loaded.held().nearest(vector, depth, few, accept);
            near.map_err(|e| CollectionError::field("vector", e.to_string()))?
        }
        None => Vec::new(),
    };
    let scored = match (&wanted.words, loaded.words()) {
        (Some((text, min_word)), Some(words)) => words.find(text, depth, *min_word, accept),
        _ => Vec::new(),
    };
    if !merged {
        let near = near.into_iter().map(|near| Hit {
            place: near.place,
            distance: Some(near.distance),
            score: None,
        });
        let scored = scored.into_iter().map(|scored| Hit {
            place: scored.place,
            distance: None,
            score: Some(scored.score),
        });
        return Ok(near.chain(scored).collect());
    }
    let rankings = [
        near.iter().map(|n| n.place).collect(),
        scored.iter().map(|s| s.place).collect(),
    ];
    let merged = merge_ranks(&rankings, wanted.k).into_iter();
    let hits = merged.take(wanted.limit).map(|(place, score)| Hit {
        place,
        distance: near.iter().find(|n| n.place == place).map(|n| n.distance),
        score: Some(score),
    });
    Ok(hits.collect())
}
