//! `nodetool.workflows.test_helper`: the small types that test files are made of.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{
    ControlEvent, ControlMessage, Emitter, Generate, Map, Node, NodeCx, NodeError, Nothing, Number,
    Outputs, Process, Registry, Value, ValueType,
};

/// The mark that `FormatText` replaces.
const MARK: &str = "{{ text }}";
/// Longest text `FormatText` builds, in bytes.
const MAX_TEXT: usize = 256 << 20;

pub(super) fn register(r: &mut Registry) {
    r.add::<StringInput>();
    r.add::<FloatInput>();
    let mut output = crate::output::sink(
        "nodetool.workflows.test_helper.StringOutput",
        "str",
        "Makes every text it gets a result of the run.\ntest, output, text",
    );
    output.hidden = true;
    r.add_def(output);
    r.add::<FormatText>();
    r.add::<ThresholdProcessor>();
    r.add::<SimpleController>();
}

/// Takes a text from the run.
/// test, input, text
#[derive(Node)]
#[node(namespace = "nodetool.workflows.test_helper", role = Input, basic("name", "value"), hidden)]
struct StringInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// Used when the run gives nothing.
    value: String,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
    /// Label for people.
    #[expect(dead_code, reason = "read by people")]
    label: String,
}

impl Process for StringInput {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(self.value)
    }
}

/// Takes a number from the run.
/// test, input, number
#[derive(Node)]
#[node(namespace = "nodetool.workflows.test_helper", role = Input, basic("name", "value"), hidden)]
struct FloatInput {
    /// Name of the run's parameter.
    #[expect(dead_code, reason = "read by the engine")]
    name: String,
    /// What the run gives; not a number when it gives nothing.
    #[prop(ty = "float", default = f64::NAN)]
    value: Number,
    /// What the parameter is for.
    #[expect(dead_code, reason = "read by people")]
    description: String,
    /// Label for people.
    #[expect(dead_code, reason = "read by people")]
    label: String,
    /// Used when the run gives nothing.
    #[prop(ty = "float", default = 0.0)]
    default: Number,
}

/// One number, whole ones as they are.
#[derive(Outputs)]
struct Given {
    #[slot(ty = "float")]
    output: Number,
}

impl Process for FloatInput {
    type Output = Given;

    async fn process(self, _: &NodeCx) -> Result<Given, NodeError> {
        let output = if self.value.as_f64().is_nan() {
            self.default
        } else {
            self.value
        };
        Ok(Given { output })
    }
}

/// Puts a text into a template, wherever the template says `{{ text }}`.
/// test, text, template
#[derive(Node)]
#[node(namespace = "nodetool.workflows.test_helper", hidden)]
struct FormatText {
    /// The template.
    #[prop(default = "Hello, {{ text }}")]
    template: String,
    /// The text.
    text: String,
}

impl Process for FormatText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let marks = self.template.matches(MARK).count();
        let size = marks
            .checked_mul(self.text.len())
            .and_then(|n| n.checked_add(self.template.len()));
        if size.is_none_or(|n| n > MAX_TEXT) {
            return Err(NodeError::bad(
                "template",
                format!("the text would be longer than {MAX_TEXT} bytes with {marks} marks"),
            ));
        }
        Ok(self.template.replace(MARK, &self.text))
    }
}

/// Says whether a number reaches a threshold; in strict mode it must exceed it.
/// test, number, threshold, control
#[derive(Node)]
#[node(namespace = "nodetool.workflows.test_helper", hidden)]
struct ThresholdProcessor {
    /// The number.
    #[prop(ty = "float", default = 0.0)]
    value: Number,
    /// The threshold.
    #[prop(ty = "float", default = 0.5)]
    threshold: Number,
    /// `strict`, or any other word.
    #[prop(default = "normal")]
    mode: String,
}

impl Process for ThresholdProcessor {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (value, threshold) = (self.value.as_f64(), self.threshold.as_f64());
        let exceeds = match &*self.mode {
            "strict" => value > threshold,
            _ => value >= threshold,
        };
        Ok(format!(
            "value={}, threshold={}, mode={}, exceeds={}",
            py_str(&self.value.into_value()),
            py_str(&self.threshold.into_value()),
            self.mode,
            py_str(&Value::Bool(exceeds)),
        ))
    }
}

/// Tells the nodes it controls to run once.
/// test, control, controller, event
#[derive(Node)]
#[node(namespace = "nodetool.workflows.test_helper", kind = Generate, hidden)]
struct SimpleController {
    /// Threshold for the controlled nodes.
    #[prop(default = 0.8)]
    control_threshold: f64,
    /// Mode for the controlled nodes.
    #[prop(default = "strict")]
    control_mode: String,
    /// Whether to tell them at all.
    #[prop(default = true)]
    trigger_on_init: bool,
    /// Whether to send threshold and mode along.
    #[prop(default = true)]
    include_properties: bool,
}

impl Generate for SimpleController {
    type Output = Nothing;

    async fn generate(self, out: &Emitter<'_, Nothing>, _: &NodeCx) -> Result<(), NodeError> {
        if !self.trigger_on_init {
            return Ok(());
        }
        let mut properties = Map::new();
        if self.include_properties {
            properties.insert("threshold".into(), self.control_threshold.into());
            properties.insert("mode".into(), self.control_mode.into());
        }
        out.control(ControlMessage {
            target: None,
            event: ControlEvent::Run(properties),
            reply: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    async fn said(value: f64, mode: &str) -> String {
        let case = case::<ThresholdProcessor>()
            .set("value", value)
            .set("mode", mode);
        case.value().await.unwrap().as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn strict_mode_wants_more_than_the_threshold() {
        let normal = "value=0.5, threshold=0.5, mode=normal, exceeds=True";
        assert_eq!(said(0.5, "normal").await, normal);
        let strict = "value=0.5, threshold=0.5, mode=strict, exceeds=False";
        assert_eq!(said(0.5, "strict").await, strict);
    }

    #[tokio::test]
    async fn the_default_counts_only_when_the_run_gives_nothing() {
        let unset = case::<FloatInput>().set("default", 0.75);
        assert_eq!(unset.value().await.unwrap(), Value::Float(0.75));
        let given = case::<FloatInput>().set("default", 0.75).set("value", 0.0);
        assert_eq!(given.value().await.unwrap(), Value::Float(0.0));
    }

    #[tokio::test]
    async fn a_template_that_would_grow_without_end_is_refused() {
        let plain = case::<FormatText>().set("text", "you").value().await;
        assert_eq!(plain.unwrap().as_str(), Some("Hello, you"));
        let huge = case::<FormatText>()
            .set("template", MARK.repeat(1 << 15))
            .set("text", "x".repeat(1 << 14));
        let refused = huge.run().await.unwrap_err().to_string();
        assert!(refused.contains("`template`"), "{refused}");
    }
}
