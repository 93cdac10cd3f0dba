//! The settings of a trigger as its node in the graph gives them, and what is wrong with them. No store, no clock.

use nodetool_nodes::triggers::WatchSettings;
use nodetool_protocol::{Graph, Map, Node, Value};
use nodetool_store::MAX_NODE_ID_BYTES;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::schedule::{Calendar, SECOND, Timing};

/// What marks the type of a trigger node.
const MARK: &str = "triggers.";
const NAMESPACE: &str = "nodetool.triggers.";
/// Shortest interval between two runs, in seconds.
const SHORTEST: f64 = 1.0;
/// Longest time a property may name, in seconds: ten years.
const LONGEST: f64 = 315_360_000.0;
/// Methods the server takes requests of.
const METHODS: [&str; 3] = ["GET", "POST", "PUT"];

/// The settings of one trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Spec {
    Interval {
        /// Microseconds.
        every: i64,
        /// Microseconds.
        delay: i64,
        at_once: bool,
        steady: bool,
        /// Events until the end; 0 for no end.
        max_events: i64,
    },
    Cron {
        expression: String,
        timezone: String,
        max_events: i64,
    },
    Manual,
    Webhook {
        methods: Vec<String>,
        /// Hash of the secret; nothing when anybody may call.
        secret_sha256: Option<String>,
    },
    FileWatch {
        watch: WatchSettings,
        /// Microseconds between two looks at least.
        pause: i64,
        max_events: i64,
    },
    /// Settings that cannot be used: why.
    Faulty {
        why: String,
    },
}

/// A property of a trigger node that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TriggerFault {
    pub(crate) node_id: String,
    pub(crate) property: &'static str,
    pub(crate) why: String,
}

/// What a graph wants of one of its nodes.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) node_id: String,
    pub(crate) spec: Result<Spec, TriggerFault>,
}

impl Spec {
    /// The word for it in lists.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Spec::Interval { .. } => "interval",
            Spec::Cron { .. } => "cron",
            Spec::Manual => "manual",
            Spec::Webhook { .. } => "webhook",
            Spec::FileWatch { .. } => FILE_WATCH,
            Spec::Faulty { .. } => "faulty",
        }
    }

    /// As the text the store keeps.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".into())
    }

    /// From the text the store keeps.
    pub(crate) fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|e| Spec::Faulty {
            why: format!("the stored settings cannot be read: {e}"),
        })
    }

    /// What decides its due times, if a clock does.
    pub(crate) fn timing(&self) -> Option<Timing> {
        match self {
            Spec::Interval {
                every,
                delay,
                at_once,
                steady,
                ..
            } => Some(Timing::Interval {
                every: *every,
                delay: *delay,
                at_once: *at_once,
                steady: *steady,
            }),
            Spec::Cron {
                expression,
                timezone,
                ..
            } => Calendar::read(expression, timezone)
                .ok()
                .map(|c| Timing::Cron(Box::new(c))),
            Spec::Manual | Spec::Webhook { .. } | Spec::FileWatch { .. } | Spec::Faulty { .. } => {
                None
            }
        }
    }

    /// How many more events it gives after so many; nothing for no end.
    pub(crate) fn events_left(&self, fired: i64) -> Option<i64> {
        match self {
            Spec::Interval { max_events, .. }
            | Spec::Cron { max_events, .. }
            | Spec::FileWatch { max_events, .. } => {
                (*max_events > 0).then(|| (max_events - fired).max(0))
            }
            Spec::Manual | Spec::Webhook { .. } | Spec::Faulty { .. } => None,
        }
    }
}

/// The word for file watches in lists and in the store.
pub(crate) const FILE_WATCH: &str = "file_watch";

/// SHA-256 of a text in hex: what a secret is kept and compared as.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// What a graph wants of its trigger nodes; nodes that wait inside a run begin none.
pub(crate) fn wanted(graph: &Graph) -> Vec<Wanted> {
    let triggers = graph
        .nodes
        .iter()
        .filter(|n| n.node_type.contains(MARK) && !n.bypassed());
    triggers.filter_map(read).collect()
}

fn read(node: &Node) -> Option<Wanted> {
    let class = node.node_type.strip_prefix(NAMESPACE)?;
    let reader = match class {
        "IntervalTrigger" => interval,
        "CronTrigger" => cron,
        "ManualTrigger" => |_: &mut Properties<'_>| Ok(Spec::Manual),
        "WebhookTrigger" => webhook,
        "FileWatchTrigger" => file_watch,
        _ => return None,
    };
    let mut node_id = node.id.to_string();
    let spec = if node_id.is_empty() || node_id.len() > MAX_NODE_ID_BYTES || node_id.contains('\0')
    {
        let why = format!("expected 1 to {MAX_NODE_ID_BYTES} bytes without NUL");
        node_id = node_id.chars().filter(|c| *c != '\0').take(40).collect();
        Err(("id", why))
    } else {
        reader(&mut Properties(&node.data))
    };
    let spec = spec.map_err(|(property, why)| TriggerFault {
        node_id: node_id.clone(),
        property,
        why,
    });
    Some(Wanted { node_id, spec })
}

type Fault = (&'static str, String);

fn interval(p: &mut Properties<'_>) -> Result<Spec, Fault> {
    Ok(Spec::Interval {
        every: p.seconds("interval_seconds", 60.0, SHORTEST)?,
        delay: p.seconds("initial_delay_seconds", 0.0, 0.0)?,
        at_once: p.flag("emit_on_start", true)?,
        steady: p.flag("include_drift_compensation", true)?,
        max_events: p.count("max_events")?,
    })
}

fn cron(p: &mut Properties<'_>) -> Result<Spec, Fault> {
    let expression = p.text("expression", "0 * * * *")?;
    let timezone = p.text("timezone", "UTC")?;
    Calendar::read(&expression, &timezone)?;
    Ok(Spec::Cron {
        expression,
        timezone,
        max_events: p.count("max_events")?,
    })
}

fn webhook(p: &mut Properties<'_>) -> Result<Spec, Fault> {
    let methods = p.texts("methods", &["POST"])?;
    let methods: Vec<String> = methods.iter().map(|m| m.to_ascii_uppercase()).collect();
    if let Some(other) = methods.iter().find(|m| !METHODS.contains(&m.as_str())) {
        let other: String = other.chars().take(20).collect();
        let why = format!("'{other}' (expected some of {})", METHODS.join(", "));
        return Err(("methods", why));
    }
    let secret = p.text("secret", "")?;
    Ok(Spec::Webhook {
        methods,
        secret_sha256: (!secret.is_empty()).then(|| hash(&secret)),
    })
}

fn file_watch(p: &mut Properties<'_>) -> Result<Spec, Fault> {
    let usual = WatchSettings::default();
    let texts = |list: &[String]| list.to_vec();
    let pause = p.seconds("debounce_seconds", 0.5, 0.0)?;
    Ok(Spec::FileWatch {
        watch: WatchSettings {
            path: p.text("path", &usual.path)?,
            recursive: p.flag("recursive", usual.recursive)?,
            patterns: p.texts("patterns", &texts(&usual.patterns))?,
            ignore_patterns: p.texts("ignore_patterns", &texts(&usual.ignore_patterns))?,
            events: p.texts("events", &texts(&usual.events))?,
        },
        pause: pause.max(SECOND),
        max_events: p.count("max_events")?,
    })
}

/// The properties of a node; what is unset has its default.
struct Properties<'a>(&'a Map);

impl Properties<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    fn wrong(name: &'static str, got: &Value, expected: &str) -> Fault {
        let why = format!("{} {} (expected {expected})", got.kind(), got.preview(40));
        (name, why)
    }

    /// Seconds, as microseconds.
    fn seconds(&self, name: &'static str, default: f64, least: f64) -> Result<i64, Fault> {
        let seconds = match self.get(name) {
            None => default,
            Some(value) => match value {
                Value::Int(_) | Value::Float(_) => value.as_f64().unwrap_or(f64::NAN),
                other => return Err(Self::wrong(name, other, "a number of seconds")),
            },
        };
        if !(least..=LONGEST).contains(&seconds) {
            let why = format!("{seconds} (expected {least} to {LONGEST} seconds)");
            return Err((name, why));
        }
        Ok((seconds * SECOND as f64).round() as i64)
    }

    fn count(&self, name: &'static str) -> Result<i64, Fault> {
        match self.get(name) {
            None => Ok(0),
            Some(Value::Int(n)) if *n >= 0 => Ok(*n),
            Some(other) => Err(Self::wrong(name, other, "0 for no end, or more")),
        }
    }

    fn flag(&self, name: &'static str, default: bool) -> Result<bool, Fault> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(Self::wrong(name, other, "true or false")),
        }
    }

    fn text(&self, name: &'static str, default: &str) -> Result<String, Fault> {
        match self.get(name) {
            None => Ok(default.to_owned()),
            Some(Value::Str(text)) => Ok(text.to_string()),
            Some(other) => Err(Self::wrong(name, other, "text")),
        }
    }

    fn texts<T: AsRef<str>>(
        &self,
        name: &'static str,
        default: &[T],
    ) -> Result<Vec<String>, Fault> {
        let Some(value) = self.get(name) else {
            return Ok(default.iter().map(|t| t.as_ref().to_owned()).collect());
        };
        let wrong = || Self::wrong(name, value, "a list of texts");
        let items = value.as_list().ok_or_else(wrong)?;
        let each = items.iter().map(|v| v.as_str().map(str::to_owned));
        each.collect::<Option<_>>().ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(class: &str, data: serde_json::Value) -> Result<Spec, TriggerFault> {
        let node = json!({ "id": "t", "type": format!("nodetool.triggers.{class}"), "data": data });
        let graph: Graph = serde_json::from_value(json!({ "nodes": [node], "edges": [] })).unwrap();
        let mut wanted = wanted(&graph);
        assert_eq!(wanted.len(), 1);
        wanted.remove(0).spec
    }

    #[test]
    fn settings_survive_as_text() {
        for (class, data) in [
            ("IntervalTrigger", json!({ "interval_seconds": 1 })),
            (
                "CronTrigger",
                json!({ "expression": "*/5 * * * *", "timezone": "Europe/Berlin" }),
            ),
            ("ManualTrigger", json!({})),
            (
                "WebhookTrigger",
                json!({ "secret": "s", "methods": ["post", "PUT"] }),
            ),
            (
                "FileWatchTrigger",
                json!({ "path": "in", "patterns": ["*.txt"] }),
            ),
        ] {
            let spec = of(class, data).unwrap();
            let text = spec.to_text();
            assert!(!text.contains("\"s\""), "a secret is kept as its hash only");
            assert_eq!(Spec::from_text(&text), spec, "{text}");
        }
        assert!(matches!(Spec::from_text("{}"), Spec::Faulty { .. }));
    }

    #[test]
    fn each_fault_names_its_property() {
        for (class, data, property) in [
            (
                "IntervalTrigger",
                json!({ "interval_seconds": 0.999 }),
                "interval_seconds",
            ),
            (
                "IntervalTrigger",
                json!({ "interval_seconds": "1" }),
                "interval_seconds",
            ),
            (
                "IntervalTrigger",
                json!({ "initial_delay_seconds": -1 }),
                "initial_delay_seconds",
            ),
            (
                "IntervalTrigger",
                json!({ "emit_on_start": 1 }),
                "emit_on_start",
            ),
            ("IntervalTrigger", json!({ "max_events": -1 }), "max_events"),
            ("CronTrigger", json!({ "expression": "x" }), "expression"),
            ("CronTrigger", json!({ "timezone": "x" }), "timezone"),
            ("WebhookTrigger", json!({ "methods": ["BREW"] }), "methods"),
            ("WebhookTrigger", json!({ "secret": 5 }), "secret"),
            ("FileWatchTrigger", json!({ "patterns": "x" }), "patterns"),
        ] {
            let fault = of(class, data).unwrap_err();
            assert_eq!(
                (fault.property, fault.node_id.as_str()),
                (property, "t"),
                "{}",
                fault.why
            );
        }
    }

    #[test]
    fn nodes_that_begin_no_run_are_left_out() {
        let node = |id: &str, node_type: &str, bypassed: bool| {
            json!({
                "id": id, "type": node_type, "data": {}, "ui_properties": { "bypassed": bypassed },
            })
        };
        let graph: Graph = serde_json::from_value(json!({ "edges": [], "nodes": [
            node("w", "nodetool.triggers.Wait", false),
            node("b", "nodetool.triggers.ManualTrigger", true),
            node("o", "other.triggers.Thing", false),
            node("m", "nodetool.triggers.ManualTrigger", false),
        ] }))
        .unwrap();
        let ids: Vec<String> = wanted(&graph).into_iter().map(|w| w.node_id).collect();
        assert_eq!(ids, ["m"]);
    }
}
