//! The table of built-in tools: what models are told of each.

use std::sync::LazyLock;

use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::tools::Tool;
use nodetool_sdk::{Map, Value};

mod rows;

use rows::{FILES, HUB, LISTS, STORED, WEB, WORKFLOWS};

/// Characters of an argument in a line for people.
const MOST_SHOWN: usize = 80;

/// A built-in tool.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    description: &'static str,
    parameters: Value,
    /// Calling it changes something outside of the conversation.
    effects: bool,
    /// A line for people; `{key}` stands for an argument.
    note: &'static str,
    /// Longest time of a call.
    pub(super) seconds: u64,
}

impl BuiltIn {
    pub(super) fn tool(&self) -> Tool {
        Tool {
            spec: ToolSpec {
                name: self.name.into(),
                description: self.description.into(),
                parameters: self.parameters.clone(),
                ..ToolSpec::default()
            },
            effects: self.effects,
        }
    }

    /// The line for people about a call.
    pub(super) fn note(&self, arguments: &Map) -> String {
        let mut note = String::new();
        let mut rest = self.note;
        while let Some((before, after)) = rest.split_once('{') {
            let (key, after) = after.split_once('}').unwrap_or((after, ""));
            note.push_str(before);
            match arguments.get(key) {
                Some(Value::Str(text)) => note.extend(text.chars().take(MOST_SHOWN)),
                Some(other) if !other.is_null() => note.push_str(&other.preview(MOST_SHOWN)),
                // A model leaves out what it must not, or sends what cannot be read.
                _ => note.push('…'),
            }
            rest = after;
        }
        note.push_str(rest);
        note
    }
}

/// The tool of this name.
pub(super) fn find(name: &str) -> Option<&'static BuiltIn> {
    all().iter().find(|tool| tool.name == name)
}

/// All of them.
pub(super) fn all() -> &'static [BuiltIn] {
    static ALL: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
        let rows = FILES.iter().chain(&WEB).chain(&WORKFLOWS).chain(&LISTS);
        let rows = rows.chain(&STORED).chain(&HUB);
        rows.map(made).collect()
    });
    &ALL
}

/// Name, effects, line for people, description, parameters: `name: kind = meaning`, one a line; `!` marks those that
/// must be given.
type Row = (
    &'static str,
    bool,
    &'static str,
    &'static str,
    &'static [&'static str],
);

fn made(row: &Row) -> BuiltIn {
    let (name, effects, note, description, parameters) = *row;
    BuiltIn {
        name,
        description,
        parameters: schema(parameters),
        effects,
        note,
        seconds: match name {
            // A person may be away for a while.
            "run_workflow" | "run_workflow_tool" | "run_agent" | "ask_human" => 1800,
            _ => 300,
        },
    }
}

fn schema(parameters: &[&'static str]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for line in parameters {
        let (head, meaning) = line.split_once(" = ").unwrap_or((line, ""));
        let (name, kind) = head.split_once(": ").unwrap_or((head, "string"));
        let name = name.strip_prefix('!').unwrap_or(name);
        if line.starts_with('!') {
            required.push(Value::from(name));
        }
        let mut one = match kind.strip_suffix("[]") {
            Some(item) => {
                let item = Value::map([("type", Value::from(item))]);
                Map::from_iter([("type".into(), "array".into()), ("items".into(), item)])
            }
            // Anything at all.
            None if kind == "any" => Map::new(),
            None => Map::from_iter([("type".into(), kind.into())]),
        };
        one.insert("description".into(), meaning.into());
        properties.insert(name.into(), one.into());
    }
    Value::map([
        ("type", Value::from("object")),
        ("properties", properties.into()),
        ("required", required.into()),
        ("additionalProperties", false.into()),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use nodetool_sdk::agent::Schema;

    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut names = HashSet::new();
        for built_in in all() {
            assert!(names.insert(built_in.name), "{}", built_in.name);
            let tool = built_in.tool();
            assert!(Schema::new(tool.spec.parameters.clone()).is_ok());
            assert!(!tool.spec.description.is_empty());
            let properties = tool.spec.parameters.get("properties").cloned();
            let properties = properties.as_ref().and_then(Value::as_map).unwrap();
            for (key, schema) in properties {
                assert!(
                    schema.get("description").and_then(Value::as_str) != Some(""),
                    "{key}"
                );
            }
            // A note names only arguments that must be given.
            for place in built_in.note.split('{').skip(1) {
                let key = place.split('}').next().unwrap_or_default();
                let required = tool.spec.parameters.get("required").cloned();
                let required = required.as_ref().and_then(Value::as_list).unwrap();
                assert!(required.contains(&key.into()), "{}: {key}", built_in.name);
            }
        }
    }

    #[test]
    fn a_note_shows_the_argument_it_names() {
        let arguments = Map::from_iter([("path".into(), "notes.txt".into())]);
        let read = find("read_file").unwrap();
        assert_eq!(read.note(&arguments), "Reading notes.txt");
    }

    #[test]
    fn a_note_never_shows_the_name_of_an_argument_in_its_place() {
        for built_in in all() {
            let note = built_in.note(&Map::new());
            assert!(!note.contains(['{', '}']), "{note}");
        }
        let braces = Map::from_iter([("path".into(), "{path}".into())]);
        assert_eq!(find("read_file").unwrap().note(&braces), "Reading {path}");
        let nothing = Map::from_iter([("path".into(), Value::Null)]);
        assert_eq!(find("read_file").unwrap().note(&nothing), "Reading …");
    }
}
