//! The engine as its callers see it: conformance cases, guarantees, random graphs, cancellation.

mod cancel;
mod cases;
mod deadlocks;
mod fixtures;
mod guarantees;
mod loops;
mod order;
mod pause;
mod random;
mod resume;
