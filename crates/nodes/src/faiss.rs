//! `vector.faiss`: vectors in memory, searched one by one.
//!
//! An index travels between nodes as its vectors and ids; adding to one gives a new one. Searches are exact, also in an
//! inverted-file index: its lists would only save time.

use nodetool_sdk::Registry;

mod create;
mod fill;
mod index;
mod search;

pub(crate) fn register(r: &mut Registry) {
    r.add::<create::CreateIndexFlatL2>();
    r.add::<create::CreateIndexFlatIP>();
    r.add::<create::CreateIndexIVFFlat>();
    r.add::<fill::TrainIndex>();
    r.add::<fill::AddVectors>();
    r.add::<fill::AddWithIds>();
    r.add::<search::Search>();
}
