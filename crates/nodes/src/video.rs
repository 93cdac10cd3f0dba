//! `nodetool.video`: videos made by models, and taken apart and put together by ffmpeg.

use nodetool_sdk::models::VideoRequest;
use nodetool_sdk::{NodeCx, NodeError, Registry, ValueType, VideoRef};

use crate::models::media;

mod add_audio;
mod ffmpeg;
mod frame_iterator;
mod frame_to_video;
mod image_to_video;
mod png_stream;
mod text_to_video;

pub(crate) fn register(r: &mut Registry) {
    r.add::<frame_iterator::FrameIterator>();
    r.add::<frame_to_video::FrameToVideo>();
    r.add::<add_audio::AddAudio>();
    r.add::<text_to_video::TextToVideo>();
    r.add::<image_to_video::ImageToVideo>();
}

/// Width to height.
#[derive(Clone, Copy, Debug, ValueType)]
enum AspectRatio {
    #[value("16:9")]
    Wide,
    #[value("9:16")]
    Tall,
    #[value("1:1")]
    Square,
    #[value("4:3")]
    Screen,
    #[value("3:4")]
    Page,
}

/// Lines of a picture.
#[derive(Clone, Copy, Debug, ValueType)]
enum Resolution {
    #[value("480p")]
    Small,
    #[value("720p")]
    Middle,
    #[value("1080p")]
    Large,
}

/// Has the video made.
async fn film(cx: &NodeCx, request: VideoRequest) -> Result<VideoRef, NodeError> {
    let made = cx.services().models.video(request).await?;
    let empty = VideoRef::default().0;
    media::made(cx, empty, made).await.map(VideoRef)
}

/// The word of a member.
fn word(member: impl ValueType) -> Option<String> {
    member.into_value().as_str().map(str::to_owned)
}
