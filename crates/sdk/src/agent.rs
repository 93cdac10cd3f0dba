//! The one agent loop: a model, tools, and budgets. Chat, agent nodes and agent mode use it.
//!
//! It knows [`Models`](crate::models::Models) and [`Tools`](crate::tools::Tools) only: no provider, no thread, no
//! socket. Whoever drops the future of a run ends it: the request to the model and all tools at work.
//!
//! * [`Agent::run`] asks the model, runs the tools it wants, and asks again until it is done or a budget is used up;
//! * [`structured`] has a model answer in JSON that fits a schema;
//! * [`trim`] and [`close_open_calls`] make a stored conversation fit for a request;
//! * [`plan`] splits an objective into steps and runs those.

mod answer;
mod budgets;
mod event;
mod history;
mod json_text;
mod loops;
pub mod plan;
mod result_text;
mod schema;
mod structured;
mod tool_round;
mod trim;

pub use answer::{AgentFailure, AgentOutcome};
pub use budgets::{BudgetStop, Budgets};
pub use event::{AgentEvent, Listener, Nobody};
pub use history::close_open_calls;
pub use json_text::json_in;
pub use loops::Agent;
pub use result_text::result_text;
pub use schema::Schema;
pub use structured::{Structured, StructuredError, structured};
pub use trim::{Window, count_message, count_tools, count_words, trim};
