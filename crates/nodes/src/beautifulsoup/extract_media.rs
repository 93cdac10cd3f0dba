//! `lib.beautifulsoup.ExtractImages`, `ExtractVideos`, `ExtractAudio`.

use std::sync::Arc;

use nodetool_sdk::{
    AudioRef, Emitter, Generate, ImageRef, Node, NodeCx, NodeError, Outputs, Value, VideoRef,
};

use crate::html::media::{Media, media_of};

/// Finds the images of a web page, one by one.
/// html, images, pictures, img, src, scrape
#[derive(Node)]
#[node(namespace = "lib.beautifulsoup", kind = Generate)]
pub(super) struct ExtractImages {
    /// The page's HTML.
    html: String,
    /// Address of the page, to complete relative addresses.
    base_url: String,
}

/// An image.
#[derive(Outputs)]
pub(super) struct Image {
    image: ImageRef,
}

impl Generate for ExtractImages {
    type Output = Image;

    async fn generate(self, out: &Emitter<'_, Image>, _: &NodeCx) -> Result<(), NodeError> {
        for uri in media_of(self.html, self.base_url, Media::Image).await? {
            let image = ImageRef(located(ImageRef::default().0, uri));
            out.emit(Image { image }).await?;
        }
        Ok(())
    }
}

/// Finds the videos of a web page, one by one.
/// html, videos, movies, iframe, src, scrape
#[derive(Node)]
#[node(namespace = "lib.beautifulsoup", kind = Generate)]
pub(super) struct ExtractVideos {
    /// The page's HTML.
    html: String,
    /// Address of the page, to complete relative addresses.
    base_url: String,
}

/// A video.
#[derive(Outputs)]
pub(super) struct Video {
    video: VideoRef,
}

impl Generate for ExtractVideos {
    type Output = Video;

    async fn generate(self, out: &Emitter<'_, Video>, _: &NodeCx) -> Result<(), NodeError> {
        for uri in media_of(self.html, self.base_url, Media::Video).await? {
            let video = VideoRef(located(VideoRef::default().0, uri));
            out.emit(Video { video }).await?;
        }
        Ok(())
    }
}

/// Finds the sounds of a web page, one by one.
/// html, audio, sound, music, src, scrape
#[derive(Node)]
#[node(namespace = "lib.beautifulsoup", kind = Generate)]
pub(super) struct ExtractAudio {
    /// The page's HTML.
    html: String,
    /// Address of the page, to complete relative addresses.
    base_url: String,
}

/// A sound.
#[derive(Outputs)]
pub(super) struct Audio {
    audio: AudioRef,
}

impl Generate for ExtractAudio {
    type Output = Audio;

    async fn generate(self, out: &Emitter<'_, Audio>, _: &NodeCx) -> Result<(), NodeError> {
        for uri in media_of(self.html, self.base_url, Media::Audio).await? {
            let audio = AudioRef(located(AudioRef::default().0, uri));
            out.emit(Audio { audio }).await?;
        }
        Ok(())
    }
}

/// A reference with its address set.
fn located(reference: Value, uri: String) -> Value {
    match reference {
        Value::Map(map) => {
            let mut map = Arc::unwrap_or_clone(map);
            map.insert("uri".into(), uri.into());
            map.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn references_are_whole_and_nothing_else_comes() {
        let run = case::<ExtractImages>()
            .set("html", "<img src=/a.png><img src=b.png>")
            .set("base_url", "https://x.org/p/");
        let items = run.run().await.unwrap();
        assert_eq!(items.len(), 2);
        let image = &items[0]["image"];
        assert_eq!(image.get("uri"), Some(&"https://x.org/a.png".into()));
        assert_eq!(image.get("asset_id"), Some(&Value::Null));
        assert_eq!(image.type_tag(), Some("image"));
    }
}
