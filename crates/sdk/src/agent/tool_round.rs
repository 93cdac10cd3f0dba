//! The tools one answer wants called: at work at once, answered in the order of the calls.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nodetool_protocol::{Map, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::result_text::{error_text, result_text};
use super::{AgentEvent, BudgetStop, Budgets, Listener};
use crate::models::{ChatMessage, ToolCall, ToolChoice, read_arguments};
use crate::tools::Tools;

/// Calls of one answer beyond these are refused.
const MOST_CALLS: usize = 128;

/// What the calls of one answer are run with.
pub(super) struct Round<'a> {
    pub(super) tools: &'a dyn Tools,
    pub(super) known: &'a HashSet<String>,
    pub(super) budgets: &'a Budgets,
    pub(super) tool_time: Duration,
    pub(super) deadline: Option<Instant>,
    /// How many calls may be run.
    pub(super) most: usize,
    /// Why the others may not.
    pub(super) refusal: BudgetStop,
}

/// What came of it.
pub(super) struct Ended {
    /// An answer for each call, in their order.
    pub(super) messages: Vec<ChatMessage>,
    /// How many calls were run.
    pub(super) called: u32,
    /// The budget that kept calls from being run to their end.
    pub(super) stopped: Option<BudgetStop>,
}

type Given = Result<Value, String>;

impl Round<'_> {
    /// Runs the calls. Every call gets its answer.
    pub(super) async fn run(&self, calls: Vec<ToolCall>, listener: &mut dyn Listener) -> Ended {
        let calls: Vec<Arc<ToolCall>> = calls.into_iter().map(Arc::new).collect();
        let mut answers: Vec<Option<ChatMessage>> = vec![None; calls.len()];
        let mut waiting = Vec::new();
        let mut stopped = None;
        let mut called = 0;
        for (at, call) in calls.iter().enumerate() {
            match self.readable(call) {
                Err(fault) => answers[at] = Some(self.answer(call, &Err(fault))),
                Ok(_) if at >= MOST_CALLS => {
                    let fault = format!("not run: more than {MOST_CALLS} calls in one turn");
                    answers[at] = Some(self.answer(call, &Err(fault)));
                }
                Ok(_) if waiting.len() >= self.most => {
                    stopped = Some(self.refusal);
                    let fault = format!("not run. {}", self.refusal.text());
                    answers[at] = Some(self.answer(call, &Err(fault)));
                }
                Ok(arguments) => waiting.push((at, arguments)),
            }
        }
        let mut waiting = waiting.into_iter();
        let mut at_work = FuturesUnordered::new();
        let mut told = 0;
        loop {
            while at_work.len() < self.budgets.parallel.max(1)
                && let Some((at, arguments)) = waiting.next()
            {
                called += 1;
                let call = &calls[at];
                let note = self.tools.describe(&call.name, &arguments);
                let event = AgentEvent::ToolStarted {
                    call: ToolCall::clone(call),
                    note,
                };
                listener.on(event).await;
                at_work.push(self.call(at, call.clone(), arguments));
            }
            told = tell(&answers, told, listener).await;
            let Some((at, result, in_time)) = at_work.next().await else {
                break;
            };
            if !in_time {
                stopped = Some(BudgetStop::Time);
            }
            answers[at] = Some(self.answer(&calls[at], &result));
            let call = ToolCall::clone(&calls[at]);
            listener.on(AgentEvent::ToolEnded { call, result }).await;
        }
        Ended {
            messages: answers.into_iter().flatten().collect(),
            called,
            stopped,
        }
    }

    /// The arguments, or what is wrong with the call.
    fn readable(&self, call: &ToolCall) -> Result<Map, String> {
        if !self.known.contains(&call.name) {
            let name: String = call.name.chars().take(80).collect();
            return Err(format!("Unknown tool: {name}"));
        }
        read_arguments(&call.arguments)
    }

    async fn call(&self, at: usize, call: Arc<ToolCall>, arguments: Map) -> (usize, Given, bool) {
        let work = timeout(self.tool_time, self.tools.call(&call.name, arguments));
        let ended = match self.deadline {
            Some(deadline) => timeout_at(deadline, work).await,
            None => Ok(work.await),
        };
        match ended {
            Ok(Ok(result)) => (at, result, true),
            Ok(Err(_)) => {
                let seconds = self.tool_time.as_secs_f64();
                let fault = format!("the tool gave no answer within {seconds} seconds");
                (at, Err(fault), true)
            }
            Err(_) => (at, Err(BudgetStop::Time.text().to_owned()), false),
        }
    }

    fn answer(&self, call: &ToolCall, result: &Given) -> ChatMessage {
        let most = self.budgets.result_chars;
        let text = match result {
            Ok(value) => result_text(value, most),
            Err(fault) => error_text(fault, most),
        };
        ChatMessage::tool(call, text)
    }
}

/// Tells the answers that are complete up to the first that is not; gives how many were told.
async fn tell(
    answers: &[Option<ChatMessage>],
    mut told: usize,
    listener: &mut dyn Listener,
) -> usize {
    while let Some(Some(answer)) = answers.get(told) {
        told += 1;
        listener.on(AgentEvent::ToolAnswered(answer.clone())).await;
    }
    told
}

/// What may be demanded of the turn after one that had to call tools.
pub(super) fn choice_after(choice: Option<ToolChoice>) -> Option<ToolChoice> {
    match choice {
        Some(ToolChoice::Required | ToolChoice::Named(_)) => Some(ToolChoice::Auto),
        other => other,
    }
}
