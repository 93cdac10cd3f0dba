//! A script with its `state`: opened once, called for each set of inputs, its host calls answered here.
//!
//! It must not know nodes; what a host call does is the [`Host`]'s affair.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use nodetool_protocol::{Map, Value};
use tokio::time::{Instant, sleep};

use super::error::SandboxError;
use super::pool::{ATTEMPTS, SandboxPool};
use super::seat::{Event, Gone, Replies, Seat};
use super::wire::{self, Fault, MAX_CODE, MAX_FRAME, MAX_OPEN_CALLS, Reply, Request, YIELD};

/// What the world outside offers a script.
///
/// | name | arguments | answer |
/// |---|---|---|
/// | `fetch` | url, `{method, headers, body}` (body null, text or bytes) | `{status, status_text, url, headers, body}` (body text or bytes) |
/// | `workspace.read` | path | text or bytes |
/// | `workspace.write` | path, text or bytes | anything |
/// | `workspace.list` | path or null | list |
/// | `getSecret` | name | text or null |
/// | `sleep` | milliseconds | null, when they are over |
/// | `log` | level, line | not looked at |
///
/// Arguments come from the script and are checked by nobody before. Any other name deserves an error.
pub trait Host: Send + Sync {
    /// Answers one call; an error text is thrown inside the script.
    fn call<'a>(
        &'a self,
        name: &'a str,
        args: Vec<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;
}

/// What one call of a script may use up.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// Time of one call, its host calls included; zero for no limit. Waiting for a free child, and for whoever takes
    /// what the script yields, does not count.
    pub timeout: Duration,
    /// Interpreter memory in bytes; the pool's own limit holds too.
    pub memory: u64,
    /// Bytes of one value that leaves the script.
    pub max_output_bytes: u64,
}

/// What a script gave: by `return`, by its last expression, or by one `yield`.
#[derive(Debug, Clone, PartialEq)]
pub enum CallResult {
    /// null, undefined or no value at all.
    Nothing,
    /// A plain object: one output per key.
    Outputs(Map),
    /// Any other value.
    Value(Value),
}

impl From<Value> for CallResult {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => CallResult::Nothing,
            Value::Map(map) => CallResult::Outputs(Arc::unwrap_or_clone(map)),
            other => CallResult::Value(other),
        }
    }
}

/// An open script. Dropping it forgets its `state`; dropping a call under way ends the script.
#[derive(Debug)]
pub struct Session {
    pool: SandboxPool,
    code: String,
    packages: Vec<String>,
    limits: CallLimits,
    place: Place,
    calls: u64,
    ended: Option<String>,
}

/// Where a script lives: its child, and its number there.
#[derive(Debug)]
struct Place {
    seat: Arc<Seat>,
    session: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.seat.close(self.session);
        self.seat.tally.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    pub(super) async fn open(
        pool: SandboxPool,
        code: String,
        packages: Vec<String>,
        limits: CallLimits,
    ) -> Result<Self, SandboxError> {
        if code.len() > MAX_CODE {
            return Err(SandboxError::Input(format!(
                "The script is longer than {MAX_CODE} bytes."
            )));
        }
        let place = settle(&pool, &code, &packages, &limits).await?;
        Ok(Self {
            pool,
            code,
            packages,
            limits,
            place,
            calls: 0,
            ended: None,
        })
    }

    /// Runs the body once. What it yields goes to `on_yield` in order, and the script waits while that is taken in.
    pub async fn call<Taken>(
        &mut self,
        inputs: Map,
        host: &dyn Host,
        on_yield: impl FnMut(CallResult) -> Taken,
    ) -> Result<CallResult, SandboxError>
    where
        Taken: Future<Output = ()>,
    {
        if let Some(reason) = &self.ended {
            return Err(SandboxError::Ended(reason.clone()));
        }
        let inputs = Value::from(inputs);
        let weight = wire::weigh(&inputs).map_err(SandboxError::Input)?;
        if weight > MAX_FRAME - 1024 {
            let text =
                format!("The inputs have {weight} bytes; a script takes {MAX_FRAME} at most.");
            return Err(SandboxError::Input(text));
        }
        if self.place.seat.has_ended() && self.calls == 0 {
            self.place = settle(&self.pool, &self.code, &self.packages, &self.limits).await?;
        }
        self.calls += 1;
        // Stays when this future is dropped before its end.
        self.ended = Some("it was cancelled.".into());
        let result = self.run(inputs, host, on_yield).await;
        self.ended = match &result {
            Ok(_)
            | Err(SandboxError::Script(_) | SandboxError::Output { .. } | SandboxError::Input(_)) => {
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if self.ended.is_some() {
            self.place.seat.close(self.place.session);
        }
        result
    }

    async fn run<Taken>(
        &self,
        inputs: Value,
        host: &dyn Host,
        mut on_yield: impl FnMut(CallResult) -> Taken,
    ) -> Result<CallResult, SandboxError>
    where
        Taken: Future<Output = ()>,
    {
        let session = self.place.session;
        let mut clock = Clock::new(self.limits.timeout);
        let mut open = FuturesUnordered::new();
        let mut yielded = VecDeque::new();
        let mut answers = Vec::new();
        let limits = self.pool.limits(
            clock.left(),
            self.limits.memory,
            self.limits.max_output_bytes,
        );
        let mut request = Request::Call {
            session,
            inputs,
            limits,
        };
        loop {
            let mut replies = self.turn(&request, clock.left())?;
            let end = loop {
                tokio::select! {
                    event = replies.next() => match event {
                        Event::Reply(Reply::HostCall { .. }) if open.len() + yielded.len() >= MAX_OPEN_CALLS => {
                            return Err(nonsense());
                        }
                        Event::Reply(Reply::HostCall { id, name, args }) if name == YIELD => {
                            yielded.push_back((id, args.into_iter().next().unwrap_or_default()));
                        }
                        Event::Reply(Reply::HostCall { id, name, args }) => {
                            open.push(async move { (id, host.call(&name, args).await) });
                        }
                        Event::Reply(Reply::Log { level, text }) => {
                            let _ = host.call("log", vec![level.into(), text.into()]).await;
                        }
                        Event::Reply(_) => return Err(nonsense()),
                        Event::End(reply, took) => {
                            clock.spend(took);
                            break reply;
                        }
                        Event::Gone(gone) => return Err(self.lost(Some(&gone))),
                    },
                    Some(answer) = open.next(), if !open.is_empty() => answers.push(answer),
                }
            };
            drop(replies);
            match end {
                Reply::Finished(value) => return Ok(value.into()),
                Reply::Failed(fault) => return Err(self.explain(fault)),
                Reply::Waiting => {}
                Reply::Ready(_)
                | Reply::Evaluated(_)
                | Reply::Opened
                | Reply::HostCall { .. }
                | Reply::Log { .. } => {
                    return Err(nonsense());
                }
            }
            if clock.is_over() {
                return Err(SandboxError::Timeout(self.limits.timeout));
            }
            if let Some((id, value)) = yielded.pop_front() {
                on_yield(value.into()).await;
                answers.push((id, Ok(Value::Null)));
            }
            if answers.is_empty() {
                let began = Instant::now();
                tokio::select! {
                    answer = open.next() => answers.push(answer.ok_or(SandboxError::Stuck)?),
                    () = clock.ring() => return Err(SandboxError::Timeout(self.limits.timeout)),
                    () = self.place.seat.end() => return Err(self.lost(None)),
                }
                clock.spend(began.elapsed());
            }
            let limits = self.pool.limits(
                clock.left(),
                self.limits.memory,
                self.limits.max_output_bytes,
            );
            request = Request::Answer {
                session,
                answers: sendable(std::mem::take(&mut answers)),
                limits,
            };
        }
    }

    fn turn(&self, request: &Request, limit: Option<Duration>) -> Result<Replies, SandboxError> {
        let frame =
            wire::encode(request).map_err(|error| SandboxError::Input(error.to_string()))?;
        self.pool.again(&self.place.seat)?;
        Ok(self.place.seat.turn(frame.into(), limit))
    }

    /// The error for a process that is gone; within a turn it is known whether this script was at fault.
    fn lost(&self, gone: Option<&Gone>) -> SandboxError {
        match gone {
            _ if self.pool.is_closed() => SandboxError::Closed,
            Some(gone) if gone.overtime && gone.begun => SandboxError::Timeout(self.limits.timeout),
            Some(gone) if gone.begun => SandboxError::Died(gone.reason.to_string()),
            _ => SandboxError::Lost(self.place.seat.ending().to_string()),
        }
    }

    fn explain(&self, fault: Fault) -> SandboxError {
        explain(fault, &self.limits, self.pool.options().memory_bytes)
    }
}

/// Opens a script on some child.
async fn settle(
    pool: &SandboxPool,
    code: &str,
    packages: &[String],
    limits: &CallLimits,
) -> Result<Place, SandboxError> {
    let clock = Clock::new(limits.timeout);
    for _ in 0..ATTEMPTS {
        let session = pool.next_id();
        let request = Request::Open {
            session,
            code: code.to_owned(),
            packages: packages.to_vec(),
            limits: pool.limits(clock.left(), limits.memory, limits.max_output_bytes),
        };
        let frame =
            wire::encode(&request).map_err(|error| SandboxError::Input(error.to_string()))?;
        let place = Place {
            seat: pool.seat_for_session()?,
            session,
        };
        let mut replies = place.seat.turn(frame.into(), clock.left());
        let end = loop {
            match replies.next().await {
                Event::Reply(_) => {}
                Event::End(reply, _) => break Ok(reply),
                Event::Gone(gone) => break Err(gone),
            }
        };
        match end {
            Ok(Reply::Opened) => return Ok(place),
            Ok(Reply::Failed(fault)) => {
                return Err(explain(fault, limits, pool.options().memory_bytes));
            }
            Ok(_) => return Err(nonsense()),
            Err(gone) if gone.overtime => return Err(SandboxError::Timeout(limits.timeout)),
            Err(gone) if gone.begun => return Err(SandboxError::Died(gone.reason.to_string())),
            Err(_) => {}
        }
    }
    Err(SandboxError::Died(
        "it ended before the script began, again and again".into(),
    ))
}

fn explain(fault: Fault, limits: &CallLimits, most_memory: u64) -> SandboxError {
    match fault {
        Fault::Script(text) => SandboxError::Script(text),
        Fault::Timeout => SandboxError::Timeout(limits.timeout),
        Fault::Memory => SandboxError::Memory {
            limit: limits.memory.min(most_memory),
        },
        Fault::Output => SandboxError::Output {
            limit: limits.max_output_bytes,
        },
        Fault::Stuck => SandboxError::Stuck,
        Fault::Cancelled => SandboxError::Ended("it was cancelled.".into()),
        Fault::Unknown => SandboxError::Lost("it no longer knows the script".into()),
    }
}

fn nonsense() -> SandboxError {
    SandboxError::Died("it gave an answer to another question".into())
}

/// Answers a child can take: what is too deep or too large becomes an error inside the script.
fn sendable(answers: Vec<(u32, Result<Value, String>)>) -> Vec<(u32, Result<Value, String>)> {
    let mut room = MAX_FRAME - (1 << 20);
    let check = |(id, answer): (u32, Result<Value, String>)| {
        let answer = answer.and_then(|value| {
            let weight = wire::weigh(&value)?;
            room = room
                .checked_sub(weight)
                .ok_or_else(|| format!("The answer has {weight} bytes, which is too much."))?;
            Ok(value)
        });
        (id, answer)
    };
    answers.into_iter().map(check).collect()
}

/// The time a call has left.
struct Clock {
    left: Option<Duration>,
}

impl Clock {
    fn new(limit: Duration) -> Self {
        Self {
            left: (!limit.is_zero()).then_some(limit),
        }
    }

    fn left(&self) -> Option<Duration> {
        self.left
    }

    fn is_over(&self) -> bool {
        self.left.is_some_and(|left| left.is_zero())
    }

    /// Waits until the time is over; forever when there is no limit.
    async fn ring(&self) {
        match self.left {
            Some(left) => sleep(left).await,
            None => std::future::pending().await,
        }
    }

    fn spend(&mut self, time: Duration) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(time);
        }
    }
}
