//! One interpreter: its memory, its stack, its watch, and how errors read.
//! It must not know scripts, expressions or messages.

use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Error, Exception, Object, Runtime, Value};

use super::super::wire::Fault;
use super::guard::Guard;

/// Stack of the interpreter; the process's own is larger than this, also in a debug build.
const STACK: usize = 1 << 20;
/// The name scripts have in stack traces.
pub(super) const FILE: &str = "script";
/// The longest error text.
const MAX_TEXT: usize = 4096;

/// An interpreter of its own: nothing is shared with another one.
///
/// Values kept outside must be declared before it in a struct, for it has to be dropped last.
pub(super) struct Engine {
    context: Context,
    runtime: Runtime,
    throws: bool,
    guard: Rc<Guard>,
}

impl Engine {
    pub(super) fn new(memory: u64, guard: &Rc<Guard>) -> Result<Self, Fault> {
        let runtime = Runtime::new().map_err(|_| Fault::Memory)?;
        runtime.set_max_stack_size(STACK);
        let context = Context::full(&runtime).map_err(|_| Fault::Memory)?;
        guard.watch(&runtime);
        let engine = Self {
            context,
            runtime,
            throws: false,
            guard: guard.clone(),
        };
        engine.allow_memory(memory);
        Ok(engine)
    }

    pub(super) fn allow_memory(&self, memory: u64) {
        self.runtime
            .set_memory_limit(usize::try_from(memory).unwrap_or(usize::MAX));
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Works inside the interpreter. An error is turned into the fault it stands for.
    pub(super) fn enter<T>(
        &self,
        work: impl FnOnce(&Ctx<'_>) -> Result<T, Thrown>,
    ) -> Result<T, Fault> {
        match self.context.with(|ctx| work(&ctx)) {
            Ok(value) => self.guard.fault().map_or(Ok(value), Err),
            Err(thrown) => Err(self.guard.fault().unwrap_or_else(|| self.explain(thrown))),
        }
    }

    /// The fault that something thrown stands for.
    pub(super) fn explain(&self, thrown: Thrown) -> Fault {
        match thrown {
            Thrown::Text(text) => Fault::Script(text),
            Thrown::Output => Fault::Output,
            Thrown::Memory => Fault::Memory,
            Thrown::Null if self.throws => {
                Fault::Script("The script threw null; running out of memory looks the same.".into())
            }
            Thrown::Null => Fault::Memory,
        }
    }

    /// Notes what is going to run. The interpreter throws null when there is no memory left for an error, and code that
    /// throws nothing itself cannot have meant it.
    pub(super) fn run_text(&mut self, code: &str) {
        self.throws = code.contains("throw") || code.contains("reject");
    }

    /// The bytes in use. Looks at every object.
    pub(super) fn used(&self) -> u64 {
        u64::try_from(self.runtime.memory_usage().malloc_size).unwrap_or(0)
    }
}

/// What came out of the interpreter instead of a value.
#[derive(Debug)]
pub(super) enum Thrown {
    Text(String),
    Null,
    Memory,
    Output,
}

impl Thrown {
    /// Takes the pending exception, if the error stands for one.
    pub(super) fn catch(ctx: &Ctx<'_>, error: &Error) -> Self {
        match error {
            Error::Exception => Self::from_value(ctx, ctx.catch()),
            Error::Allocation => Thrown::Memory,
            Error::InvalidString(_) => {
                Thrown::Text("SyntaxError: The script contains a NUL character.".into())
            }
            other => Thrown::Text(other.to_string()),
        }
    }

    /// The words for a thrown value.
    pub(super) fn from_value<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Self {
        if value.is_null() {
            return Thrown::Null;
        }
        let Some(error) = value.as_object().cloned().and_then(Exception::from_object) else {
            return Thrown::Text(clip(plain_text(ctx, value)));
        };
        let message = error.message().unwrap_or_default();
        let name = error
            .get::<_, String>("name")
            .unwrap_or_else(|_| "Error".into());
        forget(ctx);
        if name == "InternalError" && message == "out of memory" {
            return Thrown::Memory;
        }
        let line = error.stack().as_deref().and_then(line_of);
        forget(ctx);
        let mut text = if message.is_empty() {
            name
        } else {
            format!("{name}: {message}")
        };
        if let Some(line) = line {
            text.push_str(&format!(" (line {line})"));
        }
        Thrown::Text(clip(text))
    }
}

/// Shortens `rquickjs` results: the pending exception becomes a [`Thrown`].
pub(super) trait Caught<T> {
    fn caught(self, ctx: &Ctx<'_>) -> Result<T, Thrown>;
}

impl<T> Caught<T> for rquickjs::Result<T> {
    fn caught(self, ctx: &Ctx<'_>) -> Result<T, Thrown> {
        self.map_err(|error| Thrown::catch(ctx, &error))
    }
}

/// Evaluates own code, whose lines are nobody's business.
pub(super) fn own<'js, T: rquickjs::FromJs<'js>>(
    ctx: &Ctx<'js>,
    source: &str,
) -> rquickjs::Result<T> {
    let mut options = EvalOptions::default();
    options.filename = Some("prelude".into());
    ctx.eval_with_options(source, options)
}

/// How scripts are evaluated: loosely, as the global code of a file, with `await` or without.
pub(super) fn options(with_await: bool) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.promise = with_await;
    options.filename = Some(FILE.into());
    options
}

/// Drops what a getter of an error object may have thrown.
fn forget(ctx: &Ctx<'_>) {
    if ctx.has_exception() {
        drop(ctx.catch());
    }
}

/// Text for a thrown value that is no error.
fn plain_text<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> String {
    let json = || -> rquickjs::Result<String> {
        if value.is_object() {
            let json: Object = ctx.globals().get("JSON")?;
            let stringify: rquickjs::Function = json.get("stringify")?;
            return stringify.call((value.clone(),));
        }
        Ok(value.get::<rquickjs::Coerced<String>>()?.0)
    };
    json().unwrap_or_else(|_| {
        forget(ctx);
        format!("a thrown {}", value.type_name())
    })
}

/// The line in the script where an error came from: the first one of the stack trace that names the script.
fn line_of(stack: &str) -> Option<u32> {
    let at = stack.find(&format!("{FILE}:"))? + FILE.len() + 1;
    let digits: String = stack[at..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_taken_from_the_first_frame_in_the_script() {
        assert_eq!(
            line_of(
                "    at parse (native)\n    at <anonymous> (script:12:7)\n    at f (script:3:1)\n"
            ),
            Some(12)
        );
        assert_eq!(line_of("    at native\n"), None);
    }
}
