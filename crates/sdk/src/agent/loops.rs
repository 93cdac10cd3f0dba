//! The loop: ask, take the answer, run the tools it wants, ask again.

use std::collections::HashSet;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::budgets::{Meter, bytes_of_all};
use super::tool_round::{self, Round};
use super::trim::{Window, trim};
use super::{AgentEvent, AgentFailure, AgentOutcome, BudgetStop, Budgets, Listener};
use super::{close_open_calls, history};
use crate::models::{
    Answer, ChatEvent, ChatMessage, ChatRequest, ModelError, ModelErrorKind, Models, Role,
};
use crate::tools::Tools;

/// An answer with more text than that is no answer.
const MOST_ANSWER_BYTES: usize = 32 << 20;

/// A model, tools and what they may take.
#[derive(Clone, Copy)]
pub struct Agent<'a> {
    /// The models.
    pub models: &'a dyn Models,
    /// What calls go to. Which tools the model is told of says the request.
    pub tools: &'a dyn Tools,
    /// What a run may take.
    pub budgets: &'a Budgets,
    /// How long a conversation may get while it runs; older turns are left out of requests beyond that.
    pub window: Option<Window<'a>>,
}

/// How a turn with the model ended.
enum Turn {
    Whole(Answer),
    OutOfTime(Answer),
}

impl<'a> Agent<'a> {
    /// An agent with the usual budgets' place taken by the given ones, and conversations of any length.
    pub fn new(models: &'a dyn Models, tools: &'a dyn Tools, budgets: &'a Budgets) -> Self {
        Agent {
            models,
            tools,
            budgets,
            window: None,
        }
    }

    /// Runs until the model wants no more tools, the listener has enough, or a budget is used up.
    ///
    /// The request names the model, the conversation so far and the tools the model is told of. Fails only when the
    /// model does not answer: whatever goes wrong with a tool is told to the model.
    pub async fn run(
        &self,
        mut request: ChatRequest,
        listener: &mut dyn Listener,
    ) -> Result<AgentOutcome, AgentFailure> {
        let mut meter = Meter::start(self.budgets);
        request.messages = close_open_calls(std::mem::take(&mut request.messages));
        let given = request.messages.len();
        let known: HashSet<String> = request.tools.iter().map(|t| t.name.clone()).collect();
        let mut files = Vec::new();
        let mut finish = None;
        let stopped = loop {
            if let Some(stop) = meter.used_up() {
                break Some(stop);
            }
            if meter.no_turn_left() {
                break Some(BudgetStop::Turns);
            }
            let asked = self.request_of(&request);
            let read = bytes_of_all(&asked.messages);
            let turn = match self.turn(asked, &meter, listener).await {
                Ok(turn) => turn,
                Err((error, partial)) => {
                    return Err(AgentFailure {
                        error,
                        messages: request.messages.split_off(given),
                        partial: partial.text,
                        usage: meter.usage,
                    });
                }
            };
            let (mut answer, in_time) = match turn {
                Turn::Whole(answer) => (answer, true),
                Turn::OutOfTime(answer) => (answer, false),
            };
            if !in_time {
                // Calls may be without their arguments.
                answer.tool_calls.clear();
            }
            meter.add(read, &answer);
            files.append(&mut answer.files);
            finish.clone_from(&answer.finish);
            name_calls(&mut answer, meter.turns);
            let usage = answer.usage;
            let message = std::mem::take(&mut answer).into_message();
            let calls = message.tool_calls.clone();
            if in_time || !message.parts.is_empty() {
                request.messages.push(message.clone());
                listener.on(AgentEvent::TurnEnded { message, usage }).await;
            }
            if !in_time {
                break Some(BudgetStop::Time);
            }
            if calls.is_empty() {
                break None;
            }
            let stop = meter.used_up();
            let round = Round {
                tools: self.tools,
                known: &known,
                budgets: self.budgets,
                tool_time: meter.tool_time(),
                deadline: meter.deadline(),
                most: if stop.is_some() {
                    0
                } else {
                    meter.calls_left()
                },
                refusal: stop.unwrap_or(BudgetStop::ToolCalls),
            };
            let ended = round.run(calls, listener).await;
            meter.tool_calls = meter.tool_calls.saturating_add(ended.called);
            request.messages.extend(ended.messages);
            if listener.enough() {
                break None;
            }
            if let Some(stop) = ended.stopped {
                break Some(stop);
            }
            // Being told to call a tool holds for the first turn, or the loop would never end.
            request.tool_choice = tool_round::choice_after(request.tool_choice.take());
        };
        if let Some(stop) = stopped {
            let message = ChatMessage::text(Role::Assistant, stop.text());
            request.messages.push(message.clone());
            let usage = None;
            listener.on(AgentEvent::TurnEnded { message, usage }).await;
        }
        let messages = request.messages.split_off(given);
        Ok(AgentOutcome {
            text: messages.last().map(last_words).unwrap_or_default(),
            messages,
            files,
            finish,
            usage: meter.usage,
            turns: meter.turns,
            tool_calls: meter.tool_calls,
            stopped,
        })
    }

    /// The request of the next turn, within the window.
    fn request_of(&self, request: &ChatRequest) -> ChatRequest {
        let mut asked = request.clone();
        if let Some(window) = self.window {
            let messages = trim(asked.messages, window.tokens, window.count);
            asked.messages = history::close_open_calls(messages);
        }
        asked
    }

    /// One turn with the model, told as it comes.
    async fn turn(
        &self,
        request: ChatRequest,
        meter: &Meter<'_>,
        listener: &mut dyn Listener,
    ) -> Result<Turn, (ModelError, Answer)> {
        let mut answer = Answer::default();
        let asked = before(meter.deadline(), self.models.chat(request)).await;
        let mut stream = match asked {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => return Err((error, answer)),
            None => return Ok(Turn::OutOfTime(answer)),
        };
        let mut bytes = 0usize;
        loop {
            let event = match before(meter.deadline(), stream.next()).await {
                None => return Ok(Turn::OutOfTime(answer)),
                Some(None) => return Ok(Turn::Whole(answer)),
                Some(Some(Err(error))) => return Err((error, answer)),
                Some(Some(Ok(event))) => event,
            };
            let told = match &event {
                ChatEvent::Text(piece) => Some(AgentEvent::Text(piece.clone())),
                ChatEvent::Reasoning(piece) => Some(AgentEvent::Reasoning(piece.clone())),
                ChatEvent::File(file) => Some(AgentEvent::File(file.clone())),
                _ => None,
            };
            bytes = bytes.saturating_add(size_of(&event));
            if bytes > MOST_ANSWER_BYTES {
                let message = format!("the answer has more than {MOST_ANSWER_BYTES} bytes");
                let error = ModelError::new(ModelErrorKind::Protocol, "", message);
                return Err((error, answer));
            }
            answer.add(event);
            if let Some(told) = told {
                listener.on(told).await;
            }
        }
    }
}

/// The future's result, or nothing when the time is over first.
async fn before<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(at) => timeout_at(at, future).await.ok(),
        None => Some(future.await),
    }
}

fn size_of(event: &ChatEvent) -> usize {
    match event {
        ChatEvent::Text(t) | ChatEvent::Reasoning(t) | ChatEvent::ReasoningSignature(t) => t.len(),
        ChatEvent::ToolArguments { text, .. } => text.len(),
        // A name and an id; calls are bounded, too.
        ChatEvent::ToolCall { .. } => 256,
        _ => 16,
    }
}

/// Gives calls without an id, or with the id of another call, one of their own.
fn name_calls(answer: &mut Answer, turn: u32) {
    let mut taken = HashSet::new();
    for (i, call) in answer.tool_calls.iter_mut().enumerate() {
        if call.id.is_empty() || !taken.insert(call.id.clone()) {
            call.id = format!("call_{turn}_{i}");
            taken.insert(call.id.clone());
        }
    }
}

fn last_words(message: &ChatMessage) -> String {
    match message.role {
        Role::Assistant => message.plain_text(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
