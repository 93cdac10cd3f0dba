//! `nodetool.video.FrameIterator`.

use nodetool_sdk::{Emitter, Generate, ImageRef, Node, NodeCx, NodeError, Outputs, VideoRef};

use super::ffmpeg::{self, Source};
use super::png_stream::PngStream;
use crate::picture::carried;

/// Most bytes of the line that says what a video is.
const MAX_HEAD: usize = 4096;

/// Has every picture printed once, however long it is shown.
const EVERY: [&str; 2] = ["-fps_mode", "passthrough"];
/// The same as ffmpeg called it before 5.1.
const EVERY_BEFORE: [&str; 2] = ["-vsync", "0"];

/// Gives the pictures of a video one by one.
/// video, frames, extract, sequence, pictures, ffmpeg
#[derive(Node)]
#[node(namespace = "nodetool.video", kind = Generate)]
pub(super) struct FrameIterator {
    /// The video.
    video: VideoRef,
    /// The first picture, counted from 0.
    start: i64,
    /// The picture behind the last one; -1 for all.
    #[prop(default = -1)]
    end: i64,
}

/// A picture and where it stands.
#[derive(Outputs)]
pub(super) struct Frame {
    frame: ImageRef,
    index: i64,
    fps: f64,
}

impl Generate for FrameIterator {
    type Output = Frame;

    async fn generate(self, out: &Emitter<'_, Frame>, cx: &NodeCx) -> Result<(), NodeError> {
        let start = self.start;
        if start < 0 {
            let message = format!("{start} (expected 0 or more)");
            return Err(NodeError::bad("start", message));
        }
        let mut range = format!("trim=start_frame={start}");
        match self.end {
            -1 => {}
            end if end <= start => return Ok(()),
            end => range.push_str(&format!(":end_frame={end}")),
        }
        let source = Source::read(cx, "video", &self.video.0).await?;
        let (fps, every) = match rate(cx, &source, &EVERY).await {
            Err(NodeError::Failed(why)) if why.contains("fps_mode") => {
                (rate(cx, &source, &EVERY_BEFORE).await?, EVERY_BEFORE)
            }
            fps => (fps?, EVERY),
        };
        let [option, value] = every;
        let args = [
            "-map",
            "0:v:0",
            "-vf",
            &range,
            option,
            value,
            "-c:v",
            "png",
            "-f",
            "image2pipe",
            "-",
        ];
        let mut running = ffmpeg::start(cx, &[&source], &args, &[]).await?;
        let (mut stream, mut index) = (PngStream::default(), start);
        while let Some(piece) = running.read().await? {
            stream.push(&piece);
            while let Some(file) = stream.next()? {
                let frame = carried(file);
                out.emit(Frame { frame, index, fps }).await?;
                index += 1;
            }
        }
        running.finish().await.map(drop)
    }
}

/// How many pictures a video has in a second.
async fn rate(cx: &NodeCx, source: &Source, every: &[&str; 2]) -> Result<f64, NodeError> {
    let [option, value] = *every;
    let args = [
        "-map",
        "0:v:0",
        "-frames:v",
        "1",
        option,
        value,
        "-pix_fmt",
        "yuv420p",
        "-f",
        "yuv4mpegpipe",
        "-",
    ];
    let mut running = ffmpeg::start(cx, &[source], &args, &[]).await?;
    let mut head = Vec::new();
    while let Some(piece) = running.read().await? {
        let room = MAX_HEAD.saturating_sub(head.len()).min(piece.len());
        head.extend_from_slice(&piece[..room]);
        if room == 0 || head.contains(&b'\n') {
            break;
        }
    }
    running.finish().await?;
    let fps = told_rate(&head);
    fps.ok_or_else(|| NodeError::bad("video", "has no pictures (expected a video)"))
}

/// The rate in the first line of a YUV4MPEG2 stream: `… F30000:1001 …`.
fn told_rate(head: &[u8]) -> Option<f64> {
    let line = head.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let words = line.strip_prefix("YUV4MPEG2 ")?;
    let rate = words.split(' ').find_map(|word| word.strip_prefix('F'))?;
    let (over, under) = rate.split_once(':')?;
    let (over, under): (u32, u32) = (over.parse().ok()?, under.parse().ok()?);
    (over > 0 && under > 0).then(|| f64::from(over) / f64::from(under))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nodetool_sdk::testing::case;

    use super::super::ffmpeg::testing::{Scripted, mp4};
    use super::*;
    use crate::picture::testing::{painted, seen};

    fn file(red: u8) -> Bytes {
        let image = painted(2, 2, |_, _| [red, 0, 0, 255]).get("data");
        image.as_bytes().unwrap().clone()
    }

    #[tokio::test]
    async fn frames_come_with_their_number_and_the_rate() {
        let head = Bytes::from_static(b"YUV4MPEG2 W2 H2 F30000:1001 Ip A1:1\nFRAME\n....");
        let ffmpeg = Scripted::new([vec![head], vec![file(1), file(2)]]);
        let case = case::<FrameIterator>().set("video", mp4("video"));
        let case = case.set("start", 5i64).set("end", 7i64);
        let frames = case.within(ffmpeg.context()).run().await.unwrap();
        let reds = frames
            .iter()
            .map(|f| seen(&f["frame"]).pixels.get_pixel(0, 0)[0]);
        assert_eq!(reds.collect::<Vec<_>>(), [1, 2]);
        assert_eq!(frames[1]["index"], 6i64.into());
        let fps = frames[0]["fps"].as_f64().unwrap();
        assert!((fps - 29.97).abs() < 0.001, "{fps}");
        assert!(
            ffmpeg
                .args(1)
                .contains("trim=start_frame=5:end_frame=7 -fps_mode")
        );
        assert!(
            ffmpeg
                .args(0)
                .contains("-protocol_whitelist file -f mov -i file:video")
        );
    }

    #[tokio::test]
    async fn an_empty_range_gives_nothing_and_a_file_without_pictures_is_refused() {
        let ffmpeg = Scripted::new([vec![Bytes::from_static(b"nothing")]]);
        let run = case::<FrameIterator>().set("video", mp4("video"));
        let run = run.set("start", 3i64).set("end", 3i64);
        assert!(run.within(ffmpeg.context()).run().await.unwrap().is_empty());
        let run = case::<FrameIterator>().set("video", mp4("video"));
        let refused = run.within(ffmpeg.context()).run().await.unwrap_err();
        assert!(refused.to_string().contains("has no pictures"), "{refused}");
    }

    #[test]
    fn rates_of_nothing_are_none() {
        assert_eq!(told_rate(b"YUV4MPEG2 W2 H2 F25:1\n"), Some(25.0));
        for bad in ["", "YUV4MPEG2 W2 H2 F25:0\n", "YUV4MPEG2 W2\n", "F25:1"] {
            assert_eq!(told_rate(bad.as_bytes()), None, "{bad}");
        }
    }
}
