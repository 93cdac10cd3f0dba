//! What every test of the engine stands on: graphs in a few lines, small nodes, runs as the server makes them.
//!
//! It must not know the built-in nodes: a defect there must not look like one of the engine.

mod controllers;
mod endings;
mod graph;
mod journal;
mod nodes;
mod runs;
mod streams;

pub(crate) use controllers::*;
pub(crate) use endings::*;
pub(crate) use graph::Flow;
pub(crate) use journal::{Diary, Told, attempt, resume};
pub(crate) use nodes::*;
pub(crate) use runs::{
    Live, Ran, context, ints, on_both_runtimes, options, run, run_with, runtime, start, start_in,
};
pub(crate) use streams::*;
