//! The sockets of a server that really runs (socket spec 1 to 8, conformance rows 1 to 51, 55, 58 to 60).

mod chat;
mod client;
mod doors;
mod downloads;
mod envelope;
mod hostile;
mod jobs;
mod lookups;
mod news;
mod queue;
mod reconnect;
mod secrets;
mod terminal;

pub(super) use client::{Socket, opened};
