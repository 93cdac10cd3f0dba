//! `lib.html.ExtractImages`, `ExtractVideos`, `ExtractAudio`.

use nodetool_sdk::{
    AudioRef, Emitter, Generate, ImageRef, Node, NodeCx, NodeError, Outputs, Value, VideoRef,
};

use super::media::{Media, media_of};

/// Finds the images of a web page.
/// html, images, pictures, img, src, scrape
///
/// References come one by one and, at the end, as a list.
#[derive(Node)]
#[node(namespace = "lib.html", kind = Generate)]
pub(super) struct ExtractImages {
    /// The page's HTML.
    html: String,
    /// Address of the page, to complete relative addresses.
    base_url: String,
}

/// An image, or all of them.
#[derive(Outputs)]
pub(super) enum Images {
    Image(ImageRef),
    #[slot(ty = "list")]
    Images(Vec<Value>),
}

impl Generate for ExtractImages {
    type Output = Images;

    async fn generate(self, out: &Emitter<'_, Images>, _: &NodeCx) -> Result<(), NodeError> {
        let found = media_of(self.html, self.base_url, Media::Image).await?;
        let all: Vec<_> = found.into_iter().map(|uri| bare(uri, "image")).collect();
        for reference in &all {
            out.emit(Images::Image(ImageRef(reference.clone()))).await?;
        }
        out.emit(Images::Images(all)).await
    }
}

/// Finds the videos of a web page.
/// html, videos, movies, iframe, src, scrape
///
/// References come one by one and, at the end, as a list.
#[derive(Node)]
#[node(namespace = "lib.html", kind = Generate)]
pub(super) struct ExtractVideos {
    /// The page's HTML.
    html: String,
    /// Address of the page, to complete relative addresses.
    base_url: String,
}

/// A video, or all of them.
#[derive(Outputs)]
pub(super) enum Videos {
    Video(VideoRef),
    #[slot(ty = "list")]
    Videos(Vec<Value>),
}

impl Generate for ExtractVideos {
    type Output = Videos;

    async fn generate(self, out: &Emitter<'_, Videos>, _: &NodeCx) -> Result<(), NodeError> {
        let found = media_of(self.html, self.base_url, Media::Video).await?;
        let all: Vec<_> = found.into_iter().map(|uri| bare(uri, "video")).collect();
        for reference in &all {
            out.emit(Videos::Video(VideoRef(reference.clone()))).await?;
        }
        out.emit(Videos::Videos(all)).await
    }
}

/// Finds the sounds of a web page.
/// html, audio, sound, music, src, scrape
///
/// References come one by one and, at the end, as a list.
#[derive(Node)]
#[node(namespace = "lib.html", kind = Generate)]
pub(super) struct ExtractAudio {
    /// The page's HTML.
    html: String,
    /// Address of the page, to complete relative addresses.
    base_url: String,
}

/// A sound, or all of them.
#[derive(Outputs)]
pub(super) enum Audios {
    Audio(AudioRef),
    #[slot(ty = "list")]
    Audios(Vec<Value>),
}

impl Generate for ExtractAudio {
    type Output = Audios;

    async fn generate(self, out: &Emitter<'_, Audios>, _: &NodeCx) -> Result<(), NodeError> {
        let found = media_of(self.html, self.base_url, Media::Audio).await?;
        let all: Vec<_> = found.into_iter().map(|uri| bare(uri, "audio")).collect();
        for reference in &all {
            out.emit(Audios::Audio(AudioRef(reference.clone()))).await?;
        }
        out.emit(Audios::Audios(all)).await
    }
}

/// A reference of nothing but its address, as this namespace gives it.
fn bare(uri: String, tag: &str) -> Value {
    Value::map([("uri", Value::from(uri)), ("type", tag.into())])
}
