//! Filters that part a list.

use std::sync::Arc;

use nodetool_protocol::Value;

use super::super::arguments::{Arguments, Val};
use super::super::eval::{Outcome, Vm};
use super::super::operators::equal;
use super::{attribute_of, order};

/// Items of equal attributes, each group as a pair of attribute and items, in the order of the attributes.
pub(super) fn groupby(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let attribute = args.required("attribute")?;
    let default = args.take("default");
    let mut keyed = Vec::new();
    for item in vm.items(value)? {
        let key = match attribute_of(vm, item.clone(), Some(&attribute))? {
            Val::Missing(_) => default.clone().unwrap_or_else(|| "".into()),
            found => found.value(),
        };
        keyed.push((key, item));
    }
    order(vm, &mut keyed, false)?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut() {
            Some((known, items)) if equal(known, &key) => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let pairs = groups
        .into_iter()
        .map(|(key, items)| Value::list([key, items.into()]));
    vm.counted(Value::list(pairs))
}

/// So many lists of nearly the same length.
pub(super) fn slice(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let count = usize::try_from(args.int_or("slices", 0)?).unwrap_or(0);
    if count == 0 {
        return Err("`slice` needs at least 1 slice".into());
    }
    vm.spend(count)?;
    let fill = args.take("fill_with").filter(|v| !v.is_null());
    let items = vm.items(value)?;
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut rest = items.into_iter();
    let slices = (0..count).map(|at| {
        let length = each + usize::from(at < longer);
        let mut part: Vec<Value> = rest.by_ref().take(length).collect();
        if at >= longer && longer > 0 {
            part.extend(fill.clone());
        }
        Value::List(Arc::new(part))
    });
    let slices: Vec<Value> = slices.collect();
    vm.counted(slices.into())
}
