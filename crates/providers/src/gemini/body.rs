//! The body of a request for an answer.

use nodetool_sdk::Value;
use nodetool_sdk::models::{ChatRequest, ModelError, ResponseFormat, ToolChoice, ToolSpec};
use serde::Serialize;

use super::content::Content;
use super::conversation::Conversation;
use super::schema::{self, parameters};
use super::thinking::{Thinking, forms_beside_tools, thinking};
use crate::Account;

/// The tool whose arguments are the answer, for models that cannot give an answer a form while they have tools.
pub(super) const JSON_OUTPUT: &str = "json_output";
const JSON_OUTPUT_IS: &str = "Gives the answer, in the form that is asked for.";

/// How the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As text.
    Text,
    /// As arguments of a tool next to others.
    Call,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    generation_config: GenerationConfig,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools {
    function_declarations: Vec<Declaration>,
}

#[derive(Debug, Serialize)]
struct Declaration {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig {
    function_calling_config: Calling,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
}

impl GenerationConfig {
    fn is_empty(&self) -> bool {
        serde_json::to_string(self).is_ok_and(|text| text == "{}")
    }
}

/// The body of a request, and how its answer comes.
///
/// `logprobs` are refused: few models have them, and not in streams.
pub(super) fn body(account: &Account, request: &ChatRequest) -> Result<(Body, Form), ModelError> {
    if request.logprobs.is_some() {
        return Err(account.cannot("logprobs", "`logprobs`"));
    }
    let model = &request.model;
    let conversation = Conversation::of(account, model, &request.messages)?;
    let mut tools = request
        .tools
        .iter()
        .enumerate()
        .map(|(at, tool)| declaration(account, at, tool))
        .collect::<Result<Vec<_>, _>>()?;
    let mut calling = calling(account, request)?;
    let mut config = config(account, request)?;
    let mut form = Form::Text;
    match answer_schema(account, request)? {
        Some(schema) if tools.is_empty() || forms_beside_tools(model) => {
            config.response_mime_type = Some("application/json");
            config.response_schema = schema;
        }
        Some(schema) => match &request.tool_choice {
            Some(ToolChoice::None) => {
                tools.clear();
                calling = None;
                config.response_mime_type = Some("application/json");
                config.response_schema = schema;
            }
            // A call has to come, so this turn is no answer.
            Some(ToolChoice::Required | ToolChoice::Named(_)) => {}
            None | Some(ToolChoice::Auto) => {
                form = Form::Call;
                tools.push(json_output(account, request, schema)?);
                calling = Some(Calling {
                    mode: "ANY",
                    allowed_function_names: Vec::new(),
                });
            }
        },
        None => {}
    }
    let system = conversation.system;
    let body = Body {
        contents: conversation.turns,
        system_instruction: (!system.is_empty()).then_some(Content {
            role: None,
            parts: system,
        }),
        tools: match tools.is_empty() {
            true => Vec::new(),
            false => vec![Tools {
                function_declarations: tools,
            }],
        },
        tool_config: calling.map(|function_calling_config| ToolConfig {
            function_calling_config,
        }),
        generation_config: config,
    };
    Ok((body, form))
}

fn declaration(account: &Account, at: usize, tool: &ToolSpec) -> Result<Declaration, ModelError> {
    let parameters = parameters(&tool.parameters)
        .map_err(|e| account.wrong(format!("tools[{at}].function.parameters"), e))?;
    Ok(Declaration {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters,
    })
}

fn json_output(
    account: &Account,
    request: &ChatRequest,
    schema: Option<Value>,
) -> Result<Declaration, ModelError> {
    if let Some(at) = request.tools.iter().position(|t| t.name == JSON_OUTPUT) {
        let message =
            format!("`{JSON_OUTPUT}` stands for the answer here; name the tool otherwise");
        return Err(account.wrong(format!("tools[{at}].name"), message));
    }
    let Some(schema) = schema else {
        // Parameters without names are none, so there is nothing that could stand for any object.
        let what = "`response_format: json_object` next to tools with this model; give a schema";
        return Err(account.cannot("response_format", what));
    };
    Ok(Declaration {
        name: JSON_OUTPUT.to_owned(),
        description: JSON_OUTPUT_IS.to_owned(),
        parameters: Some(schema),
    })
}

fn calling(account: &Account, request: &ChatRequest) -> Result<Option<Calling>, ModelError> {
    let (mode, names) = match &request.tool_choice {
        None => return Ok(None),
        Some(ToolChoice::Auto) => ("AUTO", Vec::new()),
        Some(ToolChoice::None) => ("NONE", Vec::new()),
        Some(ToolChoice::Required) => ("ANY", Vec::new()),
        Some(ToolChoice::Named(name)) => ("ANY", vec![name.clone()]),
    };
    if request.tools.is_empty() {
        if mode == "ANY" {
            let message = "`tool_choice` asks for a tool call, but there are no tools";
            return Err(account.wrong("tool_choice", message));
        }
        return Ok(None);
    }
    Ok(Some(Calling {
        mode,
        allowed_function_names: names,
    }))
}

/// The form of the answer: absent for text, `Some(None)` for any JSON.
fn answer_schema(
    account: &Account,
    request: &ChatRequest,
) -> Result<Option<Option<Value>>, ModelError> {
    Ok(match &request.response_format {
        None | Some(ResponseFormat::Text) => None,
        Some(ResponseFormat::JsonObject) => Some(None),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            let schema = schema::answer(schema)
                .map_err(|e| account.wrong("response_format.json_schema.schema", e))?;
            Some(Some(schema))
        }
    })
}

fn config(account: &Account, request: &ChatRequest) -> Result<GenerationConfig, ModelError> {
    let seed = request.seed.map(|seed| {
        i32::try_from(seed).map_err(|_| {
            let message = format!("`seed` is {seed}; expected a number of 32 bits");
            account.wrong("seed", message)
        })
    });
    Ok(GenerationConfig {
        temperature: request.temperature,
        top_p: request.top_p,
        max_output_tokens: request.max_tokens,
        stop_sequences: request.stop.clone(),
        seed: seed.transpose()?,
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        thinking_config: thinking(account, &request.model, request.reasoning_effort.as_deref())?,
        ..GenerationConfig::default()
    })
}
