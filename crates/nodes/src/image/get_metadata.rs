//! `nodetool.image.GetMetadata`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Outputs, Process};

use crate::picture::{Picture, required, work};

/// Says what kind of picture it is and how large.
/// image, metadata, width, height, size, format, channels
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct GetMetadata {
    /// The picture.
    image: ImageRef,
}

/// What is known of a picture.
#[derive(Outputs)]
pub(super) struct Metadata {
    format: String,
    mode: String,
    width: i64,
    height: i64,
    channels: i64,
}

impl Process for GetMetadata {
    type Output = Metadata;

    async fn process(self, cx: &NodeCx) -> Result<Metadata, NodeError> {
        let file = required(cx, "image", &self.image).await?;
        work(move || {
            let format = match image::guess_format(&file) {
                Ok(format) => format!("{format:?}").to_uppercase(),
                Err(_) => "Unknown".to_owned(),
            };
            let picture = Picture::decode("image", &file)?;
            let (mode, channels) = if picture.has_alpha {
                ("RGBA", 4)
            } else {
                ("RGB", 3)
            };
            Ok(Metadata {
                format,
                mode: mode.into(),
                width: picture.pixels.width().into(),
                height: picture.pixels.height().into(),
                channels,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::painted;

    #[tokio::test]
    async fn size_format_and_channels_are_told() {
        for (alpha, mode, channels) in [(255, "RGB", 3i64), (0, "RGBA", 4)] {
            let image = painted(5, 2, |_, _| [1, 2, 3, alpha]);
            let given = case::<GetMetadata>().set("image", image.0).run().await;
            let given = &given.unwrap()[0];
            assert_eq!(given["format"], "PNG".into());
            assert_eq!(given["mode"], mode.into());
            assert_eq!(given["channels"], channels.into());
            assert_eq!(
                (&given["width"], &given["height"]),
                (&5i64.into(), &2i64.into())
            );
        }
    }
}
