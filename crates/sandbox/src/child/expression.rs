//! Expressions over items inside the child.
//!
//! It must not know who asks. An expression of a scope keeps its interpreter for the next batch of that scope; one
//! without scope, and one of another scope, never meets what it left behind.

use std::collections::VecDeque;
use std::rc::Rc;

use nodetool_protocol::Value;
use rquickjs::{Ctx, Function, Persistent};

use super::super::wire::{Fault, Limits};
use super::convert::{self, Helpers, Reader};
use super::engine::{self, Caught, Engine, Thrown};
use super::guard::Guard;
use super::scan::{self, Kind};

/// Expressions kept ready.
const KEPT: usize = 32;
/// An interpreter that holds more than this after a batch is not kept.
const KEPT_BYTES: u64 = 4 << 20;
/// Memory of an interpreter before its limits are known.
const BLANK_BYTES: u64 = 16 << 20;

/// The expressions this child has ready.
pub(super) struct Expressions {
    guard: Rc<Guard>,
    blank: Option<Blank>,
    kept: VecDeque<Ready>,
}

/// An interpreter nothing has run in.
struct Blank {
    helpers: Helpers,
    engine: Engine,
}

/// A compiled expression. The engine comes last, for it has to be dropped last.
struct Ready {
    scope: u64,
    expression: String,
    function: Persistent<Function<'static>>,
    helpers: Helpers,
    engine: Engine,
}

impl Expressions {
    pub(super) fn new(guard: Rc<Guard>) -> Self {
        Self {
            guard,
            blank: None,
            kept: VecDeque::new(),
        }
    }

    /// Uses the time between two turns to make the next interpreter.
    pub(super) fn prepare(&mut self) {
        if self.blank.is_none() {
            self.guard.start(None);
            self.blank = Blank::new(&self.guard).ok();
        }
    }

    /// One result per item.
    pub(super) fn evaluate(
        &mut self,
        scope: u64,
        expression: &str,
        items: Vec<Value>,
        first: u64,
        limits: Limits,
    ) -> Result<Vec<Result<Value, String>>, Fault> {
        let ready = match self
            .kept
            .iter()
            .position(|ready| ready.is_for(scope, expression))
        {
            Some(at) => self.kept.remove(at).ok_or(Fault::Unknown)?,
            None => match self.compile(scope, expression, limits) {
                // What others keep is no reason to refuse: it can be made again.
                Err(Fault::Memory) if !self.kept.is_empty() => {
                    self.kept.clear();
                    self.compile(scope, expression, limits)?
                }
                made => made?,
            },
        };
        ready.engine.allow_memory(limits.memory);
        let results = ready.run(items, first, limits.output)?;
        if scope != 0 && ready.engine.used() <= KEPT_BYTES {
            if self.kept.len() >= KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(ready);
        }
        Ok(results)
    }

    fn compile(&mut self, scope: u64, expression: &str, limits: Limits) -> Result<Ready, Fault> {
        let tokens = scan::tokens(expression);
        let Some(last) = tokens.iter().rfind(|token| token.kind != Kind::Mark(b';')) else {
            return Err(Fault::Script("The expression is empty.".into()));
        };
        let text = &expression[..last.span.end];
        // Kept whole until it is needed: taken apart, its parts would end in the wrong order.
        let mut blank = match self.blank.take() {
            Some(blank) => blank,
            None => Blank::new(&self.guard)?,
        };
        blank.engine.allow_memory(limits.memory);
        blank.engine.run_text(text);
        let source = format!("(item, index) => ({text}\n)");
        let function = blank.engine.enter(|ctx| {
            let function: Function = ctx
                .eval_with_options(source, engine::options(false))
                .caught(ctx)?;
            Ok(Persistent::save(ctx, function))
        })?;
        let Blank { helpers, engine } = blank;
        Ok(Ready {
            scope,
            expression: expression.to_owned(),
            function,
            helpers,
            engine,
        })
    }
}

impl Blank {
    fn new(guard: &Rc<Guard>) -> Result<Self, Fault> {
        let engine = Engine::new(BLANK_BYTES, guard)?;
        Ok(Self {
            helpers: Helpers::load(&engine)?,
            engine,
        })
    }
}

impl Ready {
    fn is_for(&self, scope: u64, expression: &str) -> bool {
        scope != 0 && self.scope == scope && self.expression == expression
    }

    fn run(
        &self,
        items: Vec<Value>,
        first: u64,
        output: u64,
    ) -> Result<Vec<Result<Value, String>>, Fault> {
        self.engine.enter(|ctx| {
            let function = self.function.clone().restore(ctx).caught(ctx)?;
            let mut reader = self.helpers.reader(ctx, output)?;
            let mut results = Vec::with_capacity(items.len());
            for (index, item) in (first..).zip(items) {
                let result = match one(ctx, &function, &mut reader, &item, index) {
                    Ok(value) => Ok(value),
                    // Whatever it says, the turn has been stopped.
                    Err(thrown) if self.engine.guard().fault().is_some() => return Err(thrown),
                    Err(thrown) => match self.engine.explain(thrown) {
                        Fault::Script(text) => Err(text),
                        Fault::Output => return Err(Thrown::Output),
                        _ => return Err(Thrown::Memory),
                    },
                };
                results.push(result);
            }
            Ok(results)
        })
    }
}

fn one<'js>(
    ctx: &Ctx<'js>,
    function: &Function<'js>,
    reader: &mut Reader<'js>,
    item: &Value,
    index: u64,
) -> Result<Value, Thrown> {
    let item = convert::write(ctx, item).caught(ctx)?;
    let value = function.call((item, index as f64)).caught(ctx)?;
    reader.read(&value)
}
