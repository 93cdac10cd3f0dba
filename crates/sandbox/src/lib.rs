//! Scripts: JavaScript of nodes, run by an interpreter in confined child processes of this same binary.
//!
//! The parent half ([`SandboxPool`], [`Session`], [`Expression`]) starts children, hands them work and answers their
//! host calls; the child half ([`child_main`]) holds the interpreter and has no files, no network and no environment.
//! It must not know nodes, graphs or runs: it maps values and text to values. Nothing a child says is trusted: frames
//! are bounded in size and depth, time is kept here, and a child that misbehaves is killed and replaced.

mod child;
mod error;
mod expression;
mod pool;
mod seat;
mod session;
mod wire;

pub use child::child_main;
pub use error::SandboxError;
pub use expression::{Expression, truthy};
pub use pool::{PoolOptions, SandboxPool};
pub use session::{CallLimits, CallResult, Host, Session};
pub use wire::Confinement;
