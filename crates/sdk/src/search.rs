//! Finding documents in memory: by nearness of vectors, by words, and by what their metadata must be.
//!
//! All of it is plain code over plain values, so that nodes and the server share it. It must not know where documents
//! are stored, nor which model made their vectors.

mod clusters;
mod condition;
pub mod hashed;
mod ranks;
mod vectors;
mod words;

pub use clusters::Clusters;
pub use condition::{BadCondition, Condition};
pub use ranks::{DEFAULT_RANK_K, merge_ranks};
pub use vectors::{Near, Vectors, WrongLength, squared_distance};
pub use words::{Scored, WordIndex, words_of};
