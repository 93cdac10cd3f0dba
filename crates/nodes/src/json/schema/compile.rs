//! From the text of a schema to its rules. Every fault names its place, such as `#/properties/age/type`.

use std::collections::HashMap;

use fancy_regex::{Regex, RegexBuilder};
use nodetool_sdk::{Map, Value};

use super::{
    Compiled, Id, Items, MOST_PATTERNS, MOST_SCHEMAS, Members, NumberRule, Rule, Schema, Type,
};

/// Steps a regular expression may go back while matching one text.
const MOST_BACKTRACKING: usize = 100_000;

/// Compiles a schema and everything it refers to.
pub(super) fn compile(root: &Value) -> Result<Compiled, String> {
    let draft = root.get("$schema").and_then(Value::as_str).unwrap_or("");
    let mut compiler = Compiler {
        root,
        // From 2019 on, keywords beside a reference count too.
        lone_refs: ["draft-04", "draft-06", "draft-07"]
            .iter()
            .any(|d| draft.contains(d)),
        schemas: Vec::new(),
        patterns: 0,
        targets: HashMap::from([(String::new(), 0)]),
        waiting: vec![(0, root, "#".to_owned())],
    };
    compiler.schemas.push(Schema::default());
    // References wait here instead of being followed at once: they may form circles and long chains.
    while let Some((id, value, place)) = compiler.waiting.pop() {
        compiler.schemas[id] = compiler.schema(value, &place)?;
    }
    Ok(Compiled {
        schemas: compiler.schemas,
    })
}

struct Compiler<'a> {
    root: &'a Value,
    lone_refs: bool,
    schemas: Vec<Schema>,
    patterns: usize,
    targets: HashMap<String, Id>,
    waiting: Vec<(Id, &'a Value, String)>,
}

impl<'a> Compiler<'a> {
    /// Sets a schema aside to be compiled, and gives its number.
    fn later(&mut self, value: &'a Value, place: String) -> Result<Id, String> {
        if self.schemas.len() >= MOST_SCHEMAS {
            return Err(format!("more than {MOST_SCHEMAS} schemas in one"));
        }
        let id = self.schemas.len();
        self.schemas.push(Schema::default());
        self.waiting.push((id, value, place));
        Ok(id)
    }

    fn schema(&mut self, value: &'a Value, place: &str) -> Result<Schema, String> {
        let map = match value {
            Value::Bool(yes) => {
                return Ok(Schema {
                    never: !yes,
                    rules: Vec::new(),
                });
            }
            Value::Map(map) => map,
            other => return Err(fault(place, other, "a schema: an object, true or false")),
        };
        let mut rules = Vec::new();
        let reference = map.get("$ref");
        if let Some(target) = reference {
            rules.push(Rule::Schema(
                self.reference(target, &format!("{place}/$ref"))?,
            ));
        }
        if reference.is_none() || !self.lone_refs {
            for (key, value) in map.iter() {
                let place = format!("{place}/{key}");
                if let Some(rule) = self.rule(key, value, map, &place)? {
                    rules.push(rule);
                }
            }
        }
        Ok(Schema {
            never: false,
            rules,
        })
    }

    /// The rule a keyword stands for. Keywords that act together are read at the first of them that is there.
    fn rule(
        &mut self,
        key: &str,
        value: &'a Value,
        map: &'a Map,
        place: &str,
    ) -> Result<Option<Rule>, String> {
        let here =
            |keys: &[&str]| map.keys().find(|k| keys.contains(&&***k)).map(|k| &**k) == Some(key);
        let parent = &place[..place.len() - key.len() - 1];
        Ok(Some(match key {
            "type" => Rule::Types(types(value, place)?),
            "enum" => Rule::OneOf(list(value, place)?.to_vec()),
            "const" => Rule::OneOf(vec![value.clone()]),
            "multipleOf" => match number(value, place)? {
                n if n > 0.0 => Rule::Number(NumberRule::MultipleOf, n),
                _ => return Err(fault(place, value, "a number above zero")),
            },
            "maximum" | "minimum" => {
                let (plain, exclusive, other) = if key == "maximum" {
                    (
                        NumberRule::Maximum,
                        NumberRule::ExclusiveMaximum,
                        "exclusiveMaximum",
                    )
                } else {
                    (
                        NumberRule::Minimum,
                        NumberRule::ExclusiveMinimum,
                        "exclusiveMinimum",
                    )
                };
                // Draft 4 says `true` where later ones say the number.
                let strict = matches!(map.get(other), Some(Value::Bool(true)));
                Rule::Number(
                    if strict { exclusive } else { plain },
                    number(value, place)?,
                )
            }
            "exclusiveMaximum" | "exclusiveMinimum" if value.as_bool().is_some() => {
                return Ok(None);
            }
            "exclusiveMaximum" => Rule::Number(NumberRule::ExclusiveMaximum, number(value, place)?),
            "exclusiveMinimum" => Rule::Number(NumberRule::ExclusiveMinimum, number(value, place)?),
            "minLength" | "maxLength" if here(&["minLength", "maxLength"]) => {
                let (min, max) = bounds(map, "minLength", "maxLength", parent)?;
                Rule::TextLength { min, max }
            }
            "pattern" => Rule::Pattern(Box::new(self.pattern(text(value, place)?, place)?)),
            "items" | "prefixItems" | "additionalItems"
                if here(&["items", "prefixItems", "additionalItems"]) =>
            {
                Rule::Items(self.items(map, parent)?)
            }
            "contains" => {
                let (min, max) = bounds(map, "minContains", "maxContains", parent)?;
                let min = if map.contains_key("minContains") {
                    min
                } else {
                    1
                };
                let schema = self.later(value, place.to_owned())?;
                Rule::Contains { schema, min, max }
            }
            "minItems" | "maxItems" if here(&["minItems", "maxItems"]) => {
                let (min, max) = bounds(map, "minItems", "maxItems", parent)?;
                Rule::ItemCount { min, max }
            }
            "uniqueItems" => match value {
                Value::Bool(true) => Rule::UniqueItems,
                Value::Bool(false) => return Ok(None),
                other => return Err(fault(place, other, "true or false")),
            },
            "minProperties" | "maxProperties" if here(&["minProperties", "maxProperties"]) => {
                let (min, max) = bounds(map, "minProperties", "maxProperties", parent)?;
                Rule::MemberCount { min, max }
            }
            "required" => match value {
                // Draft 3 marks a single property so.
                Value::Bool(_) => return Ok(None),
                _ => Rule::Required(texts(value, place)?),
            },
            "properties" | "patternProperties" | "additionalProperties"
                if here(&["properties", "patternProperties", "additionalProperties"]) =>
            {
                Rule::Members(Box::new(self.members(map, parent)?))
            }
            "propertyNames" => Rule::Names(self.later(value, place.to_owned())?),
            "dependencies" | "dependentRequired" | "dependentSchemas" => {
                return self.dependencies(value, place).map(Some);
            }
            "allOf" => {
                let all = self.schemas_of(value, place)?;
                let rules = all.into_iter().map(Rule::Schema).collect();
                Rule::Schema(self.ready(rules)?)
            }
            "anyOf" => Rule::Any(self.schemas_of(value, place)?),
            "oneOf" => Rule::ExactlyOne(self.schemas_of(value, place)?),
            "not" => Rule::Not(self.later(value, place.to_owned())?),
            "if" => {
                let mut branch = |key: &str| {
                    map.get(key)
                        .map(|v| self.later(v, format!("{parent}/{key}")))
                        .transpose()
                };
                let (then, otherwise) = (branch("then")?, branch("else")?);
                Rule::If {
                    condition: self.later(value, place.to_owned())?,
                    then,
                    otherwise,
                }
            }
            "unevaluatedItems" | "unevaluatedProperties" | "$dynamicRef" | "$recursiveRef" => {
                return Err(format!("{place}: this keyword is not supported"));
            }
            _ => return Ok(None),
        }))
    }

    /// A schema made of finished rules.
    fn ready(&mut self, rules: Vec<Rule>) -> Result<Id, String> {
        if self.schemas.len() >= MOST_SCHEMAS {
            return Err(format!("more than {MOST_SCHEMAS} schemas in one"));
        }
        self.schemas.push(Schema {
            never: false,
            rules,
        });
        Ok(self.schemas.len() - 1)
    }

    fn reference(&mut self, target: &Value, place: &str) -> Result<Id, String> {
        let refuse = || {
            fault(
                place,
                target,
                "a place in this schema, such as #/definitions/name",
            )
        };
        let pointer = text(target, place)?.strip_prefix('#').ok_or_else(refuse)?;
        let pointer = percent_decoded(pointer).ok_or_else(refuse)?;
        if let Some(id) = self.targets.get(&pointer) {
            return Ok(*id);
        }
        let mut at = self.root;
        for step in pointer.strip_prefix('/').ok_or_else(refuse)?.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            at = match at {
                Value::Map(map) => map.get(step.as_str()),
                Value::List(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => None,
            }
            .ok_or_else(refuse)?;
        }
        let id = self.later(at, format!("#{pointer}"))?;
        self.targets.insert(pointer, id);
        Ok(id)
    }

    fn pattern(&mut self, pattern: &str, place: &str) -> Result<Regex, String> {
        self.patterns += 1;
        if self.patterns > MOST_PATTERNS {
            return Err(format!("{place}: more than {MOST_PATTERNS} patterns"));
        }
        RegexBuilder::new(pattern)
            .backtrack_limit(MOST_BACKTRACKING)
            .delegate_size_limit(1 << 20)
            .build()
            .map_err(|e| format!("{place}: not a regular expression: {e}"))
    }

    fn items(&mut self, map: &'a Map, parent: &str) -> Result<Items, String> {
        let at = |key: &str| format!("{parent}/{key}");
        let (first, rest) = match (map.get("prefixItems"), map.get("items")) {
            (Some(first), rest) => (Some(("prefixItems", first)), rest.map(|r| ("items", r))),
            (None, Some(first @ Value::List(_))) => {
                let rest = map.get("additionalItems");
                (Some(("items", first)), rest.map(|r| ("additionalItems", r)))
            }
            (None, all) => (None, all.map(|r| ("items", r))),
        };
        let first = match first {
            Some((key, value)) => self.schemas_of(value, &at(key))?,
            None => Vec::new(),
        };
        let rest = match rest {
            Some((key, value)) => Some(self.later(value, at(key))?),
            None => None,
        };
        Ok(Items { first, rest })
    }

    fn members(&mut self, map: &'a Map, parent: &str) -> Result<Members, String> {
        let mut members = Members::default();
        if let Some(value) = map.get("properties") {
            let place = format!("{parent}/properties");
            for (name, value) in object(value, &place)? {
                let id = self.later(value, format!("{place}/{name}"))?;
                members.named.push((name.to_string(), id));
            }
        }
        if let Some(value) = map.get("patternProperties") {
            let place = format!("{parent}/patternProperties");
            for (name, value) in object(value, &place)? {
                let place = format!("{place}/{name}");
                let pattern = self.pattern(name, &place)?;
                members
                    .by_pattern
                    .push((pattern, self.later(value, place)?));
            }
        }
        if let Some(value) = map.get("additionalProperties") {
            let place = format!("{parent}/additionalProperties");
            members.others = Some(self.later(value, place)?);
        }
        Ok(members)
    }

    fn dependencies(&mut self, value: &'a Value, place: &str) -> Result<Rule, String> {
        let mut rules = Vec::new();
        for (name, value) in object(value, place)? {
            let place = format!("{place}/{name}");
            let name = name.to_string();
            rules.push(match value {
                Value::List(_) => Rule::Needs(name, texts(value, &place)?),
                Value::Str(other) => Rule::Needs(name, vec![other.to_string()]),
                _ => Rule::Implies(name, self.later(value, place)?),
            });
        }
        Ok(Rule::Schema(self.ready(rules)?))
    }

    /// A list of at least one schema.
    fn schemas_of(&mut self, value: &'a Value, place: &str) -> Result<Vec<Id>, String> {
        let items = list(value, place)?;
        if items.is_empty() && !place.ends_with("/items") {
            return Err(fault(place, value, "at least one schema"));
        }
        let each = items.iter().enumerate();
        each.map(|(i, v)| self.later(v, format!("{place}/{i}")))
            .collect()
    }
}

fn fault(place: &str, value: &Value, expected: &str) -> String {
    format!(
        "{place}: {} {} (expected {expected})",
        value.kind(),
        value.preview(80)
    )
}

fn text<'a>(value: &'a Value, place: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| fault(place, value, "text"))
}

fn list<'a>(value: &'a Value, place: &str) -> Result<&'a [Value], String> {
    value.as_list().ok_or_else(|| fault(place, value, "a list"))
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map, String> {
    value
        .as_map()
        .ok_or_else(|| fault(place, value, "an object"))
}

fn number(value: &Value, place: &str) -> Result<f64, String> {
    value
        .as_f64()
        .ok_or_else(|| fault(place, value, "a number"))
}

fn texts(value: &Value, place: &str) -> Result<Vec<String>, String> {
    let items = list(value, place)?.iter();
    items.map(|v| text(v, place).map(str::to_owned)).collect()
}

/// A lower and an upper count; absent ones do not bind.
fn bounds(map: &Map, min: &str, max: &str, parent: &str) -> Result<(u64, u64), String> {
    let count = |key: &str, absent: u64| match map.get(key) {
        None => Ok(absent),
        Some(Value::Int(i)) if *i >= 0 => Ok(*i as u64),
        Some(Value::Float(f)) if f.fract() == 0.0 && (0.0..9e15).contains(f) => Ok(*f as u64),
        Some(other) => Err(fault(
            &format!("{parent}/{key}"),
            other,
            "a whole number from 0",
        )),
    };
    Ok((count(min, 0)?, count(max, u64::MAX)?))
}

fn types(value: &Value, place: &str) -> Result<Vec<Type>, String> {
    let one = |value: &Value| match value.as_str() {
        Some("null") => Ok(Type::Null),
        Some("boolean") => Ok(Type::Boolean),
        Some("integer") => Ok(Type::Integer),
        Some("number") => Ok(Type::Number),
        Some("string") => Ok(Type::String),
        Some("array") => Ok(Type::Array),
        Some("object") => Ok(Type::Object),
        _ => Err(fault(
            place,
            value,
            "null, boolean, integer, number, string, array or object",
        )),
    };
    match value {
        Value::List(items) => items.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let code = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
