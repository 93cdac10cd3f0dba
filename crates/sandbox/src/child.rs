//! The child half: reads requests from its input, runs scripts, writes replies to its output, and can do nothing else.
//!
//! It must not know hosts, nodes or the pool. One thread, one turn at a time; every script has an interpreter of its own.

mod body;
mod confine;
mod convert;
mod engine;
mod expression;
mod guard;
mod link;
mod natives;
mod packages;
mod scan;
mod script;

use std::collections::HashMap;
use std::process::ExitCode;
use std::rc::Rc;

use self::expression::Expressions;
use self::guard::Guard;
use self::link::Link;
use self::script::Script;
use super::wire::{self, Fault, FrameError, Reply, Request};

/// Open scripts in one child; the parent spreads them, so this is far away.
const MAX_SCRIPTS: usize = 4096;

/// Runs the child process to its end: until its input is closed.
///
/// To be called by the hidden subcommand before anything else is set up: no runtime, no logging, no threads.
pub fn child_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(FrameError::Io(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ExitCode::SUCCESS
        }
        Err(FrameError::Io(_)) => ExitCode::from(2),
        Err(FrameError::TooLarge(_) | FrameError::Encode(_) | FrameError::Decode(_)) => {
            ExitCode::from(3)
        }
    }
}

fn serve() -> Result<(), FrameError> {
    let (mut input, link) = link::open()?;
    let link = Rc::new(link);
    let Request::Setup { data } = wire::read(&mut input)? else {
        return Err(FrameError::Io(std::io::ErrorKind::InvalidData.into()));
    };
    let guard = Rc::new(Guard::new(input.try_clone()?));
    link.send(&Reply::Ready(confine::apply(data)))?;
    let mut scripts: HashMap<u64, Script> = HashMap::new();
    let mut expressions = Expressions::new(guard.clone());
    loop {
        expressions.prepare();
        let reply = match wire::read(&mut input)? {
            Request::Setup { .. } | Request::Cancel => continue,
            Request::Close { session } => {
                scripts.remove(&session);
                continue;
            }
            Request::Evaluate {
                scope,
                expression,
                items,
                first,
                limits,
            } => {
                confine::allow_time(limits.millis);
                guard.start(limits.millis);
                match expressions.evaluate(scope, &expression, items, first, limits) {
                    Ok(results) => Reply::Evaluated(results),
                    Err(fault) => Reply::Failed(fault),
                }
            }
            Request::Open {
                session,
                code,
                packages,
                limits,
            } => {
                confine::allow_time(limits.millis);
                guard.start(limits.millis);
                if scripts.len() >= MAX_SCRIPTS {
                    Reply::Failed(Fault::Script(format!(
                        "There are already {MAX_SCRIPTS} scripts open."
                    )))
                } else {
                    match Script::open(&code, &packages, limits, &guard, &link) {
                        Ok(script) => {
                            scripts.insert(session, script);
                            Reply::Opened
                        }
                        Err(fault) => Reply::Failed(fault),
                    }
                }
            }
            Request::Call {
                session,
                inputs,
                limits,
            } => {
                confine::allow_time(limits.millis);
                guard.start(limits.millis);
                turn(&mut scripts, session, |script| script.call(inputs))
            }
            Request::Answer {
                session,
                answers,
                limits,
            } => {
                confine::allow_time(limits.millis);
                guard.start(limits.millis);
                turn(&mut scripts, session, |script| script.answer(answers))
            }
        };
        finish(&link, reply)?;
    }
}

/// One turn of a script. A script that was stopped midway is in no state to go on, so it is forgotten.
fn turn(
    scripts: &mut HashMap<u64, Script>,
    session: u64,
    work: impl FnOnce(&mut Script) -> Reply,
) -> Reply {
    let Some(script) = scripts.get_mut(&session) else {
        return Reply::Failed(Fault::Unknown);
    };
    let reply = work(script);
    if matches!(
        reply,
        Reply::Failed(Fault::Timeout | Fault::Cancelled | Fault::Memory | Fault::Stuck)
    ) {
        scripts.remove(&session);
    }
    reply
}

fn finish(link: &Link, reply: Reply) -> Result<(), FrameError> {
    match link.send(&reply) {
        Err(FrameError::TooLarge(_)) => link.send(&Reply::Failed(Fault::Output)),
        sent => sent,
    }
}
