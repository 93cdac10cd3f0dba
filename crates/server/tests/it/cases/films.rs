//! Videos made and taken apart by the ffmpeg of this machine. Without one, the run has to say so and the test counts as
//! skipped.

use nodetool_protocol::{Value, encode_data_uri};
use serde_json::json;

use super::house::{House, Order, Ran};
use super::media::summary;

/// Four tiles of a picture become a video, and the video pictures again.
fn graph() -> Value {
    let output =
        |name: &str| json!({"id": name, "type": "nodetool.output.Output", "data": {"name": name}});
    let edge = |source: &str, out: &str, target: &str, handle: &str| json!({"source": source, "sourceHandle": out, "target": target, "targetHandle": handle});
    let color = json!({"type": "color", "value": "#c04020"});
    let graph = json!({
        "nodes": [
            {"id": "paint", "type": "lib.pillow.draw.Background", "data": {"width": 64, "height": 48, "color": color}},
            {"id": "cut", "type": "lib.grid.SliceImageGrid", "data": {"columns": 2, "rows": 2}},
            {"id": "each", "type": "nodetool.control.ForEach", "data": {}},
            {"id": "film", "type": "nodetool.video.FrameToVideo", "data": {"fps": 12.5}},
            {"id": "sound", "type": "nodetool.constant.Audio", "data": {"value": {"type": "audio", "uri": silence()}}},
            {"id": "add", "type": "nodetool.video.AddAudio", "data": {"mix": true}},
            {"id": "frames", "type": "nodetool.video.FrameIterator", "data": {"start": 1, "end": 3}},
            output("frame"), output("index"), output("fps"),
        ],
        "edges": [
            edge("paint", "output", "cut", "image"),
            edge("cut", "output", "each", "input_list"),
            edge("each", "output", "film", "frame"),
            edge("film", "output", "add", "video"),
            edge("sound", "output", "add", "audio"),
            edge("add", "output", "frames", "video"),
            edge("frames", "frame", "frame", "value"),
            edge("frames", "index", "index", "value"),
            edge("frames", "fps", "fps", "value"),
        ],
    });
    serde_json::from_value(graph).unwrap()
}

/// A second of silence as a WAV file: 8,000 samples of eight bits.
fn silence() -> String {
    let mut wav = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
    wav.resize(wav.len() + 8000, 128);
    encode_data_uri("audio/wav", &wav)
}

fn values(ran: &Ran, name: &str) -> Vec<Value> {
    let found = ran.outputs.iter().find(|(output, _)| &***output == name);
    found.map(|(_, values)| values.clone()).unwrap_or_default()
}

#[tokio::test]
async fn pictures_become_a_video_with_sound_and_the_video_pictures_again() {
    let house = House::open();
    let order = Order {
        graph: graph(),
        ..Order::default()
    };
    let ran = house.run(order).await;
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("ffmpeg").is_file()) {
        assert!(
            ran.error.contains("needs the program ffmpeg"),
            "{}",
            ran.error
        );
        eprintln!("SKIPPED 1 test: there is no ffmpeg on PATH");
        return;
    }
    assert_eq!((&*ran.status, &*ran.error), ("completed", ""));
    assert_eq!(values(&ran, "index"), [1i64.into(), 2i64.into()]);
    assert_eq!(values(&ran, "fps"), [12.5.into(), 12.5.into()]);
    let frames = values(&ran, "frame");
    assert_eq!(frames.len(), 2);
    let size = |value: &Value, side: &str| value.get(side).and_then(Value::as_i64);
    for frame in frames.iter().map(summary) {
        assert_eq!(
            (size(&frame, "width"), size(&frame, "height")),
            (Some(32), Some(24))
        );
    }
}
