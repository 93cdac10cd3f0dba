//! One script inside the child: its interpreter with `state`, the call under way, and the host calls it waits for.
//!
//! It must not know what host calls do. A call goes on until it is done or can only wait for answers.

use std::rc::Rc;

use nodetool_protocol::Value;
use rquickjs::promise::PromiseState;
use rquickjs::{Ctx, Function, Object, Persistent, Promise, Symbol, Value as Js};

use super::super::wire::{Fault, Limits, MAX_OPEN_CALLS, Reply};
use super::body::{self, Body};
use super::convert::{self, Helpers};
use super::engine::{self, Caught, Engine, Thrown};
use super::guard::Guard;
use super::link::Link;
use super::natives::{self, Outside};
use super::packages;

/// Between so many microtasks the watch is asked also when each of them is short.
const JOBS_PER_CHECK: u32 = 64;

/// An open script. The engine comes last, for it has to be dropped last.
pub(super) struct Script {
    running: Option<Persistent<Promise<'static>>>,
    body: Compiled,
    prelude: Prelude,
    outside: Hold,
    engine: Engine,
}

/// The interpreter's functions keep what they share alive, and that keeps values of the interpreter: a circle, to be
/// opened before the interpreter ends.
struct Hold(Rc<Outside>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A body as far as it can be compiled ahead.
enum Compiled {
    Script(String),
    Function(Persistent<Function<'static>>),
    Generator(Persistent<Function<'static>>),
}

/// The prelude's functions for this side.
struct Prelude {
    settle: Persistent<Function<'static>>,
    enter: Persistent<Function<'static>>,
    is_waiting: Persistent<Function<'static>>,
    run_script: Persistent<Function<'static>>,
    run_function: Persistent<Function<'static>>,
    run_generator: Persistent<Function<'static>>,
}

impl Script {
    pub(super) fn open(
        code: &str,
        packages: &[String],
        limits: Limits,
        guard: &Rc<Guard>,
        link: &Rc<Link>,
    ) -> Result<Self, Fault> {
        if let Some(wrong) = packages
            .iter()
            .find_map(|name| packages::check(name, packages).err())
        {
            return Err(Fault::Script(wrong));
        }
        let mut engine = Engine::new(limits.memory, guard)?;
        engine.run_text(code);
        let shelf = packages::Shelf {
            allowed: packages.to_vec(),
        };
        engine.runtime().set_loader(shelf, packages::Binder);
        let helpers = Helpers::load(&engine)?;
        let outside = Hold(Rc::new(Outside::new(link.clone(), helpers, limits.output)));
        let prelude = engine.enter(|ctx| Prelude::load(ctx, &outside.0))?;
        let body = engine.enter(|ctx| match body::prepare(ctx, code, packages)? {
            Body::Script(source) => Ok(Compiled::Script(source)),
            Body::Function(source) => function(ctx, source).map(Compiled::Function),
            Body::Generator(source) => function(ctx, source).map(Compiled::Generator),
        })?;
        Ok(Self {
            running: None,
            body,
            prelude,
            outside,
            engine,
        })
    }

    /// Begins a call and goes as far as it can.
    pub(super) fn call(&mut self, inputs: Value) -> Reply {
        self.outside.0.begin();
        let started = self.engine.enter(|ctx| self.begin(ctx, &inputs));
        match started {
            Ok(promise) => {
                self.running = Some(promise);
                self.go_on()
            }
            Err(fault) => Reply::Failed(fault),
        }
    }

    fn begin<'js>(
        &self,
        ctx: &Ctx<'js>,
        inputs: &Value,
    ) -> Result<Persistent<Promise<'static>>, Thrown> {
        let inputs = convert::write(ctx, inputs).caught(ctx)?;
        self.prelude
            .enter
            .get(ctx)?
            .call::<_, ()>((inputs,))
            .caught(ctx)?;
        let (run, what): (_, Js<'js>) = match &self.body {
            Compiled::Script(source) => {
                let value = ctx
                    .eval_with_options(source.as_str(), engine::options(true))
                    .caught(ctx)?;
                (&self.prelude.run_script, value)
            }
            Compiled::Function(body) => (&self.prelude.run_function, body.get(ctx)?.into_value()),
            Compiled::Generator(body) => (&self.prelude.run_generator, body.get(ctx)?.into_value()),
        };
        let promise: Promise = run.get(ctx)?.call((what,)).caught(ctx)?;
        Ok(Persistent::save(ctx, promise))
    }

    /// Takes answers to host calls and goes on.
    pub(super) fn answer(&mut self, answers: Vec<(u32, Result<Value, String>)>) -> Reply {
        let settled = self.engine.enter(|ctx| {
            let settle = self.prelude.settle.get(ctx)?;
            for (id, answer) in answers {
                let is_fine = answer.is_ok();
                let value = answer.unwrap_or_else(Value::from);
                let value = convert::write(ctx, &value).caught(ctx)?;
                settle.call::<_, ()>((id, is_fine, value)).caught(ctx)?;
            }
            Ok(())
        });
        match settled {
            Ok(()) => self.go_on(),
            Err(fault) => Reply::Failed(fault),
        }
    }

    /// Runs microtasks until the call is done or has to wait.
    fn go_on(&mut self) -> Reply {
        let Some(running) = self.running.take() else {
            return Reply::Failed(Fault::Unknown);
        };
        let outcome = self.engine.enter(|ctx| {
            let promise = running.clone().restore(ctx).caught(ctx)?;
            let mut jobs = 0_u32;
            while promise.state() == PromiseState::Pending && ctx.execute_pending_job() {
                jobs = jobs.wrapping_add(1);
                let is_stopped = self.engine.guard().fault().is_some()
                    || (jobs.is_multiple_of(JOBS_PER_CHECK) && self.engine.guard().check());
                if is_stopped {
                    break;
                }
            }
            match promise.result::<Js>() {
                None => self.waits(ctx).map(|waits| {
                    if waits {
                        Reply::Waiting
                    } else {
                        Reply::Failed(Fault::Stuck)
                    }
                }),
                Some(result) => {
                    let value = result.caught(ctx)?;
                    let value = self.outside.0.reader(ctx)?.read(&value)?;
                    Ok(Reply::Finished(value))
                }
            }
        });
        let reply = outcome.unwrap_or_else(Reply::Failed);
        if matches!(reply, Reply::Waiting) {
            self.running = Some(running);
        }
        reply
    }

    fn waits(&self, ctx: &Ctx<'_>) -> Result<bool, Thrown> {
        self.prelude.is_waiting.get(ctx)?.call(()).caught(ctx)
    }
}

/// Fetches a kept function.
trait Kept {
    fn get<'js>(&self, ctx: &Ctx<'js>) -> Result<Function<'js>, Thrown>;
}

impl Kept for Persistent<Function<'static>> {
    fn get<'js>(&self, ctx: &Ctx<'js>) -> Result<Function<'js>, Thrown> {
        self.clone().restore(ctx).caught(ctx)
    }
}

fn function(ctx: &Ctx<'_>, source: String) -> Result<Persistent<Function<'static>>, Thrown> {
    let function: Function = ctx
        .eval_with_options(source, engine::options(false))
        .caught(ctx)?;
    Ok(Persistent::save(ctx, function))
}

impl Prelude {
    /// Sets up the world of a script before it is compiled.
    fn load(ctx: &Ctx<'_>, outside: &Rc<Outside>) -> Result<Self, Thrown> {
        let native = natives::object(ctx, outside).caught(ctx)?;
        let load = |source: &str| -> Result<Js<'_>, Thrown> {
            let set_up: Function = engine::own(ctx, source).caught(ctx)?;
            set_up.call((native.clone(), MAX_OPEN_CALLS)).caught(ctx)
        };
        load(include_str!("js/text.js"))?;
        load(include_str!("js/url.js"))?;
        let hooks = load(include_str!("js/host.js"))?;
        let hooks: Object = hooks.get().caught(ctx)?;
        let hook = |name: &str| -> Result<_, Thrown> {
            let function: Function = hooks.get(name).caught(ctx)?;
            Ok(Persistent::save(ctx, function))
        };
        let door = Symbol::new_global(ctx.clone(), packages::DOOR).caught(ctx)?;
        let pack: Function = native.get("pack").caught(ctx)?;
        ctx.globals().prop(door, pack).caught(ctx)?;
        Ok(Self {
            settle: hook("settle")?,
            enter: hook("enter")?,
            is_waiting: hook("isWaiting")?,
            run_script: hook("runScript")?,
            run_function: hook("runFunction")?,
            run_generator: hook("runGenerator")?,
        })
    }
}
