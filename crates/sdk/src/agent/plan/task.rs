//! A task and its steps, as they stand on the wire and as a model writes them.

use nodetool_protocol::{Map, Value};

/// Lines of a step's log that are kept.
const MOST_LOGS: usize = 200;
/// What a step gives when nothing is said about it.
const ANY_TEXT: &str = r#"{"type":"string"}"#;

/// Work in steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Its id; may be empty.
    pub id: String,
    /// A few words for it.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// The steps; the last one gives the result.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its id, unique in the task.
    pub id: String,
    /// What is to be done.
    pub instructions: String,
    /// What happened.
    pub logs: Vec<LogEntry>,
    /// Whether it is done.
    pub completed: bool,
    /// Unix seconds; 0 before it began.
    pub start_time: i64,
    /// Unix seconds; 0 before it ended.
    pub end_time: i64,
    /// Steps and inputs it needs.
    pub depends_on: Vec<String>,
    /// Tools it may use; all when absent.
    pub tools: Option<Vec<String>>,
    /// The one tool it is about.
    pub tool_name: Option<String>,
    /// JSON Schema of its result, as text.
    pub output_schema: String,
}

impl Default for Step {
    fn default() -> Self {
        Step {
            id: String::new(),
            instructions: String::new(),
            logs: Vec::new(),
            completed: false,
            start_time: 0,
            end_time: 0,
            depends_on: Vec::new(),
            tools: None,
            tool_name: None,
            output_schema: ANY_TEXT.into(),
        }
    }
}

/// A line of a step's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The line.
    pub message: String,
    /// How loud.
    pub level: LogLevel,
    /// Unix seconds.
    pub timestamp: i64,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For those who look closely.
    Debug,
    /// For the record.
    Info,
    /// Something looks wrong.
    Warning,
    /// Something is wrong.
    Error,
}

impl LogLevel {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
        }
    }
}

impl Task {
    /// The task on the wire.
    pub fn to_value(&self) -> Value {
        Value::map([
            ("type", Value::from("task")),
            ("id", self.id.as_str().into()),
            ("title", self.title.as_str().into()),
            ("description", self.description.as_str().into()),
            ("steps", Value::list(self.steps.iter().map(Step::to_value))),
        ])
    }

    /// Reads what a model gave `create_task`, or a task from the wire: what is missing gets its usual value.
    pub fn read(map: &Map) -> Result<Self, String> {
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
        let steps = match map.get("steps") {
            Some(Value::List(steps)) => steps.iter().enumerate(),
            _ => return Err("steps: expected a list of steps".into()),
        };
        let steps = steps.map(|(i, step)| match step {
            Value::Map(step) => Step::read(step).map_err(|e| format!("steps[{i}].{e}")),
            other => Err(format!(
                "steps[{i}]: expected an object, got {}",
                other.kind()
            )),
        });
        Ok(Task {
            id: text("id").to_owned(),
            title: text("title").to_owned(),
            description: text("description").to_owned(),
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

impl Step {
    /// The step on the wire.
    pub fn to_value(&self) -> Value {
        let names = |list: &[String]| Value::list(list.iter().map(|n| n.as_str().into()));
        let log = |entry: &LogEntry| {
            Value::map([
                ("type", Value::from("log_entry")),
                ("message", entry.message.as_str().into()),
                ("level", entry.level.as_str().into()),
                ("timestamp", entry.timestamp.into()),
            ])
        };
        Value::map([
            ("type", Value::from("step")),
            ("id", self.id.as_str().into()),
            ("instructions", self.instructions.as_str().into()),
            ("logs", Value::list(self.logs.iter().map(log))),
            ("completed", self.completed.into()),
            ("start_time", self.start_time.into()),
            ("end_time", self.end_time.into()),
            ("depends_on", names(&self.depends_on)),
            ("tools", self.tools.as_deref().map(names).into()),
            ("tool_name", self.tool_name.clone().into()),
            ("output_schema", self.output_schema.as_str().into()),
        ])
    }

    fn read(map: &Map) -> Result<Self, String> {
        let text = |key: &str| match map.get(key) {
            Some(Value::Str(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(format!("{key}: expected a text")),
        };
        let names = |key: &str| match map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::List(list)) => {
                let name = |v: &Value| v.as_str().map(str::to_owned);
                let names = list.iter().map(name).collect::<Option<Vec<_>>>();
                names.ok_or_else(|| format!("{key}: expected a list of names"))
            }
            .map(Some),
            Some(other) => Err(format!(
                "{key}: expected a list of names, got {}",
                other.kind()
            )),
        };
        // It is a text that holds a schema, but models like to give the schema itself.
        let output_schema = match map.get("output_schema") {
            None | Some(Value::Null) => ANY_TEXT.to_owned(),
            Some(Value::Str(text)) if text.trim().is_empty() => ANY_TEXT.to_owned(),
            Some(Value::Str(text)) => text.to_string(),
            Some(schema) => serde_json::to_string(schema).unwrap_or_default(),
        };
        let tool_name = map.get("tool_name").and_then(Value::as_str);
        Ok(Step {
            id: text("id")?,
            instructions: text("instructions")?,
            depends_on: names("depends_on")?.unwrap_or_default(),
            tools: names("tools")?,
            tool_name: tool_name.filter(|n| !n.is_empty()).map(str::to_owned),
            output_schema,
            ..Step::default()
        })
    }

    /// Notes what happens.
    pub(super) fn log(&mut self, level: LogLevel, message: impl Into<String>) {
        if self.logs.len() < MOST_LOGS {
            self.logs.push(LogEntry {
                message: message.into(),
                level,
                timestamp: now(),
            });
        }
    }

    /// Whether the step may use a tool.
    pub(super) fn may_use(&self, tool: &str) -> bool {
        let named = self.tool_name.as_deref() == Some(tool);
        match &self.tools {
            Some(tools) => named || tools.iter().any(|t| t == tool),
            None => named || self.tool_name.is_none(),
        }
    }
}

/// Unix seconds.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp()
}
