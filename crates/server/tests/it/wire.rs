//! The HTTP surface of a server that really runs: one process and one data folder for each test.

mod bodies;
mod client;
mod crowds;
mod events;
mod front;
mod garbage;
pub(crate) mod graphs;
mod hostile;
mod jobs;
mod lifecycle;
mod lists;
mod routes;
mod runs;
pub(crate) mod server;
mod snapshots;
mod streams;
mod workflows;
