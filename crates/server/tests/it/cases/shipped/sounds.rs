//! Workflows that hear and speak.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::{Value, encode_data_uri};
use nodetool_sdk::models::{MediaSource, Part, Role};

use super::stage::Stage;
use super::studio::said;

/// A tenth of a second of silence as a WAV file: 800 samples of eight bits.
fn wav() -> Vec<u8> {
    let mut wav = b"RIFF\x44\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x20\x03\0\0".to_vec();
    wav.resize(wav.len() + 800, 128);
    wav
}

fn sound() -> Value {
    let uri = encode_data_uri("audio/wav", &wav());
    Value::map([("type", "audio".into()), ("uri", uri.into())])
}

#[tokio::test]
async fn a_story_about_a_picture_is_told_aloud() {
    let Some(played) = Stage::of("image-to-audio-story").play().await else {
        return;
    };
    let played = played.completed();
    let asked = &played.asked.chats[0];
    assert_eq!(asked.max_tokens, Some(4096));
    let parts = &asked.messages.last().unwrap().parts;
    let [Part::Text(text), Part::Image(image)] = &parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!(text, "Write a compelling story about the image.");
    // The provider fetches a public picture itself; this server does not.
    let MediaSource::Url(url) = &image.source else {
        panic!("{image:?}")
    };
    assert!(url.starts_with("https://s.abcnews.com/images/"), "{url}");
    assert!(played.network.asked().is_empty());
    let story = "The square lay empty in the early light, and then one person stepped into the road and stayed.";
    let [speech] = &played.asked.speeches[..] else {
        panic!("{:?}", played.asked.speeches)
    };
    assert_eq!((&*speech.text, speech.speed), (story, Some(1.0)));
    let pieces = played.preview("cc2281ff");
    assert_eq!(pieces.len(), 3);
    let of = |key: &'static str| move |piece: &Value| piece.get(key).cloned();
    let kinds: Vec<Value> = pieces.iter().filter_map(of("content_type")).collect();
    assert_eq!(kinds, ["audio"; 3].map(Value::from));
    let ends: Vec<Value> = pieces.iter().filter_map(of("done")).collect();
    assert_eq!(ends, [false, false, true].map(Value::from));
    let samples: Vec<u8> = pieces
        .iter()
        .filter_map(|piece| STANDARD.decode(piece.get("content")?.as_str()?).ok())
        .flatten()
        .collect();
    let half = |level: u8| vec![level; 24_000];
    assert!(
        samples == [half(1), half(2)].concat(),
        "{} bytes",
        samples.len()
    );
}

#[tokio::test]
async fn a_recording_is_written_down() {
    let stage = Stage::of("transcribe-audio").given("audio", sound());
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let [heard] = &played.asked.sounds[..] else {
        panic!("{:?}", played.asked.sounds)
    };
    assert_eq!(heard.audio.mime, "audio/wav");
    assert_eq!(heard.audio.source, MediaSource::Bytes(wav().into()));
    let want = "This is a fake transcription.";
    assert_eq!(played.output("transcription"), [want.into()]);
}

#[tokio::test]
async fn a_music_video_as_it_was_shipped_says_what_it_lacks() {
    let stage = Stage::of("music-video-visualizer").given("audio_track", sound());
    let Some(played) = stage.play().await else {
        return;
    };
    // Its two templates are empty, so there is nothing to ask the agent.
    assert_eq!(played.ran.status, "failed");
    assert!(
        played.ran.error.contains("`prompt`: is empty"),
        "{}",
        played.ran.error
    );
    assert_eq!(
        (played.asked.sounds.len(), played.asked.chats.len()),
        (1, 0)
    );
}

#[tokio::test]
async fn with_its_templates_a_track_becomes_frames_and_a_video_with_the_track() {
    let stage = Stage::of("music-video-visualizer")
        .given("audio_track", sound())
        .setting(
            "mood_analyzer",
            "template",
            "Mood of {{ transcription }} ({{ genre }}; {{ style }})",
        )
        .setting(
            "frame_prompt_generator",
            "template",
            "Write {{ count }} frames for: {{ analysis }}",
        );
    let Some(played) = stage.play().await else {
        return;
    };
    let prompts = played.asked.prompts();
    let mood = "Mood of This is a fake transcription. (electronic ambient; abstract geometric patterns, neon colors, flowing energy)";
    assert_eq!(prompts[0], mood);
    let system = said(&played.asked.chats[0], Role::System);
    assert!(
        system.starts_with("You are a creative director specializing in music"),
        "{system}"
    );
    let analysis = "Calm with a slow pulse: deep blues that open into violet.";
    assert!(
        prompts[1].starts_with(&format!("Write 8 frames for: {analysis}")),
        "{}",
        prompts[1]
    );
    assert_eq!(played.output("mood_analysis"), [analysis.into()]);
    let drawn: Vec<&str> = played.asked.images.iter().map(|i| &*i.prompt).collect();
    assert_eq!(drawn, ["Blue lattice, still", "Violet lattice, unfolding"]);
    assert_eq!(played.asked.images[0].width, Some(1920));
    let frames = played.output("visual_frames");
    assert_eq!(frames[0].as_list().map(<[Value]>::len), Some(2));
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("ffmpeg").is_file()) {
        let error = &played.ran.error;
        assert!(error.contains("needs the program ffmpeg"), "{error}");
        eprintln!("SKIPPED 1 video: there is no ffmpeg on PATH");
        return;
    }
    let played = played.completed();
    let videos = played.output("music_video");
    assert_eq!(videos.len(), 1);
    assert_eq!(videos[0].type_tag(), Some("video"));
}
