//! What a run of an agent may take, and what it took so far.

use std::time::Duration;

use tokio::time::Instant;

use crate::models::{Answer, ChatMessage, Part, Usage};

/// What a run of an agent may take. `None` is no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Budgets {
    /// Requests to the model.
    pub turns: u32,
    /// Tokens of all requests, read and written. Where a provider does not count, four bytes of text are one.
    pub tokens: Option<u64>,
    /// US dollars, as far as providers say what they cost.
    pub cost_usd: Option<f64>,
    /// Seconds of the whole run.
    pub seconds: Option<f64>,
    /// Calls of tools in all.
    pub tool_calls: Option<u32>,
    /// Seconds of one tool call.
    pub tool_seconds: f64,
    /// Tool calls at work at once.
    pub parallel: usize,
    /// Characters of a tool's result the model is shown.
    pub result_chars: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Budgets {
            turns: 25,
            tokens: None,
            cost_usd: None,
            seconds: None,
            tool_calls: None,
            tool_seconds: 300.0,
            parallel: 8,
            result_chars: 20_000,
        }
    }
}

/// Which budget ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetStop {
    /// The requests to the model.
    Turns,
    /// The tokens.
    Tokens,
    /// The money.
    Cost,
    /// The time.
    Time,
    /// The tool calls.
    ToolCalls,
}

impl BudgetStop {
    /// What the person is told; starts with `Stopped:`.
    pub fn text(self) -> &'static str {
        match self {
            BudgetStop::Turns => "Stopped: maximum tool rounds reached",
            BudgetStop::Tokens => "Stopped: token budget reached",
            BudgetStop::Cost => "Stopped: cost budget reached",
            BudgetStop::Time => "Stopped: time budget reached",
            BudgetStop::ToolCalls => "Stopped: maximum tool calls reached",
        }
    }
}

/// What a run took so far, next to what it may take.
pub(super) struct Meter<'a> {
    budgets: &'a Budgets,
    deadline: Option<Instant>,
    pub(super) turns: u32,
    pub(super) tool_calls: u32,
    pub(super) usage: Usage,
}

impl<'a> Meter<'a> {
    pub(super) fn start(budgets: &'a Budgets) -> Self {
        let deadline = budgets.seconds.map(|s| Instant::now() + span(s));
        Meter {
            budgets,
            deadline,
            turns: 0,
            tool_calls: 0,
            usage: Usage::default(),
        }
    }

    /// When the time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long one tool may take.
    pub(super) fn tool_time(&self) -> Duration {
        span(self.budgets.tool_seconds)
    }

    /// Counts a turn whose request had so many bytes.
    pub(super) fn add(&mut self, read: usize, answer: &Answer) {
        self.turns = self.turns.saturating_add(1);
        let usage = answer.usage.unwrap_or_else(|| estimate(read, answer));
        let sum = &mut self.usage;
        sum.input = sum.input.saturating_add(usage.input);
        sum.output = sum.output.saturating_add(usage.output);
        sum.cached = sum.cached.saturating_add(usage.cached);
        sum.reasoning = sum.reasoning.saturating_add(usage.reasoning);
        if let Some(cost) = usage.cost {
            *sum.cost.get_or_insert(0.0) += cost;
        }
    }

    /// Which budget forbids to go on with the answer's tools.
    pub(super) fn used_up(&self) -> Option<BudgetStop> {
        let b = self.budgets;
        if b.tokens
            .is_some_and(|most| self.usage.input.saturating_add(self.usage.output) >= most)
        {
            return Some(BudgetStop::Tokens);
        }
        if b.cost_usd
            .is_some_and(|most| self.usage.cost.unwrap_or(0.0) >= most)
        {
            return Some(BudgetStop::Cost);
        }
        if self.deadline.is_some_and(|at| Instant::now() >= at) {
            return Some(BudgetStop::Time);
        }
        None
    }

    /// Whether no further request may be made.
    pub(super) fn no_turn_left(&self) -> bool {
        self.turns >= self.budgets.turns
    }

    /// How many more tools may be called.
    pub(super) fn calls_left(&self) -> usize {
        match self.budgets.tool_calls {
            Some(most) => most.saturating_sub(self.tool_calls) as usize,
            None => usize::MAX,
        }
    }
}

/// Seconds from outside as a time span: at least nothing, at most a year.
fn span(seconds: f64) -> Duration {
    const YEAR: f64 = 365.0 * 86_400.0;
    if seconds.is_nan() {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(seconds.clamp(0.0, YEAR))
}

/// Tokens of a turn whose provider does not count.
fn estimate(read: usize, answer: &Answer) -> Usage {
    let calls = answer.tool_calls.iter().map(|c| c.arguments.len());
    let reasoning = answer.reasoning.len();
    let written = answer.text.len() + reasoning + calls.sum::<usize>();
    Usage {
        input: (read / 4) as u64,
        output: written.div_ceil(4) as u64,
        cached: 0,
        reasoning: (reasoning / 4) as u64,
        cost: None,
    }
}

/// Bytes of a request, for the estimate.
pub(super) fn bytes_of_all(messages: &[ChatMessage]) -> usize {
    messages.iter().map(bytes_of).sum()
}

fn bytes_of(message: &ChatMessage) -> usize {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) | Part::Thought { text, .. } => text.len(),
        Part::Image(_) => 4_000,
        Part::Audio(_) | Part::Video(_) | Part::Document(_) => 0,
    });
    let calls = message.tool_calls.iter().map(|c| c.arguments.len());
    parts.sum::<usize>() + calls.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Role;

    #[test]
    fn a_turn_whose_provider_does_not_count_is_estimated() {
        let budgets = Budgets {
            tokens: Some(30),
            ..Budgets::default()
        };
        let mut meter = Meter::start(&budgets);
        let asked = [ChatMessage::text(Role::User, "x".repeat(80))];
        let answer = Answer {
            text: "y".repeat(40),
            ..Answer::default()
        };
        assert_eq!(meter.used_up(), None);
        meter.add(bytes_of_all(&asked), &answer);
        assert_eq!((meter.usage.input, meter.usage.output), (20, 10));
        assert_eq!(meter.used_up(), Some(BudgetStop::Tokens));
    }

    #[test]
    fn costs_add_up_where_providers_name_them() {
        let budgets = Budgets {
            cost_usd: Some(0.5),
            ..Budgets::default()
        };
        let mut meter = Meter::start(&budgets);
        let costing = |cost| Answer {
            usage: Some(Usage {
                cost,
                ..Usage::default()
            }),
            ..Answer::default()
        };
        meter.add(0, &costing(None));
        meter.add(0, &costing(Some(0.25)));
        assert_eq!(meter.used_up(), None);
        meter.add(0, &costing(Some(0.25)));
        assert_eq!(meter.used_up(), Some(BudgetStop::Cost));
        assert_eq!(meter.usage.cost, Some(0.5));
    }

    #[test]
    fn times_that_are_no_times_are_taken_for_none_or_a_year() {
        assert_eq!(span(f64::NAN), Duration::ZERO);
        assert_eq!(span(-3.0), Duration::ZERO);
        assert_eq!(span(f64::INFINITY), Duration::from_secs(365 * 86_400));
    }
}
