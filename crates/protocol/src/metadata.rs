//! The catalogue entry of a node type, as `GET /api/nodes/metadata` lists it (engine spec 3.2 to 3.4).

use serde::Serialize;

use crate::types::TypeMetadata;
use crate::value::{Map, Value};

/// A declared property of a node type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Property {
    /// Key in `data`, name of the input handle.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: TypeMetadata,
    /// Value when nothing is set.
    pub default: Value,
    /// Label for people.
    pub title: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// Smallest number allowed.
    pub min: Option<f64>,
    /// Largest number allowed.
    pub max: Option<f64>,
    /// Free hints for editors.
    pub json_schema_extra: Option<Map>,
    /// Whether the type gives no default.
    pub required: bool,
}

impl Property {
    /// A property with a title made of its name and nothing else set.
    pub fn new(name: &str, ty: TypeMetadata, default: Value) -> Self {
        Property {
            name: name.into(),
            ty,
            default,
            title: Some(title_of_property(name)),
            description: None,
            min: None,
            max: None,
            json_schema_extra: None,
            required: false,
        }
    }
}

/// A declared output of a node type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputSlot {
    /// Its type.
    #[serde(rename = "type")]
    pub ty: TypeMetadata,
    /// Handle name.
    pub name: String,
    /// Whether it carries a stream of chunks.
    pub stream: bool,
}

impl OutputSlot {
    /// A slot of this name and type.
    pub fn new(name: &str, ty: TypeMetadata) -> Self {
        OutputSlot {
            ty,
            name: name.into(),
            stream: false,
        }
    }
}

/// What an editor needs to know of a node type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeMetadata {
    /// Label for people.
    pub title: String,
    /// First line summary, second line search words.
    pub description: String,
    /// Type name without its last segment.
    pub namespace: String,
    /// Full type name.
    pub node_type: String,
    /// Editor layout.
    pub layout: String,
    /// Declared properties in order.
    pub properties: Vec<Property>,
    /// Declared outputs in order.
    pub outputs: Vec<OutputSlot>,
    /// Model facts; always an object.
    pub the_model_info: Map,
    /// Suggested models.
    pub recommended_models: Vec<Value>,
    /// Properties shown first.
    pub basic_fields: Vec<String>,
    /// Settings or secrets the node needs.
    pub required_settings: Vec<String>,
    /// Accepts undeclared inputs.
    pub is_dynamic: bool,
    /// May emit several times.
    pub is_streaming_output: bool,
    /// Usable as an agent's tool.
    pub expose_as_tool: bool,
    /// Outputs are declared per instance.
    pub supports_dynamic_outputs: bool,
    /// Bundles of models.
    pub model_packs: Vec<Value>,
}

impl NodeMetadata {
    /// An entry with nothing but its name; the title is the class name split at capitals.
    pub fn new(node_type: &str) -> Self {
        let (namespace, class) = node_type.rsplit_once('.').unwrap_or(("", node_type));
        NodeMetadata {
            title: title_of_class(class),
            description: String::new(),
            namespace: namespace.into(),
            node_type: node_type.into(),
            layout: "default".into(),
            properties: Vec::new(),
            outputs: Vec::new(),
            the_model_info: Map::new(),
            recommended_models: Vec::new(),
            basic_fields: Vec::new(),
            required_settings: Vec::new(),
            is_dynamic: false,
            is_streaming_output: false,
            expose_as_tool: false,
            supports_dynamic_outputs: false,
            model_packs: Vec::new(),
        }
    }
}

/// `max_length` becomes `Max Length`: a capital after anything that is not a letter, small letters elsewhere.
pub fn title_of_property(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut fresh = true;
    for c in name.chars() {
        let c = if c == '_' { ' ' } else { c };
        if c.is_alphabetic() {
            if fresh {
                out.extend(c.to_uppercase())
            } else {
                out.extend(c.to_lowercase())
            }
        } else {
            out.push(c);
        }
        fresh = !c.is_alphabetic();
    }
    out
}

/// `GetJSONPath` becomes `Get JSONPath`, `Model3DInput` becomes `Model 3D Input`: split before a capital that follows
/// a small letter, around digit-and-capital tokens, and never inside a run of capitals.
pub fn title_of_class(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        if i > 0 {
            let p = chars[i - 1];
            let before_digits = c.is_ascii_digit() && !p.is_ascii_digit() && p.is_lowercase() && {
                let rest: String = chars[i..]
                    .iter()
                    .skip_while(|c| c.is_ascii_digit())
                    .take(1)
                    .collect();
                rest.chars().all(char::is_uppercase) && !rest.is_empty()
            };
            let after_token =
                c.is_uppercase() && p.is_uppercase() && i >= 2 && chars[i - 2].is_ascii_digit();
            if (c.is_uppercase() && p.is_lowercase()) || before_digits || after_token {
                out.push(' ');
            }
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_split_as_people_read_them() {
        for (name, title) in [
            ("StringInput", "String Input"),
            ("TTSModelInput", "TTSModel Input"),
            ("Model3DInput", "Model 3D Input"),
            ("GetJSONPathInt", "Get JSONPath Int"),
            ("If", "If"),
            ("ImageToBase64", "Image To Base64"),
        ] {
            assert_eq!(title_of_class(name), title);
        }
        assert_eq!(title_of_property("angle_rad"), "Angle Rad");
    }
}
