//! The body of a request to the Messages API.

use nodetool_sdk::Value;
use nodetool_sdk::models::{ChatRequest, ModelError, ResponseFormat, ToolChoice, ToolSpec};
use serde::Serialize;

use super::conversation::{Conversation, Turn};
use super::schema::closed;
use super::thinking::{Thinking, samples_itself, thinking, version};
use crate::Account;

/// The tool whose arguments are the answer, when the answer has a form.
pub(super) const JSON_OUTPUT: &str = "json_output";
const JSON_OUTPUT_IS: &str = "Gives the answer, in the form that is asked for.";
const JSON_OUTPUT_CALL: &str =
    "Give your final answer by calling the tool `json_output` exactly once, and say nothing else.";

/// Tokens of an answer when nobody says how many.
const MAX_TOKENS: u32 = 8192;
/// The most that models of version 3.0 and older write.
const MAX_TOKENS_OF_OLD: u32 = 4096;

/// How the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As text.
    Text,
    /// As arguments of the one tool there is, which the model has to call.
    Json,
    /// As arguments of a tool that the model may call next to others, or not at all.
    JsonPerhaps,
}

#[derive(Debug, Serialize)]
pub(super) struct Body {
    model: String,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Turn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    stream: bool,
}

#[derive(Debug, Serialize)]
struct Tool {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    input_schema: Value,
    /// Whether the API sees to it that arguments fit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disable_parallel_tool_use: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ThinkingField {
    Enabled { budget_tokens: u32 },
    Adaptive { display: &'static str },
}

#[derive(Debug, Serialize)]
struct OutputConfig {
    effort: &'static str,
}

#[derive(Debug, Serialize)]
struct Metadata {
    user_id: String,
}

impl Choice {
    fn of(kind: &'static str) -> Self {
        Choice {
            kind,
            name: None,
            disable_parallel_tool_use: None,
        }
    }

    fn named(name: &str) -> Self {
        Choice {
            name: Some(name.to_owned()),
            ..Choice::of("tool")
        }
    }

    /// Thinking models may be offered tools, but not made to call one.
    fn forces(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

/// The body of a request, and how its answer comes.
pub(super) fn body(account: &Account, request: &ChatRequest) -> Result<(Body, Form), ModelError> {
    refuse(account, request)?;
    let mut conversation = Conversation::of(account, &request.messages)?;
    let mut tools: Vec<Tool> = request.tools.iter().map(Tool::from).collect();
    let mut choice = choice(account, request)?;
    let mut thought = thinking(account, request)?;
    let mut form = Form::Text;
    if let Some(output) = json_output(account, request)? {
        if request.tool_choice == Some(ToolChoice::None) {
            tools.clear();
        }
        form = match (tools.is_empty(), thought) {
            (true, Thinking::Off) => Form::Json,
            _ => Form::JsonPerhaps,
        };
        choice = Some(match (form, thought) {
            (Form::Json, _) => Choice::named(JSON_OUTPUT),
            (_, Thinking::Off) => Choice::of("any"),
            _ => Choice::of("auto"),
        });
        if thought != Thinking::Off {
            conversation.instruct(JSON_OUTPUT_CALL);
        }
        tools.push(output);
    } else if choice.as_ref().is_some_and(Choice::forces) {
        // A call that must be made counts more than thinking before it.
        thought = Thinking::Off;
    }
    if tools.is_empty() {
        // The API refuses calls of tools it has not been told of, even in the past.
        tools = called(request);
        choice = (!tools.is_empty()).then(|| Choice::of("none"));
    }
    if request.parallel_tool_calls == Some(false) && !tools.is_empty() {
        let choice = choice.get_or_insert_with(|| Choice::of("auto"));
        choice.disable_parallel_tool_use = (choice.kind != "none").then_some(true);
    }
    let (temperature, top_p) = sampling(request, thought);
    let body = Body {
        model: request.model.clone(),
        max_tokens: max_tokens(request, thought),
        system: conversation.system,
        messages: conversation.turns,
        tools,
        tool_choice: choice,
        thinking: match thought {
            Thinking::Off => None,
            Thinking::Budget(budget_tokens) => Some(ThinkingField::Enabled { budget_tokens }),
            // The newest models keep their thinking to themselves unless asked.
            Thinking::Adaptive(_) => Some(ThinkingField::Adaptive {
                display: "summarized",
            }),
        },
        output_config: match thought {
            Thinking::Adaptive(effort) => Some(OutputConfig { effort }),
            _ => None,
        },
        temperature,
        top_p,
        stop_sequences: request.stop.clone(),
        metadata: request.end_user.clone().map(|user_id| Metadata { user_id }),
        stream: true,
    };
    Ok((body, form))
}

/// What the API has no word for. Leaving a seed or a penalty out would give another answer than the one asked for;
/// a penalty of 0 is none.
fn refuse(account: &Account, request: &ChatRequest) -> Result<(), ModelError> {
    let penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let asked = [
        ("logprobs", request.logprobs.is_some()),
        ("seed", request.seed.is_some()),
        ("presence_penalty", penalty(request.presence_penalty)),
        ("frequency_penalty", penalty(request.frequency_penalty)),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(account.cannot(field, format_args!("`{field}`"))),
        None => Ok(()),
    }
}

impl From<&ToolSpec> for Tool {
    fn from(tool: &ToolSpec) -> Self {
        Tool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            input_schema: closed(&tool.parameters),
            strict: tool.strict == Some(true),
        }
    }
}

fn choice(account: &Account, request: &ChatRequest) -> Result<Option<Choice>, ModelError> {
    let choice = match &request.tool_choice {
        None => return Ok(None),
        Some(ToolChoice::Auto) => Choice::of("auto"),
        Some(ToolChoice::None) => Choice::of("none"),
        Some(ToolChoice::Required) => Choice::of("any"),
        Some(ToolChoice::Named(name)) => Choice::named(name),
    };
    if request.tools.is_empty() && choice.forces() {
        let message = "`tool_choice` asks for a tool call, but there are no tools";
        return Err(account.wrong("tool_choice", message));
    }
    Ok((!request.tools.is_empty()).then_some(choice))
}

/// The tool that stands for a form of the answer. There is none when the model has to call another tool: its turn is no
/// answer then.
fn json_output(account: &Account, request: &ChatRequest) -> Result<Option<Tool>, ModelError> {
    let called = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_))
    );
    let (description, schema) = match &request.response_format {
        _ if called => return Ok(None),
        None | Some(ResponseFormat::Text) => return Ok(None),
        Some(ResponseFormat::JsonObject) => {
            let open = [
                ("type", Value::str("object")),
                ("additionalProperties", Value::Bool(true)),
            ];
            (None, Value::map(open))
        }
        Some(ResponseFormat::JsonSchema {
            description,
            schema,
            ..
        }) => {
            let kind = schema.get("type");
            let is_object = match kind {
                Some(kind) => kind.as_str() == Some("object"),
                None => schema.get("properties").is_some(),
            };
            if !is_object {
                let message = format!(
                    "the schema of an answer has to be that of an object, not {}",
                    kind.map_or("of anything".to_owned(), |kind| kind.preview(40)),
                );
                return Err(account.wrong("response_format.json_schema.schema", message));
            }
            (description.clone(), closed(schema))
        }
    };
    let taken = request.tools.iter().position(|t| t.name == JSON_OUTPUT);
    if let Some(at) = taken {
        let message =
            format!("`{JSON_OUTPUT}` stands for the answer here; name the tool otherwise");
        return Err(account.wrong(format!("tools[{at}].name"), message));
    }
    Ok(Some(Tool {
        name: JSON_OUTPUT.to_owned(),
        description: description.unwrap_or_else(|| JSON_OUTPUT_IS.to_owned()),
        input_schema: schema,
        strict: false,
    }))
}

/// Tools of the past, without their schemas.
fn called(request: &ChatRequest) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    for call in request.messages.iter().flat_map(|m| &m.tool_calls) {
        if tools.iter().all(|tool| tool.name != call.name) {
            tools.push(Tool {
                name: call.name.clone(),
                description: String::new(),
                input_schema: Value::map([("type", Value::str("object"))]),
                strict: false,
            });
        }
    }
    tools
}

fn max_tokens(request: &ChatRequest, thought: Thinking) -> u32 {
    let default = match version(&request.model) {
        Some(version) if version <= (3, 0) => MAX_TOKENS_OF_OLD,
        _ => MAX_TOKENS,
    };
    request.max_tokens.unwrap_or(match thought {
        Thinking::Budget(tokens) => default + tokens,
        Thinking::Adaptive("high" | "xhigh" | "max") => default + 16_384,
        Thinking::Adaptive(_) => default + 8192,
        Thinking::Off => default,
    })
}

/// Temperature and `top_p`. Others go up to 2, Anthropic to 1. While a model thinks it takes no temperature and only a
/// `top_p` near 1; from version 4.1 on it takes one of both, and from 4.7 on neither. They are matters of taste, so what
/// does not go is left out.
fn sampling(request: &ChatRequest, thought: Thinking) -> (Option<f64>, Option<f64>) {
    if samples_itself(&request.model) {
        return (None, None);
    }
    let top_p = request.top_p.filter(|top_p| *top_p < 1.0);
    if thought != Thinking::Off {
        return (None, top_p.filter(|top_p| *top_p >= 0.95));
    }
    let temperature = request.temperature.map(|warm| warm.min(1.0));
    let only_one = version(&request.model).is_none_or(|version| version >= (4, 1));
    let top_p = top_p.filter(|_| temperature.is_none() || !only_one);
    (temperature, top_p)
}
