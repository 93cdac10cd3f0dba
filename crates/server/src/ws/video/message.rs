//! The words of `/ws/video/` (orchestrator spec 4.5): what clients ask for, and what they are told.

use axum::extract::ws::Message;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value, json};

use crate::services::{
    BrowserAct as Act, BrowserButton as Button, BrowserFrame as Frame, BrowserInput as Input,
    BrowserJourney as Journey, BrowserKey as Key, BrowserMotion as Motion, BrowserSeen as Seen,
};

/// Largest place in a picture, in pixels.
const MAX_PLACE: f64 = 16_384.0;
/// Farthest a wheel turns at once.
const MAX_TURN: f64 = 100_000.0;
/// Longest name of a key.
const MAX_KEY: usize = 32;
/// Longest id.
const MAX_ID: usize = 64;
/// Longest address.
const MAX_URL: usize = 8192;

/// What a client asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// To look at the browser of a session.
    Start(String),
    Act(Act),
    Ping,
}

/// Reads a message, or says which field is wrong and what was expected. Types nobody knows ask for nothing.
pub(super) fn read(text: &str) -> Result<Option<Asked>, String> {
    let message: Value = serde_json::from_str(text).map_err(|_| "Invalid JSON")?;
    let fields = message.as_object().ok_or("Messages are JSON objects")?;
    let fields = Fields(fields);
    let kind = fields.0.get("type").and_then(Value::as_str);
    let kind = kind.ok_or("type: expected a text such as start")?;
    let act = match kind {
        "ping" => return Ok(Some(Asked::Ping)),
        "start" => return Ok(Some(Asked::Start(fields.text("session_id", MAX_ID)?))),
        "mousemove" => fields.mouse(Motion::Move)?,
        "mousedown" => fields.mouse(Motion::Down(fields.button()?))?,
        "mouseup" => fields.mouse(Motion::Up(fields.button()?))?,
        "wheel" => Act::Input(Input::Wheel {
            x: fields.place("x")?,
            y: fields.place("y")?,
            dx: fields.turn("deltaX")?,
            dy: fields.turn("deltaY")?,
        }),
        "keydown" => fields.key(true)?,
        "keyup" => fields.key(false)?,
        "page_switch" => Act::Switch(fields.text("page_id", MAX_ID)?),
        "new_tab" => Act::Open,
        "close_tab" => Act::Close(fields.text("page_id", MAX_ID)?),
        "navigate" => fields.journey()?,
        _ => return Ok(None),
    };
    Ok(Some(Asked::Act(act)))
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str, most: usize) -> Result<String, String> {
        match self.given(name) {
            Some(Value::String(text)) if (1..=most).contains(&text.len()) => Ok(text.clone()),
            _ => Err(format!("{name}: expected a text of 1 to {most} bytes")),
        }
    }

    fn number(&self, name: &str, least: f64, most: f64) -> Result<f64, String> {
        let given = self.given(name).and_then(Value::as_f64);
        given
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("{name}: expected a number from {least} to {most}"))
    }

    fn place(&self, name: &str) -> Result<f64, String> {
        self.number(name, 0.0, MAX_PLACE)
    }

    fn turn(&self, name: &str) -> Result<f64, String> {
        match self.given(name) {
            None => Ok(0.0),
            Some(_) => self.number(name, -MAX_TURN, MAX_TURN),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.given(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(_) => Err(format!("{name}: expected true or false")),
        }
    }

    fn mouse(&self, motion: Motion) -> Result<Act, String> {
        Ok(Act::Input(Input::Mouse {
            motion,
            x: self.place("x")?,
            y: self.place("y")?,
        }))
    }

    /// A button by its name, or by its number as pages know it.
    fn button(&self) -> Result<Button, String> {
        let given = self.given("button");
        let button = match given.and_then(Value::as_str) {
            Some("left") => Some(Button::Left),
            Some("middle") => Some(Button::Middle),
            Some("right") => Some(Button::Right),
            Some("back") => Some(Button::Back),
            Some("forward") => Some(Button::Forward),
            Some(_) => None,
            None => match given.map(Value::as_u64) {
                None | Some(Some(0)) => Some(Button::Left),
                Some(Some(1)) => Some(Button::Middle),
                Some(Some(2)) => Some(Button::Right),
                Some(Some(3)) => Some(Button::Back),
                Some(Some(4)) => Some(Button::Forward),
                Some(_) => None,
            },
        };
        button.ok_or_else(|| {
            "button: expected left, middle, right, back, forward or a number from 0 to 4".into()
        })
    }

    fn key(&self, down: bool) -> Result<Act, String> {
        let code = match self.given("code") {
            // Keys of a touch keyboard have no place.
            None => String::new(),
            Some(Value::String(code))
                if code.len() <= MAX_KEY && code.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                code.clone()
            }
            Some(_) => {
                return Err(format!(
                    "code: expected a name of at most {MAX_KEY} letters and digits, such as KeyA"
                ));
            }
        };
        Ok(Act::Input(Input::Key(Key {
            down,
            key: self.text("key", MAX_KEY)?,
            code,
            ctrl: self.flag("ctrlKey")?,
            alt: self.flag("altKey")?,
            shift: self.flag("shiftKey")?,
            meta: self.flag("metaKey")?,
            repeat: self.flag("repeat")?,
        })))
    }

    fn journey(&self) -> Result<Act, String> {
        let journey = match self.given("action").and_then(Value::as_str) {
            Some("back") => Journey::Back,
            Some("forward") => Journey::Forward,
            Some("refresh") => Journey::Refresh,
            Some("goto") => Journey::Goto(self.text("url", MAX_URL)?),
            _ => return Err("action: expected back, forward, refresh or goto".into()),
        };
        Ok(Act::Travel(journey))
    }
}

/// What a client is told, as it is written.
pub(super) fn write(seen: Seen) -> Message {
    let told = match seen {
        Seen::Frame(frame) => return Message::Binary(picture(&frame)),
        Seen::Pages(ids) => json!({"type": "pages_sync", "page_ids": ids}),
        Seen::Added(id) => json!({"type": "page_added", "page_id": id}),
        Seen::Removed(id) => json!({"type": "page_removed", "page_id": id}),
        Seen::Switched { id, url } => json!({"type": "page_switched", "page_id": id, "url": url}),
        Seen::Url(url) => json!({"type": "url_changed", "url": url}),
        Seen::Error(why) => return error(&why),
    };
    Message::Text(told.to_string().into())
}

/// That something cannot be done, and why.
pub(super) fn error(why: &str) -> Message {
    let told = json!({"type": "error", "message": why});
    Message::Text(told.to_string().into())
}

/// Width, height, and the picture.
fn picture(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::with_capacity(8 + frame.jpeg.len());
    bytes.put_u32(frame.width);
    bytes.put_u32(frame.height);
    bytes.put_slice(&frame.jpeg);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(message: Value) -> Act {
        match read(&message.to_string()).unwrap() {
            Some(Asked::Act(act)) => act,
            other => panic!("expected an act, found {other:?}"),
        }
    }

    #[test]
    fn what_clients_do_is_read() {
        let mouse = |motion| {
            Act::Input(Input::Mouse {
                motion,
                x: 1.5,
                y: 2.0,
            })
        };
        let at =
            |kind: &str, button: Value| json!({"type": kind, "x": 1.5, "y": 2, "button": button});
        assert_eq!(act(at("mousemove", json!(0))), mouse(Motion::Move));
        for button in [json!("right"), json!(2)] {
            assert_eq!(
                act(at("mousedown", button.clone())),
                mouse(Motion::Down(Button::Right))
            );
        }
        assert_eq!(
            act(at("mouseup", Value::Null)),
            mouse(Motion::Up(Button::Left))
        );
        let wheel = json!({"type": "wheel", "x": 0, "y": 0, "deltaX": 0, "deltaY": -120});
        let turned = Input::Wheel {
            x: 0.0,
            y: 0.0,
            dx: 0.0,
            dy: -120.0,
        };
        assert_eq!(act(wheel), Act::Input(turned));
        let key = json!({"type": "keydown", "key": "A", "code": "KeyA", "shiftKey": true, "repeat": true});
        let pressed = Key {
            down: true,
            key: "A".into(),
            code: "KeyA".into(),
            shift: true,
            repeat: true,
            ..Key::default()
        };
        assert_eq!(act(key), Act::Input(Input::Key(pressed)));
        assert_eq!(act(json!({"type": "new_tab"})), Act::Open);
        assert_eq!(
            act(json!({"type": "close_tab", "page_id": "P"})),
            Act::Close("P".into())
        );
        assert_eq!(
            act(json!({"type": "page_switch", "page_id": "P"})),
            Act::Switch("P".into())
        );
        let goto = json!({"type": "navigate", "action": "goto", "url": "http://a.example/"});
        assert_eq!(
            act(goto),
            Act::Travel(Journey::Goto("http://a.example/".into()))
        );
        assert_eq!(
            act(json!({"type": "navigate", "action": "back", "url": null})),
            Act::Travel(Journey::Back)
        );
        let start = read(r#"{"type":"start","session_id":"s"}"#).unwrap();
        assert_eq!(start, Some(Asked::Start("s".into())));
        assert_eq!(read(r#"{"type":"dance"}"#), Ok(None));
    }

    #[test]
    fn what_is_wrong_with_a_message_is_named() {
        for (message, named) in [
            ("{", "Invalid JSON"),
            ("[]", "objects"),
            ("{}", "type:"),
            (r#"{"type":5}"#, "type:"),
            (r#"{"type":"start"}"#, "session_id:"),
            (r#"{"type":"start","session_id":""}"#, "session_id:"),
            (r#"{"type":"mousemove","x":1}"#, "y:"),
            (r#"{"type":"mousemove","x":-1,"y":1}"#, "x:"),
            (r#"{"type":"mousemove","x":1e300,"y":1}"#, "x:"),
            (
                r#"{"type":"mousedown","x":1,"y":1,"button":"fifth"}"#,
                "button:",
            ),
            (r#"{"type":"mousedown","x":1,"y":1,"button":-1}"#, "button:"),
            (r#"{"type":"wheel","x":1,"y":1,"deltaY":1e9}"#, "deltaY:"),
            (r#"{"type":"keydown","code":"KeyA"}"#, "key:"),
            (r#"{"type":"keydown","key":"a","code":"Key A"}"#, "code:"),
            (
                r#"{"type":"keydown","key":"a","code":"KeyA","ctrlKey":1}"#,
                "ctrlKey:",
            ),
            (r#"{"type":"page_switch","page_id":7}"#, "page_id:"),
            (r#"{"type":"close_tab"}"#, "page_id:"),
            (r#"{"type":"navigate","action":"home"}"#, "action:"),
            (r#"{"type":"navigate","action":"goto"}"#, "url:"),
        ] {
            let said = read(message).unwrap_err();
            assert!(said.contains(named), "{message}: {said}");
        }
        let long = json!({"type": "navigate", "action": "goto", "url": "x".repeat(MAX_URL + 1)});
        assert!(read(&long.to_string()).unwrap_err().contains("url:"));
    }

    #[test]
    fn a_picture_is_its_width_its_height_and_its_bytes() {
        let frame = Frame {
            width: 258,
            height: 3,
            jpeg: Bytes::from_static(&[9, 8]),
        };
        let Message::Binary(bytes) = write(Seen::Frame(frame)) else {
            panic!("expected bytes");
        };
        assert_eq!(&bytes[..], &[0, 0, 1, 2, 0, 0, 0, 3, 9, 8]);
    }

    #[test]
    fn what_happens_is_written_in_the_words_of_the_socket() {
        let text = |seen| match write(seen) {
            Message::Text(text) => serde_json::from_str::<Value>(&text).unwrap(),
            other => panic!("expected a text, found {other:?}"),
        };
        let switched = Seen::Switched {
            id: "P".into(),
            url: "u".into(),
        };
        for (seen, expected) in [
            (
                Seen::Pages(vec!["P".into()]),
                json!({"type": "pages_sync", "page_ids": ["P"]}),
            ),
            (
                Seen::Added("P".into()),
                json!({"type": "page_added", "page_id": "P"}),
            ),
            (
                Seen::Removed("P".into()),
                json!({"type": "page_removed", "page_id": "P"}),
            ),
            (
                switched,
                json!({"type": "page_switched", "page_id": "P", "url": "u"}),
            ),
            (
                Seen::Url("u".into()),
                json!({"type": "url_changed", "url": "u"}),
            ),
            (
                Seen::Error("e".into()),
                json!({"type": "error", "message": "e"}),
            ),
        ] {
            assert_eq!(text(seen), expected);
        }
    }
}
