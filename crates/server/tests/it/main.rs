//! Tests of the whole program: every part in its place, nothing replaced.

mod cases;
mod cli;
mod examples;
mod fuzzed;
mod wire;
