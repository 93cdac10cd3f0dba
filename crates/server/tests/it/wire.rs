//! The HTTP surface of a server that really runs: one process and one data folder for each test.

mod bodies;
mod client;
mod costs;
mod crowds;
mod files;
mod front;
mod garbage;
pub(crate) mod graphs;
mod hostile;
mod jobs;
mod lifecycle;
mod lists;
mod local;
mod machine;
mod packages;
mod routes;
mod runs;
pub(crate) mod server;
mod settings;
mod snapshots;
mod streams;
mod threads;
mod workflows;
mod workspaces;
