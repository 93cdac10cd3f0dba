//! Holds a value against compiled rules.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use fancy_regex::Regex;
use nodetool_sdk::{Map, Value};

use super::{Compiled, Id, Items, MOST_LEVELS, MOST_STEPS, Members, NumberRule, Rule, Type};

/// Whether `data` satisfies the schema; an error when that takes too long to say.
pub(super) fn judge(schema: &Compiled, data: &Value) -> Result<bool, String> {
    Judge {
        schema,
        steps: 0,
        levels: 0,
    }
    .holds(0, data)
}

struct Judge<'a> {
    schema: &'a Compiled,
    steps: usize,
    levels: usize,
}

impl<'a> Judge<'a> {
    fn pay(&mut self, steps: usize) -> Result<(), String> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MOST_STEPS {
            return Err(format!("checking takes more than {MOST_STEPS} steps"));
        }
        Ok(())
    }

    fn holds(&mut self, id: Id, data: &Value) -> Result<bool, String> {
        self.pay(1)?;
        self.levels += 1;
        if self.levels > MOST_LEVELS {
            return Err(format!(
                "schemas nested deeper than {MOST_LEVELS} levels, or one that refers to itself"
            ));
        }
        let schema = &self.schema.schemas[id];
        let mut verdict = !schema.never;
        for rule in &schema.rules {
            if !self.rule(rule, data)? {
                verdict = false;
                break;
            }
        }
        self.levels -= 1;
        Ok(verdict)
    }

    fn rule(&mut self, rule: &'a Rule, data: &Value) -> Result<bool, String> {
        let within = |n: usize, min: &u64, max: &u64| (*min..=*max).contains(&(n as u64));
        match (rule, data) {
            (Rule::Types(types), _) => Ok(types.iter().any(|t| is_of(*t, data))),
            (Rule::OneOf(values), _) => {
                self.pay(values.len())?;
                self.pay_to_compare(data, values.len())?;
                Ok(values.contains(data))
            }
            (Rule::Number(rule, bound), Value::Int(_) | Value::Float(_)) => {
                Ok(number_holds(*rule, *bound, data))
            }
            (Rule::TextLength { min, max }, Value::Str(s)) => {
                self.pay(s.len() / 64)?;
                Ok(within(s.chars().count(), min, max))
            }
            (Rule::Pattern(pattern), Value::Str(s)) => self.matches(pattern, s),
            (Rule::Items(rule), Value::List(items)) => self.items(rule, items),
            (Rule::Contains { schema, min, max }, Value::List(items)) => {
                let mut count = 0;
                for item in items.iter() {
                    count += usize::from(self.holds(*schema, item)?);
                }
                Ok(within(count, min, max))
            }
            (Rule::ItemCount { min, max }, Value::List(items)) => Ok(within(items.len(), min, max)),
            (Rule::UniqueItems, Value::List(items)) => self.all_differ(items),
            (Rule::Members(rule), Value::Map(map)) => self.members(rule, map),
            (Rule::MemberCount { min, max }, Value::Map(map)) => Ok(within(map.len(), min, max)),
            (Rule::Required(names), Value::Map(map)) => self.has_all(names, map),
            (Rule::Names(schema), Value::Map(map)) => {
                for name in map.keys() {
                    if !self.holds(*schema, &Value::Str(name.clone()))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Rule::Needs(name, names), Value::Map(map)) if map.contains_key(name.as_str()) => {
                self.has_all(names, map)
            }
            (Rule::Implies(name, schema), Value::Map(map)) if map.contains_key(name.as_str()) => {
                self.holds(*schema, data)
            }
            (Rule::Schema(schema), _) => self.holds(*schema, data),
            (Rule::Any(schemas), _) => Ok(self.count_holding(schemas, data, 1)? > 0),
            (Rule::ExactlyOne(schemas), _) => Ok(self.count_holding(schemas, data, 2)? == 1),
            (Rule::Not(schema), _) => Ok(!self.holds(*schema, data)?),
            (
                Rule::If {
                    condition,
                    then,
                    otherwise,
                },
                _,
            ) => {
                let branch = if self.holds(*condition, data)? {
                    then
                } else {
                    otherwise
                };
                branch.map_or(Ok(true), |schema| self.holds(schema, data))
            }
            // A rule says nothing about values of other shapes.
            _ => Ok(true),
        }
    }

    /// How many schemas hold, counted up to `enough`.
    fn count_holding(
        &mut self,
        schemas: &[Id],
        data: &Value,
        enough: usize,
    ) -> Result<usize, String> {
        let mut count = 0;
        for schema in schemas {
            count += usize::from(self.holds(*schema, data)?);
            if count == enough {
                break;
            }
        }
        Ok(count)
    }

    fn has_all(&mut self, names: &[String], map: &Map) -> Result<bool, String> {
        self.pay(names.len())?;
        Ok(names.iter().all(|n| map.contains_key(n.as_str())))
    }

    fn matches(&mut self, pattern: &Regex, text: &str) -> Result<bool, String> {
        self.pay(1 + text.len() / 16)?;
        pattern
            .is_match(text)
            .map_err(|e| format!("pattern {:?} gives up: {e}", pattern.as_str()))
    }

    fn items(&mut self, rule: &'a Items, items: &[Value]) -> Result<bool, String> {
        for (i, item) in items.iter().enumerate() {
            let Some(schema) = rule.first.get(i).copied().or(rule.rest) else {
                break;
            };
            if !self.holds(schema, item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn members(&mut self, rule: &'a Members, map: &Map) -> Result<bool, String> {
        let mut known = std::collections::HashSet::new();
        for (name, schema) in &rule.named {
            self.pay(1)?;
            if let Some((name, value)) = map.get_key_value(name.as_str()) {
                known.insert(&**name);
                if !self.holds(*schema, value)? {
                    return Ok(false);
                }
            }
        }
        if rule.by_pattern.is_empty() && rule.others.is_none() {
            return Ok(true);
        }
        for (name, value) in map {
            let mut covered = known.contains(&**name);
            for (pattern, schema) in &rule.by_pattern {
                if self.matches(pattern, name)? {
                    covered = true;
                    if !self.holds(*schema, value)? {
                        return Ok(false);
                    }
                }
            }
            if let Some(schema) = rule.others.filter(|_| !covered)
                && !self.holds(schema, value)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn all_differ(&mut self, items: &[Value]) -> Result<bool, String> {
        let keys = RandomState::new();
        let mut seen: HashMap<u64, Vec<&Value>> = HashMap::with_capacity(items.len());
        for item in items {
            self.pay(1)?;
            let like = seen.entry(self.digest(item, &keys)?).or_default();
            if like.contains(&item) {
                return Ok(false);
            }
            like.push(item);
        }
        Ok(true)
    }

    /// A number that is the same for equal values.
    fn digest(&mut self, value: &Value, keys: &RandomState) -> Result<u64, String> {
        self.pay(1)?;
        let mut hash = keys.build_hasher();
        match value {
            Value::Null => hash.write_u8(0),
            Value::Bool(b) => hash.write(&[1, u8::from(*b)]),
            Value::Int(_) | Value::Float(_) => {
                // Adding zero makes one of the two zeros.
                hash.write_u64((value.as_f64().unwrap_or(f64::NAN) + 0.0).to_bits());
            }
            Value::Str(s) => {
                self.pay(s.len() / 64)?;
                hash.write(s.as_bytes());
            }
            Value::Bytes(b) => {
                self.pay(b.len() / 64)?;
                hash.write(b);
            }
            Value::List(items) => {
                for item in items.iter() {
                    hash.write_u64(self.digest(item, keys)?);
                }
            }
            Value::Map(map) => {
                let mut sum = 0u64;
                for (key, item) in map.iter() {
                    let mut pair = keys.build_hasher();
                    pair.write(key.as_bytes());
                    pair.write_u64(self.digest(item, keys)?);
                    sum = sum.wrapping_add(pair.finish());
                }
                hash.write_u64(sum);
            }
        }
        Ok(hash.finish())
    }

    /// Comparing looks at all of a nested value, and at all of a text.
    fn pay_to_compare(&mut self, value: &Value, times: usize) -> Result<(), String> {
        match value {
            Value::Str(s) => self.pay((s.len() / 64).saturating_mul(times)),
            Value::Bytes(b) => self.pay((b.len() / 64).saturating_mul(times)),
            Value::List(items) => {
                self.pay(items.len().saturating_mul(times))?;
                items.iter().try_for_each(|v| self.pay_to_compare(v, times))
            }
            Value::Map(map) => {
                self.pay(map.len().saturating_mul(times))?;
                map.values().try_for_each(|v| self.pay_to_compare(v, times))
            }
            _ => Ok(()),
        }
    }
}

fn is_of(wanted: Type, data: &Value) -> bool {
    match data {
        Value::Null => wanted == Type::Null,
        Value::Bool(_) => wanted == Type::Boolean,
        Value::Int(_) => matches!(wanted, Type::Integer | Type::Number),
        Value::Float(f) => wanted == Type::Number || (wanted == Type::Integer && f.fract() == 0.0),
        // Bytes are text in JSON.
        Value::Str(_) | Value::Bytes(_) => wanted == Type::String,
        Value::List(_) => wanted == Type::Array,
        Value::Map(_) => wanted == Type::Object,
    }
}

fn number_holds(rule: NumberRule, bound: f64, data: &Value) -> bool {
    let n = data.as_f64().unwrap_or(f64::NAN);
    match (rule, data) {
        (NumberRule::Maximum, _) => n <= bound,
        (NumberRule::ExclusiveMaximum, _) => n < bound,
        (NumberRule::Minimum, _) => n >= bound,
        (NumberRule::ExclusiveMinimum, _) => n > bound,
        (NumberRule::MultipleOf, Value::Int(i)) if bound.fract() == 0.0 && bound < 9e15 => {
            i % (bound as i64) == 0
        }
        // Decimal fractions are not exact: 0.3 counts as a multiple of 0.1.
        (NumberRule::MultipleOf, _) => {
            let times = n / bound;
            times.is_finite() && (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
        }
    }
}
