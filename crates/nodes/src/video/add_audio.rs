//! `nodetool.video.AddAudio`.

use nodetool_sdk::{AudioRef, Node, NodeCx, NodeError, Process, VideoRef};

use super::ffmpeg::{self, Source};
use super::frame_to_video::carried;
use crate::picture::number;

/// Gives a video a sound, in place of its own or along with it.
/// video, audio, sound, music, soundtrack, mix, ffmpeg
///
/// The video stays as long as it was.
#[derive(Node)]
#[node(namespace = "nodetool.video")]
pub(super) struct AddAudio {
    /// The video.
    video: VideoRef,
    /// The sound.
    audio: AudioRef,
    /// How loud the new sound is: 1 leaves it alone.
    #[prop(default = 1.0, min = 0, max = 2)]
    volume: f64,
    /// Whether the video's own sound is kept as well.
    mix: bool,
}

impl Process for AddAudio {
    type Output = VideoRef;

    async fn process(self, cx: &NodeCx) -> Result<VideoRef, NodeError> {
        let volume = number("volume", self.volume, 0.0, 2.0)?;
        let video = Source::read(cx, "video", &self.video.0).await?;
        let audio = Source::read(cx, "audio", &self.audio.0).await?;
        if self.mix {
            match self.film(cx, &video, &audio, &mixed(volume)).await {
                // A silent video has nothing to mix with.
                Err(NodeError::Failed(why)) if why.contains("matches no streams") => {}
                made => return made,
            }
        }
        let alone = format!("[1:a:0]volume={volume},apad[a]");
        self.film(cx, &video, &audio, &alone).await
    }
}

fn mixed(volume: f64) -> String {
    format!("[1:a:0]volume={volume},apad[n];[0:a:0][n]amix=inputs=2:duration=longest[a]")
}

impl AddAudio {
    async fn film(
        &self,
        cx: &NodeCx,
        video: &Source,
        audio: &Source,
        sound: &str,
    ) -> Result<VideoRef, NodeError> {
        let args = [
            "-filter_complex",
            sound,
            "-map",
            "0:v:0",
            "-map",
            "[a]",
            "-c:v",
            "copy",
            "-c:a",
            "aac",
            "-shortest",
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
            "video.mp4",
        ];
        let running = ffmpeg::start(cx, &[video, audio], &args, &["video.mp4"]).await?;
        ffmpeg::result(running).await.map(carried)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nodetool_sdk::testing::case;

    use super::super::ffmpeg::testing::{Scripted, mp4};
    use super::*;

    #[tokio::test]
    async fn the_sound_is_replaced_or_mixed_at_its_volume() {
        for (mix, wanted) in [
            (false, "[1:a:0]volume=0.5,apad[a]"),
            (true, "amix=inputs=2"),
        ] {
            let ffmpeg = Scripted::new([vec![Bytes::from_static(b"film")]]);
            let case = case::<AddAudio>()
                .set("video", mp4("video"))
                .set("mix", mix);
            let case = case.set("audio", mp4("audio")).set("volume", 0.5);
            let video = case.within(ffmpeg.context()).value().await.unwrap();
            assert_eq!(video.get("data"), Some(&Bytes::from_static(b"film").into()));
            assert!(ffmpeg.args(0).contains(wanted), "{}", ffmpeg.args(0));
        }
    }

    #[tokio::test]
    async fn without_a_sound_the_property_is_named() {
        let ffmpeg = Scripted::new([]);
        let run = case::<AddAudio>().set("video", mp4("video"));
        let refused = run.within(ffmpeg.context()).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("`audio`: is empty"),
            "{refused}"
        );
    }
}
