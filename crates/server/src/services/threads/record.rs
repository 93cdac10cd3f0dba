//! A stored message as clients and workflows see it (socket spec 7.3): every field there, columns of JSON read.

use nodetool_protocol::{Map, Value};
use nodetool_store::MessageRow;

use crate::services::time_text;

/// The message, tagged `message`. A column that holds no JSON is null.
pub(crate) fn record(row: &MessageRow) -> Map {
    let json = |text: &Option<String>| -> Value {
        let read = text.as_deref().map(serde_json::from_str::<Value>);
        read.and_then(Result::ok).unwrap_or_default()
    };
    let text = |text: &Option<String>| Value::from(text.clone());
    let content = json(&row.content);
    let flag = |flag: Option<bool>| Value::Bool(flag.unwrap_or(false));
    let pairs: [(&str, Value); 27] = [
        ("type", "message".into()),
        ("id", row.id.as_str().into()),
        ("user_id", row.user_id.as_str().into()),
        ("workflow_id", text(&row.workflow_id)),
        ("graph", json(&row.graph)),
        ("thread_id", row.thread_id.as_str().into()),
        ("role", row.role.as_str().into()),
        ("name", text(&row.name)),
        ("content", content.clone()),
        ("instructions", content),
        ("tools", json(&row.tools)),
        ("tool_calls", json(&row.tool_calls)),
        ("tool_call_id", text(&row.tool_call_id)),
        ("collections", json(&row.collections)),
        ("input_files", json(&row.input_files)),
        ("output_files", json(&row.output_files)),
        ("created_at", time_text(row.created_at).into()),
        ("provider", text(&row.provider)),
        ("model", text(&row.model)),
        ("cost", row.cost.map_or(Value::Null, Value::Float)),
        ("agent_mode", flag(row.agent_mode)),
        ("help_mode", flag(row.help_mode)),
        ("agent_execution_id", text(&row.agent_execution_id)),
        ("execution_event_type", text(&row.execution_event_type)),
        ("workflow_target", text(&row.workflow_target)),
        (
            "workflow_message_input_name",
            text(&row.workflow_message_input_name),
        ),
        (
            "workflow_messages_input_name",
            text(&row.workflow_messages_input_name),
        ),
    ];
    pairs.into_iter().map(|(k, v)| (k.into(), v)).collect()
}
