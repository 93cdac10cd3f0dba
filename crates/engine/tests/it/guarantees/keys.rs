//! The keys each message carries (engine spec 6.2): all of them, always, null when unset.

use nodetool_sdk::protocol::JobEvent;

/// Type and declared keys beside `type`.
const KEYS: [(&str, &str); 12] = [
    (
        "job_update",
        "status job_id workflow_id message result error traceback run_state duration",
    ),
    (
        "node_update",
        "node_id node_name node_type status error result properties workflow_id",
    ),
    ("node_progress", "node_id progress total chunk workflow_id"),
    ("edge_update", "workflow_id edge_id status counter"),
    (
        "output_update",
        "node_id node_name output_name value output_type metadata workflow_id",
    ),
    ("preview_update", "node_id value"),
    ("save_update", "node_id name value output_type metadata"),
    (
        "chunk",
        "node_id thread_id workflow_id content_type content content_metadata done thinking",
    ),
    (
        "log_update",
        "node_id node_name content severity workflow_id",
    ),
    ("notification", "node_id content severity workflow_id"),
    ("tool_result_update", "node_id thread_id workflow_id result"),
    ("error", "message thread_id workflow_id"),
];

/// Keys a message may carry beyond the declared ones.
const MORE: [(&str, &str); 1] = [("node_progress", "node_name")];

pub(super) fn check(event: &JobEvent, faults: &mut Vec<String>) {
    let json = serde_json::to_value(event).expect("a message is JSON");
    let object = json.as_object().expect("a message is an object");
    let kind = json["type"].as_str().unwrap_or_default();
    let Some((_, declared)) = KEYS.iter().find(|(k, _)| *k == kind) else {
        return faults.push(format!("no such message: {json}"));
    };
    for key in declared.split(' ').filter(|k| !object.contains_key(*k)) {
        faults.push(format!("`{kind}` without `{key}`: {json}"));
    }
    for key in object.keys().filter(|k| *k != "type") {
        let known = declared.split(' ').any(|k| k == key) || MORE.contains(&(kind, key));
        if !known {
            faults.push(format!("`{kind}` with an undeclared `{key}`: {json}"));
        }
    }
}
