//! What the derives expand to. Not for node authors.

use nodetool_protocol::{NodeMetadata, Property, SyncMode, TypeMetadata, Value};

use crate::{Effect, Role, ValueType};

/// Metadata and flags as the derive collects them.
pub struct Shape {
    /// Full type name.
    pub node_type: &'static str,
    /// Title, when it is not the split class name.
    pub title: Option<&'static str>,
    /// Doc comment.
    pub description: &'static str,
    /// Editor layout.
    pub layout: &'static str,
    /// Declared properties.
    pub properties: Vec<Property>,
    /// Properties shown first.
    pub basic: &'static [&'static str],
    /// Settings the node needs.
    pub settings: &'static [&'static str],
    /// Handles that need an edge.
    pub required: &'static [&'static str],
    /// Accepts undeclared inputs.
    pub dynamic: bool,
    /// Outputs are declared per instance.
    pub dynamic_outputs: bool,
    /// Usable as an agent's tool.
    pub tool: bool,
    /// Results must not be reused.
    pub uncached: bool,
    /// Combines inputs one by one unless the document says otherwise.
    pub zip: bool,
    /// Not listed.
    pub hidden: bool,
    /// May emit several times.
    pub streams: bool,
    /// What an execution changes outside the run.
    pub effect: Effect,
    /// Leaves something in the run beside its outputs.
    pub again: bool,
    /// An execution builds on those before it.
    pub stateful: bool,
    /// What the engine makes of it.
    pub role: Role,
}

impl Shape {
    /// The catalogue entry, outputs aside.
    pub fn metadata(&self) -> NodeMetadata {
        let mut m = NodeMetadata::new(self.node_type);
        if let Some(title) = self.title {
            m.title = title.into();
        }
        m.description = self.description.into();
        m.layout = self.layout.into();
        m.properties.clone_from(&self.properties);
        m.basic_fields = self.basic.iter().map(|s| (*s).into()).collect();
        m.required_settings = self.settings.iter().map(|s| (*s).into()).collect();
        m.is_dynamic = self.dynamic;
        m.is_streaming_output = self.streams;
        m.expose_as_tool = self.tool;
        m.supports_dynamic_outputs = self.dynamic_outputs;
        m
    }

    /// The declared way to combine inputs.
    pub fn sync_mode(&self) -> SyncMode {
        if self.zip {
            SyncMode::ZipAll
        } else {
            SyncMode::OnAny
        }
    }
}

/// A declared property.
#[expect(clippy::too_many_arguments, reason = "called by generated code only")]
pub fn property(
    name: &str,
    ty: TypeMetadata,
    default: Value,
    title: Option<&str>,
    description: &str,
    min: Option<f64>,
    max: Option<f64>,
    extra: Option<&str>,
) -> Property {
    let mut p = Property::new(name, ty, default);
    if let Some(title) = title {
        p.title = Some(title.into());
    }
    if !description.is_empty() {
        p.description = Some(description.into());
    }
    (p.min, p.max) = (min, max);
    p.json_schema_extra = extra.map(|json| match serde_json::from_str::<Value>(json) {
        Ok(Value::Map(m)) => std::sync::Arc::unwrap_or_clone(m),
        _ => panic!("property `{name}`: `extra` must be a JSON object, got {json}"),
    });
    p
}

/// A type written as text in an attribute; a wrong one is a defect that the first test of the registry shows.
pub fn parsed_type(text: &str) -> TypeMetadata {
    match text.parse() {
        Ok(ty) => ty,
        Err(e) => panic!("`ty = \"{text}\"`: {e}"),
    }
}

/// The type of an output slot: optional outputs drop the flag.
pub fn slot_type<T: ValueType>() -> TypeMetadata {
    let mut ty = T::type_metadata();
    ty.optional = false;
    ty
}

/// The refusal of a value that is no member of an enum.
pub fn not_a_member(value: &Value, words: &[&str]) -> String {
    format!(
        "{} {} (expected one of {})",
        value.kind(),
        value.preview(80),
        words.join(", ")
    )
}
