//! Builds the definitions of node types that are data rather than structs: families of near-identical entries.
//!
//! It must not know any family. A type that cannot be read is a defect of ours, which the first test of the registry
//! shows.

use nodetool_sdk::{
    Behaviour, Emitted, NodeMetadata, OutputSlot, Property, TypeMetadata, Value, catalogue,
};

/// A catalogue entry whose basic fields are all its properties.
pub(crate) fn entry(
    node_type: &str,
    description: &str,
    properties: Vec<Property>,
    outputs: Vec<OutputSlot>,
) -> NodeMetadata {
    let mut entry = NodeMetadata::new(node_type);
    entry.description = description.into();
    entry.basic_fields = properties.iter().map(|p| p.name.clone()).collect();
    entry.properties = properties;
    entry.outputs = outputs;
    entry
}

/// A property of the type written as text, with that type's own default.
pub(crate) fn property(name: &str, ty: &str, description: &str) -> Property {
    let ty = parsed(ty);
    let default = default_of(&ty);
    let mut property = Property::new(name, ty, default);
    property.description = Some(description.into());
    property
}

/// An output of the type written as text.
pub(crate) fn slot(name: &str, ty: &str) -> OutputSlot {
    OutputSlot::new(name, parsed(ty))
}

/// The value of a type when nobody set one.
pub(crate) fn default_of(ty: &TypeMetadata) -> Value {
    match &*ty.name {
        "str" => "".into(),
        "int" => 0i64.into(),
        "float" => 0.0.into(),
        "bool" => false.into(),
        "list" => Value::list([]),
        "dict" => Value::from(nodetool_sdk::Map::new()),
        tag => catalogue::default_value(tag).unwrap_or_default(),
    }
}

/// Code that gives one property on the first slot. Where the property is null it gives `unset`; null leaves nothing.
pub(crate) fn pass_on(index: usize, unset: Value) -> Behaviour {
    Behaviour::Process(Box::new(move |mut props, _| {
        let unset = unset.clone();
        Box::pin(async move {
            let value = match props.take::<Value>(index, "value")? {
                Value::Null => unset,
                value => value,
            };
            Ok(if value.is_null() {
                Emitted::nothing()
            } else {
                Emitted::one(0, value)
            })
        })
    }))
}

fn parsed(text: &str) -> TypeMetadata {
    match text.parse() {
        Ok(ty) => ty,
        Err(e) => panic!("type `{text}` of a table: {e}"),
    }
}
