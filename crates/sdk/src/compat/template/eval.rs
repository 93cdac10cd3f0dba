//! Walks the tree. It must not know how work is counted.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};

use super::arguments::{Arguments, Val};
use super::cost::BYTES_PER_STEP;
use super::operators::{Places, arithmetic, char_at, compare, equal, number, sign, way_to};
use super::syntax::{Args, Binary, Comparison, Expr, For, Macro, Step, Stmt, Unary};
use super::{Limits, Name, Scope, TemplateError, filters, methods, printf};

/// Deepest nesting of evaluation; the parser bounds what is written, this bounds macros that use each other.
const MAX_DEPTH: usize = 160;
/// Characters picked one by one that count as one step.
const CHARS_PER_STEP: usize = 8;

pub(super) type Outcome<T> = Result<T, String>;

pub(super) struct Vm<'a> {
    pub(super) scope: &'a dyn Scope,
    pub(super) limits: Limits,
    /// Steps that are left.
    pub(super) left: u64,
    pub(super) scopes: Vec<Vec<(String, Val)>>,
    pub(super) loops: Vec<Loop>,
    pub(super) macros: Vec<Arc<Macro>>,
    depth: usize,
    pub(super) out: String,
    pub(super) line: usize,
}

/// What `loop` knows.
pub(super) struct Loop {
    index: usize,
    items: Arc<Vec<Value>>,
}

impl<'a> Vm<'a> {
    pub(super) fn new(scope: &'a dyn Scope, limits: Limits) -> Self {
        Vm {
            scope,
            limits,
            left: limits.steps,
            scopes: vec![Vec::new()],
            loops: Vec::new(),
            macros: Vec::new(),
            depth: 0,
            out: String::new(),
            line: 1,
        }
    }

    pub(super) fn render(mut self, body: &[Stmt]) -> Result<String, TemplateError> {
        match self.run(body) {
            Ok(()) => Ok(self.out),
            Err(message) => Err(TemplateError {
                message,
                line: self.line,
            }),
        }
    }

    fn emit(&mut self, text: &str) -> Outcome<()> {
        self.extend(self.out.len(), text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    pub(super) fn run(&mut self, body: &[Stmt]) -> Outcome<()> {
        self.enter()?;
        for stmt in body {
            self.spend(1)?;
            self.statement(stmt)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// One level deeper; an error ends the rendering, so only success comes back up.
    fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!(
                "the evaluation is nested more than {MAX_DEPTH} levels deep"
            ));
        }
        Ok(())
    }

    fn statement(&mut self, stmt: &Stmt) -> Outcome<()> {
        match stmt {
            Stmt::Text(text) => self.emit(text),
            Stmt::Emit(expr, line) => {
                self.line = *line;
                let value = self.eval(expr)?;
                let text = self.shown(value)?;
                self.emit(&text)
            }
            Stmt::If {
                branches,
                otherwise,
                line,
            } => {
                for (condition, body) in branches {
                    self.line = *line;
                    if self.eval(condition)?.truth() {
                        return self.run(body);
                    }
                }
                self.run(otherwise)
            }
            Stmt::For(f) => self.each(f),
            Stmt::Set {
                targets,
                value,
                line,
            } => {
                self.line = *line;
                let value = self.eval(value)?;
                self.bind(targets, value)
            }
            Stmt::SetPart {
                target,
                part,
                value,
                line,
            } => {
                self.line = *line;
                let value = self.eval(value)?.value();
                self.define_part(target, part, value)
            }
            Stmt::SetBlock {
                target,
                filters,
                body,
                line,
            } => {
                let text = self.captured(filters, body, *line)?;
                self.define(target.clone(), text);
                Ok(())
            }
            Stmt::With {
                bindings,
                body,
                line,
            } => {
                self.line = *line;
                self.scopes.push(Vec::new());
                for (targets, value) in bindings {
                    let value = self.eval(value)?;
                    self.bind(targets, value)?;
                }
                self.run(body)?;
                self.scopes.pop();
                Ok(())
            }
            Stmt::Filter {
                filters,
                body,
                line,
            } => {
                let text = self.captured(filters, body, *line)?;
                let text = self.shown(text)?;
                self.emit(&text)
            }
            Stmt::Macro(of) => {
                self.macros.retain(|m| m.name != of.name);
                self.macros.push(of.clone());
                Ok(())
            }
        }
    }

    /// What a body prints, through filters.
    fn captured(&mut self, filters: &[Step], body: &[Stmt], line: usize) -> Outcome<Val> {
        let outer = std::mem::take(&mut self.out);
        self.scopes.push(Vec::new());
        self.run(body)?;
        self.scopes.pop();
        let text = std::mem::replace(&mut self.out, outer);
        self.line = line;
        let mut value = Val::from(text);
        for step in filters {
            value = self.step(value, step)?;
        }
        Ok(value)
    }

    fn define(&mut self, name: String, value: Val) {
        let Some(scope) = self.scopes.last_mut() else {
            return;
        };
        match scope.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => scope.push((name, value)),
        }
    }

    /// Sets a part of a namespace that is in sight.
    fn define_part(&mut self, target: &str, part: &str, value: Value) -> Outcome<()> {
        // Counting bounds the depth, too: a namespace can be put into itself.
        let weighed = self.weigh(&value);
        let mut scopes = self.scopes.iter_mut().rev();
        let found = scopes.find_map(|scope| scope.iter_mut().find(|(n, _)| n == target));
        let Some((_, Val::Is(Value::Map(map)))) = found else {
            return Err(format!("'{target}' is no namespace"));
        };
        weighed?;
        let copied = if Arc::strong_count(map) > 1 {
            map.len()
        } else {
            0
        };
        Arc::make_mut(map).insert(part.into(), value);
        self.spend(copied)
    }

    fn bind(&mut self, targets: &[String], value: Val) -> Outcome<()> {
        if let [target] = targets {
            self.define(target.clone(), value);
            return Ok(());
        }
        let is_soft = value.is_soft();
        let parts = match value {
            Val::Is(Value::List(parts)) | Val::Soft(Value::List(parts))
                if parts.len() == targets.len() =>
            {
                parts
            }
            other => {
                return Err(format!(
                    "cannot unpack {} into {} names",
                    other.value().preview(40),
                    targets.len()
                ));
            }
        };
        for (target, part) in targets.iter().zip(parts.iter()) {
            self.define(target.clone(), Val::Is(part.clone()).softened(is_soft));
        }
        Ok(())
    }

    fn each(&mut self, f: &For) -> Outcome<()> {
        self.line = f.line;
        let items = self.eval(&f.items)?;
        let soft = items.is_soft();
        let mut items = self.items(items)?;
        if let Some(condition) = &f.condition {
            let mut kept = Vec::new();
            for item in items {
                self.spend(1)?;
                self.scopes.push(Vec::new());
                self.bind(&f.targets, Val::Is(item.clone()).softened(soft))?;
                if self.eval(condition)?.truth() {
                    kept.push(item);
                }
                self.scopes.pop();
            }
            items = kept;
        }
        if items.is_empty() {
            return self.run(&f.otherwise);
        }
        let items = Arc::new(items);
        self.loops.push(Loop {
            index: 0,
            items: items.clone(),
        });
        for (index, item) in items.iter().enumerate() {
            self.spend(1)?;
            if let Some(state) = self.loops.last_mut() {
                state.index = index;
            }
            self.scopes.push(Vec::new());
            self.bind(&f.targets, Val::Is(item.clone()).softened(soft))?;
            self.run(&f.body)?;
            self.scopes.pop();
        }
        self.loops.pop();
        Ok(())
    }

    /// The items of anything that has some: a list, the keys of a dict, the characters of a text.
    pub(super) fn items(&mut self, value: Val) -> Outcome<Vec<Value>> {
        let items: Vec<Value> = match value.firm() {
            Val::Soft(_) | Val::Missing(_) => Vec::new(),
            Val::Is(Value::List(items)) => Arc::unwrap_or_clone(items),
            Val::Is(Value::Map(map)) => map.keys().map(|k| Value::Str(k.clone())).collect(),
            Val::Is(Value::Str(s)) => {
                self.spend(s.len())?;
                s.chars().map(|c| Value::from(c.to_string())).collect()
            }
            Val::Is(other) => {
                return Err(format!("{} has no items", described(&other)));
            }
        };
        self.spend(items.len())?;
        Ok(items)
    }

    fn lookup(&mut self, name: &str) -> Outcome<Val> {
        for scope in self.scopes.iter().rev() {
            if let Some((_, value)) = scope.iter().find(|(n, _)| n == name) {
                return Ok(value.clone());
            }
        }
        Ok(match self.scope.name(name) {
            Some(found) => {
                let cost = self.scope.cost();
                self.spend(cost)?;
                match found {
                    Name::Value(value) => Val::Is(value),
                    Name::Soft(value) => Val::Soft(value),
                }
            }
            None => Val::Missing(name.to_owned()),
        })
    }

    pub(super) fn eval(&mut self, expr: &Expr) -> Outcome<Val> {
        self.spend(1)?;
        self.enter()?;
        let value = self.eval_inner(expr)?;
        self.depth -= 1;
        Ok(value)
    }

    fn eval_inner(&mut self, expr: &Expr) -> Outcome<Val> {
        Ok(match expr {
            Expr::Const(value) => value.clone().into(),
            Expr::Var(name) if name == "loop" && !self.loops.is_empty() => self.whole_loop(),
            Expr::Var(name) => self.lookup(name)?,
            Expr::List(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.push(self.eval(item)?.value());
                }
                self.counted(out.into())?
            }
            Expr::Dict(pairs) => {
                let mut out = Map::new();
                for (key, value) in pairs {
                    let key = self.eval(key)?.value();
                    let key = self.text(&key)?;
                    out.insert(key, self.eval(value)?.value());
                }
                self.counted(out.into())?
            }
            Expr::Unary(Unary::Not, inner) => (!self.eval(inner)?.truth()).into(),
            Expr::Unary(op, inner) => {
                let value = self.defined(inner)?;
                let by = if *op == Unary::Minus { -1i64 } else { 1 };
                match arithmetic(Binary::Mul, &value, &by.into()) {
                    Some(result) => result?.into(),
                    None => return Err(format!("{} has no sign", described(&value))),
                }
            }
            Expr::Chain(first, rest) => {
                let mut left = self.eval(first)?;
                for (op, right) in rest {
                    let right = self.eval(right)?;
                    left = self.binary(*op, left, right)?.into();
                }
                left
            }
            Expr::Compare(first, rest) => {
                let mut left = self.eval(first)?;
                for (op, right) in rest {
                    let right = self.eval(right)?;
                    if !self.comparison(*op, &left, &right)? {
                        return Ok(false.into());
                    }
                    left = right;
                }
                true.into()
            }
            Expr::All(items) | Expr::Any(items) => {
                let until = matches!(expr, Expr::Any(_));
                let mut last = Val::Is(Value::Null);
                for item in items {
                    last = self.eval(item)?;
                    if last.truth() == until {
                        break;
                    }
                }
                last
            }
            Expr::Choice(then, condition, otherwise) => {
                if self.eval(condition)?.truth() {
                    self.eval(then)?
                } else if let Some(otherwise) = otherwise {
                    self.eval(otherwise)?
                } else {
                    Val::Missing("the missing `else`".into())
                }
            }
            Expr::Postfix(base, steps) => self.postfix(base, steps)?,
        })
    }

    /// A value that must be there.
    fn defined(&mut self, expr: &Expr) -> Outcome<Value> {
        let value = self.eval(expr)?;
        present(value)
    }

    /// A new list or dict: it may hold the same parts many times, so all of it is counted.
    pub(super) fn counted(&mut self, value: Value) -> Outcome<Val> {
        let bytes = self.weigh(&value)?;
        self.grow(bytes)?;
        Ok(value.into())
    }

    fn binary(&mut self, op: Binary, left: Val, right: Val) -> Outcome<Value> {
        if op == Binary::Concat {
            let (left, right) = (self.shown(left)?, self.shown(right)?);
            self.grow(left.len() + right.len())?;
            return Ok([&*left, &*right].concat().into());
        }
        let (left, right) = (present(left)?, present(right)?);
        if let Some(result) = arithmetic(op, &left, &right) {
            return result;
        }
        match (op, &left, &right) {
            (Binary::Add, Value::Str(a), Value::Str(b)) => {
                self.grow(a.len() + b.len())?;
                Ok([&**a, &**b].concat().into())
            }
            (Binary::Add, Value::List(a), Value::List(b)) => {
                let both = [a.as_slice(), b.as_slice()].concat();
                self.counted(both.into()).map(Val::value)
            }
            (Binary::Mul, part @ (Value::Str(_) | Value::List(_)), times)
            | (Binary::Mul, times, part @ (Value::Str(_) | Value::List(_)))
                if matches!(number(times), Some(Value::Int(_))) =>
            {
                let times = number(times).and_then(|n| n.as_i64()).unwrap_or(0);
                let times = usize::try_from(times).unwrap_or(0);
                let bytes = self.weigh(part)?.saturating_mul(times);
                self.grow(bytes)?;
                match part {
                    Value::Str(s) => Ok(s.repeat(times).into()),
                    Value::List(items) => {
                        self.spend(items.len().saturating_mul(times))?;
                        let copies = std::iter::repeat_n(items.iter(), times);
                        Ok(Value::list(copies.flatten().cloned()))
                    }
                    _ => Ok(Value::Null),
                }
            }
            (Binary::Mod, Value::Str(format), args) => {
                let args = match args {
                    Value::List(items) => Arguments::new(items.to_vec(), Vec::new()),
                    Value::Map(map) => {
                        let named = map.iter().map(|(k, v)| (k.to_string(), v.clone()));
                        Arguments::new(Vec::new(), named.collect())
                    }
                    one => Arguments::new(vec![one.clone()], Vec::new()),
                };
                printf::format(self, format, args).map(Value::from)
            }
            _ => Err(format!(
                "`{}` does not work on {} and {}",
                sign(op),
                described(&left),
                described(&right)
            )),
        }
    }

    pub(super) fn comparison(&mut self, op: Comparison, left: &Val, right: &Val) -> Outcome<bool> {
        if let (
            Comparison::Eq | Comparison::Ne,
            Val::Is(l) | Val::Soft(l),
            Val::Is(r) | Val::Soft(r),
        ) = (op, left, right)
        {
            self.weigh(l)?;
            return Ok(equal(l, r) == (op == Comparison::Eq));
        }
        match op {
            Comparison::Eq => return Ok(left.is_missing() && right.is_missing()),
            Comparison::Ne => return Ok(left.is_missing() != right.is_missing()),
            Comparison::In => return self.contains(right.clone(), left),
            Comparison::NotIn => return Ok(!self.contains(right.clone(), left)?),
            _ => {}
        }
        let (left, right) = (present(left.clone())?, present(right.clone())?);
        self.weigh(&left)?;
        let order = compare(&left, &right).ok_or_else(|| {
            format!(
                "{} and {} have no order",
                described(&left),
                described(&right)
            )
        })?;
        Ok(match op {
            Comparison::Lt => order.is_lt(),
            Comparison::Le => order.is_le(),
            Comparison::Gt => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    fn contains(&mut self, whole: Val, part: &Val) -> Outcome<bool> {
        let part = part.clone().value();
        match whole.firm() {
            Val::Soft(_) | Val::Missing(_) => Ok(false),
            Val::Is(Value::Str(s)) => match part {
                Value::Str(p) => {
                    self.spend(s.len() / BYTES_PER_STEP)?;
                    Ok(s.contains(&*p))
                }
                other => Err(format!("{} cannot be part of a text", described(&other))),
            },
            Val::Is(Value::Map(map)) => {
                let key = self.text(&part)?;
                Ok(map.contains_key(&*key))
            }
            Val::Is(Value::List(items)) => {
                self.weigh(&Value::List(items.clone()))?;
                Ok(items.iter().any(|item| equal(item, &part)))
            }
            Val::Is(other) => Err(format!("{} has no items", described(&other))),
        }
    }

    fn postfix(&mut self, base: &Expr, steps: &[Step]) -> Outcome<Val> {
        let mut rest = steps;
        let mut value = match (base, steps) {
            (Expr::Var(name), [Step::Call(args), after @ ..]) => {
                rest = after;
                let args = self.arguments(args)?;
                self.function(name, args)?
            }
            (Expr::Var(name), [Step::Attribute(what), after @ ..])
                if name == "loop" && !self.loops.is_empty() =>
            {
                rest = after;
                match (what.as_str(), after) {
                    ("cycle", [Step::Call(args), after @ ..]) => {
                        rest = after;
                        let mut values = self.arguments(args)?.rest();
                        let index = self.loops.last().map_or(0, |l| l.index);
                        if values.is_empty() {
                            return Err("`loop.cycle` needs values".into());
                        }
                        let at = index % values.len();
                        values.swap_remove(at).into()
                    }
                    _ => self.loop_part(what),
                }
            }
            _ => self.eval(base)?,
        };
        while let [step, after @ ..] = rest {
            self.spend(1)?;
            rest = after;
            value = match (step, after) {
                (Step::Attribute(name), [Step::Call(args), after @ ..]) => {
                    rest = after;
                    let args = self.arguments(args)?;
                    let soft = value.is_soft();
                    let of = present(value)?;
                    methods::call(self, of, name, args)?.softened(soft)
                }
                _ => self.step(value, step)?,
            };
        }
        Ok(value)
    }

    fn step(&mut self, value: Val, step: &Step) -> Outcome<Val> {
        match step {
            Step::Attribute(name) if value.is_soft() => Ok(match value.value() {
                Value::Map(map) => soft(map.get(name.as_str())),
                _ => Val::Missing(name.clone()),
            }),
            Step::Item(index) if value.is_soft() => {
                let index = self.defined(index)?;
                match value.value() {
                    Value::Map(map) => {
                        let key = self.text(&index)?;
                        Ok(soft(map.get(&*key)))
                    }
                    other => Ok(self.item(&other, &index)?.softened(true)),
                }
            }
            Step::Attribute(name) => match present(value)? {
                Value::Map(map) => Ok(match map.get(name.as_str()) {
                    Some(item) => item.clone().into(),
                    None => Val::Missing(name.clone()),
                }),
                _ => Ok(Val::Missing(name.clone())),
            },
            Step::Item(index) => {
                let index = self.defined(index)?;
                let value = present(value)?;
                self.item(&value, &index)
            }
            Step::Slice(start, stop, by) => {
                let bound = |vm: &mut Self, expr: &Option<Expr>| match expr {
                    None => Ok(None),
                    Some(expr) => match vm.defined(expr)? {
                        Value::Null => Ok(None),
                        Value::Int(i) => Ok(Some(i)),
                        other => Err(format!(
                            "a slice needs whole numbers, not {}",
                            described(&other)
                        )),
                    },
                };
                let (start, stop) = (bound(self, start)?, bound(self, stop)?);
                let by = bound(self, by)?.unwrap_or(1);
                if by == 0 {
                    return Err("the step of a slice cannot be 0".into());
                }
                match present(value)? {
                    Value::List(items) => {
                        let places = Places::of(items.len(), start, stop, by);
                        self.spend(places.count())?;
                        let parts = places.iter().filter_map(|i| items.get(i).cloned());
                        Ok(Value::list(parts).into())
                    }
                    Value::Str(s) => {
                        // Where characters begin is found by looking at all before them.
                        self.spend(s.len() / BYTES_PER_STEP)?;
                        let places = Places::of(s.chars().count(), start, stop, by);
                        if !places.are_contiguous() {
                            self.spend(places.count() / CHARS_PER_STEP)?;
                        }
                        let part = places.text_of(&s);
                        self.grow(part.len())?;
                        Ok(part.into())
                    }
                    other => Err(format!("{} cannot be sliced", described(&other))),
                }
            }
            Step::Call(_) => Err("this value cannot be called".into()),
            Step::Filter(name, args) => {
                let args = self.arguments(args)?;
                filters::apply(self, name, value, args)
            }
            Step::Test {
                name,
                args,
                negated,
            } => {
                let args = self.arguments(args)?;
                Ok((filters::test(self, name, &value, args)? != *negated).into())
            }
        }
    }

    /// `value[index]`, or the lack of it.
    pub(super) fn item(&mut self, value: &Value, index: &Value) -> Outcome<Val> {
        let missing = || Val::Missing(format!("item {}", index.preview(40)));
        let at = |len: usize| {
            let i = index.as_i64()?;
            let i = if i < 0 {
                i.checked_add(i64::try_from(len).ok()?)?
            } else {
                i
            };
            usize::try_from(i).ok().filter(|i| *i < len)
        };
        Ok(match value {
            Value::List(items) => at(items.len()).map_or_else(missing, |i| items[i].clone().into()),
            Value::Map(map) => {
                let key = self.text(index)?;
                map.get(&*key).map_or_else(missing, |v| v.clone().into())
            }
            Value::Str(s) => {
                let Some(index) = index.as_i64() else {
                    return Ok(missing());
                };
                self.spend(way_to(s, index) / BYTES_PER_STEP)?;
                let found = char_at(s, index);
                found.map_or_else(missing, |c| c.to_string().into())
            }
            _ => missing(),
        })
    }

    fn arguments(&mut self, args: &Args) -> Outcome<Arguments> {
        let mut positional = Vec::with_capacity(args.positional.len());
        for arg in &args.positional {
            positional.push(self.eval(arg)?.value());
        }
        let mut named = Vec::with_capacity(args.named.len());
        for (name, arg) in &args.named {
            named.push((name.clone(), self.eval(arg)?.value()));
        }
        Ok(Arguments::new(positional, named))
    }

    fn loop_part(&mut self, what: &str) -> Val {
        let depth = self.loops.len();
        let Some(state) = self.loops.last() else {
            return Val::Missing("loop".into());
        };
        let (index, length) = (state.index, state.items.len());
        let neighbour = |i: Option<usize>| match i.and_then(|i| state.items.get(i)) {
            Some(item) => item.clone().into(),
            None => Val::Missing(format!("loop.{what}")),
        };
        match what {
            "index" => (index + 1).into(),
            "index0" => index.into(),
            "revindex" => (length - index).into(),
            "revindex0" => (length - index - 1).into(),
            "first" => (index == 0).into(),
            "last" => (index + 1 == length).into(),
            "length" => length.into(),
            "depth" => depth.into(),
            "depth0" => (depth - 1).into(),
            "previtem" => neighbour(index.checked_sub(1)),
            "nextitem" => neighbour(Some(index + 1)),
            _ => Val::Missing(format!("loop.{what}")),
        }
    }

    fn whole_loop(&mut self) -> Val {
        let parts = ["index", "index0", "first", "last", "length"];
        Value::map(parts.map(|part| (part, self.loop_part(part).value()))).into()
    }
}

fn present(value: Val) -> Outcome<Value> {
    match value {
        Val::Is(value) | Val::Soft(value) => Ok(value),
        Val::Missing(name) => Err(format!("'{name}' is undefined")),
    }
}

/// A part of a soft value.
fn soft(part: Option<&Value>) -> Val {
    Val::Soft(match part {
        None | Some(Value::Null) => Map::new().into(),
        Some(part) => part.clone(),
    })
}

/// A value in messages.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        other => format!("{} {}", other.kind(), other.preview(40)),
    }
}
