//! `nodetool.video.FrameToVideo`.

use nodetool_sdk::{
    Emitter, ImageRef, Inputs, Node, NodeCx, NodeError, Pipe, Value, ValueType, VideoRef,
};

use super::ffmpeg;
use crate::picture::{Picture, file, number, work};

/// Most frames of a video.
const MAX_FRAMES: usize = 20_000;
/// Most bytes of all frames together.
const MAX_BYTES: usize = 1 << 30;
/// Fastest video.
const MAX_FPS: f64 = 1000.0;

/// Makes a video of pictures as they come.
/// video, frames, combine, sequence, animation, ffmpeg
///
/// The first picture says how large the video is. Without pictures there is no video.
#[derive(Node)]
#[node(namespace = "nodetool.video", kind = Pipe, once)]
pub(super) struct FrameToVideo {
    /// The pictures.
    frame: ImageRef,
    /// How many are shown in a second.
    #[prop(default = 30)]
    fps: f64,
}

impl Pipe for FrameToVideo {
    type Output = VideoRef;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, VideoRef>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut frames = Frames::default();
        if !inputs.is_connected("frame") && !self.frame.is_empty() {
            frames.add(cx, &self.frame).await?;
        }
        let mut fps = self.fps;
        while let Some((handle, item)) = inputs.next().await {
            match &*handle {
                "frame" => {
                    let frame = ImageRef::from_value(item);
                    let frame = frame.map_err(|why| NodeError::bad("frame", why))?;
                    if !frame.is_empty() {
                        frames.add(cx, &frame).await?;
                    }
                }
                "fps" => fps = rate(&item)?,
                _ => {}
            }
        }
        if frames.files.is_empty() {
            return Ok(());
        }
        let fps = number("fps", fps, 0.01, MAX_FPS)?;
        out.emit(frames.film(cx, fps).await?).await
    }
}

fn rate(item: &Value) -> Result<f64, NodeError> {
    item.as_f64().ok_or_else(|| {
        let message = format!("{} (expected a number)", item.preview(40));
        NodeError::bad("fps", message)
    })
}

/// Frames as files that are numbered.
#[derive(Default)]
struct Frames {
    files: Vec<(String, bytes::Bytes)>,
    size: usize,
}

impl Frames {
    async fn add(&mut self, cx: &NodeCx, frame: &ImageRef) -> Result<(), NodeError> {
        let Some(data) = file(cx, "frame", frame).await? else {
            return Ok(());
        };
        // What is no PNG becomes one: all files of a sequence have one format.
        let data = if data.starts_with(b"\x89PNG\r\n\x1a\n") {
            data
        } else {
            work(move || Picture::decode("frame", &data)?.encode()).await?
        };
        self.size += data.len();
        let number = self.files.len();
        if number == MAX_FRAMES || self.size > MAX_BYTES {
            let message =
                format!("too many (expected at most {MAX_FRAMES} pictures of {MAX_BYTES} bytes)");
            return Err(NodeError::bad("frame", message));
        }
        self.files.push((format!("frame{number:06}.png"), data));
        Ok(())
    }

    async fn film(self, cx: &NodeCx, fps: f64) -> Result<VideoRef, NodeError> {
        let fps = format!("{fps}");
        let inputs = ["-framerate", &fps, "-f", "image2", "-c:v", "png"];
        let inputs = inputs.into_iter().chain(["-i", "frame%06d.png"]);
        let inputs = inputs.map(str::to_owned).collect();
        let args = [
            // H.264 wants even sides.
            "-vf",
            "scale=trunc(iw/2)*2:trunc(ih/2)*2",
            "-c:v",
            "libx264",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
            "video.mp4",
        ];
        let running = ffmpeg::launch(cx, inputs, self.files, &args, &["video.mp4"]).await?;
        let video = ffmpeg::result(running).await?;
        Ok(carried(video))
    }
}

/// A reference that carries a video.
pub(super) fn carried(video: bytes::Bytes) -> VideoRef {
    let mut map = VideoRef::default().0.as_map().cloned().unwrap_or_default();
    map.insert("data".into(), video.into());
    VideoRef(map.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nodetool_sdk::testing::case;

    use super::super::ffmpeg::testing::Scripted;
    use super::*;
    use crate::picture::testing::painted;

    #[tokio::test]
    async fn pictures_become_one_video_at_the_rate_that_arrived() {
        let ffmpeg = Scripted::new([vec![Bytes::from_static(b"film")]]);
        let frames = [1, 2, 3].map(|red| painted(3, 3, |_, _| [red, 0, 0, 255]).0);
        let case = case::<FrameToVideo>()
            .arrive("frame", frames)
            .arrive("fps", [12.5]);
        let video = case.within(ffmpeg.context()).value().await.unwrap();
        assert_eq!(video.type_tag(), Some("video"));
        assert_eq!(video.get("data"), Some(&Bytes::from_static(b"film").into()));
        let runs = ffmpeg.runs.lock().unwrap();
        let names: Vec<_> = runs[0].files.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            ["frame000000.png", "frame000001.png", "frame000002.png"]
        );
        assert!(runs[0].args.join(" ").contains("-framerate 12.5 "));
    }

    #[tokio::test]
    async fn without_pictures_there_is_no_video_and_a_rate_of_nothing_is_refused() {
        let ffmpeg = Scripted::new([]);
        let none = case::<FrameToVideo>().arrive("frame", Vec::<Value>::new());
        assert!(
            none.within(ffmpeg.context())
                .run()
                .await
                .unwrap()
                .is_empty()
        );
        let run = case::<FrameToVideo>().arrive("frame", [painted(1, 1, |_, _| [0; 4]).0]);
        let refused = run.set("fps", 0.0).within(ffmpeg.context()).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`fps`"), "{refused}");
    }
}
