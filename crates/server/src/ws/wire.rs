//! Messages as frames, in both encodings (socket spec 2).

use std::sync::atomic::{AtomicU8, Ordering};

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use nodetool_protocol::{Value, pack};

use crate::json_text::{self, JsonFault};
use crate::services::{ChatFrame, Frame, Sample};

/// How messages leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// MessagePack.
    Binary,
    /// JSON.
    Text,
}

impl Mode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mode::Binary => "binary",
            Mode::Text => "text",
        }
    }
}

/// The encoding of a socket: follows the client's last frame until the client chooses one.
pub(super) struct ModeSwitch(AtomicU8);

const TEXT: u8 = 1;
const PINNED: u8 = 2;

impl ModeSwitch {
    pub(super) fn new(mode: Mode, pinned: bool) -> Self {
        let switch = ModeSwitch(AtomicU8::new(0));
        switch.store(mode, pinned);
        switch
    }

    fn store(&self, mode: Mode, pinned: bool) {
        let text = if mode == Mode::Text { TEXT } else { 0 };
        let pinned = if pinned { PINNED } else { 0 };
        self.0.store(text | pinned, Ordering::Release);
    }

    pub(super) fn get(&self) -> Mode {
        if self.0.load(Ordering::Acquire) & TEXT == 0 {
            Mode::Binary
        } else {
            Mode::Text
        }
    }

    /// The client sent a frame of this kind.
    pub(super) fn follow(&self, mode: Mode) {
        if self.0.load(Ordering::Acquire) & PINNED == 0 {
            self.store(mode, false);
        }
    }

    /// The client chose.
    pub(super) fn pin(&self, mode: Mode) {
        self.store(mode, true);
    }
}

/// Reads a frame; what is wrong with it otherwise.
pub(super) fn decode(bytes: &[u8], mode: Mode) -> Result<Value, String> {
    match mode {
        Mode::Binary => pack::from_slice(bytes).map_err(|e| format!("not MessagePack: {e}")),
        Mode::Text => json_text::parse(bytes).map_err(|e| match e {
            JsonFault::Syntax(e) => format!("not JSON: {e}"),
            e => e.to_string(),
        }),
    }
}

fn message(mode: Mode, bytes: Bytes) -> Message {
    match mode {
        Mode::Binary => Message::Binary(bytes),
        Mode::Text => match Utf8Bytes::try_from(bytes) {
            Ok(text) => Message::Text(text),
            // Our own JSON is always text.
            Err(_) => Message::Text(Utf8Bytes::from_static("{}")),
        },
    }
}

/// Any message of ours.
pub(super) fn encode(value: &Value, mode: Mode) -> Message {
    let bytes = match mode {
        Mode::Binary => pack::to_vec(value).unwrap_or_else(|e| {
            let error = Value::map([
                ("type", Value::from("error")),
                (
                    "message",
                    format!("This message cannot be written: {e}").into(),
                ),
            ]);
            pack::to_vec(&error).unwrap_or_default()
        }),
        Mode::Text => serde_json::to_vec(value).unwrap_or_default(),
    };
    message(mode, bytes.into())
}

/// A message of a job.
pub(super) fn encode_frame(frame: &Frame, mode: Mode) -> Message {
    let bytes = match mode {
        Mode::Binary => frame.packed(),
        Mode::Text => frame.json(),
    };
    message(mode, bytes)
}

/// A message of a thread.
pub(super) fn encode_turn(frame: &ChatFrame, mode: Mode) -> Message {
    let bytes = match mode {
        Mode::Binary => frame.packed(),
        Mode::Text => frame.json(),
    };
    message(mode, bytes)
}

/// A look at the machine.
pub(super) fn encode_sample(sample: &Sample, mode: Mode) -> Message {
    let bytes = match mode {
        Mode::Binary => sample.packed.clone(),
        Mode::Text => sample.json.clone(),
    };
    message(mode, bytes)
}

/// Bytes of a message.
pub(super) fn size(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

/// Seconds since 1970.
pub(super) fn now_seconds() -> f64 {
    nodetool_store::now_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_follows_the_client_until_it_chooses() {
        let switch = ModeSwitch::new(Mode::Binary, false);
        switch.follow(Mode::Text);
        assert_eq!(switch.get(), Mode::Text);
        switch.follow(Mode::Binary);
        assert_eq!(switch.get(), Mode::Binary);
        switch.pin(Mode::Text);
        switch.follow(Mode::Binary);
        assert_eq!(switch.get(), Mode::Text);
    }
}
