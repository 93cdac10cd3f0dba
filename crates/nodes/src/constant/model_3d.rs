//! `nodetool.constant.Model3D`.

use std::sync::Arc;

use nodetool_sdk::{Model3dRef, Node, NodeCx, NodeError, Process, Value, ValueType};

/// A 3D model.
/// constant, 3d, mesh, model, glb, obj
///
/// A missing format is taken from the ending of its name or address.
#[derive(Node)]
#[node(namespace = "nodetool.constant", title = "Model 3D", tool)]
pub(super) struct Model3D {
    /// The model.
    value: Model3dRef,
}

impl Process for Model3D {
    type Output = Model3dRef;

    async fn process(self, _: &NodeCx) -> Result<Model3dRef, NodeError> {
        if !self.value.text("format").is_empty() {
            return Ok(self.value);
        }
        let Some(format) = ["name", "uri"]
            .iter()
            .find_map(|key| ending(self.value.text(key)))
        else {
            return Ok(self.value);
        };
        let mut value = self.value.into_value();
        if let Value::Map(map) = &mut value {
            Arc::make_mut(map).insert("format".into(), format.into());
        }
        Ok(Model3dRef(value))
    }
}

/// The file ending of a name or address in small letters.
fn ending(place: &str) -> Option<String> {
    if place.starts_with("data:") {
        return None;
    }
    let path = place.split(['?', '#']).next()?;
    let path = match path.split_once("://") {
        // The last part of a host is no file ending.
        Some(("http" | "https", rest)) => rest.split_once('/')?.1,
        Some((_, rest)) => rest,
        None => path,
    };
    let (stem, ending) = path.rsplit(['/', '\\']).next()?.rsplit_once('.')?;
    let plausible = !stem.is_empty()
        && (1..=5).contains(&ending.len())
        && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    plausible.then(|| ending.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_missing_format_comes_from_the_ending() {
        for (uri, given, format) in [
            (
                "https://x.org/a/Chair.GLB?v=1.2",
                Value::Null,
                Value::from("glb"),
            ),
            ("asset://17.obj", "stl".into(), "stl".into()),
            ("https://x.org", Value::Null, Value::Null),
            ("", Value::Null, Value::Null),
        ] {
            let model = Value::map([
                ("type", "model_3d".into()),
                ("uri", uri.into()),
                ("format", given),
            ]);
            let got = case::<Model3D>().set("value", model).value().await.unwrap();
            assert_eq!(got.get("format"), Some(&format), "{uri}");
        }
    }
}
