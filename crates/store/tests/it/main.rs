//! The store seen from outside: one contract for every database, and what only files on disk can show.

mod blobs;
mod concurrency;
mod contract;
mod durability;
mod inspect;
mod limits;
mod migrations;
mod pagination;
mod payloads;
mod samples;
