//! `lib.pillow.draw`: pictures from nothing.

use nodetool_sdk::{ColorRef, ImageRef, Node, NodeCx, NodeError, Process, Registry, Value};

use crate::picture::{Picture, color, make, whole};

pub(super) fn register(r: &mut Registry) {
    r.add::<Background>();
}

/// Makes a picture of one colour.
/// image, background, color, blank, canvas
#[derive(Node)]
#[node(namespace = "lib.pillow.draw")]
struct Background {
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
    /// The colour.
    #[prop(default = white())]
    color: ColorRef,
}

fn white() -> Value {
    Value::map([("type", "color".into()), ("value", "#FFFFFF".into())])
}

impl Process for Background {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let width = whole("width", self.width, 1, 4096)?;
        let height = whole("height", self.height, 1, 4096)?;
        let color = color("color", &self.color)?;
        make(move || Picture::filled(width, height, color)).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::seen;

    #[tokio::test]
    async fn the_colour_is_everywhere() {
        let color = Value::map([("type", "color".into()), ("value", "#20406080".into())]);
        let case = case::<Background>().set("width", 3i64).set("height", 2i64);
        let made = seen(&case.set("color", color).value().await.unwrap());
        assert_eq!(made.pixels.dimensions(), (3, 2));
        assert!(made.pixels.pixels().all(|p| p.0 == [32, 64, 96, 128]));
    }
}
