//! What templates call by name: macros, functions and the filters of their scope.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};

use super::FilterArgs;
use super::arguments::{Arguments, Val};
use super::eval::{Outcome, Vm};
use super::syntax::Macro;

/// Most numbers a `range` gives.
const MAX_RANGE: u64 = 100_000;

impl Vm<'_> {
    /// What a macro prints. It sees what stands outside all blocks, and its parameters.
    fn macro_text(&mut self, of: &Macro, mut args: Arguments) -> Outcome<Val> {
        let mut given = Vec::with_capacity(of.parameters.len());
        for (name, default) in &of.parameters {
            let value = match (args.take(name), default) {
                (Some(value), _) => value.into(),
                (None, Some(default)) => self.eval(default)?,
                (None, None) => Val::Missing(name.clone()),
            };
            given.push((name.clone(), value));
        }
        args.done(&of.name)?;
        let inner = self.scopes.split_off(1);
        let loops = std::mem::take(&mut self.loops);
        let (outer, line) = (std::mem::take(&mut self.out), self.line);
        self.scopes.push(given);
        self.run(&of.body)?;
        self.scopes.truncate(1);
        self.scopes.extend(inner);
        self.loops = loops;
        self.line = line;
        Ok(std::mem::replace(&mut self.out, outer).into())
    }

    /// A filter of the scope.
    pub(super) fn own_filter(
        &mut self,
        name: &str,
        value: &Val,
        args: &mut Arguments,
    ) -> Option<Outcome<Val>> {
        let args = FilterArgs {
            positional: args.rest(),
            named: args.rest_named(),
        };
        let value = value.clone().value();
        let result = self.scope.filter(name, &value, &args)?;
        let cost = self.scope.cost();
        Some(self.spend(cost).and_then(|()| Ok(result?.into())))
    }

    /// Calls a macro or a function.
    pub(super) fn function(&mut self, name: &str, mut args: Arguments) -> Outcome<Val> {
        if let Some(of) = self.macros.iter().find(|m| m.name == name).cloned() {
            return self.macro_text(&of, args);
        }
        match name {
            "range" => {
                let first = args.required("start")?;
                let (start, stop) = match args.take("stop") {
                    Some(stop) => (first, stop),
                    None => (Value::Int(0), first),
                };
                let step = args.int_or("step", 1)?;
                let (Some(start), Some(stop)) = (start.as_i64(), stop.as_i64()) else {
                    return Err("`range` needs whole numbers".into());
                };
                if step == 0 {
                    return Err("the step of `range` cannot be 0".into());
                }
                args.done(name)?;
                let distance = if step > 0 {
                    i128::from(stop) - i128::from(start)
                } else {
                    i128::from(start) - i128::from(stop)
                };
                let by = u128::from(step.unsigned_abs());
                let count = (distance.max(0) as u128).div_ceil(by);
                if count > u128::from(MAX_RANGE) {
                    return Err(format!(
                        "`range` would give {count} numbers (expected at most {MAX_RANGE})"
                    ));
                }
                self.spend(count as usize)?;
                let numbers = (0..count as i64).map(|i| Value::Int(start + i * step));
                Ok(Value::list(numbers).into())
            }
            "dict" | "namespace" => {
                let map: Map = args
                    .rest_named()
                    .into_iter()
                    .map(|(k, v)| (Arc::from(k), v))
                    .collect();
                args.done(name)?;
                self.counted(map.into())
            }
            _ => Err(format!(
                "unknown function `{name}` (expected range, dict, namespace or a macro)"
            )),
        }
    }
}
