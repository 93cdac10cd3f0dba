//! The loop dialect's own steps, with their forms, templates and conditions.
//!
//! A step is a small struct that implements [`FormStep`]: its form is bound before its code runs. It must not know the
//! engine, the store or the server. Source: orchestrator spec 2, 5, 7.4.

pub mod condition;
mod crossing;
pub mod form;
mod formed;
mod steps;
pub mod template;

use nodetool_sdk::steps::Steps;

pub use crossing::{dataflow, step_of, steps};
pub use formed::{Fields, FormStep, define};
pub use steps::{GOOGLE_API_BASE_URL, SECRETS};

/// Adds every step type of this crate.
pub fn register(types: &mut Steps) {
    steps::register(types);
}
