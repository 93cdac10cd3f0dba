//! `nodetool.constant.ImageSize`.

use nodetool_sdk::{ImageSize, Node, NodeCx, NodeError, Outputs, Process, Value};

/// The width and height of an image, together and apart.
/// constant, size, width, height, resolution, dimensions
#[derive(Node)]
#[node(
    namespace = "nodetool.constant",
    name = "ImageSize",
    title = "Image Size",
    tool
)]
pub(super) struct ImageSizeConstant {
    /// The size; when it is not set, 1024 by 1024.
    #[prop(default = Value::Null)]
    value: ImageSize,
}

/// A size and its two sides.
#[derive(Outputs)]
pub(super) struct Sides {
    image_size: ImageSize,
    width: i64,
    height: i64,
}

impl Process for ImageSizeConstant {
    type Output = Sides;

    async fn process(self, _: &NodeCx) -> Result<Sides, NodeError> {
        Ok(Sides {
            width: side(&self.value, "width")?,
            height: side(&self.value, "height")?,
            image_size: self.value,
        })
    }
}

fn side(size: &ImageSize, name: &str) -> Result<i64, NodeError> {
    let given = size.get(name);
    let whole = match given {
        Value::Int(i) => Some(i),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => Some(f as i64),
        _ => None,
    };
    whole.ok_or_else(|| {
        let what = format!("{name} {} (expected an int)", given.preview(80));
        NodeError::bad("value", what)
    })
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_sides_leave_apart_too() {
        let size = Value::map([
            ("type", "image_size".into()),
            ("width", 640i64.into()),
            ("height", 480.0.into()),
        ]);
        let given = case::<ImageSizeConstant>().set("value", size.clone()).run();
        let given = given.await.unwrap().remove(0);
        assert_eq!(given["image_size"], size);
        assert_eq!(
            (&given["width"], &given["height"]),
            (&640i64.into(), &480i64.into())
        );
        let unset = case::<ImageSizeConstant>().run().await.unwrap().remove(0);
        assert_eq!(unset["width"], Value::Int(1024));
    }

    #[tokio::test]
    async fn a_size_without_a_side_is_refused() {
        let size = Value::map([("type", "image_size".into()), ("width", 640i64.into())]);
        let refused = case::<ImageSizeConstant>().set("value", size).run().await;
        let text = refused.unwrap_err().to_string();
        assert_eq!(
            text,
            "Invalid value for property `value`: height null (expected an int)"
        );
    }
}
